"""A stored run opened to look into it: settings, weights of every epoch kept, and the images."""

import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pwlact.checks import InputError
from pwlact.conversion import REPLACED, FrozenSwish, convert
from pwlact.data import Batches, Cifar10, Images, channel_statistics, split
from pwlact.experiments.cifar import CifarConfig, describe, make_model
from pwlact.pwl import Knots
from pwlact.training import checkpoint
from pwlact.training.run_folder import CHECKPOINT, CONFIG, EPOCHS, RESULT, read_config

_BATCH = 250


@dataclass(frozen=True, eq=False)
class StoredRun:
    """A run of `pwlact cifar`, finished or not.

    Attributes:
        folder: where it is stored.
        config: its settings.
        weights: number of epochs done -> file with the weights after them, ascending; at least one.
        train: the images that it learnt from.
        val: the images that it validated on.
        test: the test images.
        mean: of each channel of the training images, shape (3,), as it normalised its images.
        std: their standard deviation, shape (3,).
    """

    folder: Path
    config: CifarConfig
    weights: dict[int, Path]
    train: Images
    val: Images
    test: Images
    mean: Tensor
    std: Tensor

    @property
    def last(self) -> int:
        """Number of epochs done at the newest weights."""
        return max(self.weights)

    def model(self, epoch: int | None = None) -> nn.Module:
        """The network after `epoch` epochs, the last unless given: on the CPU, in eval mode.

        Raises:
            InputError: the file cannot be read, is damaged, or belongs to another model.
        """
        with torch.random.fork_rng(devices=()):  # weights are initialised before they are loaded
            model = make_model(self.config, torch.device("cpu"))
        checkpoint.load_model(self.weights[self.last if epoch is None else epoch], model)
        return model.eval()

    def model_with_knots(self, epoch: int | None = None) -> nn.Module:
        """`model`, a fixed activation replaced by its interpolation on the knots that the settings name."""
        model = self.model(epoch)
        if self.config.learns:
            return model
        knots = Knots(self.config.knots, self.config.low, self.config.high)
        return convert(model, knots=knots, replace=(*REPLACED, FrozenSwish), inplace=True).model

    def batches(self, images: Images, size: int = _BATCH) -> Batches:
        """The images as they are, normalised as in training."""
        return Batches(images, size, mean=self.mean, std=self.std, augment=False, seed=0)

    def first(self, images: int) -> Images:
        """The first validation images, so many or as many as there are."""
        return self.val.first(images)

    def describe(self) -> dict[str, Any]:
        """JSON-able: name of the folder, settings that tell runs apart, last epoch, whether it is finished."""
        names = ("arch", "mode", "width", "sharing", "estimator", "solver", "smoothness", "precision", "seed")
        return {
            "name": self.folder.resolve().name,
            **{name: getattr(self.config, name) for name in names},
            "epoch": self.last,
            "epochs": self.config.epochs,
            "finished": (self.folder / RESULT).exists(),
        }


def open_run(folder: Path, data: Cifar10) -> StoredRun:
    """Open a run, finished or still being trained; its files are only read.

    Args:
        folder: the run folder.
        data: the images that it was trained on.

    Raises:
        InputError: the folder holds no run or no weights, a file is damaged, or the run saw other images.
    """
    stored = read_config(folder)
    config, seen = _config(folder, stored), stored.get("data")
    if seen is not None and seen != describe(data):
        raise InputError(
            f"{folder} was trained on other images than those in {data.source}: give the folder of its own with --data"
        )
    train, val = split(data, config.val_size, config.limit)
    mean, std = channel_statistics(train)
    return StoredRun(folder, config, _weights(folder), train, val, data.test, mean, std)


def _config(folder: Path, stored: dict[str, Any]) -> CifarConfig:
    """The settings among what is stored, which holds more; those that an old version lacked are the defaults."""
    names = {field.name for field in fields(CifarConfig)} - {"compile"}  # seconds for every model, and no other result
    try:
        required = {name: stored[name] for name in ("arch", "mode")}
        return CifarConfig(**required | {name: value for name, value in stored.items() if name in names})
    except (KeyError, TypeError, InputError) as error:
        reason = f" ({error})" if isinstance(error, InputError) else ""
        raise InputError(f"{folder} is no run of `pwlact cifar`: its {CONFIG} holds other settings{reason}") from error


def _weights(folder: Path) -> dict[int, Path]:
    """Files with weights by epoch: those kept, and the checkpoint, which may be of a later epoch."""
    files = sorted(file for file in (folder / EPOCHS).glob("*.pt") if re.fullmatch(r"\d{3,}", file.stem))
    weights = {int(file.stem): file for file in files}
    last = folder / CHECKPOINT
    if last.exists():
        weights.setdefault(_epochs_done(last), last)
    if not weights:
        raise InputError(f"{folder} holds no weights yet: {CHECKPOINT} is not there; wait for the end of an epoch")
    return dict(sorted(weights.items()))


def _epochs_done(path: Path) -> int:
    try:
        return len(torch.load(path, map_location="cpu", weights_only=True)["history"])
    except Exception as error:  # damaged bytes reach every kind of parser error
        raise InputError(f"checkpoint {path} is damaged or of another version") from error
