"""MNIST and CIFAR-10 as vectors for perceptrons: found, read, split and standardised."""

from dataclasses import dataclass
from pathlib import Path

from jaxtyping import Float, Int64
from torch import Tensor

from pwlact import checks
from pwlact.data import find, load
from pwlact.data.idx import data_root, folder_with, idx_files, read_pair

CLASSES = 10
SETS = ("mnist", "cifar10")


@dataclass(frozen=True, eq=False)
class Part:
    """Inputs and classes.

    Attributes:
        x: one row an image, every pixel minus its mean over the training images, over one deviation for all.
        y: classes.
    """

    x: Float[Tensor, "n pixels"]
    y: Int64[Tensor, " n"]


@dataclass(frozen=True, eq=False)
class Vectors:
    """Three parts of a data set: the last of the published training images validate.

    Attributes:
        train: the first training images.
        validation: the last training images.
        test: the first test images.
    """

    train: Part
    validation: Part
    test: Part


def load_vectors(data: str, directory: Path | None, sizes: tuple[int, int, int]) -> Vectors:
    """Read a set from `directory`, else from where $PWLACT_DATA says, else from ./.data.

    Args:
        data: name in `SETS`.
        directory: the folder with the files, or with a folder mnist that holds them.
        sizes: number of training, validation and test images; those that are there, where there are fewer to test.
            0 for validation leaves that part empty, so that all images can train.

    Raises:
        InputError: the set is not found or damaged, or has too few training images.
    """
    checks.choice("data", data, SETS)
    for name, size, least in zip(("train", "validation", "test"), sizes, (1, 0, 1), strict=True):
        checks.at_least(name, size, least)
    (x, y), (test_x, test_y) = _mnist(directory) if data == "mnist" else _cifar10(directory)
    train, validation, test = sizes
    if train + validation > len(y):
        raise checks.InputError(
            f"train and validation must share the {len(y):,} training images, got {train:,} + {validation:,}"
        )
    own = x[:train].flatten(1).float()
    mean = own.mean(0)
    scale = float((own - mean).square().mean().sqrt())
    if not scale:
        raise checks.InputError(f"{data}: the first {train} training images are all the same; give more")
    rest = len(y) - validation
    parts = ((x[:train], y[:train]), (x[rest:], y[rest:]), (test_x[:test], test_y[:test]))
    return Vectors(*(Part((images.flatten(1).float() - mean) / scale, labels.long()) for images, labels in parts))


def _cifar10(directory: Path | None) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    found = find(directory)
    if found is None:
        raise checks.InputError(
            "no CIFAR-10 found: give --data-dir DIR, set PWLACT_DATA, or fetch it with `pwlact data cifar10 .data`"
        )
    images = load(found)
    return (images.train.images, images.train.labels), (images.test.images, images.test.labels)


def _mnist(directory: Path | None) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    root = data_root(directory)
    folder = folder_with(root, ("mnist",), *idx_files("train"))
    if folder is None:
        raise checks.InputError(
            f"no MNIST in {root}: give --data-dir DIR or set PWLACT_DATA to the folder with "
            "train-images-idx3-ubyte(.gz) and the three other files, or with a folder mnist that holds them"
        )
    train, test = (_pair(folder, prefix) for prefix in ("train", "t10k"))
    if train[0].shape[1:] != test[0].shape[1:]:
        raise checks.InputError(f"{folder}: training and test images differ in size")
    return train, test


def _pair(folder: Path, prefix: str) -> tuple[Tensor, Tensor]:
    images, labels = read_pair(folder, prefix)
    if int(labels.max()) >= CLASSES:
        raise checks.InputError(f"{folder}: {prefix} labels must be 0 to 9, got {int(labels.max())}")
    return images, labels
