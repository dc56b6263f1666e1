"""Solvers of the correlation objective, with one interface: `Problem` in, `Solution` out."""

from pwlact.correlation.solvers.eigen import hat_gram, solve_eigen
from pwlact.correlation.solvers.gradient import GradientOptions, solve_analytic, solve_sample

__all__ = ["GradientOptions", "hat_gram", "solve_analytic", "solve_eigen", "solve_sample"]
