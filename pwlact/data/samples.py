"""A user's own one-dimensional samples with their classes, from a CSV, NPZ or Parquet file."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from pwlact.checks import InputError
from pwlact.data.columns import read_columns
from pwlact.data.messages import shown

# of NumPy's one-letter kinds of dtype
_TEXTS = "UO"
_NUMBERS = "biuf"


def read_samples(
    path: Path, x: str, y: str
) -> tuple[Float64[Tensor, " samples"], Int64[Tensor, " samples"], tuple[str, ...]]:
    """Samples x and their classes y from the columns of these names in the file `path`.

    Labels are whole numbers (also as 1.0 or as text) or texts; the classes are their values in sorted order.
    Rows in messages count from 1 and leave out the header.

    Args:
        path: a .csv file with a header row, an .npz file of named arrays, or a .parquet file.
        x: name of the column of numbers.
        y: name of the column of labels.

    Returns:
        The samples, shape (n,); the class of each, 0 to K - 1, shape (n,); the names of the K classes.

    Raises:
        InputError: the file cannot be read, a column is missing or not one-dimensional, their lengths differ,
            a sample is no finite number, a label is neither whole number nor text, there are fewer than 2
            classes, or a class has fewer than 2 samples.
    """
    samples, labels = read_columns(path, (x, y))
    for name, column in ((x, samples), (y, labels)):
        if column.ndim != 1:
            raise InputError(f"{path}: {name!r} has the shape {column.shape}, expected one dimension; flatten it")
    if len(samples) != len(labels):
        raise InputError(
            f"{path}: {x!r} has {len(samples)} values and {y!r} has {len(labels)}, expected the same number"
        )
    if not len(samples):
        raise InputError(f"{path} has no rows, expected at least 2 samples of each of 2 classes or more")
    values = _numbers(f"{path}: {x!r}", samples)
    classes, names = _classes(f"{path}: {y!r}", labels)
    return torch.from_numpy(values), torch.from_numpy(classes), names


def _numbers(where: str, column: np.ndarray) -> np.ndarray:
    """The column in float64, all finite; `where` opens the message."""
    values = column.astype(np.float64) if column.dtype.kind in "iuf" else _parsed(where, column)
    wrong = np.flatnonzero(~np.isfinite(values))
    if len(wrong):
        raise InputError(
            f"{where} holds {len(wrong)} values that are not finite, the first in row {wrong[0] + 1}: "
            f"{values[wrong[0]]}; remove these rows"
        )
    return values


def _parsed(where: str, column: np.ndarray) -> np.ndarray:
    if column.dtype.kind in "mM":
        # a time would pass for its number of nanoseconds
        raise InputError(f"{where} in row 1 is {shown(str(column[0]))}, expected a number")
    values = np.empty(len(column))
    for row, value in enumerate(column.tolist()):
        try:
            values[row] = float(value)
        except (TypeError, ValueError, OverflowError):
            raise InputError(f"{where} in row {row + 1} is {shown(value)}, expected a number") from None
    return values


def _classes(where: str, column: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """The class of each row, int64, and the names of the classes."""
    labels = _texts(where, column) if column.dtype.kind in _TEXTS else _whole(where, column)
    unique, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    names = tuple(str(value) for value in unique.tolist())
    if len(names) < 2:
        raise InputError(f"{where} has {len(names)} classes {names}, expected at least 2")
    if counts.min() < 2:
        name = names[int(counts.argmin())]
        raise InputError(f"{where}: class {name!r} has 1 sample, expected at least 2; add some or remove it")
    return classes.astype(np.int64), names


def _texts(where: str, column: np.ndarray) -> np.ndarray:
    """Labels as texts, or as whole numbers if all of them can be read as numbers."""
    values = column.tolist()
    for row, value in enumerate(values, start=1):
        if not isinstance(value, str) or not value:
            raise InputError(f"{where} in row {row} is {shown(value)}, expected a label")
    try:
        return np.array([int(value) for value in values], dtype=object)
    except ValueError:
        pass
    try:
        numbers = np.array([float(value) for value in values])
    except ValueError:
        return column.astype(str)
    return _whole(where, numbers)


def _whole(where: str, column: np.ndarray) -> np.ndarray:
    """Labels as whole numbers of any size."""
    if column.dtype.kind not in _NUMBERS:
        raise InputError(f"{where} holds {column.dtype}, expected whole numbers or texts as labels")
    # trunc leaves an infinity as it is
    wrong = np.flatnonzero(~np.isfinite(column) | (column != np.trunc(column)))
    if len(wrong):
        raise InputError(
            f"{where} in row {wrong[0] + 1} is {column[wrong[0]]}, expected a whole number or text as label; "
            "round it or use texts"
        )
    return np.array([int(value) for value in column.tolist()], dtype=object)
