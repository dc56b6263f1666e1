"""One hidden layer on points in the plane, where its hyperplanes are lines: does competition keep them apart?

pwlact redundancy toy      three shapes, 8, 16 and 32 units, ten seeds, every activation
"""

from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pwlact import checks
from pwlact.environment import environment
from pwlact.experiments.kept_rows import Progress, compute
from pwlact.experiments.perceptrons import Factory, Parameters, Shape
from pwlact.experiments.redundancy.activations import BASE, chosen
from pwlact.experiments.redundancy.comparison import against_base, overall
from pwlact.experiments.redundancy.maps import seen_part
from pwlact.experiments.redundancy.planar import REACH, SHAPES, draw
from pwlact.experiments.redundancy.tuning import Data, Tuning, measured, tune
from pwlact.experiments.spread import spread
from pwlact.redundancy import count_regions, most_regions

TEST_POINTS = 1000


@dataclass(frozen=True)
class ToyConfig:
    """Settings of the experiment.

    Attributes:
        data: shapes, names in `SHAPES`.
        units: numbers of hidden units.
        activations: names in `CONTENDERS`; all for none.
        points: training points of a seed; there are as many to validate on, and 1,000 to test.
        tuning: seeds, learning rates and steps.

    Raises:
        InputError: a value outside its range, or nothing to do.
    """

    data: tuple[str, ...] = tuple(SHAPES)
    units: tuple[int, ...] = (8, 16, 32)
    activations: tuple[str, ...] = ()
    points: int = 200
    tuning: Tuning = field(default_factory=Tuning)

    def __post_init__(self) -> None:
        for name, given in (("data", self.data), ("units", self.units)):
            if not given:
                raise checks.InputError(f"{name} must name at least one, got none")
        for shape in self.data:
            checks.choice("data", shape, SHAPES)
        for count in self.units:
            checks.at_least("units", count, 2, "redundancy is a matter of pairs")
        checks.at_least("points", self.points, 2)
        chosen(self.activations)


def run(config: ToyConfig, folder: Path | None = None, progress: Progress | None = None) -> dict[str, Any]:
    """Train every activation on every shape with every number of units, and measure its redundancy.

    Args:
        config: the settings.
        folder: keeps every finished row, so that a killed run goes on where it was.
        progress: called with (rows done, rows in all).

    Returns:
        JSON-able: rows [{data, units, activation, unseen, rate, ..., accuracy, loss, trained, untrained, regions,
        against, lines}] (see `measured` and `LAYER_MEASURES`), overall [{activation, ...}] over all rows of an
        activation, config, environment.
    """
    tasks = {
        f"{shape}, {units} units, {name}": partial(row, shape, units, name, factory, config)
        for shape in config.data
        for units in config.units
        for name, factory in chosen(config.activations).items()
    }
    rows = compute(tasks, folder, progress)
    condition = ("data", "units")
    return {
        "rows": against_base(rows, BASE, condition),
        "overall": overall(rows, BASE, condition),
        "config": asdict(config),
        "environment": environment(),
    }


def row(shape: str, units: int, name: str, activation: Factory, config: ToyConfig) -> dict[str, Any]:
    """One activation on one shape: tuned, trained and measured on fresh points.

    Args:
        shape: name of the shape.
        units: number of hidden units.
        name: what to call the activation.
        activation: units -> module.
        config: the settings.
    """
    seeds = config.tuning.seeds
    train, validation = (points_of(shape, config.points, seeds, part) for part in ("train", "validation"))
    sizes = Shape(2, units, 1, SHAPES[shape][0])
    tuned = tune(sizes, activation, lambda _: train, validation, config.tuning)
    seen = seen_part(activation, units)
    return {
        "data": shape,
        "units": units,
        "activation": name,
        "outputs": tuned.stack.outputs,
        "unseen": round(units - float(seen.trace())),
        **tuned.record,
        **measured(tuned, points_of(shape, TEST_POINTS, seeds, "test"), seen),
        "regions": {
            "most": most_regions(units, 2),
            "trained": spread(_regions(tuned.end, seen, ~tuned.diverged)),
            "untrained": spread(_regions(tuned.start, seen, torch.ones_like(tuned.diverged))),
        },
        "lines": _lines(tuned.end, seen),
    }


def points_of(shape: str, count: int, seeds: int, part: str) -> Data:
    """Points of every seed, (seeds, count, 2) and (seeds, count); parts are drawn apart.

    Args:
        shape: name of the shape.
        count: number of points of a seed.
        seeds: number of seeds.
        part: train, validation or test.
    """
    number = ("train", "validation", "test").index(part)
    drawn = [draw(shape, count, 3 * seed + number) for seed in range(seeds)]
    return torch.stack([x for x, _ in drawn]), torch.stack([y for _, y in drawn])


def _hyperplanes(parameters: Parameters, seen: Tensor) -> tuple[Tensor, Tensor]:
    weight, bias = (parameters[f"layer0.{name}"].double() for name in ("weight", "bias"))
    return seen @ weight, bias @ seen


def _regions(parameters: Parameters, seen: Tensor, counted: Tensor) -> list[float]:
    low, high = (-REACH, -REACH), (REACH, REACH)
    return [
        float(count_regions(w, b, low, high)) if good else float("nan")
        for w, b, good in zip(*_hyperplanes(parameters, seen), counted.tolist(), strict=True)
    ]


def _lines(parameters: Parameters, seen: Tensor) -> list[list[float]]:
    """w_1, w_2, b of the first seed's units, scaled to |w| = 1, for pictures."""
    weight, bias = (part[0] for part in _hyperplanes(parameters, seen))
    size = weight.norm(dim=1, keepdim=True).clamp(min=1e-12)
    return [[round(value, 5) for value in line] for line in (torch.cat([weight, bias[:, None]], 1) / size).tolist()]
