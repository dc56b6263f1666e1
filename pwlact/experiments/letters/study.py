"""The letters study: perceptron, logistic regression, width, depth, output maps.

Every row names its study and holds accuracies on training, validation and test images. Settings and the best epoch are
chosen on validation images; multilayer perceptrons are then trained anew with fresh seeds.
"""

from functools import partial
from pathlib import Path
from typing import Any

from pwlact.competitive import make
from pwlact.data.letters import load_letters
from pwlact.experiments.kept_rows import Row
from pwlact.experiments.letters import depth, linear
from pwlact.experiments.letters.cells import Cell
from pwlact.experiments.letters.config import STUDIES, LettersConfig
from pwlact.experiments.letters.fitting import Schedule, check_fits
from pwlact.experiments.letters.outputs import OUTPUT_MAPS, measures
from pwlact.experiments.letters.parts import Parts, split
from pwlact.experiments.letters.task import Task, Tick
from pwlact.experiments.letters.tuning import Contest, run
from pwlact.experiments.perceptrons import Shape, Stack


def load_parts(config: LettersConfig, directory: Path | None = None) -> Parts:
    """The images of the study, split.

    Args:
        config: the settings.
        directory: where the files are; see `load_letters`.

    Raises:
        InputError: they are not found or damaged, or too few.
    """
    parts = split(load_letters(directory), config.validation, limit=config.limit)
    check_fits(config.batch_size, parts.train)
    return parts


def tasks(config: LettersConfig, parts: Parts) -> dict[str, Task]:
    """Name of each row -> what computes it.

    Args:
        config: the settings.
        parts: the images.
    """
    makers = {
        "perceptron": linear.perceptron_tasks,
        "logistic": linear.logistic_tasks,
        "width": _widths,
        "depth": _depths,
        "outputs": _outputs,
    }
    found: dict[str, Task] = {}
    for study in STUDIES:
        if not config.studies or study in config.studies:
            found |= makers[study](config, parts)
    return found


def _widths(config: LettersConfig, parts: Parts) -> dict[str, Task]:
    schedule = Schedule(config.width_epochs, config.batch_size)
    return {
        f"width {units}": _task(
            {"study": "width", "width": units, "depth": 1}, _relu(parts, units, config.width_cells),
            parts, schedule, config.seeds,
        )
        for units in config.widths
    }  # fmt: skip


def _depths(config: LettersConfig, parts: Parts) -> dict[str, Task]:
    long, short = (Schedule(epochs, config.batch_size) for epochs in (config.width_epochs, config.depth_epochs))
    contests = [("as-draft", "plain", "relu", [depth.AS_DRAFT], long)]
    contests += [(name, name, "relu", config.depth_cells, short) for name in config.variants]
    contests += [(name, "plain", name, config.depth_cells, short) for name in config.activations]
    found: dict[str, Task] = {}
    for label, variant, activation, cells, schedule in contests:
        for layers in config.depths:
            shape = depth.shape_of(variant, parts.train.x.shape[1], config.depth_width, layers, parts.classes)
            head = {"study": "depth", "variant": label, "activation": activation, "depth": layers}
            contest = Contest(shape, partial(make, activation), cells)
            found[f"depth {layers}, {label}"] = _task(head, contest, parts, schedule, config.seeds, gradients=True)
    return found


def _outputs(config: LettersConfig, parts: Parts) -> dict[str, Task]:
    schedule = Schedule(config.output_epochs, config.batch_size)
    found: dict[str, Task] = {}
    for name in config.outputs:
        output = OUTPUT_MAPS[name]
        shape = Shape(parts.train.x.shape[1], config.output_width, 1, parts.classes)
        contest = Contest(shape, partial(make, "relu"), config.depth_cells, output.losses, partial(measures, output))
        head = {"study": "outputs", "output": name, "width": config.output_width}
        found[f"output {name}"] = _task(head, contest, parts, schedule, config.seeds)
    return found


def _relu(parts: Parts, units: int, cells: list[Cell]) -> Contest:
    return Contest(Shape(parts.train.x.shape[1], units, 1, parts.classes), partial(make, "relu"), cells)


def _task(
    head: dict[str, Any], contest: Contest, parts: Parts, schedule: Schedule, seeds: int, *, gradients: bool = False
) -> Task:
    steps = len(parts.train.y) // schedule.batch_size
    one = partial(_seconds, contest.shape, steps)

    def compute(tick: Tick) -> Row:
        found = run(contest, parts, schedule, seeds, lambda models: tick(one(models)))
        if gradients:
            stack = Stack(contest.shape, contest.activation, range(1, seeds + 1))
            found["gradient_ratio"] = depth.gradient_ratio(stack, parts.train)
        return head | {"epochs": schedule.epochs} | found

    stages = ([len(contest.cells)] if len(contest.cells) > 1 else []) + [seeds]
    return Task(compute, schedule.epochs * sum(map(one, stages)))


def _seconds(shape: Shape, steps: int, models: int) -> float:
    """About how long an epoch takes: a step costs 1 ms, 0.4 a layer, 0.15 a model and 7.5 a million parameters.

    Measured on one core of a server of 2023; on other machines the sum is off by a factor, and the share of a row in
    the whole about right, which is all that the time left is reckoned from.
    """
    millions = 1e-6 * models * shape.units * (shape.inputs + (shape.depth - 1) * shape.units + shape.classes)
    return steps * 1e-3 * (1 + 0.4 * shape.depth + 0.15 * models + 7.5 * millions)
