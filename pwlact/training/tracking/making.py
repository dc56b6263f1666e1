"""A tracker by its name on the command line."""

from pathlib import Path
from typing import Any

from pwlact.checks import choice
from pwlact.training.trackers import Silent, Tracker
from pwlact.training.tracking.tensorboard import TensorBoardTracker
from pwlact.training.tracking.wandb import WandbTracker

TRACKERS = ("none", "tensorboard", "wandb")


def make_tracker(kind: str, folder: Path, config: dict[str, Any], name: str) -> Tracker:
    """The tracker `kind`; it writes nothing before the run begins.

    Args:
        kind: a name in `TRACKERS`; "none" listens and keeps nothing.
        folder: the run folder; event files come into its folder tensorboard, W&B's into wandb.
        config: JSON-able settings of the run, stored beside its numbers.
        name: what W&B calls the run.

    Returns:
        the tracker.

    Raises:
        InputError: there is no such tracker, or its package is not installed.
    """
    choice("tracker", kind, TRACKERS)
    if kind == "tensorboard":
        return TensorBoardTracker(folder, config)
    if kind == "wandb":
        return WandbTracker(folder, config, name)
    return Silent()
