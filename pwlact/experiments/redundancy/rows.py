"""Rows of an experiment that is done row by row: stored one by one, so that a killed run goes on where it was."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pwlact.checks import InputError
from pwlact.files import to_json, write_text

FILE_NAME = "rows.json"
Row = dict[str, Any]
Progress = Callable[[int, int], None]


def compute(
    tasks: Mapping[str, Callable[[], Row]], folder: Path | None = None, progress: Progress | None = None
) -> list[Row]:
    """The row of every task, in order; those that `folder` holds already are not computed again.

    Args:
        tasks: name -> what computes the row.
        folder: keeps rows.json, written anew, whole, after each row; None keeps nothing.
        progress: called with (rows there are, rows in all), first before any is computed.

    Returns:
        the rows as they read from JSON, so that a resumed run gives the same as one without a break.

    Raises:
        InputError: rows.json is damaged.
    """
    done = {} if folder is None else _read(folder / FILE_NAME)
    rows: dict[str, Row] = {name: done[name] for name in tasks if name in done}
    for name, task in tasks.items():
        if progress is not None:
            progress(len(rows), len(tasks))
        if name in rows:
            continue
        rows[name] = json.loads(to_json(task()))
        if folder is not None:
            write_text(folder / FILE_NAME, to_json(rows) + "\n")
    if progress is not None:
        progress(len(rows), len(tasks))
    return [rows[name] for name in tasks]


def forget(folder: Path) -> None:
    """Remove the rows that `folder` keeps, so that the next run starts over."""
    (folder / FILE_NAME).unlink(missing_ok=True)


def _read(file: Path) -> dict[str, Row]:
    if not file.exists():
        return {}
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"{file} is damaged: not JSON; start over with --force") from error
    if not isinstance(content, dict) or not all(isinstance(row, dict) for row in content.values()):
        raise InputError(f"{file} is damaged: not rows by name; start over with --force")
    return content
