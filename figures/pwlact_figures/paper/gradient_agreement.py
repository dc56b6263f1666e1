"""Figure S7: cosines between the correlation objective's gradient and the cross-entropy's, by layer and epoch."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from pwlact_figures.paper import network_runs as runs
from pwlact_figures.paper.figure import PaperFigure
from pwlact_figures.paper.panels import title_panel
from pwlact_figures.paper.results import MissingResultError, Results
from pwlact_figures.style import BLACK, BLUE, GREEN, ORANGE, PAGE_INCHES

KINDS = ("local", "backprop")
ESTIMATORS = {"sample": ("J from samples", BLUE, "o"), "gaussian": ("J from normal densities", ORANGE, "s")}
# diverging, and told apart also by readers who do not see red and green
_COSINES = "RdBu_r"
_CHANCE = "0.85"


def compute(results: Results) -> dict[str, Any]:
    """Cosines, shift and scale out, of the widest inspected runs; VGG-11's where they are there."""
    rows = []
    for arch in runs.ARCHS:
        try:
            chosen = runs.widest(results, arch, KINDS, (runs.RESULT, runs.INSPECTION))
        except MissingResultError:
            if not rows:
                raise
            continue
        rows += [_row(results, chosen[kind][0]) for kind in KINDS]
    return {"rows": rows}


def _row(results: Results, run: runs.NetworkRun) -> dict[str, Any]:
    part = runs.read_inspection(results, run, "gradients")
    with runs.reading(results, f"{run.name}/{runs.INSPECTION}", run.command):
        epochs = [int(epoch) for epoch in part["epochs"]]
        tables = {name: _table(part, epochs, name) for name in (*ESTIMATORS, "ceiling", "chance")}
        row = {
            "arch": runs.ARCHS[run.arch], "kind": run.kind, "width": run.width, "seed": run.seed, "n": int(part["n"]),
            "epochs": epochs, "layers": [str(layer["name"]) for layer in part["layers"]],
        }  # fmt: skip
    summary = {
        name: _summary(np.array(table, float), np.array(tables["chance"], float)) for name, table in tables.items()
    }
    return {**row, "cosines": tables, "summary": summary}


def _table(part: dict[str, Any], epochs: list[int], name: str) -> list[list[float | None]]:
    """Cosines, a row a layer and a column an epoch."""
    for layer in part["layers"]:
        if [row["epoch"] for row in layer["epochs"]] != epochs:
            raise ValueError(f"{layer['name']} has other epochs than {epochs}")
    return [[runs.number(row[name]["projected"]) for row in layer["epochs"]] for layer in part["layers"]]


def _summary(table: np.ndarray, chance: np.ndarray) -> dict[str, Any]:
    """Means over layers and epochs, and how often |cos| is above what shuffled labels give."""
    both = np.isfinite(table) & np.isfinite(chance)
    return {
        "mean": _mean(table),
        "mean_size": _mean(np.abs(table)),
        "beyond_chance": _mean((np.abs(table) > chance)[both]),
        "by_layer": [_mean(layer) for layer in table],
    }


def _mean(values: np.ndarray) -> float | None:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else None


def draw(data: dict[str, Any]) -> Figure:
    """A row a run: a map of the cosines with either estimator, and their means over the epochs by layer."""
    rows = data["rows"]
    figure = Figure(figsize=(PAGE_INCHES, 1.6 * len(rows) + 0.9))
    above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=(1.6 * len(rows) + 0.25, 0.65))[:, 0]
    grid = above.subplots(len(rows), 3, squeeze=False, width_ratios=(1, 1, 1.25))
    letters, maps = iter("abcdefghijklmnopqrstuvwxyz"), []
    for panels, row in zip(grid, rows, strict=True):
        for axes, (name, (label, _, _)) in zip(panels, ESTIMATORS.items(), strict=False):
            maps.append(_map(axes, row, name))
            title_panel(axes, next(letters), label)
        _means(panels[2], row)
        title_panel(panels[2], next(letters), f"means over epochs, n = {row['n']:,} images")
        name = f"{row['arch']}, {runs.LOOKS[row['kind']][0]}"
        panels[0].set_ylabel(f"{name}\nwidth {row['width']:g}, seed {row['seed']}\nlayer", fontsize=7)
    for axes, label in zip(grid[-1], ("epoch", "epoch", "cosine"), strict=True):
        axes.set_xlabel(label)
    bar_place, legend_place = below.subplots(1, 2, width_ratios=(2, 1.4))
    bar = figure.colorbar(maps[0], cax=bar_place, orientation="horizontal", ticks=(-1, -0.5, 0, 0.5, 1))
    bar.set_label("cosine (dot: in size no more than with shuffled labels)", fontsize=7)
    legend_place.axis("off")
    legend_place.legend(handles=_handles(), fontsize=6.5, loc="center", ncols=2, columnspacing=1, handletextpad=0.4)
    return figure


def _map(axes: Axes, row: dict[str, Any], name: str) -> Any:
    """Cosines by layer and epoch; cells that are no better than chance carry a dot."""
    table, chance = (np.array(row["cosines"][key], float) for key in (name, "chance"))
    shown = axes.imshow(table, cmap=_COSINES, vmin=-1, vmax=1, aspect="auto", interpolation="nearest")
    layers, epochs = np.nonzero(np.abs(table) <= chance)
    axes.plot(epochs, layers, ".", color="0.25", markersize=2.5)
    axes.set_xticks(range(len(row["epochs"])), [str(epoch) for epoch in row["epochs"]])
    _layers(axes, row)
    axes.grid(visible=False)
    return shown


def _means(axes: Axes, row: dict[str, Any]) -> None:
    summary, places = row["summary"], np.arange(len(row["layers"]))
    chance = runs.numbers(summary["chance"]["by_layer"])
    axes.barh(places, 2 * chance, 0.8, left=-chance, color=_CHANCE)
    axes.axvline(0, color=BLACK, linewidth=0.5)
    for name, (_, colour, mark) in ESTIMATORS.items():
        axes.plot(runs.numbers(summary[name]["by_layer"]), places, mark, color=colour, markersize=3)
    axes.plot(runs.numbers(summary["ceiling"]["by_layer"]), places, "^", color=GREEN, markersize=3)
    axes.set(xlim=(-1, 1), ylim=(len(places) - 0.5, -0.5))
    _layers(axes, row)


def _layers(axes: Axes, row: dict[str, Any]) -> None:
    axes.set_yticks(range(len(row["layers"])), [name.removeprefix("layer") for name in row["layers"]])


def _handles() -> list[Any]:
    look: dict[str, Any] = {"linestyle": "none", "markersize": 3}
    marks = [
        Line2D([], [], marker=mark, color=colour, label=label, **look) for label, colour, mark in ESTIMATORS.values()
    ]
    halves = Line2D([], [], marker="^", color=GREEN, label="halves of the images", **look)
    return [*marks, halves, Patch(color=_CHANCE, label="± labels shuffled, an epoch")]


FIGURE = PaperFigure(
    "s7",
    "gradient-agreement",
    "The correlation objective's gradient against the cross-entropy's, by layer and epoch",
    compute,
    draw,
    ("pwlact inspect RUN --part gradients",),
)
