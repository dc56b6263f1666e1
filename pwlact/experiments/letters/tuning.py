"""A row of the study: settings chosen on validation images with one seed, then trained anew with fresh seeds."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor
from torch.nn import functional

from pwlact.experiments.letters.cells import Cell, Losses
from pwlact.experiments.letters.fitting import Fitted, Schedule, accuracies, fit, logits_of
from pwlact.experiments.letters.parts import Parts
from pwlact.experiments.perceptrons import Factory, Shape, Stack
from pwlact.experiments.spread import spread

TUNING_SEED = 0
"""None of the runs that are reported was chosen by its own luck: those have the seeds from 1 on."""

Tick = Callable[[int], None]
"""Called after each epoch with the number of models that were trained in it."""


def cross_entropy(z: Tensor, y: Tensor) -> Tensor:
    """-log softmax(z)_y of every row, in nats."""
    return functional.cross_entropy(z, y, reduction="none")


@dataclass(frozen=True)
class Contest:
    """What competes in a row, and on what.

    Attributes:
        shape: sizes of the models.
        activation: units -> module.
        cells: settings to choose from.
        losses: what is minimised.
        measures: (logits (n, K), classes (n,)) -> further numbers by name, on the test images.
    """

    shape: Shape
    activation: Factory
    cells: Sequence[Cell]
    losses: Losses = cross_entropy
    measures: Callable[[Tensor, Tensor], dict[str, float]] = lambda z, y: {}


def run(
    contest: Contest, parts: Parts, schedule: Schedule, seeds: int, tick: Tick = lambda models: None
) -> dict[str, Any]:
    """Choose among the cells, where there are several, and train the chosen one with `seeds` fresh seeds.

    Args:
        contest: shape, activation, cells, loss.
        parts: the images.
        schedule: epochs and size of batches.
        seeds: number of fresh seeds.
        tick: see `Tick`.

    Returns:
        JSON-able: chosen {rate, dropout, decay}, grid [{rate, dropout, decay, validation, test, best_epoch}] (empty for
        one cell), validation, test, train: {mean, sd, n, values} of accuracies after the best epoch, last_validation
        after the last, best_epoch [...], history {train_loss, train_accuracy, validation_accuracy: [mean an epoch]},
        and each of `measures` {mean, sd, n, values}.
    """
    grid = _grid(contest, parts, schedule, tick) if len(contest.cells) > 1 else []
    # the first of the best: cells come from the plainest on
    place = max(range(len(grid)), key=lambda i: (grid[i]["validation"], -i)) if grid else 0
    stack = Stack(contest.shape, contest.activation, range(1, seeds + 1))
    fitted = fit(stack, [contest.cells[place]] * seeds, contest.losses, parts, schedule, lambda: tick(seeds))
    named = {"train": parts.train, "validation": parts.validation, "test": parts.test}
    found = {name: accuracies(stack, fitted.parameters, part).clamp(min=0) for name, part in named.items()}
    return {
        "chosen": asdict(contest.cells[place]),
        "grid": grid,
        **{name: spread(values.tolist()) for name, values in found.items()},
        "last_validation": spread(fitted.validation_accuracy[-1].tolist()),
        "best_epoch": fitted.best.tolist(),
        "history": _history(fitted),
        **_measured(contest, stack, fitted, parts),
    }


def _grid(contest: Contest, parts: Parts, schedule: Schedule, tick: Tick) -> list[dict[str, Any]]:
    count = len(contest.cells)
    stack = Stack(contest.shape, contest.activation, [TUNING_SEED] * count)
    fitted = fit(stack, contest.cells, contest.losses, parts, schedule, lambda: tick(count))
    test = accuracies(stack, fitted.parameters, parts.test).clamp(min=0)
    return [
        asdict(cell) | {"validation": _rounded(validation), "test": _rounded(answers), "best_epoch": int(best)}
        for cell, validation, answers, best in zip(
            contest.cells, fitted.validation_accuracy.amax(0), test, fitted.best, strict=True
        )
    ]


def _history(fitted: Fitted) -> dict[str, list[float | None]]:
    means = {
        name: getattr(fitted, name).double().mean(1) for name in ("train_loss", "train_accuracy", "validation_accuracy")
    }
    return {name: [_rounded(x) if bool(x.isfinite()) else None for x in values] for name, values in means.items()}


def _measured(contest: Contest, stack: Stack, fitted: Fitted, parts: Parts) -> dict[str, Any]:
    models = [contest.measures(z, parts.test.y) for z in logits_of(stack, fitted.parameters, parts.test)]
    return {name: spread([found[name] for found in models]) for name in models[0]}


def _rounded(value: Tensor) -> float:
    return round(float(value), 6)
