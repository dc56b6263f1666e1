"""Adaptive Gauss-Legendre quadrature of many functions of one variable at once."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pwlact import checks

Array = NDArray[np.float64]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
_MOST_LEVELS = 60
_FIRST_PANELS, _MOST_PANELS = 16, 1 << 16
# points evaluated at a time: bounds the memory that wide integrands take
_BATCH = 1 << 14


def integrate(
    integrand: Callable[[Array], Array], low: float, high: float, breaks: ArrayLike = (), *, tolerance: float = 1e-13
) -> Array:
    """int_low^high integrand(x) dx for an integrand with values of any shape.

    Every panel is compared with its two halves (16 nodes each) and split again until the two agree. All panels of
    a level are evaluated together, which for arrays beats one point at a time by a factor of a hundred.

    Args:
        integrand: takes points of shape (n,), returns values of shape (n, *shape).
        low: lower end, finite.
        high: upper end, finite, above `low`.
        breaks: points to split at to begin with, beside 16 equal panels: near whatever is too narrow to be seen.
        tolerance: absolute error to aim at, shared out over the interval by length.

    Returns:
        The integral, shape (*shape).

    Raises:
        InputError: the integrand is not finite, or so rough everywhere that the panels become too many.
    """
    checks.interval(low, high)
    breaks = np.asarray(breaks, np.float64)
    inside = breaks[(breaks > low) & (breaks < high)]
    edges = np.unique(np.concatenate([np.linspace(low, high, _FIRST_PANELS + 1), inside]))
    left, right = edges[:-1], edges[1:]
    coarse = _panels(integrand, left, right)
    total = np.zeros(coarse.shape[1:])
    for _ in range(_MOST_LEVELS):
        middle = (left + right) / 2
        first, second = _panels(integrand, left, middle), _panels(integrand, middle, right)
        error = np.abs(first + second - coarse).reshape(len(left), -1).max(-1)
        allowed = tolerance * np.maximum((right - left) / (high - low), 1e-3)
        rounding = 8 * np.finfo(float).eps * np.abs(coarse).reshape(len(left), -1).max(-1)
        # a jump ends where the halves are no longer told apart
        spacing = 16 * np.finfo(float).eps * np.maximum(np.abs(left), np.abs(right))
        open_ = (error > allowed + rounding) & (right - left > spacing)
        total = total + (first + second)[~open_].sum(0)
        if not open_.any():
            return total
        if open_.sum() > _MOST_PANELS:
            break
        left, right = np.concatenate([left[open_], middle[open_]]), np.concatenate([middle[open_], right[open_]])
        coarse = np.concatenate([first[open_], second[open_]])
    raise checks.InputError(f"the integrand is too rough to integrate, near {left[0]:.6g} for one")


def _panels(integrand: Callable[[Array], Array], left: Array, right: Array) -> Array:
    """Integral over each panel, shape (panels, *shape)."""
    half = (right - left)[:, None] / 2
    points = (left + right)[:, None] / 2 + half * _NODES
    parts = [integrand(part) for part in np.array_split(points.ravel(), 1 + points.size // _BATCH)]
    values = np.concatenate(parts)
    finite = np.isfinite(values.reshape(len(values), -1)).all(-1)
    if not finite.all():
        raise checks.InputError(f"the integrand is not finite at {points.ravel()[~finite][0]:.6g}")
    values = values.reshape(*points.shape, *values.shape[1:])
    return np.einsum("pn,pn...->p...", half * _WEIGHTS, values)
