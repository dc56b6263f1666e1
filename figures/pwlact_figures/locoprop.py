"""Picture of `pwlact locoprop`: training and test loss over steps, and over time in units of Adam's steps."""

from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from pwlact.experiments.locoprop.rows import mean_curve, whole_curves
from pwlact_figures.style import PALETTE, save, style

PARTS = {"train": "training loss", "test": "test loss"}
Row = dict[str, Any]


def draw(record: dict[str, Any], path: Path) -> None:
    """Draw what `pwlact.experiments.locoprop.experiment.run` found, to `path`.

    A line is the mean over seeds, the band goes from the least to the largest; learned activations are dashed.
    Without timing, or without Adam to compare with, there are no panels over time. A run that diverged is not drawn.

    Raises:
        OSError: it cannot be written.
    """
    rows = record["rows"]
    timed = any(_relative(row) is not None for row in rows)
    with style():
        figure = Figure(figsize=(6.75, 5.4 if timed else 3.1))
        panels = figure.subplots(2 if timed else 1, 2, squeeze=False)
        for column, part in enumerate(PARTS):
            for line, over_time in enumerate((False, True)[: len(panels)]):
                draw_losses(panels[line, column], rows, part, over_time=over_time)
        handles, labels = panels[0, 0].get_legend_handles_labels()
        if handles:
            figure.legend(handles, labels, loc="outside lower center", ncols=4)
        figure.suptitle(_title(record), fontsize=8)
        save(figure, path)


def draw_losses(axes: Axes, rows: list[Row], part: str, *, over_time: bool = False) -> None:
    """Losses of every method, on a logarithmic scale.

    Args:
        axes: to draw on.
        rows: of the record.
        part: train or test.
        over_time: over steps times the time of a step against Adam's, which methods without one are left out of.
    """
    # a method with learned activations has the colour of the same method without
    bases = dict.fromkeys(_base(row) for row in rows)
    colours = {name: PALETTE[place % len(PALETTE)] for place, name in enumerate(bases)}
    for row in rows:
        _draw_row(axes, row, part, colours[_base(row)], over_time)
    label = f"{PARTS[part]} (an image)"
    axes.set(xlabel="time (steps of Adam)" if over_time else "steps", ylabel=label, yscale="log")
    axes.set_xlim(left=0)
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda tick, _: f"{tick:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _draw_row(axes: Axes, row: Row, part: str, colour: str, over_time: bool) -> None:
    means, relative = mean_curve(row, part), _relative(row)
    if not means or (over_time and relative is None):
        return
    steps = row["curves"]["steps"]
    whole = whole_curves(row, part)
    x = [step * (relative if over_time and relative is not None else 1.0) for step in steps]
    dashed = "--" if row["name"] != _base(row) else "-"
    lost = f" ({len(row['diverged'])} diverged)" if row["diverged"] else ""
    axes.plot(x, means, color=colour, linestyle=dashed, label=row["name"] + lost)
    if len(whole) > 1:
        bounds = list(zip(*whole, strict=True))
        low, high = [min(point) for point in bounds], [max(point) for point in bounds]
        axes.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)


def _base(row: Row) -> str:
    return row["name"].removesuffix("-learned")


def _relative(row: Row) -> float | None:
    return (row["time"] or {}).get("relative")


def _title(record: dict[str, Any]) -> str:
    config, budget = record["config"], record["budget"]
    sizes = "-".join(map(str, (record["pixels"], *config["sizes"])))
    return (
        f"autoencoder {sizes} on {config['data']}, {config['loss']}, batches of {config['batch_size']}; "
        f"n = {config['seeds']} seeds\n{budget['trials']} trials of {budget['steps']} steps a method"
    )
