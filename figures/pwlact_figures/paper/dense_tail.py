"""rho of dense classes about its bend, with the curves that theory and fits put through it."""

from typing import Any

import numpy as np

from pwlact.moments import GaussianMixture
from pwlact.theory import ClassDensities, solve_posterior
from pwlact.theory.tails import TailPrediction, bulk_eigenvalue, fit_tail, predict_tail
from pwlact_figures.paper.any_function import Array

# as `pwlact theory tails` cuts it: sigma left out at the ends, and about the bend
_EDGE, _BEND = 2.5, 0.5
# the theory leaves the bend out: from here on it should hold
_FAR = 2.0


def dense_tail(classes: int, sigma: float, half_width: float) -> dict[str, Any]:
    """Positions u = (mu - bend) / sigma and correlations of evenly spaced classes; curves left and right of the bend.

    Args:
        classes: their number.
        sigma: noise, in the units of the means.
        half_width: the means lie on [-half_width, half_width].

    Returns:
        JSON-able: u, rho (K,); of the tail: left (its u), deviation from the fitted plateau, fitted and predicted,
        which are amplitude exp(b u) cos(a u + c) with the fit's and with the theory's rates (amplitude, phase and
        plateau by least squares), and predicted_r2; far, the rates b and a per sigma, fitted and predicted, of the
        tail further than 2 sigma from the bend; of the ramp: right (its u) and ramp, a straight line.
    """
    mixture = GaussianMixture.even(classes, sigma, -half_width, half_width)
    optimum = solve_posterior(ClassDensities.from_mixture(mixture))
    means, rho = mixture.means.numpy(), optimum.rho
    bend = means[np.argmax(rho > 0)]
    u = (means - bend) / sigma
    left = (means > means[0] + _EDGE * sigma) & (u < -_BEND)
    right = (u > _BEND) & (means < means[-1] - _EDGE * sigma)
    predicted = predict_tail(bulk_eigenvalue(optimum.reward, optimum.priors), sigma)
    fit = fit_tail(means[left], rho[left], predicted)
    fitted, plateau = _wave(u[left], rho[left], fit.b * sigma, fit.a * sigma)
    theory, other = _wave(u[left], rho[left], predicted.b * sigma, predicted.a * sigma)
    ramp = np.polyval(np.polyfit(u[right], rho[right], 1), u[right])
    spread = ((rho[left] - rho[left].mean()) ** 2).sum()
    return {
        "u": u.tolist(),
        "rho": rho.tolist(),
        "left": u[left].tolist(),
        "deviation": (rho[left] - plateau).tolist(),
        "fitted": fitted.tolist(),
        "predicted": theory.tolist(),
        "predicted_r2": float(1 - ((rho[left] - other - theory) ** 2).sum() / spread),
        "far": _far(u[left], rho[left], TailPrediction(predicted.b * sigma, predicted.a * sigma)),
        "right": u[right].tolist(),
        "ramp": ramp.tolist(),
    }


def _wave(u: Array, rho: Array, b: float, a: float) -> tuple[Array, float]:
    """The wave amplitude exp(b u) cos(a u + c) and the plateau whose sum is nearest to rho."""
    design = np.stack([np.ones_like(u), np.exp(b * u) * np.cos(a * u), np.exp(b * u) * np.sin(a * u)], axis=1)
    plateau, *wave = np.linalg.lstsq(design, rho, rcond=None)[0]
    return design[:, 1:] @ np.array(wave), float(plateau)


def _far(u: Array, rho: Array, predicted: TailPrediction) -> dict[str, float]:
    far = u < -_FAR
    fit = fit_tail(u[far], rho[far], predicted)
    return {"from": _FAR, "b": fit.b, "a": fit.a, "b_predicted": predicted.b, "a_predicted": predicted.a, "r2": fit.r2}
