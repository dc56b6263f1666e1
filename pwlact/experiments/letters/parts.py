"""Letters as vectors for perceptrons: scaled, pooled if asked, and split into training, validation and test part."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from pwlact import checks
from pwlact.data import LetterImages, Letters, max_pool


@dataclass(frozen=True, eq=False)
class Part:
    """Inputs and classes.

    Attributes:
        x: one row an image, grey values from 0 to 1.
        y: classes.
    """

    x: Float[Tensor, "n pixels"]
    y: Int64[Tensor, " n"]


@dataclass(frozen=True, eq=False)
class Parts:
    """Three parts of a set of letters.

    Attributes:
        train: in a drawn order, in which every beginning is balanced over the classes.
        validation: likewise; no image of the training part.
        test: all test images, in the order of the file.
        classes: number of classes.
        name: of the set.
    """

    train: Part
    validation: Part
    test: Part
    classes: int
    name: str


def split(
    letters: Letters,
    validation: int | None = None,
    *,
    pooled: bool = False,
    seed: int = 0,
    limit: int | None = None,
) -> Parts:
    """Draw the validation images from the training images, balanced over the classes; the rest trains.

    Balanced: as many of each class as can be, within one. With the same seed, the validation images do not depend on
    `limit`, and those that train under a limit also train under every larger one.

    Args:
        letters: the images.
        validation: number of validation images; as many as there are test images unless given.
        pooled: whether each 2 x 2 pixels become their maximum, so that 784 inputs become 196.
        seed: of the draw, 0 or above.
        limit: most training images, balanced as well; all that are left unless given.

    Raises:
        InputError: a number is out of its range, or a class is left without training images.
    """
    count = len(letters.test) if validation is None else checks.at_least("validation", validation, 1)
    checks.at_least("seed", seed, 0)
    if limit is not None:
        checks.at_least("limit", limit, letters.classes, "each class needs an image to train on")
    order = _balanced_order(letters.train.labels, letters.classes, seed)
    held, rest = order[:count], order[count:]
    left = torch.bincount(letters.train.labels[rest], minlength=letters.classes)
    if not int(left.min()):
        raise checks.InputError(
            f"validation must leave every class images to train on, got {count:,} of {len(order):,}; give fewer"
        )
    train, test = letters.train, letters.test
    parts = (_part(train, rest[:limit], pooled), _part(train, held, pooled), _part(test, None, pooled))
    return Parts(*parts, letters.classes, letters.name)


def _balanced_order(labels: Int64[Tensor, " n"], classes: int, seed: int) -> Int64[Tensor, " n"]:
    """A random order in rounds: each takes one image of every class that has some left.

    The classes come in the same random order in every round, so that a part that begins within one is balanced as well.
    """
    generator = torch.Generator().manual_seed(seed)
    shuffled = torch.randperm(len(labels), generator=generator)
    grouped = shuffled[labels[shuffled].argsort(stable=True)]
    own, counts = labels[grouped], torch.bincount(labels, minlength=classes)
    turn = torch.arange(len(labels)) - (counts.cumsum(0) - counts)[own]
    place = torch.randperm(classes, generator=generator)
    return grouped[(turn * classes + place[own]).argsort()]


def _part(images: LetterImages, chosen: Tensor | None, pooled: bool) -> Part:
    x, y = (images.images, images.labels) if chosen is None else (images.images[chosen], images.labels[chosen])
    return Part((max_pool(x) if pooled else x).flatten(1).float() / 255, y)
