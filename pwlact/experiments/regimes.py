"""From well-separated to overlapping classes: spike, ramp, bowl.

pwlact theory regimes      20 classes, sigma 0.1 to 10
"""

from typing import Any

import numpy as np

from pwlact import checks
from pwlact.correlation import HatStatistics, Problem, solve_eigen
from pwlact.environment import environment
from pwlact.moments import GaussianMixture
from pwlact.pwl import Knots
from pwlact.swish import fit_swish
from pwlact.theory.tails import straightness

# share of the positive reward that one class takes in a spike; height of the left end in a bowl
_SPIKE, _BOWL = 0.5, 0.25


def run(classes: int = 20, low: float = 0.1, high: float = 10.0, count: int = 13) -> dict[str, Any]:
    """Solve the default experiment over a range of sigma and say what shape its optimum has.

    Args:
        classes: number of classes, at least 3.
        low: smallest sigma.
        high: largest sigma.
        count: number of sigmas, geometrically spaced.

    Returns:
        JSON-able: rows [{sigma, regime, reward, top_share, ramp_r2, left_end, swish_r2, beta, x0, at_bound}]; top_share
        is the share of sum_{rho > 0} rho^2 that the top class has, ramp_r2 that of a straight line through the
        positive rho (None for fewer than 4), left_end (f(low) - min f) / (max f - min f).

    Raises:
        InputError: a number outside its range.
    """
    checks.at_least("classes", classes, 3, "two classes are degenerate")
    checks.positive("low", low)
    checks.interval(low, high)
    checks.at_least("count", count, 2)
    rows = [_row(classes, float(sigma)) for sigma in np.geomspace(low, high, count)]
    return {"classes": classes, "rows": rows, "environment": environment()}


def _row(classes: int, sigma: float) -> dict[str, Any]:
    knots = Knots()
    mixture = GaussianMixture.standardised(classes, sigma)
    solution = solve_eigen(Problem(HatStatistics.from_mixture(mixture, knots), knots))
    rho, values, means = solution.rho.numpy(), solution.values.numpy(), mixture.means.numpy()
    positive = rho > 0
    top_share = float(rho.max() ** 2 / (rho[positive] ** 2).sum())
    left_end = float((values[0] - values.min()) / (values.max() - values.min()))
    fit = fit_swish(knots.positions(), solution.values)
    return {
        "sigma": sigma,
        "regime": "spike" if top_share > _SPIKE else "bowl" if left_end > _BOWL else "ramp",
        "reward": solution.reward.item(),
        "top_share": top_share,
        "ramp_r2": straightness(means[positive], rho[positive]) if positive.sum() > 3 else None,
        "left_end": left_end,
        "swish_r2": fit.r2,
        "beta": fit.beta,
        "x0": fit.x0,
        "at_bound": list(fit.at_bound),
    }
