"""What the optimum looks like away from its bend, where classes are dense: tails of rho, and f against their integral.

In the bulk of many evenly spaced classes, stationarity reads lambda rho = G * |rho| - const, G a Gaussian of deviation
sqrt2 sigma (the overlap of two classes) in units where the density of class means is 1. Left of the bend, where
rho < 0, small deviations from the plateau obey lambda e = -G * e: e = exp(b x) cos(a x + c) with

    exp(-sigma^2 (a - i b)^2) = -lambda,    that is    a^2 - b^2 = -ln(lambda) / sigma^2,    a b = pi / (2 sigma^2).
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from scipy.optimize import least_squares

from pwlact import checks


@dataclass(frozen=True)
class TailPrediction:
    """Decay and wave number of the tail, in 1 / units of x.

    Attributes:
        b: rate of decay away from the bend.
        a: wave number of the oscillation under it.
    """

    b: float
    a: float


def predict_tail(eigenvalue: float, sigma: float) -> TailPrediction:
    """b and a from the dispersion relation, for the eigenvalue lambda of the bulk operator and noise sigma.

    Args:
        eigenvalue: lambda of lambda rho = G * |rho| - const with G of unit mass: 0 < lambda < 1.
        sigma: standard deviation of the noise, in the units of x.

    Raises:
        InputError: lambda outside (0, 1), or sigma not above 0.
    """
    checks.positive("sigma", sigma)
    if not 0 < eigenvalue < 1:
        raise checks.InputError(f"eigenvalue must lie between 0 and 1, got {eigenvalue}")
    difference, product = -math.log(eigenvalue) / sigma**2, math.pi / (2 * sigma**2)
    a = math.sqrt((difference + math.hypot(difference, 2 * product)) / 2)
    return TailPrediction(product / a, a)


def bulk_eigenvalue(reward: float, priors: ArrayLike) -> float:
    """lambda of the bulk operator, whose kernel has mass 1, from that of the K x K problem.

    E[p(k|x) p(l|x)] summed over l is p_k, so M's rows hold mass 1 / (1 - p): the eigenvalue in units of that mass.
    """
    p = np.asarray(priors, np.float64)
    return float(reward * (1 - p).mean())


@dataclass(frozen=True)
class TailFit:
    """Least-squares fit of plateau + amplitude exp(b x) cos(a x + c) to the left part of rho.

    Attributes:
        b: decay, in 1 / units of the positions.
        a: wave number.
        plateau: value far from the bend.
        r2: share of the variance explained.
        r2_exponential: the same for a plain exponential without oscillation.
        n: number of classes fitted.
    """

    b: float
    a: float
    plateau: float
    r2: float
    r2_exponential: float
    n: int


def fit_tail(positions: ArrayLike, rho: ArrayLike, start: TailPrediction) -> TailFit:
    """Fit a decaying oscillation to rho over class positions, and a plain exponential for comparison.

    Args:
        positions: class means left of the bend, ascending, at least 8.
        rho: correlations there.
        start: where the search starts; a scan of both rates around it keeps it from a poor local optimum.

    Raises:
        InputError: fewer than 8 classes.
    """
    x, y = np.asarray(positions, np.float64), np.asarray(rho, np.float64)
    checks.at_least("classes left of the bend", len(x), 8, "the fit has five parameters")
    x, height = x - x[-1], np.abs(y).max()
    y = y / height if height > 0 else y

    def design(b: float, a: float) -> np.ndarray:
        wave = np.exp(b * x)
        return np.stack([np.ones_like(x), wave * np.cos(a * x), wave * np.sin(a * x)], axis=1)

    b, a = _search(lambda rates: _residual(design(*rates), y), start.b, start.a)
    weights = np.linalg.lstsq(design(b, a), y, rcond=None)[0]
    b_plain, _ = _search(lambda rates: _residual(design(rates[0], 0.0)[:, :2], y), start.b, 1.0)
    spread = ((y - y.mean()) ** 2).sum()
    unexplained = [(_residual(part, y) ** 2).sum() for part in (design(b, a), design(b_plain, 0.0)[:, :2])]
    return TailFit(b, a, float(weights[0] * height), *(float(1 - rest / spread) for rest in unexplained), n=len(x))


def _search(residual, b: float, a: float) -> tuple[float, float]:  # noqa: ANN001
    starts = [(b * f, a * g) for f in (0.5, 1.0, 2.0) for g in (0.5, 1.0, 2.0)]
    fits = [least_squares(residual, start, bounds=(1e-6, np.inf), x_scale=start) for start in starts]
    best = min(fits, key=lambda fit: fit.cost)
    return float(best.x[0]), float(best.x[1])


def _residual(design: np.ndarray, y: np.ndarray) -> np.ndarray:
    return y - design @ np.linalg.lstsq(design, y, rcond=None)[0]


def straightness(x: ArrayLike, y: ArrayLike) -> float:
    """R^2 of a straight line through y(x)."""
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    residual = _residual(np.stack([np.ones_like(x), x], axis=1), y)
    return float(1 - (residual**2).sum() / ((y - y.mean()) ** 2).sum())


def integral_agreement(x: ArrayLike, f: ArrayLike, means: ArrayLike, rho: ArrayLike) -> float:
    """R^2 of the draft's "f(x) = integral of rho", up to shift and scale, over the class means.

    rho, known at the class means, is interpolated linearly and integrated by the trapezoid rule; f is regressed
    on it between the outermost means, with equal weights at the points x there.

    Args:
        x: points, shape (n,), ascending; those outside the means are left out.
        f: values of the optimum there.
        means: class means, ascending, shape (K,).
        rho: their correlations.
    """
    x, f = np.asarray(x, np.float64), np.asarray(f, np.float64)
    means, rho = np.asarray(means, np.float64), np.asarray(rho, np.float64)
    inside = (x >= means[0]) & (x <= means[-1])
    fine = np.linspace(means[0], means[-1], 4001)
    height = np.interp(fine, means, rho)
    integral: Float[np.ndarray, " points"] = np.concatenate([[0.0], np.cumsum((height[1:] + height[:-1]) / 2)])
    return straightness(np.interp(x[inside], fine, integral), f[inside])
