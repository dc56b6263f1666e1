"""Letters in one file: the .mat of EMNIST as published, and .npz files of named arrays."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
import torch
from torch import Tensor

from pwlact.checks import InputError
from pwlact.data.messages import reason, shown

Pair = tuple[Tensor, Tensor]
"""Images, uint8 (n, rows, columns), and labels, int64 (n,)."""

SPELLINGS = (("{}_images", "{}_labels"), ("x_{}", "y_{}"), ("X_{}", "y_{}"))
"""Names of the images and labels of a part in an npz file."""


def read_mat(path: Path) -> list[Pair]:
    """Training and test part of the struct `dataset` in a MATLAB file.

    Args:
        path: the file.

    Returns:
        Images as they stand, transposed as published, and labels of the two parts.

    Raises:
        InputError: the file cannot be read or does not hold them.
    """
    try:
        # an empty or broken file raises whatever part of it is read first: ValueError, TypeError, zlib.error, ...
        dataset = scipy.io.loadmat(path, simplify_cells=True, variable_names=["dataset"]).get("dataset")
    except Exception as error:
        raise InputError(f"{path} cannot be read as a MATLAB file: {reason(error)}; fetch it anew") from error
    return [_pair(path, part, *_fields(path, dataset, part)) for part in ("train", "test")]


def read_npz(path: Path) -> list[Pair]:
    """Training and test part of an npz file, under the names of `SPELLINGS`.

    A part "val" is counted among the training images: who trains draws validation images anew.

    Args:
        path: the file.

    Returns:
        Images and labels of the two parts.

    Raises:
        InputError: the file cannot be read, lacks an array or holds objects.
    """
    try:
        # numpy leaves a broken file open if it opens it itself
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    # a broken archive raises whatever part of it is read first: BadZipFile, zlib.error, ValueError, EOFError
    except Exception as error:
        raise InputError(
            f"{path} cannot be read as NPZ of numbers: {reason(error)}; write it with numpy.savez"
        ) from error
    train, test = (_named(path, arrays, part) for part in ("train", "test"))
    if not any(name.format("val") in arrays for names in SPELLINGS for name in names[:1]):
        return [train, test]
    more = _named(path, arrays, "val")
    if more[0].shape[1:] != train[0].shape[1:]:
        raise InputError(f"{path}: train and val images differ in size")
    return [(torch.cat([train[0], more[0]]), torch.cat([train[1], more[1]])), test]


def _fields(path: Path, dataset: Any, part: str) -> tuple[np.ndarray, np.ndarray]:
    fields = dataset.get(part) if isinstance(dataset, Mapping) else None
    if not isinstance(fields, Mapping) or not {"images", "labels"} <= set(fields):
        raise InputError(f"{path} must hold a struct dataset with {part}.images and {part}.labels; fetch it anew")
    images, labels = np.asarray(fields["images"]), np.atleast_1d(np.asarray(fields["labels"]))
    # MATLAB's readers drop dimensions of length 1
    return (images[None] if images.ndim == 1 and len(labels) == 1 else images), labels


def _named(path: Path, arrays: Mapping[str, np.ndarray], part: str) -> Pair:
    for names in SPELLINGS:
        images, labels = (arrays.get(name.format(part)) for name in names)
        if images is not None and labels is not None:
            return _pair(path, part, images, labels)
    wanted = " or ".join(" and ".join(name.format(part) for name in names) for names in SPELLINGS[:2])
    there = ", ".join(map(shown, arrays)) or "none"
    raise InputError(f"{path} must hold arrays {wanted}; those that are there: {there}")


def _pair(path: Path, part: str, images: np.ndarray, labels: np.ndarray) -> Pair:
    """Images (n, pixels) become square where they can."""
    where = f"{path}: {part}"
    side = round(images.shape[1] ** 0.5) if images.ndim == 2 else 0
    if side and side**2 == images.shape[1]:
        images = images.reshape(-1, side, side)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if images.ndim != 3 or not images.size or labels.shape != images.shape[:1]:
        found = f"{images.shape} and {labels.shape}"
        raise InputError(f"{where} images and labels must be (n, rows, columns) or (n, pixels), and (n,), got {found}")
    pixels = _whole(f"{where} images", images).astype(np.uint8)
    return torch.from_numpy(pixels), torch.from_numpy(_whole(f"{where} labels", labels).astype(np.int64))


def _whole(where: str, values: np.ndarray) -> np.ndarray:
    """The values, if all are whole numbers from 0 to 255."""
    if values.dtype == np.uint8:
        return values
    wrong = values[:0]
    if values.dtype.kind in "iuf":
        wrong = values[~((values >= 0) & (values <= 255) & (values == np.round(values)))]
    if values.dtype.kind not in "iuf" or len(wrong):
        found = repr(wrong[0].item()) if len(wrong) else f"values of type {values.dtype}"
        raise InputError(f"{where} must be whole numbers from 0 to 255, got {found}; convert them")
    return values
