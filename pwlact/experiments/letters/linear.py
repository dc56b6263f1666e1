"""Rows of the linear classifiers: perceptron, and logistic regression over the draft's grid."""

from collections.abc import Callable, Mapping
from statistics import fmean
from types import MappingProxyType
from typing import Any

from torch import Tensor
from torch.nn import functional

from pwlact.experiments.kept_rows import Row
from pwlact.experiments.letters.config import LettersConfig
from pwlact.experiments.letters.logistic import DRAFT_PENALTIES, DRAFT_RATES, logistic
from pwlact.experiments.letters.parts import Part, Parts
from pwlact.experiments.letters.perceptron import perceptron
from pwlact.experiments.letters.task import Task, Tick
from pwlact.experiments.spread import spread

_FIRST_RATE, _FIRST_PENALTY = DRAFT_RATES[1], 0.0
"""The draft names no setting for its first logistic regression: the rate that is best in its grid stands for it."""


def _maxima(x: Tensor) -> Tensor:
    return functional.max_pool2d(x, 2)


def _means(x: Tensor) -> Tensor:
    return functional.avg_pool2d(x, 4)


FEATURES: Mapping[str, Callable[[Tensor], Tensor] | None] = MappingProxyType(
    {"pixels": None, "2 x 2 maxima": _maxima, "4 x 4 means": _means}
)
"""Name -> what becomes of images (n, 1, rows, columns)."""


def pooled(parts: Parts, features: str) -> Parts:
    """The same images with these features.

    Args:
        parts: square images as rows of pixels.
        features: name in `FEATURES`.
    """
    pool = FEATURES[features]
    if pool is None:
        return parts
    side = round(parts.train.x.shape[1] ** 0.5)

    def part(of: Part) -> Part:
        return Part(pool(of.x.unflatten(1, (1, side, side))).flatten(1), of.y)

    return Parts(part(parts.train), part(parts.validation), part(parts.test), parts.classes, parts.name)


def perceptron_tasks(config: LettersConfig, parts: Parts) -> dict[str, Task]:
    """The perceptron: of each seed its plain and its averaged weights.

    Args:
        config: the settings.
        parts: the images.
    """
    epoch = _seconds(parts, config.seeds)

    def compute(tick: Tick) -> Row:
        found = perceptron(parts, config.linear_epochs, _seeds(config), epoch_done=lambda: tick(epoch))
        head = {"study": "perceptron", "name": "perceptron", "epochs": config.linear_epochs}
        history = [fmean(curve) for curve in zip(*(run["history"] for run in found["plain"]), strict=True)]
        averaged = {"averaged": _accuracies(found["averaged"]), "history": {"validation_accuracy": history}}
        return head | _accuracies(found["plain"]) | averaged | {"seconds": found["seconds"]}

    return {"perceptron": Task(compute, config.linear_epochs * epoch)}


def logistic_tasks(config: LettersConfig, parts: Parts) -> dict[str, Task]:
    """Logistic regression with every kind of features, and once as the draft has it first.

    Args:
        config: the settings.
        parts: the images.
    """
    found = {"logistic, first": _logistic(config, parts, "pixels", ((_FIRST_RATE,), (_FIRST_PENALTY,)))}
    return found | {
        f"logistic, {name}": _logistic(config, parts, name, (DRAFT_RATES, DRAFT_PENALTIES)) for name in FEATURES
    }


def _logistic(
    config: LettersConfig, parts: Parts, features: str, grid: tuple[tuple[float, ...], tuple[float, ...]]
) -> Task:
    own = pooled(parts, features)
    epoch = _seconds(own, config.seeds * len(grid[0]) * len(grid[1]))

    def compute(tick: Tick) -> Row:
        found = logistic(own, *grid, config.linear_epochs, _seeds(config), epoch_done=lambda: tick(epoch))
        best = found["cells"][found["best"]]
        single = len(found["cells"]) == 1
        return {
            "study": "logistic",
            "name": f"logistic regression, {features}{'' if single else ', best of the grid'}",
            "features": features,
            "epochs": config.linear_epochs,
            "chosen": {"rate": best["rate"], "penalty": best["penalty"]},
            "grid": [] if single else [_cell(cell) for cell in found["cells"]],
            **_accuracies(best["runs"]),
            "seconds": found["seconds"],
        }

    return Task(compute, config.linear_epochs * epoch)


def _cell(cell: Mapping[str, Any]) -> dict[str, Any]:
    means = {part: fmean(run[part] for run in cell["runs"]) for part in ("validation", "test")}
    return {"rate": cell["rate"], "penalty": cell["penalty"], **means}


def _accuracies(runs: list[dict[str, Any]]) -> dict[str, Any]:
    return {part: spread([run[part] for run in runs]) for part in ("train", "validation", "test")}


def _seeds(config: LettersConfig) -> range:
    return range(1, config.seeds + 1)


def _seconds(parts: Parts, models: int) -> float:
    """About how long an epoch takes; see `study._seconds`."""
    count, pixels = parts.train.x.shape
    return count * 1e-6 * (130 + models * parts.classes * 2e-4 * pixels)
