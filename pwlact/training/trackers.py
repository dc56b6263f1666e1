"""Where training reports its progress: a protocol, since the library itself draws no bars."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float

EpochRecord = dict[str, Any]
"""epoch (1-based), train_loss, train_accuracy, val_loss, val_accuracy, seconds, images_per_second."""


@dataclass(frozen=True)
class LayerSnapshot:
    """What the activations of a network are, and what they receive, at the end of an epoch.

    Attributes:
        knots: positions t_s of the knots, shape (N,).
        values: learnable layer -> knot values, shape (N,), or (C, N) for one function a channel.
        edges: borders of the B bins of the histograms, shape (B + 1,).
        counts: layer -> number of inputs by class and bin, shape (K, B).
    """

    knots: Float[np.ndarray, "*knots"]
    values: dict[str, np.ndarray]
    edges: Float[np.ndarray, "*edges"]
    counts: dict[str, np.ndarray]


class Tracker(Protocol):
    """Listens to a training run; `end` is called even where the run fails."""

    def begin(self, done: int, epochs: int, steps: int) -> None:
        """Training starts, with `done` of all `epochs` behind it, each of so many steps."""
        ...

    def step(self, images: int, images_per_second: float, loss: float) -> None:
        """A step is done: its images, the rate within this epoch, the epoch's mean loss as far as known or NaN."""
        ...

    def layers(self, epoch: int, snapshot: LayerSnapshot) -> None:
        """The activations at the end of an epoch, 0 before the first; comes before `epoch`."""
        ...

    def epoch(self, record: EpochRecord) -> None:
        """An epoch is done and stored."""
        ...

    def end(self) -> None:
        """Training is over, finished or failed."""
        ...


class Silent:
    """The tracker that says nothing; base of those that listen to a part."""

    def begin(self, done: int, epochs: int, steps: int) -> None:
        """Nothing."""

    def step(self, images: int, images_per_second: float, loss: float) -> None:
        """Nothing."""

    def layers(self, epoch: int, snapshot: LayerSnapshot) -> None:
        """Nothing."""

    def epoch(self, record: EpochRecord) -> None:
        """Nothing."""

    def end(self) -> None:
        """Nothing."""


class Together:
    """Several trackers as one; each hears all, in the order given."""

    def __init__(self, trackers: Sequence[Tracker]) -> None:
        self.trackers = list(trackers)

    def begin(self, done: int, epochs: int, steps: int) -> None:
        """Tell all."""
        for tracker in self.trackers:
            tracker.begin(done, epochs, steps)

    def step(self, images: int, images_per_second: float, loss: float) -> None:
        """Tell all."""
        for tracker in self.trackers:
            tracker.step(images, images_per_second, loss)

    def layers(self, epoch: int, snapshot: LayerSnapshot) -> None:
        """Tell all."""
        for tracker in self.trackers:
            tracker.layers(epoch, snapshot)

    def epoch(self, record: EpochRecord) -> None:
        """Tell all."""
        for tracker in self.trackers:
            tracker.epoch(record)

    def end(self) -> None:
        """Tell all, also those after one that fails."""
        errors = []
        for tracker in self.trackers:
            try:
                tracker.end()
            except Exception as error:
                errors.append(error)
        if errors:
            raise errors[0]
