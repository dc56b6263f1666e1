"""Rows of an experiment that is done row by row: stored one by one, so that a killed run goes on where it was."""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from pwlact.checks import InputError
from pwlact.files import read_object, to_json, write_text

FILE_NAME = "rows.json"
_REMEDY = "start over with --force"
Row = dict[str, Any]
Progress = Callable[[int, int], None]


class Rows:
    """The rows of named tasks that are done, kept in `folder`.

    Args:
        names: of all tasks, in order.
        folder: keeps rows.json, written anew, whole, after each row; None keeps nothing.

    Raises:
        InputError: rows.json is damaged.
    """

    def __init__(self, names: Iterable[str], folder: Path | None = None) -> None:
        self.names, self.folder = list(names), folder
        done = {} if folder is None else _read(folder / FILE_NAME)
        self.done: dict[str, Row] = {name: done[name] for name in self.names if name in done}

    def missing(self) -> list[str]:
        """Names of the rows still to be computed."""
        return [name for name in self.names if name not in self.done]

    def add(self, name: str, row: Row) -> None:
        """Keep a row as it reads from JSON, so that a resumed run gives the same as one without a break."""
        self.done[name] = json.loads(to_json(row))
        if self.folder is not None:
            write_text(self.folder / FILE_NAME, to_json(self.done) + "\n")

    def all(self) -> list[Row]:
        """Every row, in the order of the names."""
        return [self.done[name] for name in self.names]


def compute(
    tasks: Mapping[str, Callable[[], Row]], folder: Path | None = None, progress: Progress | None = None
) -> list[Row]:
    """The row of every task, in order; those that `folder` holds already are not computed again.

    Args:
        tasks: name -> what computes the row.
        folder: see `Rows`.
        progress: called with (rows there are, rows in all), first before any is computed.

    Returns:
        the rows.

    Raises:
        InputError: rows.json is damaged.
    """
    rows = Rows(tasks, folder)
    for name in [*rows.missing(), None]:
        if progress is not None:
            progress(len(rows.done), len(tasks))
        if name is not None:
            rows.add(name, tasks[name]())
    return rows.all()


def forget(folder: Path) -> None:
    """Remove the rows that `folder` keeps, so that the next run starts over."""
    (folder / FILE_NAME).unlink(missing_ok=True)


def _read(file: Path) -> dict[str, Row]:
    if not file.exists():
        return {}
    content = read_object(file, _REMEDY)
    if not all(isinstance(row, dict) for row in content.values()):
        raise InputError(f"{file} is damaged: not rows by name; {_REMEDY}")
    return content
