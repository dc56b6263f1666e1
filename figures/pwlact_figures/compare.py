"""Picture of a comparison: validation accuracy and training loss over the epochs, one colour a group."""

from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pwlact_figures.style import PALETTE, save, style

PANELS = (
    ("val_accuracy", 100.0, "validation accuracy (%)"),
    ("train_loss", 1.0, "training loss (nats)"),
)
LINES = ("-", "--", ":", "-.")
NAMES_A_COLUMN = 12


def draw(comparison: dict[str, Any], path: Path) -> None:
    """Draw what `pwlact.experiments.comparison.compare` found, to `path`.

    A thin line for each run, a thick one for the mean of each group over the epochs that all its runs have.

    Raises:
        OSError: the picture cannot be written.
    """
    groups = comparison["groups"]
    with style():
        figure = Figure(figsize=(7.0, 2.8 + 0.16 * min(len(groups), NAMES_A_COLUMN)))
        panels = list(figure.subplots(1, 2))
        for axes, (key, unit, label) in zip(panels, PANELS, strict=True):
            for i, group in enumerate(groups):
                curves = [run["curves"] for run in comparison["runs"] if run["group"] == i]
                _draw_group(axes, curves, key, unit, i, _label(group))
            axes.set(xlabel="epoch", ylabel=label)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        handles, labels = panels[0].get_legend_handles_labels()
        if handles:
            figure.legend(handles, labels, loc="outside lower center", ncols=-(-len(groups) // NAMES_A_COLUMN))
        save(figure, path)


def _draw_group(axes: Axes, curves: list[dict[str, Any]], key: str, unit: float, place: int, label: str) -> None:
    rounds, colour = divmod(place, len(PALETTE))
    look: dict[str, Any] = {"color": PALETTE[colour], "linestyle": LINES[rounds % len(LINES)]}
    points = [
        {
            epoch: unit * value
            for epoch, value in zip(curve["epoch"], curve[key], strict=True)
            if None not in (epoch, value)
        }
        for curve in curves
    ]
    if len(curves) > 1:
        for seed in points:
            axes.plot(list(seed), list(seed.values()), linewidth=0.6, alpha=0.6, **look)
    common = [epoch for epoch in points[0] if all(epoch in seed for seed in points)]
    means = [sum(seed[epoch] for seed in points) / len(points) for epoch in common]
    # a single epoch is a point, which a line does not show
    axes.plot(common, means, marker="o" if len(common) == 1 else None, markersize=4, linewidth=1.8, label=label, **look)


def _label(group: dict[str, Any]) -> str:
    seeds = len(group["seeds"])
    # dollars would open a formula
    return f"{group['name']} ({seeds} seed{'s' if seeds != 1 else ''})".replace("$", r"\$")
