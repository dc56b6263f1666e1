"""Small classifiers whose hidden units can be looked at, layer by layer."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pwlact.competitive import make, output_width
from pwlact.experiments.layerwise.attention import PrototypeAttention
from pwlact.experiments.layerwise.channels import AcrossChannels
from pwlact.models.convolution import convolution

MOST_POSITIONS = 10_000
"""Positions of all images that channels are measured on, drawn at random; a perceptron is measured on all images."""


class Network(nn.Module):
    """Blocks from the bottom up, each a layer of units, and a linear head on what the last one gives.

    Args:
        blocks: modules, each on what the one below gives.
        head: on the last one's outputs, flattened, to logits.
        image: (channels, rows, columns) that inputs are unflattened to; None leaves them vectors.
    """

    def __init__(self, blocks: Sequence[nn.Module], head: nn.Module, image: tuple[int, int, int] | None = None) -> None:
        super().__init__()
        self.blocks, self.head, self.image = nn.ModuleList(blocks), head, image

    def forward(self, x: Float[Tensor, "n inputs"]) -> Float[Tensor, "n classes"]:
        """Logits."""
        x = self._inputs(x)
        for block in self.blocks:
            x = block(x)
        return self.head(x.flatten(1))

    @torch.no_grad()
    def passed(self, x: Float[Tensor, "n inputs"]) -> tuple[Float[Tensor, "n classes"], list[Tensor]]:
        """Logits, and what the units of each block give: rows are inputs or, for channels, positions of inputs.

        The units of a `PrototypeAttention` are its prototypes.

        Args:
            x: inputs.
        """
        x, units = self._inputs(x), []
        for block in self.blocks:
            below, x = x, block(x)
            units.append(block.responsibilities(below) if isinstance(block, PrototypeAttention) else _rows(x))
        return self.head(x.flatten(1)), units

    def _inputs(self, x: Tensor) -> Tensor:
        return x if self.image is None else x.unflatten(1, self.image)

    def first_weights(self) -> Tensor:
        """Weight vectors of the first layer's units on the inputs, one row a unit."""
        first = self.blocks[0]
        if isinstance(first, nn.Sequential):
            first = first[0]
        weight = getattr(first, "keys" if isinstance(first, PrototypeAttention) else "weight")
        return weight.detach().flatten(1)


def _rows(a: Tensor) -> Tensor:
    if a.ndim == 2:
        return a
    rows = a.movedim(1, -1).flatten(0, -2)
    # not every so-manieth: that would be the same corner of each image
    return rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))[:MOST_POSITIONS]]


def perceptron(inputs: int, units: int, depth: int, classes: int, activation: str) -> Network:
    """Hidden layers a = f(Wx + b) of so many units.

    Args:
        inputs: size of x.
        units: of each layer.
        depth: number of hidden layers.
        classes: number of logits.
        activation: name of f, in `pwlact.competitive.ACTIVATIONS`.
    """
    width = output_width(activation, units)
    sizes = [inputs, *[width] * depth]
    blocks = [nn.Sequential(nn.Linear(below, units), make(activation, units)) for below in sizes[:-1]]
    return Network(blocks, nn.Linear(width, classes))


def attention(inputs: int, units: int, depth: int, classes: int) -> Network:
    """Layers of `PrototypeAttention`: so many prototypes each, and as many outputs.

    Args:
        inputs: size of x.
        units: prototypes of each layer.
        depth: number of layers.
        classes: number of logits.
    """
    sizes = [inputs, *[units] * depth]
    blocks = [PrototypeAttention(below, units, units) for below in sizes[:-1]]
    return Network(blocks, nn.Linear(units, classes))


def convnet(image: tuple[int, int, int], channels: int, depth: int, classes: int, activation: str) -> Network:
    """A 5x5 convolution of stride 4, then 3x3 ones of stride 2, each with batch norm and f across channels.

    Args:
        image: (channels, rows, columns) of an input.
        channels: of each layer.
        depth: number of convolutions.
        classes: number of logits.
        activation: name of f, in `pwlact.competitive.ACTIVATIONS`.
    """
    blocks, (below, rows, columns) = [], image
    for number in range(depth):
        size, stride = (3, 2) if number else (5, 4)
        convolved = convolution(below, channels, size=size, stride=stride)
        blocks.append(nn.Sequential(convolved, nn.BatchNorm2d(channels), AcrossChannels(activation, channels)))
        below, rows, columns = channels, -(-rows // stride), -(-columns // stride)
    return Network(blocks, nn.Linear(channels * rows * columns, classes), image)
