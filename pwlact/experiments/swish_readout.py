"""Curves to read a Swish off, from whatever they are stored in."""

import csv
import json
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from pwlact.checks import InputError
from pwlact.training import read_activations
from pwlact.training.activation_history import FILE_NAME


@dataclass(frozen=True)
class Curve:
    """A named curve y(x).

    Attributes:
        name: "layer3", "layer3 channel 7", or the file's own name.
        x: positions, shape (N,).
        y: values, shape (N,).
    """

    name: str
    x: Float[np.ndarray, " points"]
    y: Float[np.ndarray, " points"]


def read_curves(path: Path, epoch: int | None = None) -> list[Curve]:
    """Curves of a run (its folder or activations.npz), of `pwlact unit` (its folder or result.json), or of a file.

    Args:
        path: one of these, or a CSV or NPZ with x and y.
        epoch: epoch of a run; the last unless given.

    Returns:
        one curve a layer, and a channel where each has its own function.

    Raises:
        InputError: nothing there, nothing that is known, damaged, or no such epoch; one line.
    """
    if path.is_dir():
        activations, result = path / FILE_NAME, path / "result.json"
        path = activations if activations.exists() or not result.exists() else result
    if not path.exists():
        raise InputError(
            f"{path} is not there: give a run folder, activations.npz, result.json, or a CSV or NPZ of x, y"
        )
    if path.suffix == ".json":
        return [_from_unit(path)]
    if path.suffix == ".csv":
        return [_from_csv(path)]
    if path.suffix == ".npz":
        return [_from_npz(path)] if _holds_x_and_y(path) else _from_run(path, epoch)
    raise InputError(f"{path} ends in {path.suffix or 'nothing'!r}: expected .npz, .json or .csv, or a run folder")


def _from_run(path: Path, epoch: int | None) -> list[Curve]:
    history = read_activations(path)
    if epoch is not None and epoch > history.epochs:
        raise InputError(f"epoch must be at most {history.epochs}, the last that {path} holds, got {epoch}")
    chosen = history.epochs if epoch is None else epoch
    curves = []
    for name, film in history.layers.items():
        values = film[chosen]
        if values.ndim == 1:
            curves.append(Curve(name, history.knots, values))
        else:
            curves += [Curve(f"{name} channel {i}", history.knots, row) for i, row in enumerate(values)]
    return curves


def _from_unit(path: Path) -> Curve:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return _curve(path, record["knots"], record["values"])
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise InputError(f"{path} is no result of `pwlact unit`: it lacks knots and values") from error


def _from_csv(path: Path) -> Curve:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
        return _curve(path, [row["x"] for row in rows], [row["y"] for row in rows])
    except (KeyError, TypeError, ValueError, OSError, csv.Error) as error:
        raise InputError(f"{path} is no curve: expected a header with columns x and y, and numbers below") from error


def _from_npz(path: Path) -> Curve:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return _curve(path, arrays["x"], arrays["y"])


def _holds_x_and_y(path: Path) -> bool:
    try:
        # opened here, because numpy leaves a file open that turns out to be no archive
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {"x", "y"} <= set(arrays.files)
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile):
        return False


def _curve(path: Path, x: Iterable[object], y: Iterable[object]) -> Curve:
    return Curve(path.stem, np.array(x, dtype=np.float64), np.array(y, dtype=np.float64))
