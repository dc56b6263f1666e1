"""The readable definition of the piecewise-linear function, which every fast path must equal."""

import torch
from torch import Tensor

from pwlact.pwl.knots import Knots


def pwl_reference(x: Tensor, values: Tensor, low: float, high: float) -> Tensor:
    """f(x) = sum_s y_s phi_s(x), with linear tails, by the hat basis; O(N) memory an element.

    phi_s is the hat function on knot t_s: 1 there, 0 at the other knots, linear between. Left of the first
    knot and right of the last the function goes on with the slope of its edge segment.

    Args:
        x: any shape, finite or NaN.
        values: knot values y, shape (N,), or (*shape of x, N) for one function an element.
        low: position of the first knot.
        high: position of the last knot.

    Returns:
        f(x), in the shape of x.
    """
    knots = Knots(values.shape[-1], low, high)
    u = (x - knots.low) / knots.spacing
    inside = u.clamp(0, knots.count - 1)
    s = torch.arange(knots.count, dtype=x.dtype, device=x.device)
    hats = (1 - (inside[..., None] - s).abs()).relu()
    slopes = values.diff(dim=-1)
    left, right = u.clamp(max=0), (u - (knots.count - 1)).clamp(min=0)
    return (hats * values).sum(-1) + left * slopes[..., 0] + right * slopes[..., -1]
