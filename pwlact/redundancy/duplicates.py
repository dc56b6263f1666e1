"""Units that give the same output up to shift and scale, and units that give none; the two are never mixed."""

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from pwlact import checks
from pwlact.redundancy.cover import redundant
from pwlact.redundancy.samples import checked, constant, rounding, spread, whole_size


def correlations(a: Float[Tensor, "*batch n units"]) -> Float[Tensor, "*batch units units"]:
    """Correlation of each pair of units' outputs over the inputs, float64; 0 with a dead unit, and for it itself.

    Args:
        a: outputs on n inputs.

    Raises:
        InputError: `a` is not a floating-point tensor, is empty, or has values that are not finite.
    """
    x = spread(checked("a", a), rounding(a))
    norm = x.norm(dim=-2, keepdim=True)
    x = torch.where(norm > 0, x / torch.where(norm > 0, norm, 1.0), 0.0)
    return (x.mT @ x).clamp(-1.0, 1.0)


def dead_units(a: Float[Tensor, "*batch n units"]) -> Bool[Tensor, "*batch units"]:
    """Whether a unit's output is the same on all inputs, up to the rounding of its own size.

    Args:
        a: outputs on n inputs; with one input, every unit is dead.

    Raises:
        InputError: as for `correlations`.
    """
    # in the precision of the outputs: float32 roundings of a constant are no signal
    return constant(checked("a", a), rounding(a))


def quiet_units(a: Float[Tensor, "*batch n units"], share: float = 0.01) -> Bool[Tensor, "*batch units"]:
    """Whether a unit's standard deviation is below `share` of the loudest unit's; dead units are quiet.

    A softmax has no constant unit, but may have units that never win. Unlike the other measures this one depends on
    the scale of the units.

    Args:
        a: outputs on n inputs.
        share: between 0 and 1.

    Raises:
        InputError: as for `correlations`, or a share outside its range.
    """
    checks.interval(0.0, share, ("0", "share"))
    deviation = whole_size(checked("a", a)).std(-2, correction=0)
    return (deviation < share * deviation.amax(-1, keepdim=True)) | dead_units(a)


def duplicate_units(a: Float[Tensor, "*batch n units"], threshold: float = 0.95) -> Int64[Tensor, "*batch"]:
    """Number of live units to spare: one can stand in for another where |correlation| > `threshold`.

    Args:
        a: outputs on n inputs.
        threshold: 0 or above, below 1.

    Returns:
        redundant units, dead ones not among them (see `dead_units`, `redundant`).

    Raises:
        InputError: as for `correlations`, or a threshold outside its range.
    """
    if not 0 <= threshold < 1:
        raise checks.InputError(f"threshold must lie in [0, 1), got {threshold!r}")
    size = correlations(a).abs()
    return redundant(size > threshold, ~dead_units(a), size)


def off_diagonal_squares(
    a: Float[Tensor, "*batch n units"],
) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch"]]:
    """Sum of c_ij^2 over i != j, and its mean over the pairs of live units (0 where there is no pair).

    Args:
        a: outputs on n inputs.

    Returns:
        sum and mean, float64.

    Raises:
        InputError: as for `correlations`.
    """
    live = (~dead_units(a)).double()
    squares = correlations(a).square() * live[..., :, None] * live[..., None, :]
    total = squares.sum((-2, -1)) - squares.diagonal(dim1=-2, dim2=-1).sum(-1)
    count = live.sum(-1)
    return total, total / (count * (count - 1)).clamp(min=1.0)
