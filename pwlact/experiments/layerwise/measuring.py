"""How redundant the units of a layer are."""

from jaxtyping import Float
from torch import Tensor

from pwlact import redundancy

REDUNDANCY = ("dead", "duplicates", "effective_rank")
"""What `redundancy_of` measures."""


def redundancy_of(a: Float[Tensor, "n units"]) -> dict[str, float]:
    """Shares of dead units and of duplicates among all units, and the effective rank over the number of units.

    Args:
        a: outputs on n inputs.

    Raises:
        InputError: a value is not finite.
    """
    units = a.shape[1]
    return {
        "dead": float(redundancy.dead_units(a).double().mean()),
        "duplicates": float(redundancy.duplicate_units(a)) / units,
        "effective_rank": float(redundancy.effective_rank(a)) / units,
    }
