"""Pictures of `pwlact layerwise`: learnt weights as images, what layers are good for, redundancy over the epochs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pwlact.experiments.layerwise import pictures
from pwlact_figures.style import PALETTE, save, style

PANELS = {
    "accuracy": "accuracy (%)",
    "duplicates": "duplicates (%)",
    "dead": "dead (%)",
    "effective_rank": "effective rank (%)",
}
"""What is drawn of each layer, in percent."""
Row = dict[str, Any]
_DASHES = ("-", "--", ":")


def draw_ablation(record: dict[str, Any], folder: Path) -> list[Path]:
    """Draw ablation.png and, where weights were kept, prototypes.png into `folder`.

    Args:
        record: of `pwlact.experiments.layerwise.ablation.run`.
        folder: where the pictures go.

    Returns:
        the files written.

    Raises:
        InputError: the record's prototypes are damaged.
        OSError: a picture cannot be written.
    """
    config = record["config"]
    title = f"{config['data']}, {config['units']} units a layer; mean ± standard deviation, n = {config['seeds']} seeds"
    with style():
        save(ablation_figure(record["overall"], title), folder / "ablation.png")
    return [folder / "ablation.png", *draw_prototypes(record["rows"], folder / "prototypes.png")]


def draw_end_to_end(record: dict[str, Any], folder: Path) -> list[Path]:
    """Draw epochs.png and, where weights were kept, prototypes.png into `folder`.

    Args:
        record: of `pwlact.experiments.layerwise.end_to_end.run`.
        folder: where the pictures go.

    Returns:
        the files written.

    Raises:
        InputError: the record's prototypes are damaged.
        OSError: a picture cannot be written.
    """
    with style():
        save(epochs_figure(record["rows"], record["config"]), folder / "epochs.png")
    return [folder / "epochs.png", *draw_prototypes(record["rows"], folder / "prototypes.png")]


def draw_prototypes(rows: Sequence[Row], path: Path) -> list[Path]:
    """Draw the first layer's learnt weights of seed 0 to `path`, an arm a line; nothing where none were kept.

    Grey is 0, white and black the largest size of either sign, each unit by its own. Colour images in colour.

    Args:
        rows: of a record.
        path: the file.

    Returns:
        the file, or none.

    Raises:
        InputError: they are damaged.
        OSError: the picture cannot be written.
    """
    kept = {row["arm"]: pictures.read(row["prototypes"]) for row in rows if "prototypes" in row}
    if not kept:
        return []
    columns = max(len(weights) for weights in kept.values())
    with style():
        figure = Figure(figsize=(1.3 + 0.62 * columns, 0.66 * len(kept)))
        grid = figure.subplots(len(kept), columns, squeeze=False)
        for line, (arm, weights) in zip(grid, kept.items(), strict=True):
            line[0].set_ylabel(_plain(arm), rotation=0, ha="right", va="center", fontsize=7)
            for axes in line:
                axes.set(xticks=[], yticks=[])
                axes.spines[:].set_visible(False)
            for axes, weight in zip(line, weights, strict=False):
                _image(axes, weight)
        save(figure, path)
    return [path]


def _image(axes: Axes, weight: np.ndarray) -> None:
    """(channels, rows, columns) between -1 and 1."""
    if len(weight) == 3:
        axes.imshow((weight.transpose(1, 2, 0) + 1) / 2)
    else:
        axes.imshow(weight[0], cmap="gray", vmin=-1, vmax=1)


def ablation_figure(summary: Sequence[Row], title: str) -> Figure:
    """One panel a measure: arms from top to bottom, one mark a layer, with bars of one standard deviation.

    Args:
        summary: of a record of the ablation.
        title: in a line.
    """
    arms = list(dict.fromkeys(line["arm"] for line in summary))
    layers = sorted({line["layer"] for line in summary})
    figure = Figure(figsize=(8.2, 1.0 + 0.22 * len(arms)))
    panels = figure.subplots(1, len(PANELS), sharey=True)
    for axes, (measure, label) in zip(panels, PANELS.items(), strict=True):
        for number, layer in enumerate(layers):
            own = [line for line in summary if line["layer"] == layer]
            # a little apart, so that layers do not hide each other
            places = [arms.index(line["arm"]) + 0.16 * (number - (len(layers) - 1) / 2) for line in own]
            axes.errorbar(
                [100 * line[measure] for line in own], places,
                xerr=[100 * (line[f"{measure}_sd"] or 0.0) for line in own],
                fmt="o", markersize=3, elinewidth=0.8, label=f"layer {layer}" if layer else "input",
                color=PALETTE[number % len(PALETTE)],
            )  # fmt: skip
        axes.set_xlabel("probe's accuracy (%)" if measure == "accuracy" else label)
    panels[0].set_yticks(range(len(arms)), [_plain(arm) for arm in arms])
    panels[0].set_ylim(len(arms) - 0.5, -0.5)
    if layers:
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(layers))
    figure.suptitle(_plain(title), fontsize=8)
    return figure


def epochs_figure(rows: Sequence[Row], config: dict[str, Any]) -> Figure:
    """Measures over the epochs, a line an arm with a band of one standard deviation over seeds, layers side by side.

    Args:
        rows: of a record of the end-to-end experiment.
        config: its settings.
    """
    arms = list(dict.fromkeys(row["arm"] for row in rows))
    layers = [layer["layer"] for layer in rows[0]["epochs"][0]["layers"]]
    figure = Figure(figsize=(2.1 * len(PANELS), 0.5 + 1.7 * len(layers) + 0.14 * -(-len(arms) // 5)))
    grid = figure.subplots(len(layers), len(PANELS), squeeze=False, sharex=True)
    for line, layer in zip(grid, layers, strict=True):
        for axes, (measure, label) in zip(line, PANELS.items(), strict=True):
            for number, arm in enumerate(arms):
                own = [row for row in rows if row["arm"] == arm]
                _band(axes, *over_epochs(own, measure, layer), number, _plain(arm))
            axes.set_ylabel(label if measure == "accuracy" else f"layer {layer}: {label}", fontsize=7)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in (grid[0][0], *grid[-1][1:]):
        axes.set_xlabel("epochs end to end")
        axes.tick_params(labelbottom=True)
    # the accuracy is the network's, not a layer's: once is enough
    for line in grid[1:]:
        line[0].set_visible(False)
    handles, labels = grid[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, fontsize=6.5)
    figure.suptitle(f"{config['data']}; mean ± standard deviation, n = {config['seeds']} seeds", fontsize=8)
    return figure


def over_epochs(rows: Sequence[Row], measure: str, layer: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Epochs, and mean and standard deviation over seeds (0 for one seed), in percent.

    Args:
        rows: of one arm, a row a seed.
        measure: a key of `PANELS`.
        layer: number of the layer, from 1; the accuracy has none.
    """

    def value(epoch: Row) -> float:
        return epoch["accuracy"] if measure == "accuracy" else epoch["layers"][layer - 1][measure]

    table = 100 * np.array([[value(epoch) for epoch in row["epochs"]] for row in rows])
    spread = table.std(0, ddof=1) if len(table) > 1 else np.zeros(table.shape[1])
    return np.array([epoch["epoch"] for epoch in rows[0]["epochs"]]), table.mean(0), spread


def _band(axes: Axes, epochs: np.ndarray, mean: np.ndarray, spread: np.ndarray, number: int, label: str) -> None:
    colour, dashes = PALETTE[number % len(PALETTE)], _DASHES[number // len(PALETTE) % len(_DASHES)]
    axes.plot(epochs, mean, dashes, color=colour, linewidth=1, label=label)
    axes.fill_between(epochs, mean - spread, mean + spread, color=colour, alpha=0.15, linewidth=0)


def _plain(text: str) -> str:
    """A name in which no $ starts a formula."""
    return text.replace("$", r"\$")
