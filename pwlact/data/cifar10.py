"""CIFAR-10 as published: found, read and checked in its binary or its Python version, and split.

References:
    A. Krizhevsky (2009), "Learning Multiple Layers of Features from Tiny Images".
"""

import os
from dataclasses import dataclass
from pathlib import Path

import torch

from pwlact import checks
from pwlact.checks import InputError
from pwlact.data.batch_files import class_names, read_batch
from pwlact.data.images import Images
from pwlact.data.layouts import holds_some, locate


@dataclass(frozen=True, eq=False)
class Cifar10:
    """CIFAR-10.

    Attributes:
        train: the training images, in published order: 50,000 of them in the published files.
        test: the test images: 10,000 of them in the published files.
        class_names: name of class k at position k.
        source: the folder that the files were read from.
    """

    train: Images
    test: Images
    class_names: tuple[str, ...]
    source: Path


def load(directory: Path) -> Cifar10:
    """Read CIFAR-10 from `directory`, or from its sub-folder cifar-10-batches-bin or cifar-10-batches-py.

    A file of 10,000 images in a folder of the published name must have the published checksum; images of a
    user's own are read from a folder of any other name. Tensors are channels-last in memory.

    Raises:
        InputError: there is no CIFAR-10, a file is missing, truncated or damaged, or a label is not in 0..9.
    """
    source, layout = locate(directory)
    parts = [read_batch(source / name, layout) for name in layout.train]
    train = Images(torch.cat([part.images for part in parts]), torch.cat([part.labels for part in parts]))
    test = read_batch(source / layout.test, layout)
    return Cifar10(train, test, class_names(source, layout), source)


def files(directory: Path) -> list[Path]:
    """The files of images that `load` reads from `directory`, training first.

    Raises:
        InputError: there is no complete CIFAR-10.
    """
    source, layout = locate(directory)
    return [source / name for name in layout.files]


def find(explicit: Path | None) -> Path | None:
    """Where CIFAR-10 is: `explicit`, else the folder that $PWLACT_DATA names, else ./.data, else None.

    A folder that was named and holds no CIFAR-10 is an error, never passed over for the next one: figures of
    two different sets of images must not get mixed.

    Raises:
        InputError: `explicit` or $PWLACT_DATA does not hold CIFAR-10.
    """
    if explicit is not None:
        locate(explicit)
        return explicit
    if setting := os.environ.get("PWLACT_DATA"):
        return _from_environment(Path(setting))
    default = Path(".data")
    return default if holds_some(default) else None


def _from_environment(directory: Path) -> Path:
    try:
        locate(directory)
    except InputError as error:
        raise InputError(f"PWLACT_DATA: {error}") from None
    return directory


def split(data: Cifar10, val_size: int, limit: int | None) -> tuple[Images, Images]:
    """Training and validation images: the last `val_size` validate, the first `limit` of the others train.

    Args:
        data: the images; only its training part is split.
        val_size: number of validation images, at least 1.
        limit: most images to train on, at least 1; None for all that are left.

    Returns:
        The training images and the validation images, as views.

    Raises:
        InputError: `val_size` leaves no image to train on, or a number is below 1.
    """
    checks.at_least("val_size", val_size, 1)
    rest = len(data.train) - val_size
    if rest < 1:
        raise InputError(f"val_size must leave at least 1 of the {len(data.train)} training images, got {val_size}")
    count = rest if limit is None else min(rest, checks.at_least("limit", limit, 1))
    return _part(data.train, 0, count), _part(data.train, rest, len(data.train))


def _part(images: Images, start: int, stop: int) -> Images:
    return Images(images.images[start:stop], images.labels[start:stop])
