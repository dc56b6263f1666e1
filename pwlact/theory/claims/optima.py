"""Optima that several claims are measured on, each solved once a process."""

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pwlact.correlation import GradientOptions, HatStatistics, Problem, Solution, solve_analytic, solve_eigen
from pwlact.correlation.solvers import solve_sample
from pwlact.moments import GaussianMixture
from pwlact.pwl import Knots
from pwlact.swish import SwishFit, fit_swish

Array = NDArray[np.float64]
KNOTS = Knots(33, -3.0, 3.0)
STEPS, SAMPLES = 100, 2000


class Optimum(NamedTuple):
    """A mixture, its problem and the exact optimum on the knots."""

    mixture: GaussianMixture
    problem: Problem
    solution: Solution

    @property
    def x(self) -> Array:
        """Positions of the knots, shape (N,)."""
        return self.problem.knots.positions().numpy()

    @property
    def y(self) -> Array:
        """Values of f there, shape (N,)."""
        return self.solution.values.numpy()

    @property
    def rho(self) -> Array:
        """Class correlations, shape (K,)."""
        return self.solution.rho.numpy()

    @property
    def means(self) -> Array:
        """Class means, shape (K,)."""
        return self.mixture.means.numpy()

    @property
    def reward(self) -> float:
        """R(f)."""
        return self.solution.reward.item()


@cache
def optimum(classes: int = 20, sigma: float = 1.0, knots: Knots = KNOTS, raw: bool = False) -> Optimum:
    """Exact optimum of the default experiment, or with means on [-3, 3] in raw coordinates."""
    even = GaussianMixture.even(classes, sigma, -3.0, 3.0) if raw else None
    mixture = even or GaussianMixture.standardised(classes, sigma)
    problem = Problem(HatStatistics.from_mixture(mixture, knots), knots)
    return Optimum(mixture, problem, solve_eigen(problem))


@cache
def read_out(sigma: float) -> SwishFit:
    """Swish fit of the default experiment's optimum, 20 classes."""
    found = optimum(20, sigma)
    return fit_swish(found.x, found.y)


@cache
def by_closed_form() -> Solution:
    """Adam on the closed form, STEPS steps, 20 classes, sigma 1."""
    return solve_analytic(optimum().problem, GradientOptions(STEPS))


@cache
def by_samples() -> Solution:
    """Adam on SAMPLES fresh samples a step, STEPS steps, 20 classes, sigma 1."""
    found = optimum()
    return solve_sample(found.problem, found.mixture.sample, GradientOptions(STEPS, samples=SAMPLES))


def share_explained(y: Array, *basis: Array) -> float:
    """R^2 of the least-squares fit of y by the basis functions and a constant."""
    design = np.stack([*basis, np.ones_like(y)], axis=1)
    rest = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    return float(1 - rest @ rest / ((y - y.mean()) @ (y - y.mean())))
