"""The training loop: epochs, records, progress. It knows no update rule by name."""

import math
from collections.abc import Callable, Iterable, Sequence
from time import perf_counter
from typing import Protocol

import torch
from torch import Tensor, nn

from pwlact.training.evaluation import Score
from pwlact.training.processes import processes, sum_over_processes
from pwlact.training.rules import UpdateRule
from pwlact.training.trackers import EpochRecord, Silent, Tracker

STEPS_BETWEEN_READINGS = 10
"""Losses are read from the device every so many steps: each reading makes it wait."""


class TrainingFailed(RuntimeError):
    """Training cannot go on; the message is one line that says where it stopped and what to change."""


class EpochBatches(Protocol):
    """Training data, the same for the same epoch however often and in whatever order it is asked for."""

    def __len__(self) -> int:
        """Number of batches an epoch."""
        ...

    def epoch(self, number: int) -> Iterable[tuple[Tensor, Tensor]]:
        """Batches (images, labels) of epoch `number`, counted from 1."""
        ...


def fit(
    model: nn.Module,
    rule: UpdateRule,
    batches: EpochBatches,
    evaluate: Callable[[], Score],
    *,
    epochs: int,
    history: Sequence[EpochRecord] = (),
    tracker: Tracker | None = None,
    before_epochs: Callable[[], None] | None = None,
    after_epoch: Callable[[list[EpochRecord]], None] | None = None,
) -> list[EpochRecord]:
    """Train up to epoch `epochs`, from where `history` ends.

    Args:
        model: what the rule changes; put in training mode at the start of each epoch.
        rule: one step on one batch.
        batches: the training data.
        evaluate: scores the model on the validation images, after each epoch.
        epochs: number of epochs in all, those of `history` included.
        history: records of the epochs that are done already; the first epoch has number 1.
        tracker: hears of each step and epoch; nobody does unless given.
        before_epochs: called once, after the tracker has heard of the start.
        after_epoch: called with the whole history after each epoch, to store it.

    Returns:
        the whole history, one record an epoch: epoch, train_loss and val_loss (nats, mean over images),
        train_accuracy (before each step, augmented images) and val_accuracy (0 to 1), seconds (training and
        evaluation), images_per_second (training alone).

    Raises:
        TrainingFailed: the training loss is no longer finite.
    """
    tracker = tracker or Silent()
    records = list(history)
    tracker.begin(len(records), epochs, len(batches))
    try:
        if before_epochs is not None:
            before_epochs()
        for epoch in range(len(records) + 1, epochs + 1):
            records.append(_run_epoch(epoch, epochs, model, rule, batches, evaluate, tracker))
            if after_epoch is not None:
                after_epoch(records)
            tracker.epoch(records[-1])
    finally:
        tracker.end()
    return records


def _run_epoch(
    epoch: int,
    epochs: int,
    model: nn.Module,
    rule: UpdateRule,
    batches: EpochBatches,
    evaluate: Callable[[], Score],
    tracker: Tracker,
) -> EpochRecord:
    model.train()
    totals = _Totals(epoch)
    for step, (images, labels) in enumerate(batches.epoch(epoch)):
        done = (epoch - 1 + step / len(batches)) / epochs
        totals.add(*rule.step(images, labels, done), labels.shape[0])
        tracker.step(labels.shape[0], totals.rate(), totals.loss())
    totals.read()
    rate = totals.rate()
    score = evaluate()
    return {
        "epoch": epoch,
        "train_loss": totals.loss(),
        "train_accuracy": totals.correct / totals.read_images,
        "val_loss": score.loss,
        "val_accuracy": score.accuracy,
        "seconds": perf_counter() - totals.start,
        "images_per_second": rate,
    }


class _Totals:
    """Sums over one epoch and all processes; losses wait on the device until the next reading."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.start = perf_counter()
        self.processes = processes().count
        self.images = self.read_images = self.steps = self.correct = 0
        self.loss_sum = 0.0
        self.waiting: list[tuple[Tensor, Tensor]] = []

    def add(self, loss: Tensor, correct: Tensor, images: int) -> None:
        """Take in one step.

        Raises:
            TrainingFailed: one of the losses that are read now is not finite.
        """
        self.waiting.append((loss, correct))
        self.images += images * self.processes
        if len(self.waiting) == STEPS_BETWEEN_READINGS:
            self.read()

    def read(self) -> None:
        """Add the waiting steps to the sums.

        Raises:
            TrainingFailed: one of the losses is not finite.
        """
        if not self.waiting:
            return
        # all processes read at the same steps, and fail at the same one
        pairs = torch.stack([torch.stack([loss.float(), correct.float()]) for loss, correct in self.waiting])
        losses, correct = sum_over_processes(pairs).unbind(1)
        for loss in losses.tolist():
            self.steps += 1
            if not math.isfinite(loss):
                raise TrainingFailed(
                    f"training loss is {loss} at epoch {self.epoch}, step {self.steps}: lower lr or act_lr"
                )
            self.loss_sum += loss
        self.correct += int(correct.sum())
        self.read_images = self.images
        self.waiting.clear()

    def loss(self) -> float:
        """Mean loss an image, in nats, as of the last reading; NaN before the first."""
        return self.loss_sum / self.read_images if self.read_images else math.nan

    def rate(self) -> float:
        """Images a second, since the start of the epoch."""
        return self.images / max(perf_counter() - self.start, 1e-9)
