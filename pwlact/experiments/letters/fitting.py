"""Epoch by epoch: all models of a stack learn, and each is kept as it was when it answered best on validation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from pwlact import checks
from pwlact.experiments.letters.cells import Cell, Losses, Training, order
from pwlact.experiments.letters.parts import Part, Parts
from pwlact.experiments.perceptrons import Parameters, Stack

CHUNK = 2048
"""Inputs evaluated at a time."""


@dataclass(frozen=True)
class Schedule:
    """How long, and in which portions.

    Attributes:
        epochs: passes over the training images.
        batch_size: images in a batch; what is left over of an epoch is not used.

    Raises:
        InputError: a value outside its range.
    """

    epochs: int = 30
    batch_size: int = 64

    def __post_init__(self) -> None:
        checks.at_least("epochs", self.epochs, 1)
        checks.at_least("batch_size", self.batch_size, 1)


@dataclass(frozen=True, eq=False)
class Fitted:
    """Models as they answered best.

    Attributes:
        parameters: of every model after its best epoch.
        best: that epoch, from 1 on; the first of several; 0 for a model that never gave a finite answer.
        train_loss: mean over each epoch, as trained.
        train_accuracy: mean over each epoch, as trained.
        validation_accuracy: after each epoch.
    """

    parameters: Parameters
    best: Int64[Tensor, " models"]
    train_loss: Float[Tensor, "epochs models"]
    train_accuracy: Float[Tensor, "epochs models"]
    validation_accuracy: Float[Tensor, "epochs models"]


def check_fits(batch_size: int, train: Part) -> None:
    """Whether there is at least one batch.

    Raises:
        InputError: there are fewer training images than a batch has.
    """
    if batch_size > len(train.y):
        raise checks.InputError(f"batch_size must be at most the {len(train.y):,} training images, got {batch_size}")


def fit(
    stack: Stack,
    cells: Sequence[Cell],
    losses: Losses,
    parts: Parts,
    schedule: Schedule,
    epoch_done: Callable[[], None] = lambda: None,
) -> Fitted:
    """Train every model; models with the same seed meet the same batches.

    Args:
        stack: the models.
        cells: settings of each.
        losses: what is minimised.
        parts: the images.
        schedule: epochs and size of batches.
        epoch_done: called after every epoch.

    Raises:
        InputError: there are fewer training images than a batch has.
    """
    check_fits(schedule.batch_size, parts.train)
    training = Training(stack, cells, losses, stack.seeds[0])
    kept = {name: p.detach().clone() for name, p in training.parameters.items()}
    top, best = torch.full((len(cells),), -1.0, dtype=torch.float64), torch.zeros(len(cells), dtype=torch.int64)
    history: list[tuple[Tensor, Tensor, Tensor]] = []
    for epoch in range(1, schedule.epochs + 1):
        loss, accuracy = _epoch(training, parts.train, stack.seeds, epoch, schedule.batch_size)
        answers = accuracies(stack, training.parameters, parts.validation)
        better = answers > top
        top, best = torch.where(better, answers, top), torch.where(better, epoch, best)
        for name, p in training.parameters.items():
            kept[name][better] = p.detach()[better]
        history.append((loss, accuracy, answers.clamp(min=0)))
        epoch_done()
    return Fitted(kept, best, *map(torch.stack, zip(*history, strict=True)))


def _epoch(
    training: Training, part: Part, seeds: Sequence[int], epoch: int, size: int
) -> tuple[Float[Tensor, " models"], Float[Tensor, " models"]]:
    """One pass in an order of each seed's own; mean loss and accuracy of every model."""
    count = len(part.y)
    # one order for all, where they share a seed, lets one matrix product serve all first layers
    own = seeds[:1] if len(set(seeds)) == 1 else seeds
    orders = torch.stack([order(count, seed, epoch) for seed in own])
    found = []
    for start in range(0, count - size + 1, size):
        rows = orders[:, start : start + size]
        rows = rows[0] if len(own) == 1 else rows
        found.append(torch.stack(training.step(part.x[rows], part.y[rows])))
    loss, accuracy = torch.stack(found).mean(0)
    return loss, accuracy


def logits_of(stack: Stack, parameters: Parameters, part: Part) -> Float[Tensor, "models n classes"]:
    """What every model answers, without dropout.

    Args:
        stack: the models.
        parameters: theirs.
        part: the images.
    """
    with torch.no_grad():
        return torch.cat([stack.forward(parameters, x).logits for x in part.x.split(CHUNK)], 1)


def accuracies(stack: Stack, parameters: Parameters, part: Part) -> Float[Tensor, " models"]:
    """Share of right answers of every model; -1 for one whose answers are not all finite.

    Args:
        stack: the models.
        parameters: theirs.
        part: the images.
    """
    logits = logits_of(stack, parameters, part)
    right = (logits.argmax(-1) == part.y).double().mean(1)
    return torch.where(logits.flatten(1).isfinite().all(1), right, -1.0)
