"""Does training end to end keep the competition inside layers? Redundancy of hidden units after every epoch.

pwlact layerwise end-to-end    MNIST, 10,000 images, two layers of 64 units, thirteen arms, five seeds
"""

import math
from collections.abc import Callable
from dataclasses import asdict
from functools import cache, partial
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import torch

from pwlact import checks, redundancy
from pwlact.environment import environment
from pwlact.experiments.kept_rows import compute
from pwlact.experiments.layerwise import pictures
from pwlact.experiments.layerwise.config import EndToEndConfig
from pwlact.experiments.layerwise.contenders import CONTENDERS, CONVNET, DEFAULT
from pwlact.experiments.layerwise.measuring import REDUNDANCY, redundancy_of
from pwlact.experiments.layerwise.networks import Network
from pwlact.experiments.redundancy.vectors import Part, Vectors, load_vectors
from pwlact.training.loop import TrainingFailed

MEASURES = ("accuracy", *REDUNDANCY, "quiet")
"""What is averaged over seeds: accuracy of the network, and of each layer its redundancy and share of quiet units."""
DIGITS = 6
Row = dict[str, Any]


def run(
    config: EndToEndConfig,
    directory: Path | None = None,
    folder: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Train every arm with every seed, and measure its layers after every epoch.

    Args:
        config: the settings.
        directory: where the images are; see `load_vectors`.
        folder: keeps every finished row, so that a killed run goes on where it was.
        progress: called with (rows done, rows in all).

    Returns:
        JSON-able: rows [{arm, seed, rate, validation, epochs [{epoch, accuracy, layers [{layer, dead, duplicates,
        effective_rank, quiet}]}]}], those of seed 0 with rates (validation accuracy of each) and prototypes (see
        `pictures.keep`); overall [{arm, layer, epoch (0 and the last), seeds, and for each of `MEASURES` its mean and
        its standard deviation over seeds, None for one}], config, environment.

    Raises:
        InputError: the images are not found or damaged, or an arm is unknown.
        TrainingFailed: an arm diverges at every rate, or with a later seed at its own.
    """
    names = [checks.choice("arms", name, CONTENDERS) for name in config.arms] or list(DEFAULT)
    vectors = load_vectors(config.data, directory, (config.train, config.validation, config.test))

    @cache
    def best(name: str) -> Row:
        return tuned(vectors, name, config)

    def later(name: str, seed: int) -> Row:
        return row(vectors, name, config, seed, best(name)["rate"])

    tasks = {
        f"{config.data}, {name}, seed {seed}": partial(later, name, seed) if seed else partial(best, name)
        for name in names
        for seed in range(config.seeds)
    }
    rows = compute(tasks, folder, progress)
    return {"rows": rows, "overall": overall(rows), "config": asdict(config), "environment": environment()}


def tuned(vectors: Vectors, name: str, config: EndToEndConfig) -> Row:
    """The row of seed 0 at the rate whose validation accuracy at the end is the highest, with that of each rate.

    Args:
        vectors: the images.
        name: of the arm, in `CONTENDERS`.
        config: the settings.

    Raises:
        TrainingFailed: training diverges at every rate.
    """
    rows = [_or_none(partial(row, vectors, name, config, 0, rate)) for rate in config.rates]
    reached = [-math.inf if each is None else each["validation"] for each in rows]
    best = rows[reached.index(max(reached))]
    if best is None:
        raise TrainingFailed(f"{name} diverges at every rate of {config.rates}: give lower ones")
    found = [
        {"rate": rate, "validation": each and each["validation"]} for rate, each in zip(config.rates, rows, strict=True)
    ]
    return {**best, "rates": found}


def _or_none(compute: Callable[[], Row]) -> Row | None:
    try:
        return compute()
    except TrainingFailed:
        return None


def row(vectors: Vectors, name: str, config: EndToEndConfig, seed: int, rate: float) -> Row:
    """One arm with one seed, measured on test images before end-to-end training and after each of its epochs.

    Args:
        vectors: the images.
        name: of the arm, in `CONTENDERS`.
        config: the settings.
        seed: of starts and batches.
        rate: of Adam, end to end.

    Raises:
        TrainingFailed: training diverges.
    """
    torch.manual_seed(seed)
    epochs: list[Row] = []

    def after(network: Network, epoch: int) -> None:
        epochs.append({"epoch": epoch, **observed(network, vectors.test)})

    network = CONTENDERS[name](vectors.train.x, vectors.train.y, config, seed, rate, after)
    # of a convolution, the weights are patches of few pixels: nothing to see
    seen = seed == 0 and not name.startswith(CONVNET)
    return {
        "arm": name,
        "seed": seed,
        "rate": rate,
        "validation": observed(network, vectors.validation)["accuracy"],
        "epochs": epochs,
        **({"prototypes": pictures.keep(network.first_weights(), config.data)} if seen else {}),
    }


def observed(network: Network, part: Part) -> dict[str, Any]:
    """Accuracy on images, and what the units of each layer are like on them.

    Args:
        network: set to evaluation.
        part: the images.

    Raises:
        TrainingFailed: what a unit gives is not finite.
    """
    network.eval()
    logits, units = network.passed(part.x)
    if not all(bool(a.isfinite().all()) for a in (logits, *units)):
        raise TrainingFailed("what the units give is not finite: give lower rates")
    return {
        "accuracy": _rounded(float((logits.argmax(-1) == part.y).double().mean())),
        "layers": [
            {"layer": number, **{name: _rounded(value) for name, value in _of(a).items()}}
            for number, a in enumerate(units, 1)
        ],
    }


def _of(a: torch.Tensor) -> dict[str, float]:
    return {**redundancy_of(a), "quiet": float(redundancy.quiet_units(a).double().mean())}


def _rounded(value: float) -> float:
    """Six significant digits, more than any spread over seeds leaves meaningful."""
    return float(f"{value:.{DIGITS}g}")


def overall(rows: list[Row]) -> list[dict[str, Any]]:
    """Means and standard deviations over seeds, arm by arm and layer by layer, before and after end-to-end training.

    Args:
        rows: of `row`.
    """
    groups: dict[tuple[str, int, int], list[dict[str, float]]] = {}
    for each in rows:
        for epoch in (each["epochs"][0], each["epochs"][-1]):
            for layer in epoch["layers"]:
                found = groups.setdefault((each["arm"], layer["layer"], epoch["epoch"]), [])
                found.append({**layer, "accuracy": epoch["accuracy"]})
    return [
        {"arm": arm, "layer": layer, "epoch": epoch, "seeds": len(found)}
        | {name: fmean(each[name] for each in found) for name in MEASURES}
        | {f"{name}_sd": stdev([each[name] for each in found]) if len(found) > 1 else None for name in MEASURES}
        for (arm, layer, epoch), found in groups.items()
    ]
