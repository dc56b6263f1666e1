"""A run of Weights & Biases, kept on disk until the user is logged in or sends it with `wandb sync`."""

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from pwlact.checks import InputError, choice
from pwlact.files import to_json, write_text
from pwlact.training.trackers import LayerSnapshot
from pwlact.training.tracking.logbook import EPOCH_NUMBERS, STEP_LOSS, Logbook
from pwlact.training.tracking.picture import curve_picture

if TYPE_CHECKING:
    import wandb

FOLDER, STATE = "wandb", "run.json"
PROJECT = "pwlact"
MODES = ("online", "offline", "shared", "disabled")
SECONDS_TO_FINISH = 120.0


class WandbTracker(Logbook):
    """Writes a W&B run into the folder wandb of the run folder, and to W&B's server where the user is logged in.

    The mode is $WANDB_MODE, else that of W&B's own settings, else online where there are credentials (an API key in
    $WANDB_API_KEY, in W&B's settings or in netrc) and offline where there are none. Nothing is ever asked for, and
    offline nothing leaves the machine. A resumed run goes on with the same run id, kept in wandb/run.json.

    Losses, accuracies and images a second are drawn over the epoch, the loss within an epoch over the training step;
    each layer has a picture of its activation and histograms by class of what it receives.

    Args:
        folder: the run folder.
        config: JSON-able settings of the run.
        name: what the run is called; the project is $WANDB_PROJECT or "pwlact".

    Raises:
        InputError: wandb is not installed.
    """

    package = "wandb"

    def __init__(self, folder: Path, config: dict[str, Any], name: str) -> None:
        super().__init__(folder, config)
        self.name = name
        self.state_file = folder / FOLDER / STATE
        self.run: wandb.Run | None = None
        self.run_id = ""

    def _open(self) -> int:
        # crash reports of the package go to its makers even where the run stays here
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        import wandb

        mode = _mode()
        self.run_id, told = _read_state(self.state_file)
        self.state_file.parent.mkdir(parents=True, exist_ok=True)
        self.run = wandb.init(
            dir=self.folder,
            project=os.environ.get("WANDB_PROJECT") or PROJECT,
            name=self.name,
            id=self.run_id,
            resume="allow",
            config=self.config,
            mode=mode,  # pyright: ignore[reportArgumentType]
            # a terminal in the hands of W&B would lose the progress bar, and standard output its one JSON object
            settings=wandb.Settings(
                silent=mode != "online", quiet=True, console="off", finish_timeout=SECONDS_TO_FINISH
            ),
        )
        self._store(told)
        self._define_axes()
        return told

    def _store(self, told: int) -> None:
        write_text(self.state_file, to_json({"id": self.run_id, "told": told}) + "\n")

    def _define_axes(self) -> None:
        assert self.run is not None
        self.run.define_metric("epoch", hidden=True)
        self.run.define_metric("step", hidden=True)
        for name in (*EPOCH_NUMBERS, "activations/*", "inputs_*"):
            self.run.define_metric(name, step_metric="epoch")
        self.run.define_metric(STEP_LOSS, step_metric="step")

    def _keep_step(self, loss: float) -> None:
        self._log({"step": self.steps_done, STEP_LOSS: loss}, self.steps_done)

    def _keep_epoch(self, epoch: int, numbers: dict[str, float]) -> None:
        self._log({"epoch": epoch, **numbers}, epoch * self.steps)
        self._store(epoch + 1)

    def _keep_layers(self, epoch: int, snapshot: LayerSnapshot) -> None:
        import wandb

        entries: dict[str, Any] = {
            f"activations/{layer}": wandb.Image(curve_picture(snapshot.knots, values))
            for layer, values in snapshot.values.items()
        }
        for layer, counts in snapshot.counts.items():
            for k, row in enumerate(counts):
                entries[self.histogram_name(layer, k)] = wandb.Histogram(np_histogram=(row, snapshot.edges))
        self._log({"epoch": epoch, **entries}, epoch * self.steps)

    def _log(self, entries: dict[str, Any], step: int) -> None:
        assert self.run is not None
        # W&B's own step only ever rises: what an interrupted part has sent already it takes once
        self.run.log(entries, step=step)

    def _close(self) -> None:
        run, self.run = self.run, None
        if run is not None:
            run.finish(exit_code=0 if self.finished else 1)


def _mode() -> str:
    """Where the run goes; online only where nobody has to be asked for a key.

    Raises:
        InputError: $WANDB_MODE is no mode, or wants a key that is not there.
    """
    import wandb

    wanted = os.environ.get("WANDB_MODE")
    if wanted:
        choice("WANDB_MODE", wanted, MODES)
    # not silent, a login would first ask the server for a name to greet
    settings = wandb.setup(wandb.Settings(silent=True)).settings
    mode = wanted or settings.mode
    if mode not in {"online", "shared"} or wandb.login(prompt=False, verify=False):
        return mode
    if wanted:
        raise InputError(f"WANDB_MODE={wanted} needs a login: run `wandb login`, or set WANDB_MODE=offline")
    return "offline"


def _read_state(file: Path) -> tuple[str, int]:
    """Id of the run that the folder holds, and the first epoch it was not told of; a new one where none is known."""
    try:
        state = json.loads(file.read_text(encoding="utf-8"))
        known, told = state["id"], state["told"]
        if re.fullmatch(r"[a-z0-9]{16}", known) and isinstance(told, int) and told >= 0:
            return known, told
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return uuid4().hex[:16], 0
