"""Pictures of the letters study: learning curves, accuracy against width and depth, output maps."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from pwlact.experiments.letters.reported import reported
from pwlact_figures.style import BLUE, COLUMN_INCHES, GREEN, PAGE_INCHES, PALETTE, VERMILION, save, style

Record = Mapping[str, Any]
Row = Mapping[str, Any]

_PARTS = {"train": GREEN, "validation": BLUE, "test": VERMILION}
_STYLES = ("-", "--", ":", "-.")


def draw(record: Record, folder: Path) -> list[Path]:
    """Draw curves.png, width.png, depth.png and outputs.png into `folder`, those that the record has rows for.

    Args:
        record: of `pwlact letters`.
        folder: where the pictures go.

    Returns:
        the files written.

    Raises:
        OSError: a picture cannot be written.
    """
    makers: dict[str, tuple[str, Callable[[Axes, Sequence[Row]], None]]] = {
        "curves": ("width", draw_curves),
        "width": ("width", draw_widths),
        "depth": ("depth", draw_depths),
        "outputs": ("outputs", draw_outputs),
    }
    written = []
    for name, (study, maker) in makers.items():
        rows = of(record, study)
        if rows:
            written.append(folder / f"{name}.png")
            with style():
                figure = Figure(figsize=(PAGE_INCHES if name == "depth" else COLUMN_INCHES * 1.3, 3.0))
                maker(figure.subplots(), rows)
                figure.suptitle(title(record), fontsize=7)
                save(figure, written[-1])
    return written


def of(record: Record, study: str) -> list[Row]:
    """The rows of a part of the study.

    Args:
        record: of `pwlact letters`.
        study: name in `STUDIES`.
    """
    return [row for row in record["rows"] if row["study"] == study]


def title(record: Record) -> str:
    """What was measured on what, and with how many seeds."""
    data = record["data"]
    return (
        f"{data['name']}: {data['train']:,} training, {data['test']:,} test images; {record['config']['seeds']} seeds"
    )


def draw_curves(axes: Axes, rows: Sequence[Row]) -> None:
    """Training and validation accuracy over epochs, the widest and the narrowest layer.

    Args:
        axes: where to.
        rows: of the widths.
    """
    ordered = sorted(rows, key=lambda row: row["width"])
    shown = ordered if len(ordered) < 3 else [ordered[0], ordered[len(ordered) // 2], ordered[-1]]
    for row, line in zip(shown, _STYLES, strict=False):
        for part in ("train", "validation"):
            values = [None if value is None else 100 * value for value in row["history"][f"{part}_accuracy"]]
            label = f"{part}, width {row['width']}"
            epochs = range(1, len(values) + 1)
            axes.plot(epochs, [float("nan") if value is None else value for value in values], line,
                      color=_PARTS[part], label=label)  # fmt: skip
    axes.set(xlabel="epoch", ylabel="accuracy (%)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()


def draw_widths(axes: Axes, rows: Sequence[Row]) -> None:
    """Accuracy against width, one dot a seed, with the draft's figures for EMNIST Letters.

    Args:
        axes: where to.
        rows: of the widths.
    """
    ordered = sorted(rows, key=lambda row: row["width"])
    widths = [row["width"] for row in ordered]
    for part, colour in _PARTS.items():
        _spread(axes, widths, ordered, part, colour, part)
    known = [(row["width"], found) for row in ordered if (found := reported(row)) is not None]
    if known:
        drawn = [100 * found["test"] for _, found in known]
        axes.plot([width for width, _ in known], drawn, ":", color="0.4", label="draft: EMNIST, test")
    axes.set_xscale("log", base=2)
    axes.set_xticks(widths, [str(width) for width in widths])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set(xlabel="hidden units", ylabel="accuracy (%)")
    axes.legend()


def draw_depths(axes: Axes, rows: Sequence[Row]) -> None:
    """Test accuracy against depth for every variant, one dot a seed, with the draft's figures for EMNIST Letters.

    Args:
        axes: where to.
        rows: of the depths.
    """
    variants = list(dict.fromkeys(row["variant"] for row in rows))
    depths = sorted({row["depth"] for row in rows})
    for place, name in enumerate(variants):
        own = sorted((row for row in rows if row["variant"] == name), key=lambda row: row["depth"])
        line = _STYLES[place // len(PALETTE)]
        _spread(axes, [row["depth"] for row in own], own, "test", PALETTE[place % len(PALETTE)], name, line)
    known = {row["depth"]: found for row in rows if (found := reported(row)) is not None}
    if known:
        drawn = [100 * known[depth]["test"] for depth in sorted(known)]
        axes.plot(sorted(known), drawn, ":", color="0.4", label="draft: EMNIST")
    axes.set_xticks(depths)
    axes.set(xlabel="hidden layers", ylabel="test accuracy (%)")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))


def draw_outputs(axes: Axes, rows: Sequence[Row]) -> None:
    """Test accuracy of every output map against its calibration error, one dot a seed.

    Args:
        axes: where to.
        rows: of the output maps.
    """
    for row, colour in zip(rows, PALETTE, strict=False):
        x, y = ([100 * value for value in row[name]["values"] if value is not None] for name in ("calibration", "test"))
        axes.plot(x, y, "o", color=colour, markersize=4, label=row["output"])
    axes.set(xlabel="calibration error (%)", ylabel="test accuracy (%)")
    axes.legend()


def _spread(
    axes: Axes, x: Sequence[int], rows: Sequence[Row], part: str, colour: str, label: str, line: str = "-"
) -> None:
    means = [float("nan") if row[part]["mean"] is None else 100 * row[part]["mean"] for row in rows]
    axes.plot(x, means, line, color=colour, label=label)
    for place, row in zip(x, rows, strict=True):
        values = [100 * value for value in row[part]["values"] if value is not None]
        axes.plot([place] * len(values), values, ".", color=colour, markersize=4, alpha=0.6)
