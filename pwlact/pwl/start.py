"""Functions that a piecewise-linear activation can start from, by name."""

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional

from pwlact import checks

STARTS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": functional.relu,
    "leaky_relu": functional.leaky_relu,
    "silu": functional.silu,
    "swish": functional.silu,
    "gelu": functional.gelu,
    "elu": functional.elu,
    "mish": functional.mish,
    "hardswish": functional.hardswish,
    "softplus": functional.softplus,
    "tanh": Tensor.tanh,
    "sigmoid": Tensor.sigmoid,
    "identity": Tensor.clone,
    "abs": Tensor.abs,
    "zero": Tensor.zero_,
}


def start_values(start: str | Callable[[Tensor], Tensor], positions: Tensor) -> Tensor:
    """Knot values of a named or given function at the knot positions, shape (N,).

    Raises:
        InputError: the name is unknown, or the function does not give one value a knot.
    """
    if isinstance(start, str):
        start = STARTS[checks.choice("start", start, STARTS)]
    values = start(positions.clone())
    if values.shape != positions.shape:
        raise checks.InputError(
            f"start must give one value a knot, shape {tuple(positions.shape)}, got {tuple(values.shape)}"
        )
    return values
