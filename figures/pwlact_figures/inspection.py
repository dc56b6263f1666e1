"""Pictures of `pwlact inspect`: QQ curves of every layer's input, and cosines of its gradients over the epochs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import ScaledTranslation

from pwlact_figures.style import BLACK, BLUE, GREEN, ORANGE, VERMILION, save, style

_COLUMNS = 5


def draw(record: dict[str, Any], path: Path) -> bool:
    """Draw what the record of `pwlact.experiments.inspection.inspect` holds to `path`: QQ curves, cosines, or both.

    Returns:
        whether there was anything to draw.

    Raises:
        OSError: it cannot be written.
    """
    parts = [
        (record[name]["layers"], draw_part, record[name])
        for name, draw_part in (("gaussianity", _quantiles), ("gradients", _cosines))
        if record[name] is not None
    ]
    if not parts:
        return False
    rows = [-(-len(layers) // _COLUMNS) for layers, _, _ in parts]
    with style():
        figure = Figure(figsize=(1.6 * _COLUMNS, 1.7 * sum(rows) + 0.7 * len(rows)))
        blocks = figure.subfigures(len(parts), 1, squeeze=False, height_ratios=rows)[:, 0]
        for block, (layers, draw_part, part) in zip(blocks, parts, strict=True):
            draw_part(block, _grid(block, [layer["name"] for layer in layers]), part, record["run"])
        save(figure, path)
    return True


def _grid(block: Any, names: Sequence[str]) -> list[Axes]:
    """A panel a layer, with common axes, and none besides."""
    panels = list(block.subplots(-(-len(names) // _COLUMNS), _COLUMNS, squeeze=False, sharex=True, sharey=True).flat)
    for axes in panels[len(names) :]:
        axes.set_visible(False)
    for axes in panels[max(0, len(names) - _COLUMNS) : len(names)]:
        axes.tick_params(labelbottom=True)
    for axes, name in zip(panels, names, strict=False):
        axes.set_title(name, fontsize=7)
    return panels[: len(names)]


def _quantiles(block: Any, panels: list[Axes], part: dict[str, Any], run: dict[str, Any]) -> None:
    normal = part["qq"]["normal"]
    for axes, layer in zip(panels, part["qq"]["layers"], strict=True):
        axes.axline((0, 0), slope=1, color=BLACK, linewidth=0.6, linestyle=":", label="normal")
        within, pooled = layer["within"], layer["pooled"]
        axes.fill_between(normal, _numbers(within["q10"]), _numbers(within["q90"]), color=BLUE, alpha=0.2, linewidth=0)
        axes.plot(
            normal, _numbers(within["mean"]), color=BLUE, linewidth=1.2, label="within a class (band: 10 to 90 %)"
        )
        axes.plot(normal, _numbers(pooled["mean"]), "--", color=VERMILION, linewidth=0.9, label="classes pooled")
    block.supxlabel("quantile of a normal", fontsize=8)
    block.supylabel("quantile of the input", fontsize=8)
    _head(block, panels, f"{run['name']}, epoch {part['epoch']}: inputs, n = {part['n']:,} images")


def _cosines(block: Any, panels: list[Axes], part: dict[str, Any], run: dict[str, Any]) -> None:
    lines = (
        ("sample", "J from samples", BLUE, "o-"),
        ("gaussian", "J from normal densities", ORANGE, "s-"),
        ("ceiling", "halves of the images", GREEN, "^:"),
    )
    for axes, layer in zip(panels, part["layers"], strict=True):
        epochs = [row["epoch"] for row in layer["epochs"]]
        chance = _numbers([row["chance"]["projected"] for row in layer["epochs"]])
        axes.fill_between(epochs, -chance, chance, color="0.88", linewidth=0)
        axes.plot(epochs, chance, color="0.75", linewidth=0.6, marker="_", markersize=5, label="± labels shuffled")
        for name, label, colour, mark in lines:
            cosines = _numbers([row[name]["projected"] for row in layer["epochs"]])
            axes.plot(epochs, cosines, mark, color=colour, linewidth=1, markersize=2.5, label=label)
        axes.axhline(0, color=BLACK, linewidth=0.5)
        axes.set_ylim(-1.05, 1.05)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    block.supxlabel("epoch", fontsize=8)
    block.supylabel("cosine, shift and scale out", fontsize=8)
    _head(block, panels, f"{run['name']}: gradient of the cross-entropy against J's, n = {part['n']:,} images")


def _head(block: Any, panels: list[Axes], title: str) -> None:
    handles, labels = panels[0].get_legend_handles_labels()
    # a run's folder may have any name: no $ of it begins a formula; the empty line is the legend's
    block.suptitle(f"{title}\n", fontsize=9, parse_math=False)
    below = block.transSubfigure + ScaledTranslation(0, -15 / 72, block.figure.dpi_scale_trans)
    anchor = {"bbox_to_anchor": (0.5, 1), "bbox_transform": below}
    block.legend(handles, labels, loc="upper center", ncols=len(labels), fontsize=7, **anchor)


def _numbers(values: Sequence[float | None]) -> np.ndarray:
    """Values of a record, also of one read from JSON, where null stands for NaN."""
    return np.array([np.nan if value is None else value for value in values], dtype=float)
