"""Reading Swishes off many curves at once: variable projection, all curves in step.

scale and offset are linear, so for every theta = (log beta, x0) they have a closed form. With phi(u) = (u - x0)
sigmoid(beta (u - x0)), weights w of sum 1, <.> the weighted mean, c = sqrt(w) (phi - <phi>), c_i and c_ij its
derivatives by theta, and y = sqrt(w) times the curve, centred and of unit variance,

    s = c'y / c'c,    r = y - s c,    s_i = (c_i'r - s c'c_i) / c'c,    F = r'r / 2 = (1 - R^2) / 2,
    F_i = -s c_i'r,    F_ij = s^2 c_i'c_j - s_i s_j c'c - s c_ij'r.

A Newton step costs hardly more than a Gauss-Newton step; where F_ij is not positive definite, J'J takes its place,
with J_i = -s (c_i - c c'c_i / c'c), Kaufman's Jacobian of r.

References:
    Golub and Pereyra, "The differentiation of pseudo-inverses and nonlinear least squares problems whose variables
    separate", 1973, section 4 (F and its gradient).
    Kaufman, "A variable projection method for separable nonlinear least squares problems", 1975 (J).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import maximum_filter

from pwlact import checks
from pwlact.swish.fit import _EXACT, _STARTS, _VAGUE, PARAMETERS, _bounds, _checked, _determined

_Array = NDArray[np.float64]
_Bools = NDArray[np.bool_]

# The search starts from this grid (of beta, geometric, and x0, uniform; its ends are left out), that of `fit_swish`.
_GRID = (12, 19)
_MOST_STEPS = 200
# A step of this size, in log beta and in half widths of the interval, ends the search.
_SMALL_STEP = 1e-9
# The first step is short, lest it leaves the valley that it starts in.
_FIRST_DAMPING, _LEAST_DAMPING, _MOST_DAMPING = 1.0, 1e-12, 1e12
# Squared length of c below which phi counts as constant: where c is rounding (grid), where squares underflow (search).
_FLAT, _VANISHED = 1e-28, 1e-280


@dataclass(frozen=True)
class BatchedSwishFit:
    """Least-squares Swishes of a batch of curves; every array has shape (batch,).

    Attributes:
        beta: sharpness, in 1 / units of x, above 0.
        x0: position of the bend, in units of x.
        scale: slope of the right arm, in units of y / x; 0 for a constant curve.
        offset: level of the left arm, in units of y.
        r2: share of the (weighted) variance explained; NaN for a constant curve.
        beta_stderr: standard error of beta; NaN for a constant curve.
        beta_at_bound, x0_at_bound: whether it sits on a bound of the search.
    """

    beta: _Array
    x0: _Array
    scale: _Array
    offset: _Array
    r2: _Array
    beta_stderr: _Array
    beta_at_bound: _Bools
    x0_at_bound: _Bools

    @property
    def at_bound(self) -> _Bools:
        """Whether beta or x0 sits on a bound of the search."""
        return self.beta_at_bound | self.x0_at_bound

    @property
    def identifiable(self) -> _Bools:
        """Whether beta means anything: neither parameter at a bound, beta two standard errors from 0 or more."""
        return ~self.at_bound & (self.beta_stderr < _VAGUE * self.beta)


def fit_swish_batched(x: ArrayLike, curves: ArrayLike, weights: ArrayLike | None = None) -> BatchedSwishFit:
    """Fit a Swish to each curve by (weighted) least squares: problem, bounds and verdicts of `fit_swish`.

    Args:
        x: positions that all curves share, shape (N,), at least 5 different finite numbers.
        curves: values there, finite, shape (batch, N).
        weights: weights of the squared residuals, shape (N,); all 1 unless given.

    Returns:
        The fits; a constant curve gives beta 1, x0 0, scale 0 and R^2 NaN.

    Raises:
        InputError: shapes do not fit, too few points, or a number that is not finite.
    """
    x, curves, weights = _checked_batch(x, curves, weights)
    centre, half = (x.max() + x.min()) / 2, (x.max() - x.min()) / 2
    share = weights / weights.sum()
    mean = curves @ share
    deviation = np.sqrt((curves - mean[:, None]) ** 2 @ share)
    # rounding of a constant is no curve
    deviation[deviation <= np.finfo(float).eps * np.abs(curves).max(axis=1, initial=0)] = 0
    family = _Family((x - centre) / half, np.sqrt(share))
    y = family.root * (curves - mean[:, None]) / np.where(deviation > 0, deviation, np.inf)[:, None]
    return _in_units(family, _search(family, y), (centre, half), (mean, deviation))


def _checked_batch(x: ArrayLike, curves: ArrayLike, weights: ArrayLike | None) -> tuple[_Array, _Array, _Array]:
    curves = np.asarray(curves, np.float64)
    if curves.ndim != 2:
        raise checks.InputError(f"curves must have shape (batch, N), got shape {curves.shape}")
    x, _, weights = _checked(x, np.zeros(curves.shape[1]), weights)
    if not np.isfinite(curves).all():
        raise checks.InputError("curves must be finite numbers")
    return x, curves, weights


class _Local(NamedTuple):
    """F around M points theta, each for a curve of its own.

    Attributes:
        theta: the points (log beta, x0), shape (M, 2).
        cost: r'r = 1 - R^2, shape (M,).
        gradient: F_i, shape (M, 2).
        hessian: F_ij, as its entries 00, 11, 01, shape (M, 3).
        metric: J'J, likewise; divided by r'r / (N - 4), the inverse covariance of theta.
        scale, level: s and <phi>, each of shape (M,).
    """

    theta: _Array
    cost: _Array
    gradient: _Array
    hessian: _Array
    metric: _Array
    scale: _Array
    level: _Array

    def take(self, rows: NDArray[Any]) -> _Local:
        return _Local(*(part[rows] for part in self))

    def put(self, rows: NDArray[Any], other: _Local) -> None:
        for part, new in zip(self, other, strict=True):
            part[rows] = new


class _Family:
    """All Swishes on points u in [-1, 1], up to scale and offset.

    Args:
        u: points, shape (N,).
        root: square roots of their weights, which sum to 1, shape (N,).
    """

    def __init__(self, u: _Array, root: _Array) -> None:
        self.u, self.root = u, root
        low, high = _bounds(u)
        self.low = np.array([np.log(low["beta"]), low["x0"]])
        self.high = np.array([np.log(high["beta"]), high["x0"]])

    def centred(self, phi: _Array) -> _Array:
        """sqrt(w) (phi - <phi>) for functions phi of shape (..., N)."""
        weighted = self.root * phi
        return weighted - self.root * (weighted @ self.root)[..., None]

    def at(self, theta: _Array, y: _Array) -> _Local:
        """F and its derivatives for each curve y, shape (M, N), at its own theta, shape (M, 2)."""
        phi, first, second = self.shapes(theta)
        c, (c0, c1) = self.centred(phi), map(self.centred, first)
        square = np.maximum(_dot(c, c), _VANISHED)
        s = _dot(c, y) / square
        r = y - s[:, None] * c
        slope, along = _columns(_dot(c0, r), _dot(c1, r)), _columns(_dot(c0, c), _dot(c1, c))
        product = s[:, None] ** 2 * _columns(_dot(c0, c0), _dot(c1, c1), _dot(c0, c1))
        # r has no component along the constants, so the second derivatives need not be centred
        curvature = s[:, None] * _columns(*(_dot(self.root * r, derivative) for derivative in second))
        change = (slope - s[:, None] * along) / square[:, None]
        metric = product - _squares(s[:, None] * along) / square[:, None]
        hessian = product - _squares(change) * square[:, None] - curvature
        level = (phi * self.root) @ self.root
        return _Local(theta, _dot(r, r), -s[:, None] * slope, hessian, metric, s, level)

    def at_bound(self, theta: _Array) -> _Bools:
        """Whether beta, and x0, sit on a bound of the search, shape (M, 2): to 1 in 1,000, as in `fit_swish`."""
        return np.minimum(theta - self.low, self.high - theta) < [1e-3, 1e-3 * self.high[1]]

    def shapes(self, theta: _Array) -> tuple[_Array, tuple[_Array, ...], tuple[_Array, ...]]:
        """phi, its derivatives by log beta and x0, and the second ones 00, 11, 01, each (*theta, N)."""
        beta, distance = np.exp(theta[..., :1]), self.u - theta[..., 1:]
        z = beta * distance
        sigmoid = 1 / (1 + np.exp(-z))  # the bounds keep |z| below 450
        density = sigmoid * (1 - sigmoid)
        bend, turn = z * density, density * (2 + z * (1 - 2 * sigmoid))
        first = (distance * bend, -(sigmoid + bend))
        second = (distance * z * (turn - density), beta * turn, -z * turn)
        return distance * sigmoid, first, second


def _dot(a: _Array, b: _Array) -> _Array:
    return np.einsum("mn,mn->m", a, b)


def _columns(*parts: NDArray[Any]) -> NDArray[Any]:
    return np.array(parts).T


def _squares(a: _Array) -> _Array:
    """Entries 00, 11, 01 of the outer products a a', shape (M, 3)."""
    return _columns(a[:, 0] ** 2, a[:, 1] ** 2, a[:, 0] * a[:, 1])


def _starts(family: _Family, y: _Array) -> _Array:
    """The best local minima of the grid for each curve, best first, shape (batch, _STARTS, 2).

    What a grid point explains of a curve is its squared product with c / |c|, which depends on no curve: the whole
    grid and all curves are one matrix product.
    """
    axes = [np.linspace(family.low[i], family.high[i], _GRID[i])[1:-1] for i in range(2)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    c = family.centred(family.shapes(points)[0]).reshape(-1, y.shape[1])
    direction = c / np.sqrt(np.maximum(_dot(c, c), _FLAT))[:, None]
    explained = (y @ direction.T).reshape(-1, *points.shape[:2]) ** 2
    highest = maximum_filter(explained, size=(1, 3, 3), mode="nearest")
    peaks = np.where(explained >= highest, explained, -1).reshape(len(y), points[..., 0].size)
    best = np.argsort(-peaks, axis=1, kind="stable")[:, :_STARTS]
    # fewer peaks than starts: the highest stands in for those that are not there
    best = np.where(np.take_along_axis(peaks, best, axis=1) < 0, best[:, :1], best)
    return points.reshape(-1, 2)[best]


def _search(family: _Family, y: _Array) -> _Local:
    """The best theta of each curve, from several starts each."""
    local = _descend(family, _starts(family, y).reshape(-1, 2), np.repeat(y, _STARTS, axis=0))
    winner = local.cost.reshape(-1, _STARTS).argmin(axis=1)
    return local.take(np.arange(len(y)) * _STARTS + winner)


def _descend(family: _Family, theta: _Array, y: _Array) -> _Local:
    """Damped Newton steps within the bounds; a search that has ended is not computed any more."""
    state = family.at(theta, y)
    damping = np.full(len(y), _FIRST_DAMPING)
    active = np.arange(len(y))
    for _ in range(_MOST_STEPS):
        if not active.size:
            break
        here = state.take(active)
        trial = np.clip(here.theta + _step(family, here, damping[active]), family.low, family.high)
        there = family.at(trial, y[active])
        better = there.cost < here.cost
        state.put(active[better], there.take(better))
        damping[active] = np.maximum(damping[active] * np.where(better, 0.1, 5), _LEAST_DAMPING)
        moved = np.abs(trial - here.theta).max(axis=1)
        active = active[(moved > _SMALL_STEP) & (damping[active] < _MOST_DAMPING)]
    return state


def _step(family: _Family, here: _Local, damping: _Array) -> _Array:
    """-(H + damping diag H)^{-1} F_i over the parameters that do not push against a bound; 0 for those that do."""
    g, theta = here.gradient, here.theta
    held = (theta <= family.low) & (g > 0) | (theta >= family.high) & (g < 0)
    g = np.where(held, 0, g)
    # a held parameter has no gradient and no coupling: its step is 0
    without = _columns(held[:, 0], held[:, 1], held[:, 0] | held[:, 1])
    newton, marquardt = (np.where(without, [1.0, 1.0, 0.0], h) for h in (here.hessian, here.metric))
    a, b, off = newton.T
    convex = (a > 0) & (b > 0) & (a * b > off**2)
    a, b, off = np.where(convex[:, None], newton, marquardt).T
    a, b = a * (1 + damping), b * (1 + damping)
    determinant = a * b - off**2
    step = -_columns(b * g[:, 0] - off * g[:, 1], a * g[:, 1] - off * g[:, 0])
    return step / np.where(determinant > 0, determinant, np.inf)[:, None]


def _in_units(
    family: _Family, best: _Local, x_units: tuple[float, float], y_units: tuple[_Array, _Array]
) -> BatchedSwishFit:
    """The fits in the user's units: x = centre + half u, and a curve's mean and deviation (0: it is constant)."""
    (centre, half), (mean, deviation) = x_units, y_units
    constant = deviation == 0
    beta, x0 = np.exp(best.theta[:, 0]) / half, centre + half * best.theta[:, 1]
    beta_bound, x0_bound = family.at_bound(best.theta).T
    return BatchedSwishFit(
        beta=np.where(constant, 1.0, beta),
        x0=np.where(constant, 0.0, x0),
        scale=deviation * best.scale / half,
        offset=mean - deviation * best.scale * best.level,
        r2=np.where(constant, np.nan, 1 - best.cost),
        beta_stderr=np.where(constant, np.nan, beta * _deviation_of_log_beta(family, best)),
        beta_at_bound=beta_bound & ~constant,
        x0_at_bound=x0_bound & ~constant,
    )


def _deviation_of_log_beta(family: _Family, best: _Local) -> _Array:
    """Standard error of log beta, from its entry of r'r / (N - 4) (J'J)^{-1}; infinite where that is singular."""
    a, b, off = best.metric.T
    left = a - off**2 / np.maximum(b, np.finfo(float).tiny)
    variance = best.cost / (len(family.u) - len(PARAMETERS))
    deviation = np.sqrt(np.divide(variance, left, out=np.full_like(left, np.inf), where=left > 0))
    for i in np.flatnonzero(best.cost <= _EXACT**2):
        # the residual is rounding, and tells nothing: an exact curve determines beta, or leaves it open
        found = {"beta": np.exp(best.theta[i, 0]), "x0": best.theta[i, 1], "scale": best.scale[i], "offset": 0.0}
        deviation[i] = 0.0 if _determined(family.u, family.root**2, found) else np.inf
    return deviation
