"""What a function's bends cost: penalties on the knot values, differentiable."""

import torch
from jaxtyping import Float
from torch import Tensor

from pwlact.pwl.knots import Knots


def total_variation(values: Float[Tensor, "*functions knots"], knots: Knots) -> Float[Tensor, "*functions"]:
    """TV2(f) = sum_s |y_{s-1} - 2 y_s + y_{s+1}| / h: the sum of all changes of slope, 0 for a line.

    The second-order total variation of f. It does not change when knots are added on f, and its minimum
    under a fit has few bends, which `prune` then takes away.

    Args:
        values: knot values y, shape (N,) or (G, N).
        knots: the N knots.

    Returns:
        one number a function, in the units of y over those of x, float32 or wider.

    References:
        Bohra, Campos, Gupta, Aziznejad and Unser, "Learning activation functions in deep (spline) neural
        networks", 2020, equation (9).
    """
    return _bends(values).abs().sum(-1) / knots.spacing


def roughness(values: Float[Tensor, "*functions knots"]) -> Float[Tensor, "*functions"]:
    """sum_s (y_{s-1} - 2 y_s + y_{s+1})^2: squared second differences of the knot values, 0 for a line.

    Args:
        values: knot values y, shape (..., N).

    Returns:
        one number a function, in the squared units of y, float32 or wider.
    """
    return _bends(values).square().sum(-1)


def _bends(values: Tensor) -> Tensor:
    # in bfloat16 the differences of close values would be mostly rounding
    return values.to(torch.promote_types(values.dtype, torch.float32)).diff(n=2, dim=-1)
