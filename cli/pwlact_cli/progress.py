"""A training run's progress bar: the tracker that the library leaves to its callers."""

from types import TracebackType
from typing import Self

from pwlact.training import EpochRecord, Silent
from pwlact_cli.console import console


class ProgressBar(Silent):
    """Shows images a second, loss and time left while training, and a line for each epoch."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[state]}"),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        self.bars = Progress(*columns, console=console(), transient=True)
        self.task = self.bars.add_task("training", total=None, state="")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def begin(self, done: int, epochs: int, steps: int) -> None:
        """So many epochs are done, of so many in all, each of so many steps."""
        if self.bars.console.is_terminal:
            self.bars.start()
        self.bars.update(self.task, total=max(0, epochs - done) * steps)

    def step(self, images: int, images_per_second: float, loss: float) -> None:
        """One step more."""
        self.bars.update(self.task, advance=1, state=f"{images_per_second:,.0f} images/s, loss {loss:.3f}")

    def epoch(self, record: EpochRecord) -> None:
        """One epoch more: a line that stays."""
        self.bars.console.print(
            f"epoch {record['epoch']:>3}: train loss {record['train_loss']:.3f} accuracy "
            f"{record['train_accuracy']:.1%}, val loss {record['val_loss']:.3f} accuracy "
            f"{record['val_accuracy']:.1%}, {record['seconds']:.0f} s, {record['images_per_second']:,.0f} images/s"
        )

    def end(self) -> None:
        """Training is over."""
        if self.bars.live.is_started:
            self.bars.stop()
