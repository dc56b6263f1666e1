"""Reads two columns by name from a CSV, NPZ or Parquet file, as they stand there."""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np

from pwlact.checks import InputError
from pwlact.data.messages import reason, shown


def read_columns(path: Path, names: Sequence[str]) -> list[np.ndarray]:
    """The columns `names` of the file `path`, of whatever dtype and shape they have in it.

    Columns of a CSV file are texts.

    Raises:
        InputError: the file is missing, empty or broken, its suffix is unknown, or it lacks a column.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        expected = ", ".join(_READERS)
        raise InputError(f"{path} has the suffix {path.suffix!r}, expected one of {expected}; convert it")
    if not path.is_file():
        state = "is no file" if path.exists() else "does not exist"
        raise InputError(f"{path} {state}, expected a file with samples; check the path")
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty, expected columns {' and '.join(map(repr, names))}")
    return reader(path, names)


def _check_names(path: Path, names: Sequence[str], present: Sequence[str]) -> None:
    for name in names:
        if name not in present:
            there = ", ".join(map(shown, present)) or "none"
            raise InputError(f"{path} has no column {name!r}; the columns that are there: {there}")
        if present.count(name) > 1:
            raise InputError(f"{path} has {present.count(name)} columns {name!r}, expected 1; rename them")


def _read_csv(path: Path, names: Sequence[str]) -> list[np.ndarray]:
    try:
        # utf-8-sig: spreadsheets put a mark before the first name
        with path.open(encoding="utf-8-sig", newline="") as file:
            header, *rows = [row for row in csv.reader(file) if row] or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read as CSV in UTF-8: {reason(error)}") from error
    header = [name.strip() for name in header]
    _check_names(path, names, header)
    return [_csv_column(path, rows, name, header.index(name)) for name in names]


def _csv_column(path: Path, rows: list[list[str]], name: str, index: int) -> np.ndarray:
    short = next((number for number, row in enumerate(rows, start=1) if len(row) <= index), None)
    if short is not None:
        cells = len(rows[short - 1])
        raise InputError(f"{path}: row {short} has {cells} cells, expected {index + 1} or more for {name!r}")
    return np.array([row[index].strip() for row in rows], dtype=object)


def _read_npz(path: Path, names: Sequence[str]) -> list[np.ndarray]:
    try:
        # numpy leaves a broken file open if it opens it itself
        with path.open("rb") as file:
            return _npz_columns(path, np.load(file, allow_pickle=False), names)
    except InputError:
        raise
    # a broken archive raises whatever part of it is read first: BadZipFile, zlib.error, ValueError, EOFError
    except Exception as error:
        raise InputError(
            f"{path} cannot be read as NPZ of numbers or texts: {reason(error)}; write it with numpy.savez"
        ) from error


def _npz_columns(path: Path, archive: object, names: Sequence[str]) -> list[np.ndarray]:
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise InputError(f"{path} holds a single array, expected named ones; write it with numpy.savez")
    _check_names(path, names, archive.files)
    return [archive[name] for name in names]


def _read_parquet(path: Path, names: Sequence[str]) -> list[np.ndarray]:
    parquet = _pyarrow_parquet(path)
    try:
        schema = parquet.read_schema(path)
        _check_names(path, names, schema.names)
        table = parquet.read_table(path, columns=list(dict.fromkeys(names)))
        return [_plain(table.column(name)) for name in names]
    except InputError:
        raise
    # pyarrow's own errors are subclasses of many built-in ones, and pyarrow is imported only when it is there
    except Exception as error:
        raise InputError(f"{path} cannot be read as Parquet: {reason(error)}; write it again") from error


def _plain(column: object) -> np.ndarray:
    """The values of a pyarrow column."""
    # pandas writes its categories as a dictionary-encoded column
    combined = column.combine_chunks()  # pyright: ignore[reportAttributeAccessIssue]
    decoded = combined.dictionary_decode() if hasattr(combined, "dictionary_decode") else combined
    return decoded.to_numpy(zero_copy_only=False)


def _pyarrow_parquet(path: Path) -> ModuleType:
    try:
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise InputError(f'{path}: Parquet needs pyarrow; `pip install "pwlact[parquet]"`') from error
    return parquet


_READERS: dict[str, Callable[[Path, Sequence[str]], list[np.ndarray]]] = {
    ".csv": _read_csv,
    ".npz": _read_npz,
    ".parquet": _read_parquet,
}
