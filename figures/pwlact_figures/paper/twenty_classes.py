"""Figure 2: the activation that twenty classes call for, with its Swish fit."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from pwlact.experiments.unit import UnitConfig, run
from pwlact.swish import PARAMETERS, swish
from pwlact_figures.paper.figure import PaperFigure
from pwlact_figures.paper.records import lasting
from pwlact_figures.paper.results import Results
from pwlact_figures.style import BLUE, COLUMN_INCHES, VERMILION

CLASSES, SIGMA = 20, 1.0


def compute(_: Results) -> dict[str, Any]:
    """The exact optimum on 33 knots."""
    return lasting(run(UnitConfig(classes=CLASSES, sigma=SIGMA)))


def draw(data: dict[str, Any]) -> Figure:
    """f at its knots, and the Swish through them."""
    figure = Figure(figsize=(COLUMN_INCHES, 2.3))
    axes = figure.subplots()
    t, fit = np.array(data["knots"]), data["swish"]
    x = np.linspace(t[0], t[-1], 400)
    axes.plot(t, data["values"], "o-", color=BLUE, markersize=3, label=f"optimum, R = {data['reward']:.4f}")
    label = f"Swish: β = {fit['beta']:.2f}, x₀ = {fit['x0']:.2f}\nR² = {fit['r2']:.4f}"
    axes.plot(x, swish(x, *(fit[name] for name in PARAMETERS)), "--", color=VERMILION, label=label)
    axes.set(xlabel="input x (standard deviations)", ylabel="f(x)")
    axes.legend()
    return figure


FIGURE = PaperFigure(
    "2",
    "twenty-classes",
    f"The activation that {CLASSES} evenly spaced classes call for, and the Swish that it nearly is",
    compute,
    draw,
    (f"pwlact unit --classes {CLASSES} --sigma {SIGMA}",),
)
