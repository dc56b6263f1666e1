"""Logistic regression by stochastic gradient descent, a grid of rates and penalties side by side."""

import time
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from statistics import fmean
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from pwlact import checks
from pwlact.experiments.letters.one_by_one import Best, blocks, check, moves
from pwlact.experiments.letters.parts import Parts

RULES: Mapping[str, Callable[[Tensor], Tensor]] = MappingProxyType(
    {"softmax": lambda z: z.softmax(-1), "one-versus-rest": torch.sigmoid}
)
"""Name -> scores -> p. The gradient of the loss by the scores is p - e_y: the loss is -log p_y for softmax, and for
one-versus-rest the sum over classes of K logistic regressions of two classes."""

DRAFT_RATES = (1e-4, 1e-3, 1e-2)
DRAFT_PENALTIES = (1e-5, 1e-4)
"""The grid of the draft that the study redraws."""
LARGEST_DECAY = 0.1
"""Of rate times penalty; a block's worth of such shrinking must not leave the range of numbers."""


class _Models:
    """Cells x seeds, as they are now.

    Weights are w = s v and only s shrinks within a block, so that a step costs no pass over all weights.
    """

    def __init__(self, parts: Parts, cells: Sequence[tuple[float, float]], seeds: int, rule: str) -> None:
        x, outputs = parts.train.x, len(cells) * parts.classes
        rates, penalties = (torch.tensor(values, dtype=x.dtype) for values in zip(*cells, strict=True))
        self.shape = (len(cells), parts.classes)
        self.rate = rates.repeat_interleave(parts.classes)
        self.keep = (1 - rates * penalties).repeat_interleave(parts.classes)
        self.share = RULES[rule]
        self.weights, self.bias = x.new_zeros(seeds, outputs, x.shape[1]), x.new_zeros(seeds, 1, outputs)
        self.scale = torch.ones_like(self.keep)

    def learn(self, x: Tensor, targets: Tensor, batch: int) -> None:
        """Take the steps through a block: x (seeds, block, pixels), e_y (seeds, block, K)."""
        c = moves(x, targets, self.weights, self._step, batch)
        self.weights.baddbmm_(c.mT, x).mul_(self.scale[:, None])
        self.scale = torch.ones_like(self.keep)

    def _step(self, z: Tensor, target: Tensor) -> Tensor:
        """w <- (1 - rate penalty) w - rate mean (p - e_y) x', b <- b - rate mean (p - e_y)."""
        p = self.share((self.scale * z + self.bias).unflatten(-1, self.shape))
        change = (target[:, :, None] - p).flatten(-2) * (self.rate / z.shape[1])
        self.bias = self.bias + change.sum(1, keepdim=True)
        self.scale = self.scale * self.keep
        return change / self.scale


@torch.inference_mode()
def logistic(
    parts: Parts,
    rates: Sequence[float] = DRAFT_RATES,
    penalties: Sequence[float] = DRAFT_PENALTIES,
    epochs: int = 20,
    seeds: Sequence[int] = (1,),
    *,
    batch: int = 1,
    rule: str = "softmax",
    epoch_done: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Minimise mean loss + penalty / 2 ||W||^2 from zero, b without penalty, at a constant rate.

    Args:
        parts: the images.
        rates: to try; each with each penalty.
        penalties: to try.
        epochs: passes over the training images.
        seeds: of the orders; all are trained side by side.
        batch: examples a step takes the mean over.
        rule: name in `RULES`.
        epoch_done: called after every epoch.

    Returns:
        JSON-able: cells [{rate, penalty, runs [a seed: {history: [validation accuracy after each epoch], best_epoch,
        and of that epoch train, validation, test: accuracies}]}], best: place of the cell with the highest mean
        validation accuracy, the first of several; batch, seeds, rule, seconds.

    Raises:
        InputError: an unknown rule, a number out of its range, or an empty part.
    """
    check(parts, epochs, seeds)
    checks.choice("rule", rule, RULES)
    checks.at_least("batch", batch, 1)
    cells = _cells(rates, penalties)
    models, best = _Models(parts, cells, len(seeds), rule), Best(parts, (len(seeds), len(cells)))
    start = time.perf_counter()
    for epoch in range(1, epochs + 1):
        for x, targets in blocks(parts.train, parts.classes, seeds, epoch, batch):
            models.learn(x, targets, batch)
        best.offer(models.weights.unflatten(1, models.shape), models.bias[:, 0].unflatten(1, models.shape))
        epoch_done()
    records = best.records()
    found = [
        {"rate": rate, "penalty": penalty, "runs": records[place :: len(cells)]}
        for place, (rate, penalty) in enumerate(cells)
    ]
    means = [fmean(run["validation"] for run in cell["runs"]) for cell in found]
    return {
        "cells": found,
        "best": means.index(max(means)),
        "batch": batch,
        "seeds": list(seeds),
        "rule": rule,
        "seconds": round(time.perf_counter() - start, 3),
    }


def _cells(rates: Sequence[float], penalties: Sequence[float]) -> list[tuple[float, float]]:
    cells = list(product(rates, penalties))
    checks.at_least("number of rates times penalties", len(cells), 1)
    for rate, penalty in cells:
        checks.positive("rates", rate)
        checks.not_negative("penalties", penalty)
        if rate * penalty > LARGEST_DECAY:
            raise checks.InputError(
                f"rate times penalty must be at most {LARGEST_DECAY}, got {rate!r} times {penalty!r}"
            )
    return cells
