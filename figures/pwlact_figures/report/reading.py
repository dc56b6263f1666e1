"""A run folder, finished or not, as its report needs it."""

import contextlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pwlact.checks import InputError
from pwlact.experiments.cifar import FIXED
from pwlact.swish import fit_swish
from pwlact.training import ActivationHistory, InputHistory, read_activations, read_inputs, read_result
from pwlact.training.activation_history import FILE_NAME as ACTIVATIONS
from pwlact.training.input_history import FILE_NAME as INPUTS
from pwlact.training.run_folder import CONFIG, METRICS, RESULT

Fits = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Run:
    """What is known of a run.

    Attributes:
        name: of the folder.
        config: the settings; arch and mode are there.
        data: what is known of the images: train, test, classes.
        history: a record an epoch, in order.
        result: the content of result.json; nothing for an unfinished run.
        activations: knot values by layer and epoch; None where none are stored.
        inputs: histograms of what the layers receive, by epoch; None where none are stored.
        fits: layer -> Swish fit of its last epoch, as `SwishFit.to_dict` gives it.
    """

    name: str
    config: dict[str, Any]
    data: dict[str, Any]
    history: list[dict[str, Any]]
    result: dict[str, Any]
    activations: ActivationHistory | None
    inputs: InputHistory | None
    fits: Fits

    @property
    def finished(self) -> bool:
        """Whether the run came to its end."""
        return bool(self.result)

    @property
    def fixed(self) -> str | None:
        """Name of the function where the activations are not learnt."""
        mode = self.config["mode"]
        return mode if mode in FIXED else None

    @property
    def layers(self) -> list[str]:
        """Names of all layers of which something is known, in the order of the network."""
        received = self.inputs.layers if self.inputs else {}
        learnt = self.activations.layers if self.activations else {}
        return [*received, *(name for name in learnt if name not in received)]

    @property
    def last_epoch(self) -> int:
        """The last epoch of which something is stored; 0 is the initialisation."""
        films = [film.epochs for film in (self.activations, self.inputs) if film]
        return max(len(self.history), *films, 0)

    def score(self, part: str) -> dict[str, Any]:
        """Loss, accuracy and n of "val" or "test" as the result holds them; nothing for an unfinished run."""
        score = self.result.get(part)
        return score if isinstance(score, dict) else {}

    @property
    def classes(self) -> list[str]:
        """Names of the classes, as far as they are known."""
        names = self.data.get("classes")
        return [str(name) for name in names] if isinstance(names, list) else []


def read_run(folder: Path) -> Run:
    """All that the folder of a training run holds, apart from weights.

    Args:
        folder: of `pwlact cifar`; the run in it may be unfinished.

    Raises:
        InputError: it holds no training run, or one of its files is damaged.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no run folder: give the folder that `pwlact cifar` wrote (its --out)")
    finished = (folder / RESULT).exists()
    result = read_result(folder) if finished else {}
    source = folder / (RESULT if finished else CONFIG)
    config = _part(result, "config", dict, source) if finished else _read_config(source)
    if not all(isinstance(config.get(key), str) for key in ("arch", "mode")):
        raise InputError(
            f"{source} names no arch and mode: give the folder of a training run, as `pwlact cifar` writes"
        )
    activations = read_activations(folder) if (folder / ACTIVATIONS).exists() else None
    inputs = read_inputs(folder) if (folder / INPUTS).exists() else None
    if activations:
        _check_axis(activations.knots, folder / ACTIVATIONS)
    if inputs:
        _check_axis(inputs.edges, folder / INPUTS)
    return Run(
        name=folder.resolve().name,
        config={key: value for key, value in config.items() if key != "data"},
        data=_data(result if finished else config),
        history=_history(result, source) if finished else _read_metrics(folder / METRICS),
        result=result,
        activations=activations,
        inputs=inputs,
        fits=_fits(result, source) if finished else fit_last(activations),
    )


def fit_last(history: ActivationHistory | None) -> Fits:
    """Swish fit of each layer at its last epoch; of the mean function where each channel has its own."""
    fits: Fits = {}
    if history is None:
        return fits
    for name, film in history.layers.items():
        curve = np.asarray(film[-1], np.float64).reshape(-1, len(history.knots)).mean(axis=0)
        # without a fit: values that are not finite, or fewer than five knots
        with contextlib.suppress(InputError):
            fits[name] = fit_swish(history.knots, curve).to_dict()
    return fits


def finite(value: Any) -> float | None:
    """`value` if it is a finite number, or nothing."""
    good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return value if good else None


def _read_config(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise InputError(f"{path.parent} is no run folder: neither {RESULT} nor {CONFIG} is there")
    return _object(_text(path), path)


def _read_metrics(path: Path) -> list[dict[str, Any]]:
    """Records of an unfinished run; none before its first epoch is done."""
    lines = _text(path).splitlines() if path.exists() else []
    return [_object(line, path) for line in lines if line.strip()]


def _history(result: dict[str, Any], path: Path) -> list[dict[str, Any]]:
    history = _part(result, "history", list, path)
    if not all(isinstance(record, dict) for record in history):
        raise InputError(f"{path} is damaged: its history is no list of records")
    return history


def _data(stored: dict[str, Any]) -> dict[str, Any]:
    data = stored.get("data")
    return data if isinstance(data, dict) else {}


def _fits(result: dict[str, Any], path: Path) -> Fits:
    layers = _part(result, "layers", list, path)
    if not all(isinstance(fit, dict) and isinstance(fit.get("name"), str) for fit in layers):
        raise InputError(f"{path} is damaged: its layers are no list of Swish fits")
    return {fit["name"]: fit for fit in layers}


def _check_axis(points: np.ndarray, path: Path) -> None:
    if len(points) < 2 or not (np.isfinite(points).all() and (np.diff(points) > 0).all()):
        raise InputError(f"{path} is damaged: its axis is not at least two finite numbers, ascending")


def _part(result: dict[str, Any], key: str, kind: type, path: Path) -> Any:
    value = result.get(key)
    if not isinstance(value, kind):
        raise InputError(f"{path} is not the result of a training run: it lacks {key}; give a folder of `pwlact cifar`")
    return value


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is damaged: not text") from error


def _object(text: str, path: Path) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is damaged: not JSON") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} is damaged: not a JSON object")
    return content
