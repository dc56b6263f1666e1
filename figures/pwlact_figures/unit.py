"""Picture of `pwlact unit`: f with its Swish fit, rho over the class means, evolution over the steps."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pwlact.swish import PARAMETERS, swish
from pwlact_figures.style import BLUE, ORDERED, VERMILION, save, style


def draw(record: dict[str, Any], path: Path) -> None:
    """Draw the result of `pwlact.experiments.unit.run` to `path` (PNG, PDF or SVG).

    Raises:
        OSError: it cannot be written.
    """
    with style():
        figure = Figure(figsize=(9.0, 2.8))
        left, middle, right = figure.subplots(1, 3)
        _activation(left, record)
        _correlations(middle, record)
        _evolution(right, record)
        figure.suptitle(
            f"{record['classes']} classes, σ = {record['sigma']:g}, {record['objective']} objective, "
            f"{record['solver']}: R = {record['reward']:.5g}",
            fontsize=9,
        )
        save(figure, path)


def _activation(axes: Axes, record: dict[str, Any]) -> None:
    t, fit = np.array(record["knots"]), record["swish"]
    x = np.linspace(t[0], t[-1], 400)
    axes.plot(t, record["values"], "o-", color=BLUE, markersize=3, label="learnt f")
    fitted = swish(x, *(fit[name] for name in PARAMETERS))
    label = f"Swish, β = {fit['beta']:.2f}, x₀ = {fit['x0']:.2f}\nR² = {fit['r2']:.4f}"
    axes.plot(x, fitted, "--", color=VERMILION, label=label)
    axes.set(xlabel="input x (standard deviations)", ylabel="f(x)", title="activation")
    if record["config"]["raw"]:
        axes.set_xlabel("input x")
    axes.legend()


def _correlations(axes: Axes, record: dict[str, Any]) -> None:
    means, rho = np.array(record["means"]), np.array(record["rho"])
    colours = [VERMILION if value < 0 else BLUE for value in rho]
    axes.vlines(means, 0, rho, colors=colours, linewidth=1.5)
    axes.scatter(means, rho, c=colours, s=10, zorder=3)
    axes.axhline(0, color="black", linewidth=0.6)
    axes.set(xlabel="class mean μₖ (units of x)", ylabel="ρₖ", title="correlation with each class")


def _evolution(axes: Axes, record: dict[str, Any]) -> None:
    import matplotlib as mpl

    history = record["history"]
    axes.set(xlabel="input x", ylabel="f(x)", title="evolution over steps")
    if not history:
        axes.text(0.5, 0.5, "nothing to learn", ha="center", va="center", transform=axes.transAxes)
        return
    colours = mpl.colormaps[ORDERED](np.linspace(0, 0.9, len(history)))
    for colour, snapshot in zip(colours, history, strict=True):
        axes.plot(record["knots"], snapshot["values"], color=colour, label=f"step {snapshot['step']}")
    axes.legend(ncols=2 if len(history) > 6 else 1)
