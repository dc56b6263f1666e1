"""All parts of an inspection as one record."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pwlact import checks
from pwlact.checks import InputError
from pwlact.data import Cifar10
from pwlact.environment import environment
from pwlact.experiments.inspection.baking import baking
from pwlact.experiments.inspection.evolution import evolution
from pwlact.experiments.inspection.gaussianity import gaussianity
from pwlact.experiments.inspection.gradients import gradients
from pwlact.experiments.inspection.loading import open_run
from pwlact.experiments.inspection.optimality import optimality
from pwlact.files import read_object
from pwlact.training.run_folder import CONFIG

PARTS = ("gaussianity", "gradients", "optimality", "evolution", "baking")
INSPECTION = "inspect.json"
"""Name of the file that keeps a record."""


def inspect(
    folder: Path,
    data: Cifar10,
    *,
    part: str = "all",
    images: int = 2000,
    epochs: int = 8,
    limit: int | None = None,
    seed: int = 0,
    progress: Callable[[int, int | None], None] | None = None,
) -> dict[str, Any]:
    """Look into a stored run, finished or still being trained; its files are only read.

    Args:
        folder: a run of `pwlact cifar`.
        data: the images that it was trained on.
        part: one of `PARTS`, or "all"; of a run with fixed activations "all" leaves out evolution and baking.
        images: validation images for gaussianity, gradients and optimality, at least 20.
        epochs: most epochs at which gradients are compared, spread over those kept.
        limit: most images of each set for baking; all unless given.
        seed: of what is drawn: positions, halves, shuffles.
        progress: called with (epochs looked at, their number) while gradients are compared.

    Returns:
        JSON-able: run (see `StoredRun.describe`), seed, each of `PARTS` (None where not asked for or not possible),
        environment.

    Raises:
        InputError: an argument is outside its range, there is no such run, or it does not fit the data.
    """
    checks.choice("part", part, (*PARTS, "all"))
    checks.at_least("images", images, 20)
    checks.at_least("epochs", epochs, 1)
    checks.at_least("seed", seed, 0)
    if limit is not None:
        checks.at_least("limit", limit, 1)
    run = open_run(folder, data)
    wanted = set(PARTS) if part == "all" else {part}
    if part == "all" and not run.config.learns:
        wanted -= {"evolution", "baking"}
    return {
        "run": run.describe(),
        "seed": seed,
        "gaussianity": gaussianity(run, images, seed) if "gaussianity" in wanted else None,
        "gradients": gradients(run, images, seed, epochs, progress) if "gradients" in wanted else None,
        "optimality": optimality(run, images, seed) if "optimality" in wanted else None,
        "evolution": evolution(run) if "evolution" in wanted else None,
        "baking": baking(run, limit) if "baking" in wanted else None,
        "environment": environment(),
    }


def is_inspection(folder: Path) -> bool:
    """Whether a folder keeps the record of an `inspect` and is no run of its own."""
    return (folder / INSPECTION).is_file() and not (folder / CONFIG).exists()


def read_inspection(folder: Path, part: str = "all") -> dict[str, Any]:
    """The record of an earlier `inspect`, as `pwlact inspect` and `pwlact study` keep it.

    Args:
        folder: where its inspect.json is.
        part: one of `PARTS`, or "all"; the others become None.

    Raises:
        InputError: an unknown part or one that the record lacks, or the file is not there or holds something else.
    """
    checks.choice("part", part, (*PARTS, "all"))
    record = read_object(folder / INSPECTION)
    if not {"run", *PARTS} <= set(record):
        raise InputError(f"{folder / INSPECTION} is no inspection: it lacks some of run, {', '.join(PARTS)}")
    if part == "all":
        return record
    if record[part] is None:
        raise InputError(f"{folder / INSPECTION} has nothing on {part}: inspect the run itself with --part {part}")
    return record | dict.fromkeys(set(PARTS) - {part})
