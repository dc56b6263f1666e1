"""Hyperplanes that cut the data alike.

Unit i cuts the inputs into the half-spaces z_i > 0 and z_i < 0. Two units cut alike if their half-spaces hold the same
inputs, or one those of the other's complement: which side is called positive does not matter.
"""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from pwlact import checks
from pwlact.redundancy.cover import redundant
from pwlact.redundancy.samples import checked, whole_size


def cut_disagreement(
    z: Float[Tensor, "*batch n units"], *, centred: bool = False
) -> Float[Tensor, "*batch units units"]:
    """D_ij = min(d_ij, 1 - d_ij) with d_ij the share of inputs on which the half-spaces of units i and j differ.

    With signs s in {-1, 0, 1} that is D_ij = (1 - |mean_n s_ni s_nj|) / 2; an input on a hyperplane counts half to
    each side. Scaling a unit or flipping its sign changes nothing.

    Args:
        z: pre-activations of n inputs.
        centred: take z minus its mean over units, for layers that a shift of all units does not change.

    Returns:
        disagreements from 0 (the same cut) to 1/2, float64.

    Raises:
        InputError: z is not a floating-point tensor, is empty, or has values that are not finite.
    """
    s = _sides(z, centred)
    return (1 - (s.mT @ s).abs() / s.shape[-2]) / 2


def smaller_side(z: Float[Tensor, "*batch n units"], *, centred: bool = False) -> Float[Tensor, "*batch units"]:
    """Share of inputs on the smaller side of each cut, 0 to 1/2: the disagreement with a unit that cuts nothing.

    Args:
        z: pre-activations of n inputs.
        centred: as for `cut_disagreement`.

    Raises:
        InputError: as for `cut_disagreement`.
    """
    return (1 - _sides(z, centred).mean(-2).abs()) / 2


def duplicate_cuts(
    z: Float[Tensor, "*batch n units"], *, tolerance: float = 0.02, least: float = 0.02, centred: bool = False
) -> tuple[Int64[Tensor, "*batch"], Int64[Tensor, "*batch"]]:
    """Number of units whose cut another unit has already, and of units that cut nothing.

    Units that leave less than `least` of the inputs on one side cut nothing; they would all be each other's
    duplicates, and are counted apart. Among the others, j can stand in for i where D_ij <= `tolerance`; see
    `redundant` for how many are to spare.

    Args:
        z: pre-activations of n inputs.
        tolerance: largest disagreement of duplicates, 0 or above.
        least: smallest share of inputs on each side of a cut, 0 or above.
        centred: as for `cut_disagreement`.

    Returns:
        redundant units, and units that cut nothing, int64.

    Raises:
        InputError: as for `cut_disagreement`, or a negative number.
    """
    checks.not_negative("tolerance", tolerance)
    checks.not_negative("least", least)
    cutting = smaller_side(z, centred=centred) >= least
    disagreement = cut_disagreement(z, centred=centred)
    return redundant(disagreement <= tolerance, cutting, -disagreement), (~cutting).sum(-1)


def _sides(z: Tensor, centred: bool) -> Tensor:
    z = checked("z", z)
    if not centred:
        return torch.sign(z)
    whole = whole_size(z)  # the mean of the largest numbers would overflow
    return torch.sign(whole - whole.mean(-1, keepdim=True))
