"""Figure s2: how many knots it takes."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from pwlact.experiments.knots_study import KnotsConfig, run
from pwlact_figures.paper.figure import PaperFigure
from pwlact_figures.paper.panels import legend_inside
from pwlact_figures.paper.records import lasting
from pwlact_figures.paper.results import Results
from pwlact_figures.style import BLACK, BLUE, COLUMN_INCHES, VERMILION

CLASSES, SIGMA = 20, 1.0
GRIDS = ((-3.0, 3.0), (-8.0, 8.0))
DEFAULT = 33


def compute(_: Results) -> dict[str, Any]:
    """The reward on ever finer knots over that of the best of all functions, on a short and on a long interval."""
    studies = [lasting(run(KnotsConfig(classes=CLASSES, sigma=SIGMA, low=low, high=high))) for low, high in GRIDS]
    at_default = next(row for row in studies[0]["rows"] if row["knots"] == DEFAULT)
    return {"optimum": studies[0]["optimum"], "default": at_default, "studies": studies, "order": _order(studies[1])}


def _order(study: dict[str, Any]) -> float:
    """Power of the spacing with which the shortfall goes to 0, over the two finest grids."""
    coarse, fine = study["rows"][-2:]
    fall = np.log((1 - coarse["ratio"]) / (1 - fine["ratio"]))
    return float(fall / np.log(coarse["spacing"] / fine["spacing"]))


def draw(data: dict[str, Any]) -> Figure:
    """Shortfall over the number of knots."""
    figure = Figure(figsize=(COLUMN_INCHES, 2.4))
    axes = figure.subplots()
    counts = [row["knots"] for row in data["studies"][0]["rows"]]
    for study, look in zip(data["studies"], (("o-", BLUE), ("s--", VERMILION)), strict=True):
        low, high = study["config"]["low"], study["config"]["high"]
        shortfall = [1 - row["ratio"] for row in study["rows"]]
        axes.plot(counts, shortfall, look[0], color=look[1], markersize=3.5, label=f"knots on [−{-low:g}, {high:g}]")
    default = data["default"]
    axes.plot(default["knots"], 1 - default["ratio"], "o", color="none", markeredgecolor=BLACK, markersize=8,
              label=f"{default['knots']} knots: {100 * default['ratio']:.2f} %")  # fmt: skip
    axes.set(xscale="log", yscale="log", xlabel="number of knots", ylabel="shortfall 1 − R / R(f*)")
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.minorticks_off()
    legend_inside(axes, "lower left")
    return figure


FIGURE = PaperFigure(
    "s2",
    "knots-study",
    "Reward of 5 to 129 knots against that of the best of all functions",
    compute,
    draw,
    tuple(f"pwlact theory knots --low {low:g} --high {high:g}" for low, high in GRIDS),
)
