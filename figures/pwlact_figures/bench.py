"""Picture of `pwlact bench activation`: forward and backward time against GELU's, and memory kept for backward."""

from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from pwlact_figures.style import BLACK, BLUE, ORANGE, SKY, VERMILION, save, style

# forward, backward
COLOURS = {"ours": (BLUE, SKY), "baseline": ("0.45", "0.75"), "peer": (VERMILION, ORANGE)}
_MEANING = {"ours": "pwlact", "baseline": "PyTorch", "peer": "other packages"}
# as many as the axis has room for
_FINE, _COARSE = (0.2, 0.5, 1, 2, 5, 10, 20, 50), (0.1, 1, 10, 100, 1000, 10000)
# panels a row of the picture
_MOST_PANELS = 5
_BAR = 0.36

Rows = dict[str, dict[str, Any]]


def draw(record: dict[str, Any], path: Path) -> None:
    """Draw the result of `pwlact.experiments.bench_activation.run` to `path` (PNG, PDF or SVG).

    A panel a shape: bars from GELU's time to each one's, the upper forward, the lower backward; the dot with its
    number is both together, the line through it the quartiles over the rounds.

    Raises:
        OSError: it cannot be written.
    """
    names = list(dict.fromkeys(row["name"] for row in record["rows"]))
    shapes = list(dict.fromkeys(tuple(row["shape"]) for row in record["rows"]))
    columns = min(_MOST_PANELS, len(shapes))
    lines = -(-len(shapes) // columns)
    with style():
        panel = max(1.75, 3.5 / columns)
        figure = Figure(figsize=(1.4 + panel * columns + 1.3, lines * (0.27 * len(names) + 0.65) + 1.1))
        widths = [*[panel] * columns, 1.3]
        grid = figure.subplots(lines, columns + 1, squeeze=False, sharey=True, width_ratios=widths)
        for axes in grid.flat:
            axes.set_visible(False)
        for place, shape in enumerate(shapes):
            rows = {row["name"]: row for row in record["rows"] if tuple(row["shape"]) == shape}
            _times(grid[place // columns, place % columns], names, rows, shape)
        limits = _common_limits(record["rows"])
        for place in range(len(shapes)):
            axes = grid[place // columns, place % columns]
            axes.set_xlim(*limits)
            _ticks(axes)
        _kept(grid[0, -1], names, record["rows"])
        for line in grid:
            _names(line[0], names, record["rows"])
        _legend(figure, record)
        figure.suptitle(_title(record), fontsize=9)
        save(figure, path)


def _times(axes: Axes, names: list[str], rows: Rows, shape: tuple[int, ...]) -> None:
    axes.set_visible(True)
    axes.set_xscale("log")
    axes.axvline(1, color=BLACK, linewidth=0.8, zorder=3)
    for y, name in enumerate(names):
        if name in rows:
            _pair(axes, y, rows[name])
        else:
            axes.text(1.08, y, "not run", fontsize=6, color="0.5", va="center")
    axes.set_title(" × ".join(map(str, shape)), fontsize=7.5)
    axes.set_xlabel("time / GELU's")
    _plain(axes)


def _pair(axes: Axes, y: int, row: dict[str, Any]) -> None:
    ratios = {part: row[f"{part}_vs_gelu"] for part in ("forward", "backward")}
    for ratio, shift, colour in zip(ratios.values(), (-0.5, 0.5), COLOURS[row["kind"]], strict=True):
        axes.barh(y + shift * _BAR, ratio - 1, _BAR, left=1, color=colour, zorder=2)
    axes.plot(row["spread"], [y, y], color=BLACK, linewidth=1, zorder=4, solid_capstyle="butt")
    axes.plot(row["vs_gelu"], y, "o", color=BLACK, markersize=2.6, zorder=5)
    end = max(1.0, row["spread"][1], *ratios.values())
    _number(axes, end, y, _ratio(row["vs_gelu"]), row["kind"])


def _number(axes: Axes, x: float, y: int, text: str, kind: str) -> None:
    weight = "bold" if kind == "ours" else "normal"
    axes.annotate(
        text, (x, y), (3, 0), textcoords="offset points", va="center", fontsize=6.5, fontweight=weight, zorder=5
    )


def _plain(axes: Axes) -> None:
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)


def _common_limits(rows: list[dict[str, Any]]) -> tuple[float, float]:
    """From the fastest to the slowest, with room on the right for the numbers."""
    ratios = [row[key] for row in rows for key in ("forward_vs_gelu", "backward_vs_gelu")]
    low = min(0.8, *ratios, *(row["spread"][0] for row in rows)) / 1.1
    high = max(2.0, *ratios, *(row["spread"][1] for row in rows))
    return low, high * (high / low) ** 0.25


def _kept(axes: Axes, names: list[str], rows: list[dict[str, Any]]) -> None:
    """Multiples of x kept for backward, on the largest shape that each ran on."""
    axes.set_visible(True)
    largest = {row["name"]: row for row in sorted(rows, key=lambda row: row["x_bytes"])}
    shares = {name: row["saved_bytes"] / row["x_bytes"] for name, row in largest.items()}
    for y, name in enumerate(names):
        kind = largest[name]["kind"]
        axes.barh(y, shares[name], 2 * _BAR, color=COLOURS[kind][0], zorder=2)
        _number(axes, shares[name], y, _share(shares[name]), kind)
    # linear up to 1 x, and logarithmic beyond: nothing, the output and a hundred intermediates are all seen
    axes.set_xscale("symlog", linthresh=1)
    axes.axvline(0, color=BLACK, linewidth=0.8, zorder=3)
    axes.set_xlim(0, 3 * max(1.0, *shares.values()) ** 1.1)
    axes.set_title("kept for backward", fontsize=7.5)
    axes.set_xlabel("sizes of x, beyond x")
    axes.xaxis.set_major_locator(FixedLocator([0, *(tick for tick in _COARSE if 1 <= tick <= max(shares.values()))]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda tick, _: f"{tick:g}"))
    _plain(axes)


def _names(axes: Axes, names: list[str], rows: list[dict[str, Any]]) -> None:
    """Names of the rows beside the first panel; ours stand out."""
    ours = {row["name"] for row in rows if row["kind"] == "ours"}
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    for shared in axes.get_shared_y_axes().get_siblings(axes):
        shared.tick_params(axis="y", length=0)
    for name, label in zip(names, axes.get_yticklabels(), strict=True):
        label.set_fontweight("bold" if name in ours else "normal")


def _legend(figure: Figure, record: dict[str, Any]) -> None:
    kinds = [kind for kind in COLOURS if any(row["kind"] == kind for row in record["rows"])]
    handles = [
        Patch(color=colour, label=f"{_MEANING[kind]}, {part}")
        for kind in kinds
        for part, colour in zip(("forward", "backward"), COLOURS[kind], strict=True)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(kinds), fontsize=7)


def _title(record: dict[str, Any]) -> str:
    where = f"{record['environment']['device']}, {_many(record['threads'], 'thread')}"
    return (
        f"{record['dtype']}, {record['layout']}, {where}, {_many(record['repeats'], 'round')}\n"
        "dot and number: forward + backward, line: quartiles"
    )


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _ratio(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"


def _share(value: float) -> str:
    """0 for what is only a table of knot values."""
    return "0" if value < 0.005 else f"{value:.3g}"


def _ticks(axes: Axes) -> None:
    low, high = axes.get_xlim()
    ticks = _FINE if high / low < 100 else _COARSE
    axes.xaxis.set_major_locator(FixedLocator([tick for tick in ticks if low <= tick <= high / 1.5]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda tick, _: f"{tick:g}"))
