"""How many directions the outputs of a layer really use."""

import torch
from jaxtyping import Float
from torch import Tensor

from pwlact.redundancy.samples import checked, rounding, whole_size


def singular_values(a: Float[Tensor, "*batch n units"]) -> Float[Tensor, "*batch rank"]:
    """Singular values of the outputs minus their mean over inputs, largest first, relative to the largest output.

    Values within rounding of 0 are 0: max(n, units) roundings of the largest, as for a numerical rank.

    Args:
        a: outputs on n inputs.

    Returns:
        min(n, units) values, float64.

    Raises:
        InputError: `a` is not a floating-point tensor, is empty, or has values that are not finite.
    """
    x = whole_size(checked("a", a))
    values = torch.linalg.svdvals(x - x.mean(-2, keepdim=True))
    # against the outputs themselves, so that a large constant does not leave its roundings as a signal
    floor = max(x.shape[-2:]) * rounding(a) / 8 * torch.linalg.matrix_norm(x, keepdim=True)[..., 0]
    return torch.where(values > floor, values, 0.0)


def effective_rank(a: Float[Tensor, "*batch n units"]) -> Float[Tensor, "*batch"]:
    """exp(-sum_i p_i ln p_i) with p_i = sigma_i / sum_j sigma_j; 0 where all units are constant.

    Args:
        a: outputs on n inputs.

    Returns:
        between 1 and min(n - 1, units), or 0.

    Raises:
        InputError: as for `singular_values`.

    References:
        O. Roy, M. Vetterli, "The effective rank: a measure of effective dimensionality", EUSIPCO 2007.
    """
    sigma = singular_values(a)
    total = sigma.sum(-1, keepdim=True)
    p = sigma / torch.where(total > 0, total, 1.0)
    return torch.where(total[..., 0] > 0, torch.special.entr(p).sum(-1).exp(), 0.0)


def participation_ratio(a: Float[Tensor, "*batch n units"]) -> Float[Tensor, "*batch"]:
    """(sum_i lambda_i)^2 / sum_i lambda_i^2 with lambda = sigma^2, the variances along principal axes; 0 if all are.

    Args:
        a: outputs on n inputs.

    Returns:
        between 1 and min(n - 1, units), or 0.

    Raises:
        InputError: as for `singular_values`.
    """
    variance = singular_values(a).square()
    top = variance.amax(-1, keepdim=True)
    variance = variance / torch.where(top > 0, top, 1.0)
    return variance.sum(-1).square() / variance.square().sum(-1).clamp(min=1.0)
