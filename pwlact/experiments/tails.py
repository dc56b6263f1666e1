"""Dense classes: tails of rho against their prediction, the ramp, and the draft's integral decomposition.

pwlact theory tails        b within 12 % of the prediction, ramp R^2 about 0.998; seconds
"""

from typing import Any

import numpy as np

from pwlact.correlation import Problem, solve_eigen
from pwlact.correlation.statistics import HatStatistics
from pwlact.environment import environment
from pwlact.moments import GaussianMixture
from pwlact.pwl import Knots
from pwlact.theory.densities import ClassDensities
from pwlact.theory.optimum import solve_posterior
from pwlact.theory.tails import bulk_eigenvalue, fit_tail, integral_agreement, predict_tail, straightness

# classes, sigma and half width of the interval of means: ever denser, and ever wider
DENSE = ((40, 1.0, 6.0), (80, 1.0, 6.0), (80, 0.5, 6.0), (160, 0.5, 6.0), (200, 1.0, 20.0))
# the interval's ends bend rho over about this many sigma, the bend itself over less
_EDGE, _BEND = 2.5, 0.5


def run() -> dict[str, Any]:
    """Measure the tails of the function-space optimum for dense classes.

    Returns:
        JSON-able: rows [{classes, sigma, half_width, eigenvalue, b, b_predicted, a, a_predicted, tail_r2,
        exponential_r2, n_tail, ramp_r2, n_ramp}], integral {classes, sigma, r2} of the default experiment, environment.
    """
    return {
        "rows": [measure(*setting) for setting in DENSE],
        "integral": [integral(20, sigma) for sigma in (0.3, 0.6, 1.0, 3.0, 10.0)],
        "environment": environment(),
    }


def measure(classes: int, sigma: float, half_width: float) -> dict[str, Any]:
    """Tail and ramp of rho for evenly spaced classes on [-half_width, half_width], in the units of sigma's x.

    The outer 2.5 sigma at either end are left out, and half a sigma on both sides of the bend.
    """
    mixture = GaussianMixture.even(classes, sigma, -half_width, half_width)
    optimum = solve_posterior(ClassDensities.from_mixture(mixture))
    means = mixture.means.numpy()
    bend = means[np.argmax(optimum.rho > 0)]
    left = (means > means[0] + _EDGE * sigma) & (means < bend - _BEND * sigma)
    right = (means > bend + _BEND * sigma) & (means < means[-1] - _EDGE * sigma)
    eigenvalue = bulk_eigenvalue(optimum.reward, optimum.priors)
    predicted = predict_tail(eigenvalue, sigma)
    fit = fit_tail(means[left], optimum.rho[left], predicted)
    ramp = straightness(means[right], optimum.rho[right]) if right.sum() > 3 else None
    return {
        "classes": classes, "sigma": sigma, "half_width": half_width, "eigenvalue": eigenvalue,
        "b": fit.b, "b_predicted": predicted.b, "a": fit.a, "a_predicted": predicted.a,
        "tail_r2": fit.r2, "exponential_r2": fit.r2_exponential, "n_tail": fit.n,
        "ramp_r2": ramp, "n_ramp": int(right.sum()),
    }  # fmt: skip


def integral(classes: int, sigma: float) -> dict[str, Any]:
    """R^2 of "f = integral of rho" in the default experiment, between the outermost means."""
    knots = Knots()
    mixture = GaussianMixture.standardised(classes, sigma)
    solution = solve_eigen(Problem(HatStatistics.from_mixture(mixture, knots), knots))
    optimum = solve_posterior(ClassDensities.from_mixture(mixture), start=solution.rho.numpy())
    x = np.linspace(mixture.means[0].item(), mixture.means[-1].item(), 400)
    agreement = integral_agreement(x, optimum(x), mixture.means.numpy(), optimum.rho)
    return {"classes": classes, "sigma": sigma, "r2": agreement}
