"""Activations by name, for experiments that go through them: name -> a factory of modules for so many units."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from torch import nn

from pwlact import checks
from pwlact.competitive.entmax import Entmax
from pwlact.competitive.entmax15 import Entmax15
from pwlact.competitive.gated import GatedReLUSoftmax
from pwlact.competitive.groups import LWTA, GroupedSoftmax
from pwlact.competitive.log_softmax import LogSoftmax
from pwlact.competitive.norm_direction import NormDirectionSoftmax
from pwlact.competitive.parallel_paths import ParallelPaths
from pwlact.competitive.relu_times_softmax import ReLUTimesSoftmax
from pwlact.competitive.relumax import Relumax
from pwlact.competitive.softmax import Softmax
from pwlact.competitive.sparsemax import Sparsemax
from pwlact.competitive.temperature import TemperatureSoftmax
from pwlact.competitive.z_plus_softmax import ZPlusSoftmax
from pwlact.competitive.z_times_softmax import ZTimesSoftmax
from pwlact.pwl import PiecewiseLinearActivation

_WIDER = {"parallel-paths": 2}

ACTIVATIONS: Mapping[str, Callable[[int], nn.Module]] = MappingProxyType(
    {
        "identity": lambda units: nn.Identity(),
        "relu": lambda units: nn.ReLU(),
        "gelu": lambda units: nn.GELU(),
        "silu": lambda units: nn.SiLU(),
        "tanh": lambda units: nn.Tanh(),
        "piecewise-linear": lambda units: PiecewiseLinearActivation(),
        "softmax": lambda units: Softmax(),
        "log-softmax": lambda units: LogSoftmax(),
        "z-times-softmax": lambda units: ZTimesSoftmax(),
        "z-plus-softmax": lambda units: ZPlusSoftmax(),
        "grouped-softmax": lambda units: GroupedSoftmax(group_count(units, 4)),
        "sparsemax": lambda units: Sparsemax(),
        "entmax15": lambda units: Entmax15(),
        "entmax": lambda units: Entmax(1.5, learn=True),
        "temperature-softmax": lambda units: TemperatureSoftmax(learn=True),
        "relu-times-softmax": lambda units: ReLUTimesSoftmax(),
        "masked-relu-times-softmax": lambda units: ReLUTimesSoftmax(masked=True),
        "norm-direction-softmax": lambda units: NormDirectionSoftmax(),
        "parallel-paths": lambda units: ParallelPaths(),
        "gated-relu-softmax": lambda units: GatedReLUSoftmax(units),
        "lwta": lambda units: LWTA(group_count(units, 2)),
        "relumax": lambda units: Relumax(),
        "learnable-relumax": lambda units: Relumax(learn=True),
    }
)
"""name -> (units -> module), acting on the last dimension of (batch, units); the first six do not compete."""


def make(name: str, units: int) -> nn.Module:
    """The activation `name` for a layer of so many units.

    Args:
        name: one of `ACTIVATIONS`.
        units: size of the last dimension of its input.

    Returns:
        a module on (..., units).

    Raises:
        InputError: the name is unknown, or `units` no whole number of at least 1.

    Examples:
        >>> make("lwta", units=6)
        LWTA(groups=3, dim=-1)
    """
    return ACTIVATIONS[checks.choice("name", name, ACTIVATIONS)](checks.at_least("units", units, 1))


def output_width(name: str, units: int) -> int:
    """How many results the activation `name` has for so many units: twice as many for parallel paths.

    Raises:
        InputError: the name is unknown, or `units` no whole number of at least 1.
    """
    return _WIDER.get(checks.choice("name", name, ACTIVATIONS), 1) * checks.at_least("units", units, 1)


def group_count(units: int, size: int) -> int:
    """The number of equal groups of at least `size` units, as near to it as the divisors of `units` allow.

    Raises:
        InputError: `units` or `size` is no whole number of at least 1.
    """
    checks.at_least("units", units, 1)
    checks.at_least("size", size, 1)
    return max((count for count in range(1, units // size + 1) if units % count == 0), default=1)
