"""One file of CIFAR-10 images, in either version, to tensors."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from pwlact.checks import InputError
from pwlact.data import pickles
from pwlact.data.images import CHANNELS, CLASSES, PIXEL_BYTES, SIZE, Images
from pwlact.data.layouts import BINARY, Layout, check_sum, repair
from pwlact.data.messages import reason, shown

RECORD_BYTES = 1 + PIXEL_BYTES
CLASS_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def read_batch(path: Path, layout: Layout) -> Images:
    """The images of the file `path`, channels-last in memory.

    Raises:
        InputError: the file is empty, truncated, damaged or unreadable, or a label is not in 0..9.
    """
    content = _content(path)
    labels, pixels = (_from_records if layout is BINARY else _from_pickle)(path, content)
    check_sum(path, layout, len(labels), content)
    _check_labels(path, labels)
    planes = pixels.reshape(-1, CHANNELS, SIZE, SIZE)
    # a copy in any case: the bytes of a file are read-only, which torch does not know
    channels_last = torch.from_numpy(np.array(planes.transpose(0, 2, 3, 1), order="C"))
    return Images(channels_last.permute(0, 3, 1, 2), torch.from_numpy(labels.astype(np.int64)))


def class_names(source: Path, layout: Layout) -> tuple[str, ...]:
    """Names of the ten classes: those that the folder lists, or the published ones where it lists none.

    Raises:
        InputError: the list does not hold ten names.
    """
    path = source / layout.names
    if not path.is_file():
        return CLASS_NAMES
    content = _content(path)
    if layout is BINARY:
        listed = [line.strip() for line in content.decode("utf-8", "replace").splitlines() if line.strip()]
    else:
        listed = pickles.read(path, content).get("label_names")
    if not isinstance(listed, list) or len(listed) != CLASSES:
        raise InputError(f"{path} lists {shown(listed)}, expected {CLASSES} names of classes; {repair(path)}")
    return tuple(name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name) for name in listed)


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {reason(error)}; make it readable") from error
    if not content:
        raise InputError(f"{path} is empty, expected CIFAR-10 images; {repair(path)}")
    return content


def _from_records(path: Path, content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Labels (n,) and pixels (n, 3072) of n records: 1 byte label, then the red, green and blue plane."""
    count, rest = divmod(len(content), RECORD_BYTES)
    if rest:
        raise InputError(
            f"{path} is truncated: {len(content)} bytes are {count} records of {RECORD_BYTES} bytes and "
            f"{rest} bytes more, expected whole records; {repair(path)}"
        )
    records = np.frombuffer(content, np.uint8).reshape(count, RECORD_BYTES)
    return records[:, 0], records[:, 1:]


def _from_pickle(path: Path, content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Labels (n,) and pixels (n, 3072) of a pickled dict with `labels` and `data`."""
    batch = pickles.read(path, content)
    absent = [key for key in ("data", "labels") if key not in batch]
    if absent:
        raise InputError(
            f"{path} has no {' and no '.join(absent)}, expected data and labels, found the keys "
            f"{shown(list(batch))}; {repair(path)}"
        )
    pixels = _pixels(path, batch["data"])
    labels = _labels(path, batch["labels"])
    if len(labels) != len(pixels):
        raise InputError(
            f"{path} has {len(labels)} labels, expected one for each of {len(pixels)} images; {repair(path)}"
        )
    return labels, pixels


def _pixels(path: Path, data: Any) -> np.ndarray:
    is_array = isinstance(data, np.ndarray)
    if not is_array or data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != PIXEL_BYTES:
        found = f"{data.dtype} of shape {data.shape}" if is_array else f"a {type(data).__name__}"
        raise InputError(f"{path}: data is {found}, expected uint8 of shape (n, {PIXEL_BYTES}); {repair(path)}")
    if not len(data):
        raise InputError(f"{path}: data holds no images, expected at least 1; {repair(path)}")
    return data


def _labels(path: Path, labels: Any) -> np.ndarray:
    if isinstance(labels, np.ndarray) and labels.ndim == 1 and labels.dtype.kind in "iu":
        return labels
    # bool is a kind of int, and no label
    wrong = [item for item in labels if type(item) is not int] if isinstance(labels, list) else [labels]
    if wrong:
        raise InputError(f"{path}: labels hold {shown(wrong[0])}, expected a list of whole numbers; {repair(path)}")
    # object: an integer of any size gets as far as the check of the range
    return np.array(labels, dtype=object)


def _check_labels(path: Path, labels: np.ndarray) -> None:
    outside = np.flatnonzero((labels < 0) | (labels >= CLASSES))
    if len(outside):
        first = outside[0]
        raise InputError(
            f"{path}: the label of image {first} is {labels[first]}, expected 0 to {CLASSES - 1}; {repair(path)}"
        )
