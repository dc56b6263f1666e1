"""Which runs of `pwlact study` the figures show, and what they read of them."""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from pwlact.checks import InputError
from pwlact.swish import PARAMETERS
from pwlact_figures.paper.results import MissingResultError, Results
from pwlact_figures.style import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION

FOLDER = "networks"
ARCHS = {"resnet10": "ResNet-10", "vgg11": "VGG-11"}
"""Architectures of the paper and their names in print."""
LOOKS = {
    "relu": ("ReLU", BLACK),
    "silu": ("SiLU", ORANGE),
    "gelu": ("GELU", SKY),
    "derived": ("derived Swish", GREEN),
    "backprop": ("backprop", BLUE),
    "local": ("local", VERMILION),
    "local-channel": ("local, a channel", PURPLE),
    "local-half-rate": ("local, half rate", "0.2"),
    "local-twice-rate": ("local, twice rate", "0.35"),
    "local-moving": ("moving", "0.45"),
    "local-moving-half-rate": ("moving, half rate", "0.55"),
    "local-moving-twice-rate": ("moving, twice rate", "0.62"),
    "local-moving-smoother": ("moving, smoother", "0.7"),
    "local-moving-channel": ("moving, a channel", "0.77"),
}
"""Kinds of the study: name in print and colour."""
RESULT, FILM, INPUTS, INSPECTION = "result.json", "activations.npz", "inputs.npz", "inspect.json"
_NAME = re.compile(r"(?P<arch>[a-z0-9]+)-(?P<kind>[a-z-]+)-w(?P<width>\d+(\.\d+)?)-s(?P<seed>\d+)")


@dataclass(frozen=True)
class NetworkRun:
    """A run of the study.

    Attributes:
        arch: architecture, a key of `ARCHS`.
        kind: a key of `LOOKS`.
        width: factor on the channels of every layer.
        seed: its seed.
    """

    arch: str
    kind: str
    width: float
    seed: int

    @property
    def name(self) -> str:
        """Its folder within the results: networks/resnet10-local-w0.25-s0."""
        return f"{FOLDER}/{self.arch}-{self.kind}-w{self.width:g}-s{self.seed}"

    @property
    def command(self) -> str:
        """What makes it."""
        return study([self.arch], [self.kind], self.width, self.seed + 1)


def study(archs: Iterable[str], kinds: Iterable[str], width: float = 0.25, seeds: int = 3) -> str:
    """The command that makes runs."""
    what = f"--arch {','.join(archs)} --kinds {','.join(kinds)} --width {width:g} --seeds {seeds}"
    return f"pwlact study {what} --results figures/results/{FOLDER}"


def finished(results: Results, arch: str, needs: Sequence[str] = (RESULT,)) -> list[NetworkRun]:
    """The runs of an architecture that have all files `needs`: widest first, then in the order of `LOOKS`, by seed."""
    found = []
    for path in sorted(results.folder.glob(f"{FOLDER}/{arch}-*")):
        match = _NAME.fullmatch(path.name)
        if match and match["kind"] in LOOKS and all((path / name).is_file() for name in needs):
            run = NetworkRun(match["arch"], match["kind"], float(match["width"]), int(match["seed"]))
            # a folder whose name is not the study's own, such as -w0.250-, is none of its runs
            found += [run] if run.name.endswith(f"/{path.name}") else []
    return sorted(found, key=lambda run: (-run.width, list(LOOKS).index(run.kind), run.seed))


def widest(
    results: Results, arch: str, kinds: Sequence[str], needs: Sequence[str] = (RESULT,)
) -> dict[str, list[NetworkRun]]:
    """All seeds of each of `kinds`, at the greatest width at which each has a run with all files `needs`.

    Raises:
        MissingResultError: there is no such width.
    """
    runs = finished(results, arch, needs)
    for width in dict.fromkeys(run.width for run in runs):
        chosen = {kind: [run for run in runs if (run.kind, run.width) == (kind, width)] for kind in kinds}
        if all(chosen.values()):
            return chosen
    places = ", ".join(f"{arch}-{kind}-w*" for kind in kinds)
    raise MissingResultError(
        f"{results.folder / FOLDER} lacks {' and '.join(needs)} of {places}, all at one width: "
        f"`{study([arch], kinds, seeds=1)}` makes them"
    )


@contextmanager
def reading(results: Results, name: str, command: str) -> Iterator[None]:
    """Within, whatever a damaged result lacks is an error in one line.

    Yields:
        nothing.

    Raises:
        InputError: a key is missing or a value is of another kind.
    """
    try:
        yield
    except InputError:
        raise
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        what = f"{type(error).__name__}: {error}".splitlines()[0]
        raise InputError(f"{results.folder / name} is damaged ({what}); `{command}` makes it anew") from error


def number(value: Any) -> float | None:
    """A number of a record; None where it was not finite, which JSON cannot say.

    Raises:
        TypeError: it is no number.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"expected a number, got {value!r}")
    return float(value) if math.isfinite(value) else None


def numbers(values: Sequence[float | None]) -> np.ndarray:
    """Values of `number` for drawing, NaN where None."""
    return np.array([np.nan if value is None else value for value in values], dtype=float)


def known(value: Any) -> float:
    """A number of a record that must be finite.

    Raises:
        TypeError: it is none.
    """
    found = number(value)
    if found is None:
        raise TypeError(f"expected a finite number, got {value!r}")
    return found


def read_result(results: Results, run: NetworkRun) -> dict[str, Any]:
    """The result of a run, which must be of the run that its folder is named after.

    Raises:
        InputError: it is damaged, or another run's.
    """
    name = f"{run.name}/result"
    record = results.read(name, run.command)
    with reading(results, f"{name}.json", run.command):
        there = (record["arch"], record["seed"], record["config"]["width"])
        if there != (run.arch, run.seed, run.width):
            raise InputError(f"{results.folder / name}.json is of another run: arch, seed and width {there}")
    return record


def read_fits(results: Results, run: NetworkRun) -> dict[str, dict[str, Any]]:
    """Swish fit of every layer of a run, by name: beta, x0, scale, offset, r2, error (of beta), at_bound, open.

    `open` says that beta is not determined: a parameter sits at a bound, or beta's error is half of it or more.

    Raises:
        InputError: the result is damaged.
    """
    record = read_result(results, run)
    with reading(results, f"{run.name}/result.json", run.command):
        fits = {layer["name"]: _fit(layer) for layer in record["layers"]}
        if not fits:
            raise KeyError("layers")
    return fits


def _fit(layer: dict[str, Any]) -> dict[str, Any]:
    return {
        **{name: number(layer[name]) for name in (*PARAMETERS, "r2")},
        "error": number(layer["stderr"]["beta"]),
        "at_bound": [str(name) for name in layer.get("at_bound", ())],
        "open": bool(layer["caveat"]),
    }


def read_film(results: Results, run: NetworkRun) -> tuple[list[float], dict[str, list[list[float]]]]:
    """Knots, and the values there of every layer at every epoch; where each channel has its function, their mean.

    Raises:
        MissingResultError: the run has no film.
        InputError: it is damaged, or its layers are not those of the result.
    """
    history = results.activations(run.name, run.command)
    if list(history.layers) != list(read_fits(results, run)):
        raise InputError(
            f"{results.folder / run.name}: {FILM} and {RESULT} hold different layers; `{run.command}` makes both anew"
        )
    knots = len(history.knots)
    films = {
        name: [values.reshape(-1, knots).mean(axis=0).tolist() for values in film]
        for name, film in history.layers.items()
    }
    return history.knots.tolist(), films


def read_inspection(results: Results, run: NetworkRun, part: str) -> dict[str, Any]:
    """One part of the inspection of a run: gaussianity, gradients or baking.

    Raises:
        InputError: it is damaged, or without that part.
    """
    name = f"{run.name}/inspect"
    record = results.read(name, run.command)
    with reading(results, f"{name}.json", run.command):
        found = record[part]
        if not isinstance(found, dict):
            raise TypeError(f"{part} is {found!r}")
    return found


def training_images(record: dict[str, Any]) -> int:
    """Number of images that a run was trained on."""
    left = record["data"]["train"] - record["val"]["n"]
    limit = record["config"].get("limit")
    return int(left if limit is None else min(limit, left))


def seeds_text(seeds: Sequence[int]) -> str:
    """In words: seed 0; seeds 0, 1 and 2."""
    names = [str(seed) for seed in seeds]
    if len(names) == 1:
        return f"seed {names[0]}"
    return f"seeds {', '.join(names[:-1])} and {names[-1]}"


def r2_text(value: float | None) -> str:
    """R^2 to three digits, never rounded up to a perfect 1."""
    if value is None:
        return "R² undefined"
    return f"R² {value:.3f}" if value < 0.9995 else "R² > 0.999"
