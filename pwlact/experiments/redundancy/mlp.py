"""Perceptrons of one to five hidden layers on MNIST or CIFAR-10: what competition does with depth.

pwlact redundancy mlp      MNIST, 10,000 training images, 64 units a layer, every activation
"""

from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pwlact import checks
from pwlact.environment import environment
from pwlact.experiments.kept_rows import Progress, compute
from pwlact.experiments.perceptrons import Factory, Shape
from pwlact.experiments.redundancy.activations import BASE, chosen
from pwlact.experiments.redundancy.comparison import against_base, overall
from pwlact.experiments.redundancy.fitting import Batch
from pwlact.experiments.redundancy.maps import seen_part
from pwlact.experiments.redundancy.tuning import Tuning, measured, tune
from pwlact.experiments.redundancy.vectors import CLASSES, SETS, Part, Vectors, load_vectors


@dataclass(frozen=True)
class MlpConfig:
    """Settings of the experiment.

    Attributes:
        data: name in `SETS`.
        depths: numbers of hidden layers.
        units: hidden units of each layer.
        activations: names in `CONTENDERS`; all for none.
        train: number of training images.
        validation: number of images that the learning rate is chosen on.
        test: number of images that everything is measured on.
        epochs: passes over the training images; all are made.
        batch_size: images in a batch; what is left over of an epoch is not used.
        seeds: number of seeds, from 0 on.
        rates: learning rates of Adam to choose from, ascending.

    Raises:
        InputError: a value outside its range, or nothing to do.
    """

    data: str = "mnist"
    depths: tuple[int, ...] = (1, 2, 3, 4, 5)
    units: int = 64
    activations: tuple[str, ...] = ()
    train: int = 10_000
    validation: int = 2_000
    test: int = 2_000
    epochs: int = 4
    batch_size: int = 100
    seeds: int = 3
    rates: tuple[float, ...] = (0.001, 0.004, 0.016)

    def __post_init__(self) -> None:
        checks.choice("data", self.data, SETS)
        if not self.depths:
            raise checks.InputError("depths must name at least one, got none")
        for depth in self.depths:
            checks.at_least("depths", depth, 1)
        checks.at_least("units", self.units, 2, "redundancy is a matter of pairs")
        for name in ("train", "validation", "test", "epochs", "batch_size"):
            checks.at_least(name, getattr(self, name), 1)
        if self.batch_size > self.train:
            raise checks.InputError(f"batch_size must be at most train={self.train}, got {self.batch_size}")
        _ = self.tuning
        chosen(self.activations)

    @property
    def tuning(self) -> Tuning:
        """Seeds, rates and steps."""
        return Tuning(self.seeds, self.rates, self.epochs * (self.train // self.batch_size), 0.0)


def run(
    config: MlpConfig, directory: Path | None = None, folder: Path | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """Train every activation at every depth, and measure the redundancy of its layers.

    Args:
        config: the settings.
        directory: where the images are; see `load_vectors`.
        folder: keeps every finished row, so that a killed run goes on where it was.
        progress: called with (rows done, rows in all).

    Returns:
        JSON-able: rows [{data, units, depth, activation, ..., accuracy, loss, gradient_ratio, trained, untrained,
        trained_layers, against}], overall, config, environment.

    Raises:
        InputError: the images are not found or damaged.
    """
    vectors = load_vectors(config.data, directory, (config.train, config.validation, config.test))
    tasks = {
        f"{config.data}, depth {depth}, {name}": partial(row, vectors, depth, name, factory, config)
        for depth in config.depths
        for name, factory in chosen(config.activations).items()
    }
    rows = compute(tasks, folder, progress)
    return {
        "rows": against_base(rows, BASE, ("data", "depth")),
        "overall": overall(rows, BASE, ("data", "depth")),
        "config": asdict(config),
        "environment": environment(),
    }


def row(vectors: Vectors, depth: int, name: str, activation: Factory, config: MlpConfig) -> dict[str, Any]:
    """One activation at one depth: tuned, trained and measured on test images.

    Args:
        vectors: the images.
        depth: number of hidden layers.
        name: what to call the activation.
        activation: units -> module.
        config: the settings.
    """
    validation, test = ((part.x, part.y) for part in (vectors.validation, vectors.test))
    shape = Shape(vectors.train.x.shape[1], config.units, depth, CLASSES)
    tuned = tune(shape, activation, batches(vectors.train, config.batch_size, config.seeds), validation, config.tuning)
    seen = seen_part(activation, config.units)
    return {
        "data": config.data,
        "units": config.units,
        "depth": depth,
        "activation": name,
        "outputs": tuned.stack.outputs,
        "unseen": round(config.units - float(seen.trace())),
        **tuned.record,
        **measured(tuned, test, seen),
    }


def batches(part: Part, size: int, seeds: int) -> Batch:
    """Step -> inputs (seeds, size, pixels) and classes (seeds, size), each seed in an order of its own.

    Chance depends on seed and epoch alone: every activation meets the same batches.

    Args:
        part: the training images.
        size: images in a batch.
        seeds: number of seeds.
    """
    steps = len(part.y) // size

    @lru_cache(maxsize=1)
    def orders(epoch: int) -> Tensor:
        return torch.stack([_order(len(part.y), seed, epoch) for seed in range(seeds)])

    def batch(step: int) -> tuple[Tensor, Tensor]:
        epoch, place = divmod(step, steps)
        chosen_ones = orders(epoch)[:, place * size : (place + 1) * size]
        return part.x[chosen_ones], part.y[chosen_ones]

    return batch


def _order(count: int, seed: int, epoch: int) -> Tensor:
    state = int(np.random.SeedSequence([seed, epoch, count]).generate_state(1, np.uint64)[0])
    return torch.randperm(count, generator=torch.Generator().manual_seed(state))
