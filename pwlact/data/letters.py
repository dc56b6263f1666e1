"""Handwritten letters of 28 x 28 pixels: EMNIST Letters as published, and sets that are laid out the same.

References:
    G. Cohen, S. Afshar, J. Tapson, A. van Schaik, "EMNIST: extending MNIST to handwritten letters", 2017.
    S. Acharya, A. K. Pant, P. K. Gyawali, "Deep learning based large scale handwritten Devanagari character
    recognition" (DHCD), 2015.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Shaped
from torch import Tensor

from pwlact import checks
from pwlact.checks import InputError
from pwlact.data.idx import data_root, folder_with, idx_files, read_pair
from pwlact.data.letters_archives import Pair, read_mat, read_npz

SIZE = 28
"""Rows and columns of an image."""
FOLDERS = ("emnist-letters", "gzip", "matlab", "dhcd-letters")
"""Where the files may lie under the folder that is given, the first found first; `gzip` and `matlab` as unpacked."""
NAMES = {26: "EMNIST Letters", 36: "DHCD"}
"""Number of classes -> name of the set."""

_PARTS = ("train", "test")
_PREFIX = "emnist-letters"
_ARCHIVES = (f"{_PREFIX}.mat", f"{_PREFIX}.npz")


@dataclass(frozen=True, eq=False)
class LetterImages:
    """Grey images and their classes.

    Attributes:
        images: brightness of the ink in 0..255, upright, uint8 of shape (n, 28, 28).
        labels: class of each image, 0 to K - 1, int64 of shape (n,).
    """

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Letters:
    """A set of handwritten letters.

    Attributes:
        train: training images, in the order of the file: it may go class by class.
        test: test images.
        classes: number of classes K.
        name: of the set, told by K.
        source: the file, or the folder of the files.
    """

    train: LetterImages
    test: LetterImages
    classes: int
    name: str
    source: Path


def load_letters(directory: Path | None = None) -> Letters:
    """Read a set from `directory`, else where $PWLACT_DATA says, else ./.data, or from one of `FOLDERS` there.

    It may be four idx files emnist-letters-{train,test}-{images-idx3,labels-idx1}-ubyte(.gz), emnist-letters.mat or
    emnist-letters.npz. The first two are published with every image transposed and labels from 1. An npz file is no
    published format: its images are taken as they stand, its labels from 0 or from 1.

    Args:
        directory: the folder.

    Raises:
        InputError: no set is found, a file is missing or damaged, images and labels do not belong together, or the
            labels are not 1 to K without a gap.
    """
    root = data_root(directory)
    folder = folder_with(root, FOLDERS, *idx_files(f"{_PREFIX}-train"), *_ARCHIVES)
    if folder is None:
        raise InputError(
            f"no letters in {root}: give --data-dir DIR or set PWLACT_DATA to the folder with "
            f"{_PREFIX}-train-images-idx3-ubyte(.gz) and the three other files, {_PREFIX}.mat or {_PREFIX}.npz"
        )
    if folder_with(folder, (), *idx_files(f"{_PREFIX}-train")):
        pairs = [read_pair(folder, f"{_PREFIX}-{part}") for part in _PARTS]
        return _letters(folder, [(images.mT, labels) for images, labels in pairs], (1,))
    source = next(folder / name for name in _ARCHIVES if (folder / name).is_file())
    if source.suffix == ".mat":
        return _letters(source, [(images.mT, labels) for images, labels in read_mat(source)], (1,))
    return _letters(source, read_npz(source), (0, 1))


def max_pool(images: Shaped[Tensor, "n rows columns"], window: int = 2) -> Shaped[Tensor, "n fewer_rows fewer_columns"]:
    """y_ij = max of the window x window pixels that it stands for, so that a stroke stays bright.

    Args:
        images: of any type.
        window: rows and columns of a window; a divisor of the rows and columns of an image.

    Returns:
        images (n, rows / window, columns / window).

    Raises:
        InputError: windows do not tile an image.
    """
    n, rows, columns = images.shape
    checks.at_least("window", window, 1)
    if rows % window or columns % window:
        raise InputError(f"window must divide images of {rows} x {columns} pixels, got {window}")
    return images.reshape(n, rows // window, window, columns // window, window).amax((2, 4))


def _letters(source: Path, pairs: list[Pair], starts: tuple[int, ...]) -> Letters:
    for part, (images, _) in zip(_PARTS, pairs, strict=True):
        if images.shape[1:] != (SIZE, SIZE):
            raise InputError(f"{source}: {part} images must be (n, {SIZE}, {SIZE}), got {tuple(images.shape)}")
    train, test = (labels.long() for _, labels in pairs)
    start = _first_label(source, train, starts)
    classes = int(train.max()) - start + 1
    if int(test.min()) < start or int(test.max()) >= start + classes:
        wrong = f"{int(test.min())} to {int(test.max())}"
        raise InputError(
            f"{source}: test labels must be among the training labels {start} to {start + classes - 1}, got {wrong}"
        )
    own, others = (LetterImages(x.contiguous(), y - start) for (x, _), y in zip(pairs, (train, test), strict=True))
    return Letters(own, others, classes, NAMES.get(classes, f"letters, {classes} classes"), source)


def _first_label(source: Path, labels: Tensor, starts: tuple[int, ...]) -> int:
    """The label of the first class, where the labels begin with one of `starts` and have no gap."""
    present = torch.unique(labels).tolist()
    start = present[0]
    if start not in starts or present != list(range(start, start + len(present))) or len(present) < 2:
        least = " or ".join(map(str, starts))
        missing = next((k for k in range(max(starts), present[-1]) if k not in present), None)
        gap = "" if missing is None else f" without {missing}"
        raise InputError(
            f"{source}: training labels must be {least} to K without a gap, K > 1; "
            f"got {present[0]} to {present[-1]}{gap}"
        )
    return start
