"""How deep can a perceptron be? The draft's depth study, and the same with what it left out."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from pwlact.experiments.letters.cells import Cell
from pwlact.experiments.letters.parts import Part
from pwlact.experiments.letters.tuning import cross_entropy
from pwlact.experiments.perceptrons import Shape, Stack

HE = 6**0.5

VARIANTS: Mapping[str, dict[str, Any]] = MappingProxyType(
    {
        "plain": {},
        "he": {"gain": HE},
        "normalised": {"normalise": True},
        "residual": {"residual": True},
        "both": {"normalise": True, "residual": True},
    }
)
"""Name -> settings of `Shape`: starts as by `nn.Linear`; larger ones; layer normalisation; residual connections."""

AS_DRAFT = Cell(rate=3e-4, dropout=0.2)
"""The draft's settings at every depth: those that it found best at width 256 and depth 1."""
PROBED = 512
"""Training images that gradients are taken on."""


def gradient_ratio(stack: Stack, part: Part) -> list[float]:
    """||dL/dz|| at the first hidden layer over that at the last, before training, of every model: 1 for one layer.

    Far below 1, gradients vanish on their way down; NaN where none arrives at all.

    Args:
        stack: the models.
        part: images; the first `PROBED` of them.
    """
    parameters = {name: p.requires_grad_() for name, p in stack.parameters().items()}
    passed = stack.forward(parameters, part.x[:PROBED])
    labels = part.y[:PROBED].expand(passed.logits.shape[:2])
    loss = cross_entropy(passed.logits.flatten(0, 1), labels.flatten()).sum()
    first, last = torch.autograd.grad(loss, (passed.received[0], passed.received[-1]), materialize_grads=True)
    return (_size(first) / _size(last)).tolist()


def shape_of(variant: str, inputs: int, units: int, depth: int, classes: int) -> Shape:
    """The shape of a variant.

    Args:
        variant: name in `VARIANTS`.
        inputs: features of an input.
        units: hidden units of each layer.
        depth: number of hidden layers.
        classes: number of classes.
    """
    return Shape(inputs, units, depth, classes, **VARIANTS[variant])


def _size(gradient: Tensor) -> Tensor:
    return gradient.double().flatten(1).norm(dim=1)
