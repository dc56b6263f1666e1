"""Committed results of long runs, as the figures read them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pwlact.files import read_object
from pwlact.training import ActivationHistory, read_activations

COMMITTED = Path(__file__).resolve().parents[2] / "results"


class MissingResultError(Exception):
    """A result that a figure reads is not there; the message says which command makes it."""


@dataclass(frozen=True)
class Results:
    """A folder of results; `figures/results` of a checkout unless told otherwise.

    Attributes:
        folder: where they lie.
    """

    folder: Path = COMMITTED

    def read(self, name: str, command: str) -> dict[str, Any]:
        """The result FOLDER/NAME.json.

        Raises:
            MissingResultError: there is none; `command` makes it.
            InputError: the file is damaged.
        """
        path = self.folder / f"{name}.json"
        if not path.is_file():
            raise MissingResultError(f"{path} is not there: `{command}` makes it")
        return read_object(path, f"`{command}` makes it anew")

    def first(self, names: tuple[str, ...], command: str) -> str:
        """The first of `names` that is there, the best first.

        Raises:
            MissingResultError: none is; `command` makes them.
        """
        for name in names:
            if (self.folder / f"{name}.json").is_file():
                return name
        raise MissingResultError(f"{self.folder / names[-1]}.json is not there: `{command}` makes it")

    def activations(self, run: str, command: str) -> ActivationHistory:
        """The activations of every epoch of the run FOLDER/RUN.

        Raises:
            MissingResultError: they are not there; `command` makes them.
            InputError: the file is damaged.
        """
        if not (self.folder / run / "activations.npz").is_file():
            raise MissingResultError(f"{self.folder / run / 'activations.npz'} is not there: `{command}` makes it")
        return read_activations(self.folder / run)

    def files(self) -> list[Path]:
        """All files of the folder, in a fixed order."""
        return sorted(path for path in self.folder.rglob("*") if path.is_file())
