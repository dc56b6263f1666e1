"""Where training reports its progress: a protocol, since the library itself draws no bars."""

from typing import Any, Protocol

EpochRecord = dict[str, Any]
"""epoch (1-based), train_loss, train_accuracy, val_loss, val_accuracy, seconds, images_per_second."""


class Tracker(Protocol):
    """Listens to a training run; `end` is called even where the run fails."""

    def begin(self, epochs: int, steps: int) -> None:
        """Training starts: so many epochs are left to run, each of so many steps."""
        ...

    def step(self, images: int, images_per_second: float, loss: float) -> None:
        """A step is done: its images, the rate within this epoch, the epoch's mean loss as far as known or NaN."""
        ...

    def epoch(self, record: EpochRecord) -> None:
        """An epoch is done and stored."""
        ...

    def end(self) -> None:
        """Training is over, finished or failed."""
        ...


class Silent:
    """The tracker that says nothing."""

    def begin(self, epochs: int, steps: int) -> None:
        """Nothing."""

    def step(self, images: int, images_per_second: float, loss: float) -> None:
        """Nothing."""

    def epoch(self, record: EpochRecord) -> None:
        """Nothing."""

    def end(self) -> None:
        """Nothing."""
