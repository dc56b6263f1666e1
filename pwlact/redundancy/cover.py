"""How many units a layer could do without: those that a unit which stays can stand in for."""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor


def redundant(
    alike: Bool[Tensor, "*batch units units"],
    counted: Bool[Tensor, "*batch units"],
    closeness: Float[Tensor, "*batch units units"],
) -> Int64[Tensor, "*batch"]:
    """Counted units minus those of a greedy cover: units such that every counted unit is `alike` one of them.

    The unit that is alike most units not covered yet is kept, again and again; among several, the one closest to all
    counted units, so that the order of the units does not matter. The smallest cover may have fewer units.

    A cover, and not connected components: in the plane directions 10 degrees apart form one component of units that
    are each like their neighbours, but no unit can stand in for one at right angles to it.

    Args:
        alike: symmetric relation.
        counted: units that take part.
        closeness: how close two units are, the larger the closer; decides among equals.

    Returns:
        number of redundant units.
    """
    units = alike.shape[-1]
    relations = (alike & counted[..., :, None] & counted[..., None, :]).cpu().reshape(-1, units, units).numpy()
    members = counted.cpu().reshape(-1, units).numpy()
    weights = (closeness * counted[..., None, :]).sum(-1).cpu().reshape(-1, units).numpy()
    found = [
        int(member.sum()) - _cover(relation | np.diag(member), weight)
        for relation, member, weight in zip(relations, members, weights, strict=True)
    ]
    return torch.tensor(found, dtype=torch.int64).reshape(counted.shape[:-1])


def _cover(relation: np.ndarray, weight: np.ndarray) -> int:
    """Size of a greedy cover of the units that are alike themselves."""
    left, kept = relation.diagonal().copy(), 0
    while left.any():
        gains = (relation & left).sum(-1)
        best = np.flatnonzero(gains == gains.max())
        left &= ~relation[best[np.argmax(weight[best])]]
        kept += 1
    return kept
