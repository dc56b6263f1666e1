"""Event files for TensorBoard: `tensorboard --logdir RUN/tensorboard`."""

import json
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pwlact.training.trackers import LayerSnapshot
from pwlact.training.tracking.logbook import STEP_LOSS, Logbook, moments
from pwlact.training.tracking.picture import curve_picture

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

FOLDER, EPOCHS, STEPS = "tensorboard", "epochs", "steps"


class TensorBoardTracker(Logbook):
    """Writes event files into tensorboard/epochs and tensorboard/steps of the run folder.

    Step of the first is the epoch: losses, accuracies, images a second; of each layer the activation as a picture
    and histograms by class of what it receives. Step of the second is the number
    of training steps. They are apart because a resumed run hides all from a step on, of whatever kind.

    Args:
        folder: the run folder.
        config: JSON-able settings of the run, shown as text.

    Raises:
        InputError: tensorboard is not installed.
    """

    package = "tensorboard"

    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        super().__init__(folder, config)
        self.open = ExitStack()
        self.by_epoch: SummaryWriter
        self.by_step: SummaryWriter

    def _open(self) -> int:
        # epochs are written anew from what is stored, steps go on after the last stored epoch; what an earlier part
        # has written from there on is hidden
        self.by_epoch = self._writer(EPOCHS, 0)
        self.by_step = self._writer(STEPS, self.steps_done + 1)
        self.by_epoch.add_text("config", _as_code(self.config), 0)
        self._flush()
        return 0

    def _writer(self, name: str, purge_step: int) -> "SummaryWriter":
        from torch.utils.tensorboard import SummaryWriter

        folder = self.folder / FOLDER / name
        _wait_for_a_later_name(folder)
        writer = SummaryWriter(str(folder), purge_step=purge_step)
        self.open.callback(writer.close)
        return writer

    def _keep_step(self, loss: float) -> None:
        self.by_step.add_scalar(STEP_LOSS, loss, self.steps_done)

    def _keep_epoch(self, epoch: int, numbers: dict[str, float]) -> None:
        for name, number in numbers.items():
            self.by_epoch.add_scalar(name, number, epoch)
        self._flush()

    def _keep_layers(self, epoch: int, snapshot: LayerSnapshot) -> None:
        for layer, values in snapshot.values.items():
            self.by_epoch.add_image(
                f"activations/{layer}", curve_picture(snapshot.knots, values), epoch, dataformats="HWC"
            )
        edges = snapshot.edges
        for layer, counts in snapshot.counts.items():
            for k, row in enumerate(counts):
                number, total, squares = moments(row, edges)
                self.by_epoch.add_histogram_raw(
                    self.histogram_name(layer, k),
                    min=edges[0],
                    max=edges[-1],
                    num=number,
                    sum=total,
                    sum_squares=squares,
                    bucket_limits=edges[1:].tolist(),
                    bucket_counts=row.tolist(),
                    global_step=epoch,
                )

    def _flush(self) -> None:
        self.by_epoch.flush()
        self.by_step.flush()

    def _close(self) -> None:
        self.open.close()


def _wait_for_a_later_name(folder: Path) -> None:
    """Let a second pass where a file of this one is there: files are read by name, which begins with the second."""
    seconds = [
        int(part) for file in folder.glob("events.out.tfevents.*") if (part := file.name.split(".")[3]).isdecimal()
    ]
    if seconds and max(seconds) == int(time.time()):
        time.sleep(max(seconds) + 1 - time.time())


def _as_code(config: dict[str, Any]) -> str:
    """JSON that Markdown leaves as it is."""
    return "\n".join(f"    {line}" for line in json.dumps(config, indent=2, default=str).splitlines())
