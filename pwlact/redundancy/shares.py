"""Which units an input's gradient goes to."""

import torch
from jaxtyping import Float
from torch import Tensor

from pwlact.redundancy.samples import checked


def gradient_shares(gradient: Float[Tensor, "*batch n units"]) -> Float[Tensor, "*batch units"]:
    """g_j = mean_n |dL_n/dz_j| / sum_i |dL_n/dz_i|: the part of each input's L1 gradient that a unit gets, on average.

    Inputs whose gradient is 0 are left out; without any other, every share is 0.

    Args:
        gradient: dL/dz of n inputs.

    Returns:
        shares with sum 1, or 0; float64.

    Raises:
        InputError: `gradient` is not a floating-point tensor, is empty, or has values that are not finite.
    """
    shares, some = _shares(gradient)
    return shares.sum(-2) / some.sum(-1, keepdim=True).clamp(min=1.0)


def largest_shares(gradient: Float[Tensor, "*batch n units"]) -> Float[Tensor, "*batch"]:
    """Mean over inputs of max_j |dL/dz_j| / sum_i |dL/dz_i|: 1 where one unit gets all, 1 / units where all get alike.

    Where a shift of all units leaves the layer's output alone, sum_j dL/dz_j = 0, so it is at most 1/2.

    Args:
        gradient: dL/dz of n inputs.

    Returns:
        mean over the inputs whose gradient is not 0; 0 without any.

    Raises:
        InputError: as for `gradient_shares`.
    """
    shares, some = _shares(gradient)
    return shares.amax(-1).sum(-1) / some.sum(-1).clamp(min=1.0)


def _shares(gradient: Tensor) -> tuple[Tensor, Tensor]:
    size = checked("gradient", gradient).abs()
    # by the largest first: the sum of the largest numbers overflows, and that of the smallest is 0
    top = size.amax(-1, keepdim=True)
    size = size / torch.where(top > 0, top, 1.0)
    return size / size.sum(-1, keepdim=True).clamp(min=1.0), (top[..., 0] > 0).double()
