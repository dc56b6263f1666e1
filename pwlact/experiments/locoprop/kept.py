"""What is done once and kept, a file each, so that a run killed at any moment goes on where it was."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pwlact.files import read_object, to_json, write_text

Record = dict[str, Any]
FOLDERS = ("tuning", "runs", "timing")


class Kept:
    """Records by folder and name.

    Args:
        folder: where they are; None keeps them for this object's life alone.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._records: dict[Path, Record] = {}

    def has(self, part: str, name: str) -> bool:
        """Whether the record is there."""
        return (
            self._place(part, name).exists() if self._folder is not None else self._place(part, name) in self._records
        )

    def get(self, part: str, name: str, make: Callable[[], Record]) -> Record:
        """The record, made and stored, whole or not at all, if it is not there.

        Args:
            part: one of `FOLDERS`.
            name: of the record.
            make: makes it.

        Returns:
            the record as it reads from JSON, so that a resumed run gives the same as one without a break.

        Raises:
            InputError: the stored one is damaged.
        """
        place = self._place(part, name)
        if self._folder is None:
            if place not in self._records:
                self._records[place] = json.loads(to_json(make()))
            return self._records[place]
        if not place.exists():
            text = to_json(make()) + "\n"
            place.parent.mkdir(parents=True, exist_ok=True)
            write_text(place, text)
        return read_object(place, "remove it, and --resume makes it anew")

    def forget(self) -> None:
        """Remove all, so that the next run starts over."""
        self._records.clear()
        if self._folder is not None:
            for part in FOLDERS:
                shutil.rmtree(self._folder / part, ignore_errors=True)

    def _place(self, part: str, name: str) -> Path:
        return (self._folder or Path()) / part / f"{name}.json"
