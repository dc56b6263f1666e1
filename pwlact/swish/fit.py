"""Reading a Swish off a curve: least squares, standard errors, and whether beta means anything."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import minimum_filter
from scipy.special import expit

from pwlact import checks

if TYPE_CHECKING:
    import lmfit

_Array = NDArray[np.float64]

PARAMETERS = ("beta", "x0", "scale", "offset")
# beta is sought within these bounds, in units of 1 / (half the width of the interval).
_BETA_BOUNDS = (0.15, 150.0)
# x0 is sought on the interval and half its width beyond either end.
_X0_MARGIN = 0.5
# Residuals this small, relative to the spread of the curve, are rounding.
_EXACT = 1e-9
# Condition of the Jacobian, its columns normalised, above which the curve leaves a parameter open.
_SINGULAR = 1e6
# Local minima of the coarse grid that are refined: the best of them is not always the one that ends lowest.
_STARTS = 4
# A beta less than two standard errors from zero is not told apart from a straight line.
_VAGUE = 0.5


def swish(x: ArrayLike, beta: float = 1.0, x0: float = 0.0, scale: float = 1.0, offset: float = 0.0) -> _Array:
    """scale * (x - x0) * sigmoid(beta (x - x0)) + offset, in the shape of x.

    References:
        Ramachandran, Zoph and Le, "Searching for activation functions", 2017 (x sigmoid(beta x)).
    """
    distance = np.asarray(x, np.float64) - x0
    return scale * distance * expit(beta * distance) + offset


@dataclass(frozen=True)
class SwishFit:
    """Least-squares Swish of a curve y(x).

    Attributes:
        beta: sharpness, in 1 / units of x, above 0.
        x0: position of the bend, in units of x.
        scale: slope of the right arm, of either sign, in units of y / x.
        offset: level of the left arm, in units of y.
        r2: share of the (weighted) variance of y explained; NaN for a constant curve.
        stderr: standard error of each of the four, from the curvature of the sum of squares; NaN where the
            curve does not determine it.
        at_bound: the parameters that sit on a bound of the search.
        identifiable: False if beta or x0 sits on a bound, or beta is less than two standard errors from 0.
    """

    beta: float
    x0: float
    scale: float
    offset: float
    r2: float
    stderr: dict[str, float]
    at_bound: tuple[str, ...] = ()
    identifiable: bool = True

    def __call__(self, x: ArrayLike) -> _Array:
        """The fitted curve at x."""
        return swish(x, self.beta, self.x0, self.scale, self.offset)

    def to_dict(self) -> dict[str, object]:
        """A JSON-able record of the fit."""
        return {**asdict(self), "at_bound": list(self.at_bound), "caveat": self.caveat}

    @property
    def caveat(self) -> str:
        """One sentence on what the fit does not tell, or nothing."""
        if self.at_bound:
            names = " and ".join(self.at_bound)
            return f"{names} at the bound of the search: the curve is no Swish with a finite {names}"
        return (
            ""
            if self.identifiable
            else "beta is not identifiable from this curve: it lies within two standard errors of 0"
        )


def fit_swish(x: ArrayLike, y: ArrayLike, weights: ArrayLike | None = None) -> SwishFit:
    """Fit y = scale (x - x0) sigmoid(beta (x - x0)) + offset by (weighted) least squares.

    beta and x0 start from the best local minima of a coarse grid, at which scale and offset, being linear, are
    solved exactly; lmfit then refines all four (Levenberg-Marquardt) and the best fit counts.

    Args:
        x: positions, 1-D, at least 5 different finite numbers.
        y: values of the curve there, finite.
        weights: weights of the squared residuals, for example the density of the input; all 1 unless given.

    Returns:
        The fit; a constant curve gives scale 0 and R^2 NaN.

    Raises:
        InputError: shapes differ, too few points, or a number that is not finite.
    """
    x, y, weights = _checked(x, y, weights)
    spread = np.average((y - np.average(y, weights=weights)) ** 2, weights=weights)
    if spread <= (np.finfo(float).eps * np.abs(y).max()) ** 2:
        return SwishFit(1.0, 0.0, 0.0, float(y.mean()), np.nan, {name: np.nan for name in PARAMETERS}, (), False)
    low, high = _bounds(x)
    parameters = _refine(x, y, weights, low, high)
    best = {name: float(parameters[name].value) for name in PARAMETERS}
    residual = np.average((y - swish(x, **best)) ** 2, weights=weights)
    stderr = {name: _or_nan(parameters[name].stderr) for name in PARAMETERS}
    if residual <= _EXACT**2 * spread and _determined(x, weights, best):
        # lmfit scales the curvature by the residual, and gives no errors where that vanishes: they do as well
        stderr = {name: 0.0 for name in PARAMETERS}
    at_bound = tuple(
        name
        for name in ("beta", "x0")
        if min(best[name] - low[name], high[name] - best[name]) < 1e-3 * min(high[name] - low[name], abs(best[name]))
    )
    identifiable = not at_bound and stderr["beta"] < _VAGUE * best["beta"]
    return SwishFit(
        **best, r2=float(1 - residual / spread), stderr=stderr, at_bound=at_bound, identifiable=identifiable
    )


def _checked(x: ArrayLike, y: ArrayLike, weights: ArrayLike | None) -> tuple[_Array, _Array, _Array]:
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    weights = np.ones_like(x) if weights is None else np.asarray(weights, np.float64)
    if x.ndim != 1 or x.shape != y.shape or x.shape != weights.shape:
        raise checks.InputError(
            f"x, y and weights must be 1-D and of one length, got shapes {x.shape}, {y.shape}, {weights.shape}"
        )
    if not (np.isfinite(x).all() and np.isfinite(y).all() and np.isfinite(weights).all()):
        raise checks.InputError("x, y and weights must be finite numbers")
    if (weights < 0).any():
        raise checks.InputError(f"weights must be 0 or above, got {weights.min()}")
    different = np.unique(x[weights > 0]).size
    if different <= len(PARAMETERS):
        raise checks.InputError(
            f"a Swish has four parameters: it takes at least 5 different x of weight above 0, got {different}"
        )
    return x, y, weights


def _bounds(x: _Array) -> tuple[dict[str, float], dict[str, float]]:
    half = (x.max() - x.min()) / 2
    low = {"beta": _BETA_BOUNDS[0] / half, "x0": x.min() - 2 * _X0_MARGIN * half}
    high = {"beta": _BETA_BOUNDS[1] / half, "x0": x.max() + 2 * _X0_MARGIN * half}
    return low, high


def _linear_part(x: _Array, y: _Array, weights: _Array, beta: float, x0: float) -> tuple[float, float, float]:
    """Best scale and offset for given beta and x0, and the weighted sum of squares that they leave."""
    basis = np.stack([swish(x, beta, x0), np.ones_like(x)], axis=1)
    root = np.sqrt(weights)
    (scale, offset), *_ = np.linalg.lstsq(root[:, None] * basis, root * y, rcond=None)
    residual = root * (y - basis @ (scale, offset))
    return float(scale), float(offset), float(residual @ residual)


def _refine(x: _Array, y: _Array, weights: _Array, low: dict[str, float], high: dict[str, float]) -> lmfit.Parameters:
    """The four parameters with their standard errors, by Levenberg-Marquardt from the best starts of a grid."""
    import lmfit  # slow to import, and only this function needs it

    root = np.sqrt(weights)

    def residuals(p: lmfit.Parameters) -> _Array:
        return root * (swish(x, *(p[name].value for name in PARAMETERS)) - y)

    def refine(start: tuple[float, ...]) -> lmfit.minimizer.MinimizerResult:
        parameters = lmfit.Parameters()
        for name, value in zip(PARAMETERS, start, strict=True):
            parameters.add(name, value, min=low.get(name, -np.inf), max=high.get(name, np.inf))
        return lmfit.minimize(residuals, parameters, method="leastsq")

    fits: list[Any] = [refine(start) for start in _starts(x, y, weights, low, high)]
    return min(fits, key=lambda fit: fit.chisqr).params


def _starts(
    x: _Array, y: _Array, weights: _Array, low: dict[str, float], high: dict[str, float]
) -> list[tuple[float, ...]]:
    """The best local minima of the sum of squares over a coarse grid of beta and x0, scale and offset solved for."""
    betas = np.geomspace(low["beta"], high["beta"], 12)[1:-1]
    places = np.linspace(low["x0"], high["x0"], 19)[1:-1]
    points = [[(beta, x0, *_linear_part(x, y, weights, beta, x0)) for x0 in places] for beta in betas]
    cost = np.array([[point[-1] for point in row] for row in points])
    lowest = cost <= minimum_filter(cost, size=3, mode="nearest")
    found = sorted((cost[i, j], i, j) for i, j in zip(*np.nonzero(lowest), strict=True))
    return [points[i][j][:-1] for _, i, j in found[:_STARTS]]


def _determined(x: _Array, weights: _Array, best: dict[str, float]) -> bool:
    """Whether every parameter moves the curve in a way that no combination of the others undoes."""
    moved = [
        swish(x, **(best | {name: best[name] + step})) - swish(x, **(best | {name: best[name] - step}))
        for name, step in ((name, 1e-6 * max(1.0, abs(best[name]))) for name in PARAMETERS)
    ]
    jacobian = np.sqrt(weights)[:, None] * np.stack(moved, axis=1)
    size = np.linalg.norm(jacobian, axis=0)
    return bool((size > 0).all() and np.linalg.cond(jacobian / size) < _SINGULAR)


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else float(value)
