"""Labelled points in the plane: spirals, rings, blobs; at most about 1 from the origin along each axis."""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from pwlact import checks

ARMS, TURNS = 3, 0.75
RINGS = 3
BLOBS, BLOB_CLASSES = 9, 3
REACH = 1.25
"""Half the side of the square, about the origin, in which cuts are counted and drawn."""

Points = tuple[Float[Tensor, "n 2"], Int64[Tensor, " n"]]


def _spirals(labels: Tensor, generator: torch.Generator) -> Tensor:
    # the square root spreads the points evenly over the disc
    radius = 0.15 + 0.85 * torch.rand(len(labels), generator=generator).sqrt()
    angle = 2 * math.pi * (TURNS * radius + labels / ARMS)
    centre = torch.stack([radius * angle.cos(), radius * angle.sin()], 1)
    return centre + 0.03 * torch.randn(len(labels), 2, generator=generator)


def _rings(labels: Tensor, generator: torch.Generator) -> Tensor:
    radius = (1 + labels) / RINGS + 0.03 * torch.randn(len(labels), generator=generator)
    angle = 2 * math.pi * torch.rand(len(labels), generator=generator)
    return torch.stack([radius * angle.cos(), radius * angle.sin()], 1)


def _blobs(labels: Tensor, generator: torch.Generator) -> Tensor:
    # on a 3 x 3 grid, classes along its wrapped diagonals: no line tells two of them apart
    own = torch.randint(0, BLOBS // BLOB_CLASSES, (len(labels),), generator=generator)
    centre = torch.stack([own.float(), ((own + labels) % 3).float()], 1) * 0.75 - 0.75
    return centre + 0.1 * torch.randn(len(labels), 2, generator=generator)


SHAPES: dict[str, tuple[int, Callable[[Tensor, torch.Generator], Tensor]]] = {
    "spirals": (ARMS, _spirals),
    "rings": (RINGS, _rings),
    "blobs": (BLOB_CLASSES, _blobs),
}
"""Number of classes, and (labels, generator) -> points, by name."""


def draw(shape: str, count: int, seed: int) -> Points:
    """`count` points of a shape, classes as equal in number as can be, in an order that means nothing.

    Args:
        shape: name in `SHAPES`.
        count: number of points, at least 1.
        seed: 0 or above.

    Returns:
        points, float32, and classes.

    Raises:
        InputError: an unknown shape or a number outside its range.
    """
    classes, place = SHAPES[checks.choice("data", shape, SHAPES)]
    checks.at_least("count", count, 1)
    generator = torch.Generator().manual_seed(checks.at_least("seed", seed, 0))
    labels = torch.arange(count) % classes
    return place(labels, generator), labels
