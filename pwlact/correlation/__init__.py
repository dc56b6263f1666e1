"""The correlation objective: statistics of an input, the reward of a function, solvers."""

from pwlact.correlation.objective import OBJECTIVES, Objective, is_degenerate, reward, signs
from pwlact.correlation.problem import Problem, Sampler, Snapshot, Solution
from pwlact.correlation.solvers import GradientOptions, hat_gram, solve_analytic, solve_eigen, solve_sample
from pwlact.correlation.statistics import HatStatistics

__all__ = [
    "OBJECTIVES",
    "GradientOptions",
    "HatStatistics",
    "Objective",
    "Problem",
    "Sampler",
    "Snapshot",
    "Solution",
    "hat_gram",
    "is_degenerate",
    "reward",
    "signs",
    "solve_analytic",
    "solve_eigen",
    "solve_sample",
]
