"""The folder of one training run: what it holds, who may write to it, and reading it back."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from pwlact.checks import InputError
from pwlact.files import read_object, to_json, write_text
from pwlact.training import checkpoint
from pwlact.training.activation_history import FILE_NAME as ACTIVATIONS
from pwlact.training.activation_history import ActivationHistory, read_activations
from pwlact.training.input_history import FILE_NAME as INPUTS
from pwlact.training.input_history import InputHistory, read_inputs
from pwlact.training.rules import UpdateRule
from pwlact.training.trackers import EpochRecord

CONFIG, METRICS, CHECKPOINT, RESULT = "config.json", "metrics.jsonl", "checkpoint.pt", "result.json"
PICTURES = ("curves.png", "activations.png", "evolution.png", "evolution.gif", "report.html")
FOLDERS = EPOCHS, TENSORBOARD, WANDB, INSPECT = "epochs", "tensorboard", "wandb", "inspect"
FREE_KEYS = frozenset({"epochs", "device", "out", "processes", "compile"})
"""Settings that may change between the parts of a resumed run."""

Films = tuple[ActivationHistory, InputHistory]
"""What the layers were, and what they received, at every epoch."""


def epoch_file(epoch: int) -> str:
    """Name, within a run folder, of the weights after an epoch."""
    return f"{EPOCHS}/{epoch:03d}.pt"


class RunFolder:
    """Files of one run; every write is atomic, so each file is old or new, never half.

    config.json, metrics.jsonl (a record an epoch), activations.npz, inputs.npz, checkpoint.pt (written last of an
    epoch), where asked for epochs/NNN.pt (the weights after each), and result.json, which marks the run as finished.

    Args:
        path: the folder; `begin` creates it, with its parents, if it is not there.
        resume: go on with the unfinished run in it, or start where there is none.
        force: start over, removing the files of the run in it and nothing else.
        writes: whether this process writes; of several that train together the first alone does, and the others
            only read what a run to be resumed has left.

    Raises:
        InputError: it cannot be a writable folder, or a run in it is neither to be resumed nor replaced.
    """

    def __init__(self, path: Path | str, *, resume: bool = False, force: bool = False, writes: bool = True) -> None:
        self.path = Path(path)
        self.force, self.writes = force, writes
        if resume and force:
            raise InputError("--resume goes on with a run and --force starts it over: give one of them")
        if writes:
            self._check_place()
            if not force:
                self._check_free(resume)

    def begin(self, config: dict[str, Any]) -> None:
        """Make the folder this run's: create it, clear it if forced, compare `config` with a resumed run's, store it.

        Raises:
            InputError: the run to be resumed had other settings, or the folder may not be written to.
            OSError: the disk is full.
        """
        if not self.writes:
            return
        self._create()
        if self.force:
            self._clear()
        config = json.loads(to_json(config))
        if (self.path / CONFIG).exists():
            self._check_same(config)
        try:
            self._write(CONFIG, lambda path: write_text(path, to_json(config, indent=2) + "\n"))
        except PermissionError as error:
            raise InputError(f"{self.path} cannot be written: {error.strerror}") from error

    def save_epoch(
        self,
        model: nn.Module,
        rule: UpdateRule,
        history: list[EpochRecord],
        films: Films,
        *,
        keep: bool = False,
    ) -> None:
        """Store the end of an epoch: metrics, films, checkpoint; with `keep` also the weights, for good.

        The checkpoint comes last: what it knows of, the other files hold.

        Raises:
            OSError: a file cannot be written; it names the file, whose old content stays.
        """
        lines = "".join(to_json(record) + "\n" for record in history)
        self._write(METRICS, lambda path: write_text(path, lines))
        self.save_films(films)
        if keep and self.writes:
            (self.path / EPOCHS).mkdir(exist_ok=True)
            self._write(epoch_file(len(history)), lambda path: checkpoint.save_model(path, model))
        state = checkpoint.state_of(model, rule, history)
        self._write(CHECKPOINT, lambda path: checkpoint.save(path, state))

    def save_films(self, films: Films) -> None:
        """Store what the layers were and received at every epoch so far; no activations where none is learnt.

        Raises:
            OSError: a file cannot be written; its old content stays.
        """
        for name, film in zip((ACTIVATIONS, INPUTS), films, strict=True):
            if film.layers:
                self._write(name, film.write)

    def restore(self, model: nn.Module, rule: UpdateRule, films: Films) -> tuple[list[EpochRecord], Films]:
        """Put model and rule back to the last stored epoch, if there is one.

        Returns:
            the history of that run and its films; nothing and the given films without one.

        Raises:
            InputError: the checkpoint or a film is damaged, or belongs to another model.
        """
        path = self.path / CHECKPOINT
        if not path.exists():
            return [], films
        history = checkpoint.load(path, model, rule)
        activations, inputs = films
        if activations.layers:
            activations = read_activations(self.path)
        if inputs.layers:
            inputs = read_inputs(self.path)
        for name, film in ((ACTIVATIONS, activations), (INPUTS, inputs)):
            film.cut(len(history))
            if film.layers and film.epochs < len(history):
                raise InputError(f"{self.path / name} is older than the checkpoint: start over with --force")
        return history, (activations, inputs)

    def finish(self, result: dict[str, Any]) -> None:
        """Store the result, which marks the run as finished.

        Raises:
            OSError: it cannot be written; the run stays unfinished.
        """
        self._write(RESULT, lambda path: write_text(path, to_json(result, indent=2) + "\n"))

    def _check_place(self) -> None:
        """Refuse early what `_create` would fail at, without leaving anything behind."""
        nearest = next(place for place in (self.path, *self.path.absolute().parents) if place.exists())
        if not nearest.is_dir():
            raise InputError(f"{self.path} cannot be a run folder: the file {nearest} is in its way")
        if not os.access(nearest, os.W_OK | os.X_OK):
            raise InputError(f"{self.path} cannot be written: no permission for {nearest}; choose another --out")

    def _create(self) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise InputError(f"{self.path} cannot be a run folder: a file is in its way") from error
        except OSError as error:
            raise InputError(f"{self.path} cannot be created: {error.strerror}") from error

    def _check_free(self, resume: bool) -> None:
        if (self.path / RESULT).exists():
            raise InputError(f"{self.path} holds a finished run: use --force to replace it, or another --out")
        if (self.path / CONFIG).exists() and not resume:
            raise InputError(
                f"{self.path} holds an unfinished run: use --resume to go on, --force to start over, or another --out"
            )

    def _check_same(self, config: dict[str, Any]) -> None:
        old = read_object(self.path / CONFIG)
        for key in [*config, *(key for key in old if key not in config)]:
            if key not in FREE_KEYS and old.get(key) != config.get(key):
                raise InputError(
                    f"{self.path} was run with {key}={old.get(key)!r}, not {config.get(key)!r}: "
                    "resume with the same settings, or use another --out"
                )

    def _clear(self) -> None:
        # the marker of a finished run goes first: a kill in between must not leave it beside missing files
        for name in (RESULT, CHECKPOINT, METRICS, ACTIVATIONS, INPUTS, *PICTURES, CONFIG):
            (self.path / name).unlink(missing_ok=True)
        for name in FOLDERS:
            shutil.rmtree(self.path / name, ignore_errors=True)

    def _write(self, name: str, write: Callable[[Path], None]) -> None:
        if not self.writes:
            return
        path = self.path / name
        try:
            write(path)
        except OSError as error:
            # an error while writing knows no file name, and the user wants it
            raise OSError(error.errno, error.strerror, str(path)) from error


def read_result(path: Path) -> dict[str, Any]:
    """Result of the finished run in folder `path`.

    Raises:
        InputError: there is no finished run, or its result.json is damaged.
    """
    file = path / RESULT
    if not file.exists():
        raise InputError(f"{path} holds no finished run: {RESULT} is not there")
    return read_object(file)


def read_config(path: Path) -> dict[str, Any]:
    """Settings of the run in folder `path`, finished or not.

    Raises:
        InputError: there is no run, or its config.json is damaged.
    """
    file = path / CONFIG
    if not file.exists():
        raise InputError(f"{path} holds no run of `pwlact cifar`: {CONFIG} is not there")
    return read_object(file)
