"""What the trackers share: which numbers are kept and when, and that keeping them never stops a run."""

import math
import re
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from pwlact.checks import InputError
from pwlact.training.trackers import EpochRecord, LayerSnapshot
from pwlact.training.tracking.stored import stored_epochs

STEPS_BETWEEN_POINTS = 50
"""The loss within an epoch is kept every so many steps, counted over all epochs."""
EPOCH_NUMBERS = {
    "loss/train": "train_loss",
    "loss/val": "val_loss",
    "accuracy/train": "train_accuracy",
    "accuracy/val": "val_accuracy",
    "speed/images_per_second": "images_per_second",
}
"""Name in the log -> key of an epoch's record."""
STEP_LOSS = "loss/train_so_far"
"""Name of the mean loss since the start of the epoch."""


class TrackerFailed(RuntimeError):
    """A tracker cannot start; the message is one line."""


class TrackerStopped(UserWarning):
    """A tracker failed in the middle of a run, which goes on without it."""


class Logbook(ABC):
    """A tracker that keeps epochs, losses between them and layers; its subclasses know where.

    What fails before the first step is an error, since the user asked for a log. What fails later (a full disk, a
    lost network) is a warning, and the run goes on.

    Args:
        folder: the run folder; a resumed run's log takes from it what it missed.
        config: settings of the run.

    Raises:
        InputError: the package is not installed.
    """

    package: ClassVar[str]

    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        self.folder, self.config = folder, config
        self.class_names = _class_names(config)
        self.steps = self.steps_done = self.epochs_done = self.epochs = 0
        self.stopped = False
        require(self.package)

    def begin(self, done: int, epochs: int, steps: int) -> None:
        """Open the log, behind `done` epochs of so many steps each.

        Raises:
            InputError: a setting of the package is none that it knows.
            OSError: a file cannot be written.
            TrackerFailed: the package fails.
        """
        self.steps, self.epochs = steps, epochs
        self.steps_done, self.epochs_done = done * steps, done
        try:
            first = self._open()
            if done:
                self._catch_up(first, done)
        except Exception as error:
            self.stopped = True
            self._close_after_failure()
            if isinstance(error, InputError | OSError):
                raise
            raise TrackerFailed(f"tracker {self.package} cannot start: {_in_a_line(error)}") from error

    def step(self, images: int, images_per_second: float, loss: float) -> None:
        """Keep the loss of every 50th step, where it is known."""
        self.steps_done += 1
        if self.steps_done % STEPS_BETWEEN_POINTS == 0 and math.isfinite(loss):
            self._attempt(lambda: self._keep_step(loss))

    def layers(self, epoch: int, snapshot: LayerSnapshot) -> None:
        """Keep every layer's activation and histograms."""
        self._attempt(lambda: self._keep_layers(epoch, snapshot))

    def epoch(self, record: EpochRecord) -> None:
        """Keep the record's numbers."""
        self.epochs_done = record["epoch"]
        self._attempt(lambda: self._keep_epoch(record["epoch"], epoch_numbers(record)))

    def end(self) -> None:
        """Close the log."""
        self._attempt(self._close)

    @property
    def finished(self) -> bool:
        """Whether all epochs are done."""
        return self.epochs_done >= self.epochs

    def histogram_name(self, layer: str, k: int) -> str:
        """Name of the histogram of what `layer` receives from images of class k."""
        # "/" would be a level of its own; the number keeps names apart that are the same after this
        name = re.sub(r"[^-\w.]", "_", self.class_names[k]) if k < len(self.class_names) else ""
        return f"inputs_{layer}/{k}" + (f"_{name}" if name else "")

    @abstractmethod
    def _open(self) -> int:
        """Open the log; gives the first epoch that it does not hold."""

    @abstractmethod
    def _keep_step(self, loss: float) -> None: ...

    @abstractmethod
    def _keep_epoch(self, epoch: int, numbers: dict[str, float]) -> None: ...

    @abstractmethod
    def _keep_layers(self, epoch: int, snapshot: LayerSnapshot) -> None: ...

    @abstractmethod
    def _close(self) -> None:
        """Close what is open; nothing where nothing is."""

    def _catch_up(self, first: int, last: int) -> None:
        """Keep what the run was before it was stopped, or before it had a tracker."""
        for epoch, snapshot, record in stored_epochs(self.folder, first, last):
            if snapshot is not None:
                self._keep_layers(epoch, snapshot)
            if record is not None:
                self._keep_epoch(epoch, epoch_numbers(record))

    def _attempt(self, keep: Callable[[], None]) -> None:
        if self.stopped:
            return
        try:
            keep()
        except Exception as error:
            self.stopped = True
            self._close_after_failure()
            warnings.warn(
                f"tracker {self.package} stopped, the run goes on without it: {_in_a_line(error)}",
                TrackerStopped,
                stacklevel=4,
            )

    def _close_after_failure(self) -> None:
        with suppress(Exception):  # the first failure is the one to tell of
            self._close()


def require(package: str) -> None:
    """Check, without importing it, that an optional package is there.

    Raises:
        InputError: it is not.
    """
    spec = find_spec(package)
    # a folder of that name, such as W&B makes in the working directory, passes for a package without an origin
    if spec is None or spec.origin is None:
        raise InputError(f"tracker {package} needs the package {package}: pip install 'pwlact[{package}]'")


def epoch_numbers(record: EpochRecord) -> dict[str, float]:
    """The numbers of an epoch that are kept, by their name in the log."""
    return {name: record[key] for name, key in EPOCH_NUMBERS.items() if record.get(key) is not None}


def moments(counts: np.ndarray, edges: np.ndarray) -> tuple[int, float, float]:
    """Number, sum and sum of squares of a histogram's entries, each taken to lie in the middle of its bin."""
    middles = (edges[1:] + edges[:-1]) / 2
    return int(counts.sum()), float(counts @ middles), float(counts @ middles**2)


def _class_names(config: dict[str, Any]) -> list[str]:
    data = config.get("data")
    return [str(name) for name in data.get("classes", ())] if isinstance(data, dict) else []


def _in_a_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
