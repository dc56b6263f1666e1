"""Labelled colour images of 32 x 32 pixels, kept as the bytes they were published as."""

from dataclasses import dataclass

import torch
from torch import Tensor

from pwlact.checks import InputError

CHANNELS = 3
SIZE = 32
PIXEL_BYTES = CHANNELS * SIZE * SIZE
CLASSES = 10


@dataclass(frozen=True, eq=False)
class Images:
    """Images and their classes.

    Attributes:
        images: red, green and blue in 0..255, uint8 of shape (n, 3, 32, 32).
        labels: class of each image, int64 of shape (n,).

    Raises:
        InputError: a shape or dtype is another one, or the two lengths differ.
    """

    # plain types: shapes and dtypes are a user's to get wrong, and checked below
    images: Tensor
    labels: Tensor

    def __post_init__(self) -> None:
        _expect("images", self.images, torch.uint8, (len(self.images), CHANNELS, SIZE, SIZE))
        _expect("labels", self.labels, torch.int64, (len(self.images),))

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, count: int | None) -> "Images":
        """The first so many, or as many as there are; None for all. A view."""
        return Images(self.images[:count], self.labels[:count])


def _expect(name: str, tensor: Tensor, dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    if tensor.dtype != dtype or tuple(tensor.shape) != shape:
        found = f"{tensor.dtype} of shape {tuple(tensor.shape)}"
        raise InputError(f"{name} must be {dtype} of shape {shape}, got {found}")
