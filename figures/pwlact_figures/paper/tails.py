"""Figure s5: decay and wave number of the tail, measured against the dispersion relation."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pwlact.experiments.tails import run
from pwlact_figures.paper.figure import PaperFigure
from pwlact_figures.paper.panels import title_panel
from pwlact_figures.paper.records import lasting
from pwlact_figures.paper.results import Results
from pwlact_figures.style import BLACK, BLUE, ORANGE, PAGE_INCHES, VERMILION

_QUOTED = ("b_excess", "a_excess", "tail_r2", "exponential_r2", "ramp_r2")


def compute(_: Results) -> dict[str, Any]:
    """Rows of `pwlact theory tails`, and by how much the measured rates differ from the predicted ones."""
    record = lasting(run())
    rows = [
        {**row, "b_excess": row["b"] / row["b_predicted"] - 1, "a_excess": row["a"] / row["a_predicted"] - 1}
        for row in record["rows"]
    ]
    return {**record, "rows": rows, "ranges": {name: _range(rows, name) for name in _QUOTED}}


def _range(rows: list[dict[str, Any]], name: str) -> list[float]:
    values = [row[name] for row in rows if row[name] is not None]
    return [min(values), max(values)]


def draw(data: dict[str, Any]) -> Figure:
    """Measured and predicted decay and wave number of each setting, and what is left of rho by each curve."""
    figure = Figure(figsize=(PAGE_INCHES, 2.8))
    decay, wave, rest = figure.subplots(1, 3)
    rows = data["rows"]
    for axes, name, letter, what in ((decay, "b", "a", "decay b"), (wave, "a", "b", "wave number a")):
        _rates(axes, rows, name)
        title_panel(axes, letter, f"{what}: {_percent(data['ranges'][f'{name}_excess'])}")
    _unexplained(rest, rows)
    title_panel(rest, "c", "what the curves leave of ρ")
    for axes in (decay, wave, rest):
        labels = [f"{row['classes']}\n{row['sigma']:g}\n±{row['half_width']:g}" for row in rows]
        axes.set_xticks(range(len(rows)), labels)
        axes.set(xlim=(-0.5, len(rows) - 0.5), xlabel="K, σ, range of the means")
        axes.grid(visible=False, axis="x")
    handles = [handle for axes in (decay, rest) for handle in axes.get_legend_handles_labels()[0]]
    figure.legend(handles=handles, loc="outside lower center", ncols=5, fontsize=6.5)
    return figure


def _percent(ends: list[float]) -> str:
    low, high = (f"{100 * end:+.0f}".replace("-", "−") for end in ends)
    return f"{low} to {high} %"


def _rates(axes: Axes, rows: list[dict[str, Any]], name: str) -> None:
    """Rates times sigma, so that all settings have one scale."""
    for key, label, look in (
        (f"{name}_predicted", "predicted", {"marker": "_", "color": BLACK, "markersize": 13, "markeredgewidth": 1.4}),
        (name, "measured", {"marker": "o", "color": BLUE, "markersize": 4.5}),
    ):
        axes.plot([row[key] * row["sigma"] for row in rows], linestyle="", label=label, **look)
    axes.set(ylabel=f"{name} σ", ylim=(1.0, 1.5))


def _unexplained(axes: Axes, rows: list[dict[str, Any]]) -> None:
    kinds = {
        "exponential_r2": ("exponential", VERMILION, "s"),
        "tail_r2": ("× cosine", BLUE, "o"),
        "ramp_r2": ("ramp: line", ORANGE, "^"),
    }
    for name, (label, colour, marker) in kinds.items():
        left = [np.nan if row[name] is None else 1 - row[name] for row in rows]
        axes.plot(left, marker, color=colour, markersize=4.5, label=label)
    axes.set(yscale="log", ylabel="1 − R²")


FIGURE = PaperFigure(
    "s5",
    "tails",
    "Tails of ρ for dense classes: decay and wave number, measured against predicted",
    compute,
    draw,
    ("pwlact theory tails",),
)
