"""Which activations can be replaced: their modules, the functions and tensor methods that call them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from pwlact import checks


@dataclass(frozen=True)
class Kind:
    """One activation function in all the forms in which a model may hold it.

    Attributes:
        name: as in `replace=`.
        module: the class of `torch.nn`.
        functions: the functions that compute it.
        methods: the tensor methods that compute it.
    """

    name: str
    module: type[nn.Module]
    functions: tuple[Callable[..., Any], ...]
    methods: tuple[str, ...] = ()


_F: Any = functional  # some of these are builtins that the type stubs do not list

KINDS = {
    kind.name: kind
    for kind in (
        Kind("relu", nn.ReLU, (_F.relu, torch.relu, torch.relu_), ("relu", "relu_")),
        Kind("leaky_relu", nn.LeakyReLU, (_F.leaky_relu, _F.leaky_relu_)),
        Kind("elu", nn.ELU, (_F.elu, _F.elu_)),
        Kind("celu", nn.CELU, (_F.celu, torch.celu, torch.celu_)),
        Kind("selu", nn.SELU, (_F.selu, torch.selu, torch.selu_)),
        Kind("gelu", nn.GELU, (_F.gelu,)),
        Kind("silu", nn.SiLU, (_F.silu,)),
        Kind("mish", nn.Mish, (_F.mish,)),
        Kind("hardswish", nn.Hardswish, (_F.hardswish,)),
        Kind("softplus", nn.Softplus, (_F.softplus,)),
        Kind("relu6", nn.ReLU6, (_F.relu6,)),
        Kind("hardtanh", nn.Hardtanh, (_F.hardtanh, _F.hardtanh_)),
        Kind("hardsigmoid", nn.Hardsigmoid, (_F.hardsigmoid,)),
        Kind("tanh", nn.Tanh, (torch.tanh, torch.tanh_, _F.tanh), ("tanh", "tanh_")),
        Kind("sigmoid", nn.Sigmoid, (torch.sigmoid, torch.sigmoid_, _F.sigmoid), ("sigmoid", "sigmoid_")),
    )
}
"""Activations by name."""

REPLACED = ("relu", "leaky_relu", "elu", "celu", "selu", "gelu", "silu", "mish", "hardswish", "softplus")
"""What is replaced unless told otherwise: functions whose arms are straight, as linear tails are.

Those that level off outside the knots (tanh, sigmoid, relu6, ...) are also gates and outputs: they are replaced
where `replace=` names them.
"""

NOT_ELEMENTWISE = (nn.Softmax, nn.LogSoftmax, nn.Softmin, nn.Softmax2d, nn.GLU, nn.MultiheadAttention)
NOT_ELEMENTWISE_FUNCTIONS = (_F.softmax, torch.softmax, _F.log_softmax, torch.log_softmax, _F.glu)
ADAPTIVE = {nn.PReLU: "it is learnable already", nn.RReLU: "it is random in training"}

_BY_FUNCTION = {function: kind for kind in KINDS.values() for function in kind.functions}
_BY_METHOD = {method: kind for kind in KINDS.values() for method in kind.methods}
NAMES = frozenset(name for kind in KINDS.values() for name in (kind.name, f"{kind.name}_", *kind.methods))
"""Names by which source code calls an activation function."""


class Selection:
    """What `replace=` asks for.

    Args:
        replace: names in `KINDS` and classes of modules.

    Raises:
        InputError: an unknown name, or something that is neither a name nor a class of modules.
    """

    def __init__(self, replace: Iterable[str | type[nn.Module]]) -> None:
        if isinstance(replace, str):
            replace = (replace,)
        self.modules: set[type[nn.Module]] = set()
        for item in replace:
            if isinstance(item, type) and issubclass(item, nn.Module):
                self.modules.add(item)
            elif isinstance(item, str):
                self.modules.add(KINDS[checks.choice("replace", item, KINDS)].module)
            else:
                raise checks.InputError(f"replace takes names such as 'relu' and classes such as nn.ReLU, got {item!r}")

    def has(self, kind: Kind) -> bool:
        """Whether the kind is to be replaced."""
        return kind.module in self.modules

    def has_module(self, module: nn.Module) -> bool:
        """Whether the module is to be replaced; a subclass is only where it is named itself."""
        return type(module) in self.modules


def kind_of_call(target: object) -> Kind | None:
    """The activation that a function, or a tensor method of that name, computes; None where it is none."""
    if isinstance(target, str):
        return _BY_METHOD.get(target)
    try:
        return _BY_FUNCTION.get(target)  # pyright: ignore[reportArgumentType, reportCallIssue]
    except TypeError:  # a callable that has no hash
        return None


def why_left(module: nn.Module) -> str | None:
    """Why an activation module that is not selected stays, in a few words; None where it is no activation."""
    if isinstance(module, NOT_ELEMENTWISE):
        name = "softmax" if isinstance(module, nn.MultiheadAttention) else "it"
        return f"{name} is no function of one number" if name == "it" else "its softmax is no function of one number"
    if isinstance(module, nn.RNNBase | nn.RNNCellBase):
        return "its activations are inside a fused kernel"
    for adaptive, why in ADAPTIVE.items():
        if isinstance(module, adaptive):
            return why
    if type(module).__module__ == "torch.nn.modules.activation":
        return "not in replace="
    if any(isinstance(module, kind.module) for kind in KINDS.values()):
        return f"a subclass of {_base(module)}; name it in replace="
    return None


def _base(module: nn.Module) -> str:
    return next(kind.module.__name__ for kind in KINDS.values() if isinstance(module, kind.module))
