"""Pictures of a training run: curves.png from its metrics, activations.png from its activations."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pwlact.swish import PARAMETERS, swish
from pwlact.training import ActivationHistory, read_activations, read_result
from pwlact_figures.style import BLUE, GREEN, ORDERED, VERMILION, save, style


def draw(folder: Path) -> list[Path]:
    """Draw the pictures of the finished run in `folder`, into it.

    Returns:
        The files written.

    Raises:
        InputError: there is no finished run, or its files are damaged.
        OSError: a picture cannot be written.
    """
    result = read_result(folder)
    written = [folder / "curves.png"]
    draw_curves(result, written[0])
    if result["layers"]:
        written.append(folder / "activations.png")
        draw_activations(read_activations(folder), result["layers"], written[-1])
    return written


def draw_curves(result: dict[str, Any], path: Path) -> None:
    """Loss and accuracy over the epochs, to `path`."""
    history = result["history"]
    epochs = [record["epoch"] for record in history]
    with style():
        figure = Figure(figsize=(6.5, 2.6))
        losses, accuracies = figure.subplots(1, 2)
        for part, colour in (("train", BLUE), ("val", VERMILION)):
            losses.plot(
                epochs,
                [record[f"{part}_loss"] for record in history],
                "o-",
                color=colour,
                markersize=3,
                label=part,
            )
            percent = [100 * record[f"{part}_accuracy"] for record in history]
            accuracies.plot(epochs, percent, "o-", color=colour, markersize=3, label=part)
        test = result["test"]
        accuracies.plot(
            epochs[-1], 100 * test["accuracy"], "s", color=GREEN, markersize=4, label=f"test, n = {test['n']:,}"
        )
        losses.set(xlabel="epoch", ylabel="cross-entropy (nats)", title="loss")
        title = f"accuracy, validation n = {result['val']['n']:,}"
        accuracies.set(xlabel="epoch", ylabel="accuracy (%)", title=title)
        for axes in (losses, accuracies):
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        losses.legend()
        accuracies.legend()
        figure.suptitle(f"{result['arch']}, {result['mode']}, seed {result['seed']}", fontsize=9)
        save(figure, path)


def draw_activations(history: ActivationHistory, fits: list[dict[str, Any]], path: Path) -> None:
    """Every learnt layer from its start to the last epoch, with the Swish fit of the last, to `path`.

    Where each channel has a function of its own, the mean over the channels is drawn.
    """
    columns = min(5, len(fits))
    rows = -(-len(fits) // columns)
    with style():
        figure = Figure(figsize=(1.9 * columns, 1.8 * rows + 0.3))
        grid = figure.subplots(rows, columns, squeeze=False, sharex=True)
        for axes, fit in zip(grid.flat, fits, strict=False):
            _film(axes, history.knots, history.layers[fit["name"]], fit)
        for axes in list(grid.flat)[len(fits) :]:
            axes.set_visible(False)
        for axes in list(grid.flat)[max(0, len(fits) - columns) : len(fits)]:
            axes.tick_params(labelbottom=True)
        figure.supxlabel("input x", fontsize=8)
        figure.supylabel("f(x)", fontsize=8)
        figure.suptitle(
            f"learnt activations, epochs 0 to {history.epochs} (dark to light), Swish fit dashed", fontsize=9
        )
        save(figure, path)


def _film(axes: Any, knots: np.ndarray, film: list[np.ndarray], fit: dict[str, Any]) -> None:
    colours = mpl.colormaps[ORDERED](np.linspace(0, 0.9, len(film)))
    for colour, values in zip(colours, film, strict=True):
        axes.plot(knots, values.reshape(-1, len(knots)).mean(axis=0), color=colour, linewidth=1)
    axes.plot(knots, swish(knots, *(fit[name] for name in PARAMETERS)), "--", color=VERMILION, linewidth=1)
    axes.set_title(f"{fit['name']}: β = {fit['beta']:.2f}, R² = {fit['r2']:.3f}", fontsize=7)
