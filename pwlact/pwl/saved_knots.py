"""The knots of a module as a tensor in its state, and whether a state fits."""

import torch
from torch import Tensor

from pwlact import checks
from pwlact.pwl.knots import Knots


def pack(knots: Knots) -> Tensor:
    """[N, low, high] in float64, which holds all three exactly; always on the CPU."""
    return torch.tensor([knots.count, knots.low, knots.high], dtype=torch.float64, device="cpu")


def unpack(state: object, size: int) -> Knots:
    """The knots that `pack` stored, for values of that size.

    Raises:
        InputError: it is not what `pack` makes, or is for another size.
    """
    if not isinstance(state, Tensor) or state.shape != (3,) or state.dtype != torch.float64 or state.is_meta:
        kind = f"{state.dtype} of shape {tuple(state.shape)} on {state.device}" if isinstance(state, Tensor) else state
        raise checks.InputError(f"the stored knots must be a float64 tensor [count, low, high], got {kind}")
    count, low, high = state.tolist()
    if count != size:
        raise checks.InputError(f"the stored knots are {count:g}, the values {size}")
    return Knots(size, low, high)


def fit(stored: object, values: Tensor, own: Tensor, knots: Knots, name: str) -> tuple[Knots, str]:
    """Knots that a module takes on with a state, and why it cannot, "" if it can.

    Args:
        stored: what `pack` made, or None in a state from before the knots were stored.
        values: the values in the state.
        own: the values of the module.
        knots: the knots of the module.
        name: full name of the values, for the message.

    Returns:
        the stored knots, or the module's own where none are stored or they do not fit.
    """
    shape, here = tuple(values.shape), tuple(own.shape)
    if stored is None:
        if shape == here:
            return knots, ""
        return knots, (
            f"{name} has shape {shape} in the state and {here} here, and the state does not tell its knots: "
            f"build the module with the knots and channels that it was saved with"
        )
    if shape[:-1] != here[:-1]:
        return knots, (
            f"{name} has shape {shape} in the state and {here} here: build the module with the channels and "
            f"groups that it was saved with"
        )
    try:
        return unpack(stored, shape[-1]), ""
    except checks.InputError as error:
        return knots, f"{name}: {error}"
