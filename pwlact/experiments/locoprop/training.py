"""One training run of one method: losses over the steps, and where it diverged."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from pwlact.checks import InputError
from pwlact.experiments.locoprop.autoencoder import LOSSES, OUTPUTS, autoencoder
from pwlact.experiments.locoprop.methods import Method
from pwlact.experiments.locoprop.pictures import Pictures
from pwlact.experiments.locoprop.update import Update

CHUNK = 1000
"""Pictures whose loss is computed at a time."""

DIVERGED = (FloatingPointError, InputError, torch.linalg.LinAlgError)  # pyright: ignore[reportPrivateImportUsage]
"""What a step raises where a run has diverged, or its numbers are no longer finite."""
BLOWN = 10.0
"""Times the loss of the first batch, beyond which a run counts as diverged: saturated units keep numbers finite."""

Tick = Callable[[int], None]


@dataclass(frozen=True)
class Job:
    """What does not depend on the method.

    Attributes:
        sizes: units of the layers down to the narrowest.
        loss: name in `LOSSES`.
        batch_size: pictures a step.
        steps: number of steps; rates fall over them in a straight line to 0.
        points: how often both losses are measured, beside once before the first step.
        measured: the first training pictures, whose loss is the training loss.
        seed: of the weights and of the order of the pictures.
    """

    sizes: tuple[int, ...]
    loss: str
    batch_size: int
    steps: int
    points: int
    measured: int
    seed: int


class Trainee:
    """A model, its update and its pictures, taken step by step.

    Args:
        method: how it learns.
        settings: rate and second setting.
        pictures: on their device.
        job: the rest.
    """

    def __init__(self, method: Method, settings: tuple[float, float], pictures: Pictures, job: Job) -> None:
        self.pictures, self.job, self.done = pictures, job, 0
        self._bound = math.inf
        self.loss = LOSSES[job.loss]
        pixels = pictures.train.shape[1]
        model = autoencoder(pixels, job.sizes, job.seed, method.activation)
        self.model: nn.Sequential = model.to(pictures.train.device)
        self.update: Update = method.make(self.model, OUTPUTS[job.loss], *settings)
        self._batches = _batches(pictures.train, job.batch_size, job.seed)

    def step(self) -> None:
        """One step.

        Raises:
            FloatingPointError: the loss is not finite, or more than `BLOWN` times that of the first batch.
            InputError: a layer's local problem is not.
        """
        x = next(self._batches)
        self.update.zero_grad()
        loss = self.loss(self.model(x), x)
        self._check(loss.item())
        loss.backward()
        # timing goes on beyond the last step
        self.update.step(max(0.0, 1 - self.done / self.job.steps))
        self.done += 1

    @torch.no_grad()
    def measure(self) -> tuple[float, float]:
        """Training and test loss.

        Raises:
            FloatingPointError: one is not finite, or blown.
        """
        found = [self._mean(x) for x in (self.pictures.train[: self.job.measured], self.pictures.test)]
        if not all(loss < self._bound for loss in found):
            raise FloatingPointError(f"the training loss is {found[0]:.4g}, the test loss {found[1]:.4g}")
        return found[0], found[1]

    def _check(self, loss: float) -> None:
        if not loss < self._bound:
            raise FloatingPointError(f"the loss of the batch is {loss:.4g}")
        if not self.done:
            self._bound = BLOWN * loss

    def _mean(self, x: Tensor) -> float:
        return sum(float(self.loss(self.model(part), part)) * len(part) for part in x.split(CHUNK)) / len(x)


def train(
    method: Method, settings: tuple[float, float], pictures: Pictures, job: Job, tick: Tick = lambda steps: None
) -> dict[str, Any]:
    """Train once.

    Args:
        method: how.
        settings: rate and second setting.
        pictures: on their device.
        job: the rest.
        tick: called with the number of steps done, after each.

    Returns:
        JSON-able: steps, train, test (lists, from before the first step on), diverged: None, or {step, reason}.
    """
    trainee = Trainee(method, settings, pictures, job)
    marks = {round(job.steps * i / job.points) for i in range(job.points + 1)}
    curve: dict[str, Any] = {"steps": [], "train": [], "test": [], "diverged": None}
    try:
        for step in range(job.steps + 1):
            if step in marks:
                _append(curve, step, trainee.measure())
            if step < job.steps:
                trainee.step()
                tick(step + 1)
    except DIVERGED as error:
        curve["diverged"] = {"step": trainee.done, "reason": str(error).splitlines()[0]}
    return curve


def _append(curve: dict[str, Any], step: int, losses: tuple[float, float]) -> None:
    for name, value in zip(("steps", "train", "test"), (step, *losses), strict=True):
        curve[name].append(value)


def _batches(x: Tensor, size: int, seed: int) -> Iterator[Tensor]:
    """Batches without end: each pass in an order of its own, the rest of it left out.

    Yields:
        (size, pixels).
    """
    generator = torch.Generator().manual_seed(seed)
    while True:
        order = torch.randperm(len(x), generator=generator).to(x.device)
        for start in range(0, len(x) - size + 1, size):
            yield x[order[start : start + size]]
