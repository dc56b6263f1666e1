"""Figure s3: spike, ramp and bowl."""

from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pwlact.experiments.regimes import run
from pwlact.experiments.unit import UnitConfig
from pwlact.experiments.unit import run as run_unit
from pwlact_figures.paper.figure import PaperFigure
from pwlact_figures.paper.panels import legend_inside, title_panel
from pwlact_figures.paper.records import lasting
from pwlact_figures.paper.results import Results
from pwlact_figures.style import BLACK, BLUE, GREEN, ORANGE, PAGE_INCHES, VERMILION

CLASSES, LOW, HIGH, COUNT = 20, 0.1, 10.0, 25
EXAMPLES = (0.1, 1.0, 10.0)
_KEPT = ("knots", "values", "rho", "means", "noise")
# beyond this many sigma from the outermost classes there is no input, and f is a mere continuation
_REACH = 4
_SHADES = {"spike": "#fbe3d4", "ramp": "#d9eaf5", "bowl": "#d8f0e6"}
_COLOURS = {"spike": VERMILION, "ramp": BLUE, "bowl": GREEN}


def compute(_: Results) -> dict[str, Any]:
    """What shape the optimum has over the noise, where that changes, and one example of each."""
    record = lasting(run(CLASSES, LOW, HIGH, COUNT))
    rows = record["rows"]
    changes = [
        {"from": a["regime"], "to": b["regime"], "sigma": float(np.sqrt(a["sigma"] * b["sigma"]))}
        for a, b in pairwise(rows)
        if a["regime"] != b["regime"]
    ]
    regime = {row["sigma"]: row["regime"] for row in run(CLASSES, EXAMPLES[0], EXAMPLES[-1], len(EXAMPLES))["rows"]}
    examples = []
    for sigma, name in regime.items():
        unit = run_unit(UnitConfig(classes=CLASSES, sigma=sigma))
        examples.append({"sigma": sigma, "regime": name, **{key: unit[key] for key in _KEPT}})
    return {**record, "changes": changes, "examples": examples}


def draw(data: dict[str, Any]) -> Figure:
    """An example of each regime, and what tells them apart, over the noise."""
    figure = Figure(figsize=(PAGE_INCHES, 2.4))
    shapes, measures = figure.subplots(1, 2, width_ratios=(1, 1.5))
    _examples(shapes, data["examples"])
    _measures(measures, data)
    return figure


def _examples(axes: Axes, examples: list[dict[str, Any]]) -> None:
    for example, dashes in zip(examples, ("-.", "-", "--"), strict=True):
        y = np.array(example["values"])
        label = f"{example['regime']}, σ = {example['sigma']:g}"
        x = np.array(example["knots"])
        seen = np.abs(x) <= max(example["means"]) + _REACH * max(example["noise"])
        axes.plot(
            x[seen], (y[seen] - y[seen].min()) / np.ptp(y[seen]), dashes, color=_COLOURS[example["regime"]], label=label
        )
    axes.set(xlabel="input x (standard deviations)", ylabel="f(x), scaled to [0, 1]", ylim=(-0.05, 1.45))
    axes.set_yticks((0, 0.5, 1))
    title_panel(axes, "a", f"optima of {CLASSES} classes")
    legend_inside(axes, "upper left")


def _measures(axes: Axes, data: dict[str, Any]) -> None:
    rows = data["rows"]
    sigmas = [row["sigma"] for row in rows]
    edges = [sigmas[0], *(change["sigma"] for change in data["changes"]), sigmas[-1]]
    names = [rows[0]["regime"], *(change["to"] for change in data["changes"])]
    for name, (low, high) in zip(names, pairwise(edges), strict=True):
        axes.axvspan(low, high, color=_SHADES[name], linewidth=0)
        axes.text(np.sqrt(low * high), 1.06, name, ha="center", fontsize=7, color=_COLOURS[name])
    lines = {
        "top_share": ("share of the top class", VERMILION, "-."),
        "left_end": ("height of the left end", GREEN, "--"),
        "swish_r2": ("R² of the Swish", BLACK, "-"),
        "ramp_r2": ("R² of a line through ρ > 0", ORANGE, ":"),
    }
    for name, (label, colour, dashes) in lines.items():
        values = [np.nan if row[name] is None else row[name] for row in rows]
        axes.plot(sigmas, values, dashes, color=colour, label=label)
    axes.set(xscale="log", xlim=(sigmas[0], sigmas[-1]), ylim=(-0.04, 1.15))
    axes.set(xlabel="noise σ (standard deviations of the class means)", ylabel="share")
    axes.set_yticks(np.linspace(0, 1, 6))
    axes.set_xticks((0.1, 1, 10), ("0.1", "1", "10"))
    title_panel(axes, "b", "what tells the regimes apart")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=6.5, handlelength=1.8)


FIGURE = PaperFigure(
    "s3",
    "regimes",
    f"From spike over ramp to bowl: the optimum of {CLASSES} classes over the noise",
    compute,
    draw,
    ("pwlact theory regimes",),
)
