"""Picture of `pwlact sweep`: beta, x0, R^2 and reward over noise and number of classes."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from pwlact_figures.style import COLUMN_INCHES, ORDERED, save, style

PANELS = {"beta": "sharpness β", "x0": "bend x₀", "r2": "R² of the Swish", "reward": "reward R"}
# of beta and x0 only: R^2 and reward are what they are
UNSURE = ("beta", "x0")
# up to this many numbers of classes are lines; more make a map
MOST_LINES = 6
_AT_BOUND, _VAGUE = "//////", "......"
_BOUND, _WITHIN = "β or x₀ at a bound", "β within 2 std. errors of 0"
_GREY, _HATCH_GREY = "0.88", "0.55"


def draw(record: dict[str, Any], path: Path) -> None:
    """Draw the result of `pwlact.experiments.sweep.run` to `path` (PNG, PDF or SVG).

    Raises:
        OSError: it cannot be written.
    """
    with style():
        save(figure(record), path)


def figure(record: dict[str, Any]) -> Figure:
    """The picture of such a result; called within the house style."""
    table = _Table(record["rows"])
    lines = len(table.classes) <= MOST_LINES
    picture = Figure(figsize=(COLUMN_INCHES, 3.7 if lines else 3.4))
    grid = picture.subplots(2, 2, sharex=True)
    for axes, name in zip(grid.flat, PANELS, strict=True):
        axes.set_title(PANELS[name], fontsize=7.5)
        axes.tick_params(labelsize=6)
        (_lines if lines else _map)(axes, table, name)
    _label_noise(grid[1], table.sigmas)
    _legend(picture, table, lines)
    return picture


class _Table:
    """The rows as arrays over (classes, sigmas), both ascending; NaN where there is no row or no number."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.classes = sorted({row["classes"] for row in rows})
        self.sigmas = np.array(sorted({row["sigma"] for row in rows}))
        self._place = {(row["classes"], row["sigma"]): row for row in rows}
        self.at_bound = self._each(lambda row: bool(row["at_bound"])) == 1
        self.vague = (self._each(lambda row: not row["identifiable"] and not row["degenerate"]) == 1) & ~self.at_bound
        self.degenerate = self._each(lambda row: row["degenerate"]) == 1

    def values(self, name: str) -> NDArray[np.float64]:
        """One quantity; beta and x0 are NaN where either sits on a bound, the reward where it is always 0."""
        values = self._each(lambda row: np.nan if row[name] is None or row["degenerate"] else row[name])
        return np.where(self.at_bound, np.nan, values) if name in UNSURE else values

    def _each(self, quantity: Any) -> NDArray[np.float64]:
        rows = ([self._place.get((k, sigma)) for sigma in self.sigmas] for k in self.classes)
        return np.array([[np.nan if row is None else float(quantity(row)) for row in line] for line in rows])


def _lines(axes: Axes, table: _Table, name: str) -> None:
    """One line a number of classes; dotted where beta is vague, absent where at a bound."""
    values = table.values(name)
    if not np.isfinite(values).any():
        axes.set_yticks([])
        axes.text(0.5, 0.5, "no value", ha="center", va="center", transform=axes.transAxes, fontsize=7)
    marker = "o" if len(table.sigmas) < 8 else None
    for line, vague, colour in zip(values, table.vague, _colours(table), strict=True):
        axes.plot(table.sigmas, line, ":" if name in UNSURE else "-", color=colour, marker=marker, markersize=2.5)
        if name in UNSURE:
            sure = np.where(vague, np.nan, line)
            axes.plot(table.sigmas, sure, "-", color=colour, marker=marker, markersize=2.5)
    axes.set_xscale("log")
    if name == "beta" and np.isfinite(values).any():
        axes.set_yscale("log")
        _plain_ticks(axes.yaxis)


def _map(axes: Axes, table: _Table, name: str) -> None:
    """Colour over (noise, classes), hatched where beta or x0 sits on a bound, dotted where beta is vague."""
    values = table.values(name)
    edges = _edges(table.sigmas)
    heights = np.arange(len(table.classes) + 1) - 0.5
    axes.set_facecolor(_GREY)
    axes.grid(visible=False)
    # the scale is that of the fits that mean something: a few vague ones far off would take all the colours
    sure = np.where(table.vague, np.nan, values) if name in UNSURE else values
    low, high = _limits(sure if np.isfinite(sure).any() else values)
    norm = LogNorm(low, high) if name == "beta" else Normalize(low, high)
    mesh = axes.pcolormesh(edges, heights, values, cmap=ORDERED, norm=norm, rasterized=True)
    if name in UNSURE:
        for where, hatch in ((table.at_bound, _AT_BOUND), (table.vague, _VAGUE)):
            cover = np.ma.masked_where(~where, np.zeros_like(values))
            cells = axes.pcolor(edges, heights, cover, hatch=hatch, edgecolor=_HATCH_GREY, linewidth=0)
            cells.set_facecolor("none")
    axes.set_xscale("log")
    step = -(-len(table.classes) // 6)
    axes.set_yticks(range(0, len(table.classes), step), [str(k) for k in table.classes[::step]])
    beyond = {(True, True): "both", (True, False): "min", (False, True): "max", (False, False): "neither"}
    below, above = np.nanmin(values, initial=np.inf) < low, np.nanmax(values, initial=-np.inf) > high
    bar = axes.figure.colorbar(mesh, ax=axes, pad=0.02, aspect=25, extend=beyond[bool(below), bool(above)])
    bar.ax.tick_params(labelsize=6, length=2)
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]: matplotlib's own stub takes it for a Spine map
    if name == "beta":
        _plain_ticks(bar.ax.yaxis)


def _limits(values: NDArray[np.float64]) -> tuple[float, float]:
    seen = values[np.isfinite(values)]
    if seen.size == 0:
        return 1.0, 2.0
    # the rarest 5 % may lie beyond: a few odd fits at the rim of the map would take all the colours
    low, high = (float(limit) for limit in np.percentile(seen, [2.5, 97.5]))
    # a single colour still needs a scale with two ends
    return low, max(high, low + 1e-2 * abs(low) + 1e-9)


def _edges(sigmas: NDArray[np.float64]) -> NDArray[np.float64]:
    """Limits of the cells around each level of noise, midway between neighbours on the log axis."""
    logs = np.log(sigmas)
    if len(logs) == 1:
        return np.exp([logs[0] - 0.1, logs[0] + 0.1])
    middle = (logs[1:] + logs[:-1]) / 2
    return np.exp(np.concatenate([[2 * logs[0] - middle[0]], middle, [2 * logs[-1] - middle[-1]]]))


def _colours(table: _Table) -> NDArray[np.float64]:
    return mpl.colormaps[ORDERED](np.linspace(0, 0.85, len(table.classes)))


def _plain_ticks(axis: Any) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _label_noise(bottom: Any, sigmas: NDArray[np.float64]) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

    wide = sigmas[-1] / sigmas[0] > 20
    for axes in bottom:
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        if not wide:
            axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel("noise \N{GREEK SMALL LETTER SIGMA}", fontsize=7.5)


def _legend(figure: Figure, table: _Table, lines: bool) -> None:
    """What the colours and the hatches mean, as far as they occur."""
    handles = _line_handles(table) if lines else _map_handles(table)
    if not lines:
        figure.supylabel("number of classes K", fontsize=7.5)
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=6.5, columnspacing=1.2)


def _line_handles(table: _Table) -> list[Any]:
    handles = [
        Line2D([], [], color=colour, label=f"K = {k}" + (" (R = 0 for every f)" if dead else ""))
        for k, colour, dead in zip(table.classes, _colours(table), table.degenerate.all(axis=1), strict=True)
    ]
    if table.vague.any():
        handles.append(Line2D([], [], color="0.3", linestyle=":", label=_WITHIN))
    if table.at_bound.any():
        handles.append(Line2D([], [], color="none", label=f"absent: {_BOUND}"))
    return handles


def _map_handles(table: _Table) -> list[Any]:
    kinds = (
        (table.at_bound, _AT_BOUND, _BOUND),
        (table.vague, _VAGUE, _WITHIN),
        (table.degenerate, "", "R = 0 for every f"),
    )
    return [
        Patch(facecolor=_GREY, edgecolor=_HATCH_GREY, hatch=hatch, label=label, linewidth=0)
        for where, hatch, label in kinds
        if where.any()
    ]
