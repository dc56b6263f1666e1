"""The transfer functions by name, and the one that a module computes."""

from collections.abc import Callable

from torch import nn

from pwlact import checks
from pwlact.matching.learned import PiecewiseLinear
from pwlact.matching.saturating import Arctan, Sigmoid, Softplus, Tanh
from pwlact.matching.softmax import Softmax
from pwlact.matching.straight import Elu, LeakyRelu, Linear, Step
from pwlact.matching.transfer import TransferFunction
from pwlact.pwl import PiecewiseLinearActivation

TRANSFERS: dict[str, Callable[..., TransferFunction]] = {
    "step": Step,
    "linear": Linear,
    "relu": lambda: LeakyRelu(0.0),
    "leaky_relu": LeakyRelu,
    "sigmoid": Sigmoid,
    "softmax": Softmax,
    "tanh": Tanh,
    "arctan": Arctan,
    "softplus": Softplus,
    "elu": Elu,
}
"""Makers of the functions of the table, by name; `beta` of leaky ReLU and ELU, `dim` of softmax can be given."""

_MODULES: dict[type[nn.Module], Callable[..., TransferFunction]] = {
    nn.Identity: lambda module: Linear(),
    nn.ReLU: lambda module: LeakyRelu(0.0),
    nn.LeakyReLU: lambda module: LeakyRelu(module.negative_slope),
    nn.Sigmoid: lambda module: Sigmoid(),
    nn.Tanh: lambda module: Tanh(),
    nn.ELU: lambda module: Elu(module.alpha),
    nn.Softmax: lambda module: Softmax(-1 if module.dim is None else module.dim),
    PiecewiseLinearActivation: PiecewiseLinear,
}

TransferLike = TransferFunction | str | nn.Module
"""What `transfer_of` takes."""


def transfer_of(source: TransferLike) -> TransferFunction:
    """The transfer function of that name, or of a module of torch.nn, or of a learned activation.

    Args:
        source: a name in `TRANSFERS`, a module (Identity, ReLU, LeakyReLU, Sigmoid, Tanh, ELU, Softplus with
            beta=1, Softmax, `PiecewiseLinearActivation`), or a transfer function, which comes back as it is.

    Raises:
        InputError: an unknown name, a module without a transfer function here, or an activation that falls.

    Examples:
        >>> transfer_of("tanh")
        <transfer tanh>
    """
    if isinstance(source, TransferFunction):
        return source
    if isinstance(source, str):
        return TRANSFERS[checks.choice("transfer", source, TRANSFERS)]()
    if isinstance(source, PiecewiseLinearActivation):
        return PiecewiseLinear(source)
    if type(source) is nn.Softplus and source.beta == 1:
        return Softplus()
    maker = _MODULES.get(type(source))
    if maker is None:
        known = ", ".join([*(kind.__name__ for kind in _MODULES), "Softplus(beta=1)"])
        raise checks.InputError(
            f"{source} has no transfer function here: known are {known}; or subclass TransferFunction"
        )
    return maker(source)


def has_transfer(module: nn.Module) -> bool:
    """Whether `transfer_of` knows this kind of module."""
    return type(module) in _MODULES or isinstance(module, PiecewiseLinearActivation | nn.Softplus)
