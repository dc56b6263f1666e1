"""A function in few words, for `print(model)`."""

import torch
from torch import Tensor

from pwlact.pwl.knots import Knots


@torch.no_grad()
def describe(values: Tensor, knots: Knots) -> str:
    """Direction and tail slopes of the functions, such as "increasing, tail slopes 0 and 1".

    Args:
        values: knot values y, shape (N,) or (G, N).
        knots: the N knots.

    Returns:
        one short line; "" where there are no numbers to read, as on the meta device.
    """
    if values.is_meta or type(values.data) is not Tensor:
        return ""
    rises = values.detach().double().cpu().reshape(-1, values.shape[-1]).diff(dim=-1)
    if not rises.isfinite().all():
        return "not finite"
    slopes = rises / knots.spacing
    return f"{_direction(rises)}, tail slopes {_span(slopes[:, 0])} and {_span(slopes[:, -1])}"


def _direction(rises: Tensor) -> str:
    up, down = (rises >= 0).all(-1), (rises <= 0).all(-1)
    for word, holds in (("constant", up & down), ("increasing", up), ("decreasing", down)):
        if holds.all():
            return word
    monotone = int((up | down).sum())
    return "not monotone" if not monotone else f"{monotone} of {len(rises)} monotone"


def _span(slopes: Tensor) -> str:
    """One number where all functions agree to three digits, else the least and the largest."""
    low, high = (f"{float(s) + 0.0:.3g}" for s in slopes.aminmax())
    return low if low == high else f"{low}..{high}"
