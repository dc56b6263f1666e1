"""The activations that are compared: those of `pwlact.competitive`, and one learnt piecewise-linear a unit."""

from torch import nn

from pwlact import checks
from pwlact.competitive import ACTIVATIONS
from pwlact.experiments.perceptrons import Factory
from pwlact.pwl import PiecewiseLinearActivation

BASE = "relu"
"""What the others are compared with."""
LEARNT_BY_UNIT = "piecewise-linear-unit"


def _by_unit(units: int) -> nn.Module:
    return PiecewiseLinearActivation(channels=units, channel_dim=-1)


CONTENDERS: dict[str, Factory] = {**ACTIVATIONS, LEARNT_BY_UNIT: _by_unit}
"""Name -> (units -> module acting on the last dimension). "piecewise-linear" is one learnt function a layer."""


def chosen(names: tuple[str, ...]) -> dict[str, Factory]:
    """The named contenders.

    Args:
        names: all for none at all.

    Raises:
        InputError: an unknown name.
    """
    return {checks.choice("activations", name, CONTENDERS): CONTENDERS[name] for name in names or CONTENDERS}
