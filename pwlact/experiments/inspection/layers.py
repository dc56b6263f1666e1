"""The learnable layers of a model, and what is read of their inputs."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pwlact.models import activations
from pwlact.pwl import PiecewiseLinearActivation

POSITIONS = 16
"""Positions of an image that statistics are taken from, as in training."""
Layers = list[tuple[str, PiecewiseLinearActivation]]


def learnable(model: nn.Module) -> Layers:
    """Piecewise-linear activations with their names, in the order of the network."""
    return [(name, module) for name, module in activations(model) if isinstance(module, PiecewiseLinearActivation)]


def rows(values: Tensor) -> Float[Tensor, "functions knots"]:
    """Knot values as one row a function."""
    return values.reshape(-1, values.shape[-1])


def some_positions(x: Tensor, generator: torch.Generator) -> Float[Tensor, "images positions channels"]:
    """Random positions of each image: (n, C, ...) -> (n, min(POSITIONS, all), C)."""
    x = x.reshape(*x.shape[:2], -1).transpose(1, 2)
    if x.shape[1] <= POSITIONS:
        return x
    place = torch.randint(x.shape[1], (len(x), POSITIONS), generator=generator)
    return x[torch.arange(len(x))[:, None], place]
