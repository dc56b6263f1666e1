"""The piecewise-linear function as people write it without a kernel of its own: what ours is timed against.

Each equals `pwlact.pwl.pwl` in value and gradient on finite x, but for the tails of `grid_sample`.
"""

import torch
from torch import Tensor
from torch.nn import functional

from pwlact.pwl import Knots


def indexing(x: Tensor, values: Tensor, low: float, high: float) -> Tensor:
    """f(x) = y_i + w (y_{i+1} - y_i) with i = floor((x - low) / h), by two look-ups.

    Autograd keeps i, i + 1 (64-bit each), w and the rise for backward: 6 x the bytes of a float32 x.

    Args:
        x: finite, any shape.
        values: knot values y, shape (N,).
        low: position of the first knot.
        high: position of the last knot.

    Returns:
        f(x), in the shape and type of x.
    """
    knots = Knots(len(values), low, high)
    u = (_widened(x, values) - low) / knots.spacing
    i = u.floor().clamp(0, knots.count - 2).long()
    left = values[i]
    return (left + (u - i) * (values[i + 1] - left)).to(x.dtype)


def searchsorted(x: Tensor, values: Tensor, positions: Tensor) -> Tensor:
    """f(x) = y_i + (x - t_i) (y_{i+1} - y_i) / (t_{i+1} - t_i), the segment i found by bisection.

    Works for knots at any ascending positions, and pays for it where they are uniform.

    Args:
        x: finite, any shape.
        values: knot values y, shape (N,).
        positions: knot positions t, ascending, shape (N,), in the type in which to compute.

    Returns:
        f(x), in the shape and type of x.
    """
    wide = _widened(x, values)
    i = (torch.searchsorted(positions, wide.detach().contiguous(), right=True) - 1).clamp(0, len(values) - 2)
    slopes = values.diff() / positions.diff()
    return (values[i] + (wide - positions[i]) * slopes[i]).to(x.dtype)


def grid_sample(x: Tensor, values: Tensor, low: float, high: float) -> Tensor:
    """f(x) by sampling an image of one row, y, at the columns x: bilinear, hence linear between knots.

    Beyond [low, high] it is constant, y_0 and y_{N-1}, with gradient zero: the tails are not those of ours.

    Args:
        x: finite, any shape.
        values: knot values y, shape (N,); one function for all of x is all that the trick can do.
        low: position of the first knot.
        high: position of the last knot.

    Returns:
        f(x), in the shape and type of x.
    """
    column = 2 * (_widened(x, values) - low) / (high - low) - 1
    grid = torch.stack([column, torch.zeros_like(column)], -1).reshape(1, 1, -1, 2)
    image = values.to(grid.dtype).reshape(1, 1, 1, -1)
    sampled = functional.grid_sample(image, grid, mode="bilinear", padding_mode="border", align_corners=True)
    return sampled.reshape(x.shape).to(x.dtype)


def _widened(x: Tensor, values: Tensor) -> Tensor:
    """x in the type in which to compute: float32 at least, as a 16-bit position in a segment is too coarse."""
    return x.to(torch.promote_types(torch.promote_types(x.dtype, values.dtype), torch.float32))
