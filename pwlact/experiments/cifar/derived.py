"""The activation that the theory hands a practitioner for free: the optimum's Swish, fixed."""

from functools import cache

import torch

from pwlact.conversion import FrozenSwish
from pwlact.experiments.unit import UnitConfig
from pwlact.experiments.unit import run as derive


def derived_swish() -> FrozenSwish:
    """f(x) = u sigmoid(beta u), u = x - x0, fitted to the optimum of `pwlact unit --classes 20 --sigma 1.0`.

    The objective sees neither scale nor shift of f: as in SiLU, the right arm has slope 1 and the left ends at 0.
    """
    beta, x0 = (torch.tensor(parameter) for parameter in _parameters())
    return FrozenSwish(beta, x0, scale=torch.tensor(1.0), offset=torch.tensor(0.0))


@cache
def _parameters() -> tuple[float, float]:
    swish = derive(UnitConfig(classes=20, sigma=1.0))["swish"]
    return swish["beta"], swish["x0"]
