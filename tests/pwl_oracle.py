"""f, f' and the knot gradients in extended precision, with bounds on what rounding may do to each.

Which segment an x lies in, and where in it, is part of the contract: u = (x - low) / h with each operation rounded
once in the type of the computation (float32, float64 where x or y is). Everything behind u is computed here in
numpy's long double, so it is independent of the code and, for float32, exact but for 2^-64.

Bounds, with eps = 2 u the distance from 1 to the next number, w the position in the segment, r its rise:

    f = y + w r         rise, w (in the right tail), product and sum are each rounded once: 3 u |w r| + u |f|
                        <= 2 eps (|y| + |w r|)
    gx = g (r / h)      rise, h, quotient, product: 4 u |gx| = 2 eps |gx|
    gy = sum g (1 - w)  of m terms one after the other, each with one rounding of g w: (m + 1) u sum |g| (1 + |w|)
                        <= eps (m / 2 + 2) sum |g| (1 + |w|)

and one more rounding to the type of the result, half its eps, or half a subnormal step of it.
"""

from dataclasses import dataclass

import numpy as np
import torch

EXTENDED = np.longdouble


@dataclass
class Exact:
    """Results in extended precision, each with its bound; arrays in the shape of x and of the values."""

    segment: np.ndarray
    out: np.ndarray
    out_bound: np.ndarray
    grad_x: np.ndarray
    grad_x_bound: np.ndarray
    grad_values: np.ndarray
    grad_values_bound: np.ndarray


def compute_type(x, values):
    return torch.promote_types(torch.promote_types(x.dtype, values.dtype), torch.float32)


def locate(x, count, low, high, dtype):
    """Segments, and positions u in the grid, of a tensor of any type computed in `dtype`; numpy."""
    real = np.float64 if dtype == torch.float64 else np.float32
    with np.errstate(all="ignore"):
        u = (x.to(dtype).numpy() - real(low)) / real((high - low) / (count - 1))
        return np.clip(np.floor(np.nan_to_num(u, nan=0.0)), 0, count - 2).astype(np.int64), u


def exact(x, values, low, high, channel_dim, grad, real=EXTENDED):
    """All of `Exact` for detached tensors x and grad of one shape, and values (N,) or (G, N); computed in `real`."""
    dtype = compute_type(x, values)
    count, eps = values.shape[-1], real(torch.finfo(dtype).eps)
    h = real(torch.tensor((high - low) / (count - 1), dtype=dtype).item())
    table = values.double().numpy().reshape(-1, count).astype(real)
    segment, u = locate(x, count, low, high, dtype)
    function = np.zeros(x.shape, np.int64)
    if len(table) > 1:
        channels = np.arange(x.shape[channel_dim]) // (x.shape[channel_dim] // len(table))
        shape = [1] * x.ndim
        shape[channel_dim] = -1
        function = function + channels.reshape(shape)
    with np.errstate(all="ignore"):
        y, rise = table[function, segment], table[function, segment + 1] - table[function, segment]
        w = u.astype(real) - segment
        reached = np.where(np.isinf(w) & (rise == 0), 0, w)  # a flat tail stays where it is
        g = grad.double().numpy().astype(real)
        left = function * count + segment
        knot_grads, knot_bounds = _histogram(left, w, g, table.size, eps)
        return Exact(
            segment,
            y + reached * rise,
            2 * eps * (np.abs(y) + np.abs(reached * rise)),
            g * rise / h,
            2 * eps * np.abs(g * rise / h) + torch.finfo(dtype).tiny * np.abs(g),
            knot_grads.reshape(values.shape),
            knot_bounds.reshape(values.shape),
        )


def _histogram(left, w, g, size, eps):
    sizes = np.abs(g) * (1 + np.abs(w))
    sums = _sum(left, g * (1 - w), size) + _sum(left + 1, g * w, size)
    terms = _sum(left, np.ones_like(g), size) + _sum(left + 1, np.ones_like(g), size)
    return sums, eps * (terms / 2 + 2) * (_sum(left, sizes, size) + _sum(left + 1, sizes, size))


def _sum(index, weights, size):
    if weights.dtype == np.float64:
        return np.bincount(index.reshape(-1), weights.reshape(-1), size)
    sums = np.zeros(size, weights.dtype)
    np.add.at(sums, index.reshape(-1), weights.reshape(-1))
    return sums


def assert_within(actual, expected, bound, what):
    """|actual - expected| <= bound and one rounding to the type of `actual`; infinities and NaN where expected."""
    limits = torch.finfo(actual.dtype)
    got = actual.detach().double().numpy().astype(EXTENDED)
    assert got.shape == expected.shape
    special = ~np.isfinite(expected)
    np.testing.assert_array_equal(got[special], expected[special], err_msg=f"{what}: special values")
    most = EXTENDED(limits.max)  # beyond it, infinity is right
    with np.errstate(invalid="ignore"):
        error = np.abs(np.clip(got, -most, most) - np.clip(expected, -most, most))
        allowed = bound + EXTENDED(limits.eps) / 2 * np.abs(expected) + EXTENDED(limits.smallest_normal) * limits.eps
    wrong = ~special & ~(error <= allowed)
    if wrong.any():
        at = tuple(np.argwhere(wrong)[0])
        raise AssertionError(
            f"{what}: {wrong.sum()} of {wrong.size} off, first at {at}: got {got[at]}, "
            f"expected {expected[at]} within {allowed[at]}"
        )
