"""What the log-sum-exp loss, its controls, chance and an autoencoder make of a layer of ReLU units.

pwlact layerwise                       MNIST, 60,000 images, 64 units, one layer, eight arms, five seeds
pwlact layerwise ablation --depth 3    three layers, each on the one below; the first are those of depth 1
"""

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import torch
from torch import Tensor

from pwlact import checks
from pwlact.environment import environment
from pwlact.experiments.kept_rows import compute
from pwlact.experiments.layerwise import pictures
from pwlact.experiments.layerwise.arms import ARMS
from pwlact.experiments.layerwise.config import LayerwiseConfig
from pwlact.experiments.layerwise.measuring import REDUNDANCY, redundancy_of
from pwlact.experiments.layerwise.probe import linear_probe
from pwlact.experiments.redundancy.vectors import Vectors, load_vectors

MEASURES = ("accuracy", *REDUNDANCY)
"""Numbers of a row that the summary averages over seeds."""


def run(
    config: LayerwiseConfig,
    directory: Path | None = None,
    folder: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Train every arm with every seed, and measure each of its layers.

    Args:
        config: the settings.
        directory: where the images are; see `load_vectors`.
        folder: keeps every finished row, so that a killed run goes on where it was.
        progress: called with (rows done, rows in all).

    Returns:
        JSON-able: rows [{arm, seed, layers [{layer, accuracy, dead, duplicates, effective_rank, probe}], prototypes
        (of seed 0, see `pictures.keep`)}], overall [{arm, layer, seeds, and for each of `MEASURES` its mean and its
        standard deviation over seeds, None for one}], config, environment.

    Raises:
        InputError: the images are not found or damaged, or an arm is unknown.
    """
    names = [checks.choice("arms", name, ARMS) for name in config.arms] or list(ARMS)
    vectors = load_vectors(config.data, directory, (config.train, 0, config.test))
    tasks = {
        f"{config.data}, {name}, seed {seed}": partial(row, vectors, name, config, seed)
        for name in names
        for seed in range(1 if name == "pixels" else config.seeds)
    }
    rows = compute(tasks, folder, progress)
    return {"rows": rows, "overall": overall(rows), "config": asdict(config), "environment": environment()}


def row(vectors: Vectors, name: str, config: LayerwiseConfig, seed: int) -> dict[str, Any]:
    """One arm with one seed, each of its layers measured on test images.

    Args:
        vectors: the images.
        name: of the arm, in `ARMS`.
        config: the settings.
        seed: of starts and batches.
    """
    torch.manual_seed(seed)
    x, test = vectors.train.x, vectors.test.x
    layers = ARMS[name](x, config, seed)
    found = [] if layers else [measured(0, x, test, vectors, config.probe_steps)]
    for number, layer in enumerate(layers, 1):
        with torch.no_grad():
            x, test = layer(x), layer(test)
        found.append(measured(number, x, test, vectors, config.probe_steps))
    kept = {"prototypes": pictures.keep(layers[0].weight, config.data)} if layers and seed == 0 else {}
    return {"arm": name, "seed": seed, "layers": found, **kept}


def measured(layer: int, x: Tensor, test: Tensor, vectors: Vectors, steps: int = 500) -> dict[str, Any]:
    """What the features of a layer are good for, and how redundant they are.

    Args:
        layer: its number; 0 is the input itself.
        x: features of the training images.
        test: features of the test images.
        vectors: the images' classes.
        steps: most evaluations of the probe's loss.

    Returns:
        accuracy of a linear probe; shares of dead units and of duplicates among all; the effective rank over the
        number of units; how far the probe has converged.
    """
    probe = linear_probe(x, vectors.train.y, test, vectors.test.y, steps=steps)
    return {"layer": layer, "accuracy": probe.accuracy, **redundancy_of(test), "probe": asdict(probe)}


def overall(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Means and standard deviations over seeds, arm by arm and layer by layer, in the order of the rows.

    Args:
        rows: of `row`.
    """
    groups: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for each in rows:
        for layer in each["layers"]:
            groups.setdefault((each["arm"], layer["layer"]), []).append(layer)
    return [
        {"arm": arm, "layer": layer, "seeds": len(found)}
        | {name: fmean(each[name] for each in found) for name in MEASURES}
        | {f"{name}_sd": stdev([each[name] for each in found]) if len(found) > 1 else None for name in MEASURES}
        for (arm, layer), found in groups.items()
    ]
