"""Pictures of `pwlact redundancy`: learnt cuts in the plane, and redundancy of every activation with its spread."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from pwlact.experiments.redundancy.planar import REACH
from pwlact.experiments.redundancy.toy import points_of
from pwlact.redundancy import cut_disagreement, smaller_side
from pwlact_figures.style import BLUE, GREEN, ORANGE, PALETTE, VERMILION, save, style

_COLUMNS = 6
_SHADES = ("0.35", "0.6", "0.82")
# a cut is another's duplicate up to this share of the points; as in `duplicate_cuts`
_TOLERANCE = 0.02

_PANELS = {
    "accuracy": "accuracy (%)",
    "distinct": "distinct outputs (%)",
    "duplicate_units": "duplicates of live (%)",
    "duplicate_cuts": "duplicate cuts (%)",
    "dead": "dead outputs (%)",
    "effective_rank": "effective rank (%)",
    "largest_share": "largest gradient (%)",
}
Row = dict[str, Any]


def draw_toy(record: dict[str, Any], folder: Path) -> list[Path]:
    """Draw cuts-SHAPE.png for each shape and redundancy.png into `folder`.

    Args:
        record: of `pwlact.experiments.redundancy.toy.run`.
        folder: where the pictures go.

    Returns:
        the files written.

    Raises:
        OSError: a picture cannot be written.
    """
    config = record["config"]
    units = sorted(config["units"])[len(config["units"]) // 2]
    written = []
    for shape in config["data"]:
        rows = [row for row in record["rows"] if (row["data"], row["units"]) == (shape, units)]
        written.append(folder / f"cuts-{shape}.png")
        draw_cuts(rows, shape, config["points"], written[-1])
    numbers = ", ".join(str(count) for count in config["units"])
    title = f"{', '.join(config['data'])}; {numbers} units; one dot a seed, n = {config['tuning']['seeds']}"
    written.append(folder / "redundancy.png")
    draw_spread(record["overall"], title, written[-1])
    return written


def draw_mlp(record: dict[str, Any], folder: Path) -> list[Path]:
    """Draw redundancy.png and depth.png into `folder`.

    Args:
        record: of `pwlact.experiments.redundancy.mlp.run`.
        folder: where the pictures go.

    Returns:
        the files written.

    Raises:
        OSError: a picture cannot be written.
    """
    config = record["config"]
    depths = ", ".join(str(depth) for depth in config["depths"])
    title = f"{config['data']}, {depths} hidden layers of {config['units']}; one dot a seed, n = {config['seeds']}"
    written = [folder / "redundancy.png", folder / "depth.png"]
    draw_spread(record["overall"], title, written[0])
    draw_lines(record["rows"], "depth", "hidden layers", lambda row: row["activation"], written[1])
    return written


def draw_groups(record: dict[str, Any], folder: Path) -> list[Path]:
    """Draw groups.png into `folder`.

    Args:
        record: of `pwlact.experiments.redundancy.groups.run`.
        folder: where the picture goes.

    Returns:
        the file written.

    Raises:
        OSError: it cannot be written.
    """
    path = folder / "groups.png"
    lines = [{**line, "trained": line} for line in record["overall"]]
    draw_lines(lines, "size", "units in a group", lambda row: row["kind"], path)
    return [path]


def draw_cuts(rows: Sequence[Row], shape: str, points: int, path: Path) -> None:
    """One panel an activation: the first seed's training points and the lines that its units cut them with, to `path`.

    Lines that leave less than 2 % of the points on one side are left out; of lines that cut alike, all but one are in
    another colour.
    """
    x, y = (part[0] for part in points_of(shape, points, 1, "train"))
    columns = min(_COLUMNS, len(rows))
    height = -(-len(rows) // columns)
    with style():
        figure = Figure(figsize=(1.35 * columns + 0.1, 1.5 * height + 0.55))
        grid = list(figure.subplots(height, columns, squeeze=False).flat)
        for axes in grid[len(rows) :]:
            axes.set_visible(False)
        for axes, row in zip(grid, rows, strict=False):
            _points(axes, x, y)
            _cuts(axes, row["lines"], x)
            accuracy = row["accuracy"]["values"][0]
            shown = "diverged" if accuracy is None else f"{100 * accuracy:.1f} %"
            axes.set_title(f"{row['activation']}\n{shown}", fontsize=6.5, pad=3, parse_math=False)
        handles = [
            Line2D([], [], color=colour, linewidth=1.2, label=label)
            for colour, label in ((BLUE, "cut"), (VERMILION, "cuts as another does"))
        ]
        units = rows[0]["units"] if rows else 0
        figure.suptitle(f"{shape}, {units} hidden units, first seed, accuracy on fresh points", fontsize=9)
        figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=7)
        save(figure, path)


def _points(axes: Axes, x: torch.Tensor, y: torch.Tensor) -> None:
    for label in range(int(y.max()) + 1):
        own = x[y == label]
        axes.plot(own[:, 0], own[:, 1], ".", color=_SHADES[label % len(_SHADES)], markersize=2.2, zorder=1)
    axes.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH), xticks=[], yticks=[], aspect="equal")
    axes.grid(False)


def _cuts(axes: Axes, lines: Sequence[Sequence[float]], x: torch.Tensor) -> None:
    given = torch.tensor(lines, dtype=torch.float64)
    z = x.double() @ given[:, :2].T + given[:, 2]
    cutting = smaller_side(z) >= _TOLERANCE
    alike = cut_disagreement(z) <= _TOLERANCE
    for unit, (w1, w2, b) in enumerate(lines):
        if not bool(cutting[unit]):
            continue
        again = bool((alike[unit, :unit] & cutting[:unit]).any())
        foot = (-b * w1, -b * w2)
        axes.axline(
            foot,
            (foot[0] - w2, foot[1] + w1),
            color=VERMILION if again else BLUE,
            linewidth=0.7,
            alpha=0.9,
            zorder=3 if again else 2,
        )


def draw_spread(lines: Sequence[Row], title: str, path: Path) -> None:
    """Dots of all seeds, mean and untrained mean of every activation, a panel a measure, to `path`.

    Distinct are outputs that are neither dead nor duplicates; activations are in the order of these, most on top.
    """
    ordered = sorted(lines, key=lambda line: _or(line["distinct"]["mean"], -1.0))
    places = np.arange(len(ordered))
    with style():
        figure = Figure(figsize=(1.15 * len(_PANELS) + 1.4, 0.165 * len(ordered) + 1.25))
        panels = figure.subplots(1, len(_PANELS), sharey=True)
        for axes, (measure, label) in zip(panels, _PANELS.items(), strict=True):
            _spread_panel(axes, ordered, places, measure)
            axes.set_xlabel(label, fontsize=7)
        panels[0].set_yticks(places, [line["activation"] for line in ordered], fontsize=7, parse_math=False)
        panels[0].set_ylim(-0.7, len(ordered) - 0.3)
        handles = [
            Line2D([], [], color=BLUE, marker=".", linestyle="", alpha=0.4, label="a seed"),
            Line2D([], [], color=BLUE, marker="|", linestyle="", markersize=8, label="mean"),
            Line2D([], [], color=ORANGE, marker="x", linestyle="", markersize=4, label="mean before training"),
        ]
        figure.suptitle(title, fontsize=9, parse_math=False)
        figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=7)
        save(figure, path)


def _spread_panel(axes: Axes, lines: Sequence[Row], places: np.ndarray, measure: str) -> None:
    for place, line in zip(places, lines, strict=True):
        values = _percent(line[measure]["values"])
        axes.plot(values, np.full(len(values), place), ".", color=BLUE, alpha=0.35, markersize=4, markeredgewidth=0)
        axes.plot(_percent([line[measure]["mean"]]), [place], "|", color=BLUE, markersize=8, markeredgewidth=1.4)
        before = line["untrained"].get(measure)
        if before is not None:
            axes.plot(_percent([before["mean"]]), [place], "x", color=ORANGE, markersize=3.5, markeredgewidth=1)
    if measure == "accuracy":
        _cut_off(axes, _percent([line[measure]["mean"] for line in lines]), places)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.tick_params(axis="y", length=0)


def _cut_off(axes: Axes, means: np.ndarray, places: np.ndarray) -> None:
    """Leave out what is ten points or more below the middle, with its number, so that the others can be told apart."""
    seen = means[np.isfinite(means)]
    least = np.median(seen) - 10 if len(seen) else 0.0
    if not (seen < least).any():
        return
    axes.set_xlim(left=least)
    for mean, place in zip(means, places, strict=True):
        if mean < least:
            axes.text(least, place, f" \N{LEFTWARDS ARROW} {mean:.0f}", va="center", fontsize=6.5, color=BLUE)


def draw_lines(rows: Sequence[Row], along: str, label: str, name: Callable[[Row], str], path: Path) -> None:
    """Accuracy and three measures of redundancy over a number, one line a name, bars of one standard deviation.

    A name with a single place on the axis is drawn as a level across it.
    """
    measures = {key: _PANELS[key] for key in ("accuracy", "duplicate_units", "dead", "effective_rank")}
    names = list(dict.fromkeys(name(row) for row in rows))
    with style():
        figure = Figure(figsize=(8.2, 2.3 + 0.13 * -(-len(names) // 5)))
        panels = figure.subplots(1, len(measures))
        for axes, (measure, title) in zip(panels, measures.items(), strict=True):
            for number, each in enumerate(names):
                own = sorted((row for row in rows if name(row) == each), key=lambda row: row[along])
                _line(axes, own, along, measure, number, each)
            axes.set(xlabel=label, ylabel=title)
            if along == "size":
                axes.set_xscale("log", base=2)
                axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
            else:
                axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=5, fontsize=6.5)
        save(figure, path)


def _line(axes: Axes, rows: Sequence[Row], along: str, measure: str, number: int, name: str) -> None:
    stats = [row["accuracy"] if measure == "accuracy" else row["trained"][measure] for row in rows]
    mean, sd = (_percent([stat[key] for stat in stats]) for key in ("mean", "sd"))
    colour, mark = PALETTE[number % len(PALETTE)], ("-", "--", ":", "-.")[number // len(PALETTE) % 4]
    if len(rows) == 1 and along == "size":
        axes.axhline(mean[0], color=GREEN, linestyle="--", linewidth=1, label=name)
        return
    # a little apart, so that bars do not hide each other
    places = np.array([row[along] for row in rows], dtype=float) * (1 + 0.012 * (number % 5 - 2))
    axes.errorbar(
        places, mean, np.nan_to_num(sd), fmt=mark, color=colour, linewidth=1, elinewidth=0.6, marker=".", label=name
    )


def _percent(values: Sequence[float | None]) -> np.ndarray:
    return 100 * np.array([np.nan if value is None else value for value in values], dtype=float)


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value
