"""Figure S10: what a learnt activation costs: the operator against GELU, and a training step against SiLU."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from pwlact_figures.paper import network_runs as runs
from pwlact_figures.paper.figure import PaperFigure
from pwlact_figures.paper.panels import title_panel
from pwlact_figures.paper.results import Results
from pwlact_figures.style import BLACK, BLUE, PAGE_INCHES, VERMILION

ACTIVATION, TRAIN = "bench/activation", "bench/train"
COMMANDS = {
    ACTIVATION: "pwlact bench activation --json > figures/results/bench/activation.json",
    TRAIN: "pwlact bench train --json > figures/results/bench/train.json",
}
_COLOURS = {"ours": BLUE, "baseline": "0.4", "peer": VERMILION}
_MEANING = {"ours": "pwlact", "baseline": "PyTorch", "peer": "other packages"}
_FIXED = ("relu", "silu", "gelu")
_TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


def compute(results: Results) -> dict[str, Any]:
    """Ratios of the largest shape that was timed, and of a training step."""
    activation, train = (results.read(name, command) for name, command in COMMANDS.items())
    with runs.reading(results, f"{ACTIVATION}.json", COMMANDS[ACTIVATION]):
        operator = _operator(activation)
    with runs.reading(results, f"{TRAIN}.json", COMMANDS[TRAIN]):
        step = _step(train)
    return {"operator": operator, "step": step}


def _operator(record: dict[str, Any]) -> dict[str, Any]:
    shape = max((row["shape"] for row in record["rows"]), key=_elements)
    rows = [
        {
            **_timed(row, "vs_gelu"),
            "kind": row["kind"],
            "kept": runs.known(row["saved_bytes"]) / runs.known(row["x_bytes"]),
        }
        for row in record["rows"]
        if row["shape"] == shape
    ]
    if any(row["kind"] not in _COLOURS for row in rows):
        raise ValueError(f"kinds must be of {', '.join(_COLOURS)}")
    return {"shape": shape, "rows": rows, "dtype": str(record["dtype"]), **_place(record, record["repeats"])}


def _step(record: dict[str, Any]) -> dict[str, Any]:
    config = record["config"]
    rows = [
        {
            **_timed(row, "vs_silu"),
            "kind": "baseline" if row["name"] in _FIXED else "ours",
            "images_per_second": runs.known(row["images_per_second"]),
        }
        for row in record["rows"]
    ]
    described = {"arch": runs.ARCHS.get(config["arch"], str(config["arch"])), "width": runs.known(config["width"])}
    described |= {"batch_size": int(config["batch_size"]), "precision": str(config["precision"])}
    return {"rows": rows, **described, **_place(record, config["repeats"])}


def _timed(row: dict[str, Any], ratio: str) -> dict[str, Any]:
    """A row's name and ratio, above 0, with its quartiles over the rounds."""
    low, high = map(runs.known, row["spread"])
    found = {"name": str(row["name"]), "ratio": runs.known(row[ratio]), "low": low, "high": high}
    if min(found["ratio"], low, high) <= 0:
        raise ValueError(f"times of {row['name']} must be above 0")
    return found


def _place(record: dict[str, Any], repeats: int) -> dict[str, Any]:
    environment = record["environment"]
    names = {name: str(environment[name]) for name in ("device", "processor", "torch") if name in environment}
    return {"threads": int(environment["threads"]), "rounds": int(repeats), **names}


def _elements(shape: Sequence[int]) -> int:
    count = 1
    for size in shape:
        count *= size
    return count


def draw(data: dict[str, Any]) -> Figure:
    """Dots at the medians of the rounds' ratios, lines between their quartiles."""
    operator, step = data["operator"], data["step"]
    most = max(len(operator["rows"]), len(step["rows"]))
    figure = Figure(figsize=(PAGE_INCHES, 1.15 + 0.17 * max(most, 5)))
    left, right = figure.subplots(1, 2)
    _ratios(left, operator["rows"])
    left.set_xlabel(f"forward + backward time / GELU's\n{_text(operator)}", fontsize=7)
    title_panel(left, "a", f"the operator, {' × '.join(map(str, operator['shape']))}, {operator['dtype']}")
    _ratios(right, step["rows"])
    right.set_xlabel(f"time of a step / SiLU's\n{_text(step)}", fontsize=7)
    title = f"{step['arch']}, width {step['width']:g}, batch {step['batch_size']}, {step['precision']}"
    title_panel(right, "b", title)
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=6.5)
    return figure


def _ratios(axes: Axes, rows: list[dict[str, Any]]) -> None:
    axes.set_xscale("log")
    axes.axvline(1, color=BLACK, linewidth=0.6)
    meant = set()
    for y, row in enumerate(rows):
        colour, label = _COLOURS[row["kind"]], _MEANING[row["kind"]]
        axes.plot([row["low"], row["high"]], [y, y], color=colour, linewidth=1.2)
        axes.plot(row["ratio"], y, "o", color=colour, markersize=3.4, label=None if label in meant else label)
        end = max(row["high"], row["ratio"])
        axes.annotate(f"{row['ratio']:.2f}" if row["ratio"] < 10 else f"{row['ratio']:.0f}", (end, y), (5, 0),
                      textcoords="offset points", va="center", fontsize=6.5)  # fmt: skip
        meant.add(label)
    ends = [row[key] for row in rows for key in ("ratio", "low", "high")]
    low, high = min(0.9, *ends), max(1.1, *ends)
    axes.set_xlim(low / (high / low) ** 0.06, high * (high / low) ** 0.2)
    axes.set_yticks(range(len(rows)), [row["name"] for row in rows], parse_math=False)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    _ticks(axes)


def _ticks(axes: Axes) -> None:
    """Plain numbers; a narrow axis keeps those of matplotlib's own that lie in it."""
    low, high = axes.get_xlim()
    inside = [tick for tick in _TICKS if low <= tick <= high]
    fine = [tick / 10 for tick in range(1, 30) if low <= tick / 10 <= high]
    axes.xaxis.set_major_locator(FixedLocator(inside if len(inside) > 2 else fine))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda tick, _: f"{tick:g}"))


def _text(part: dict[str, Any]) -> str:
    threads = "1 thread" if part["threads"] == 1 else f"{part['threads']} threads"
    place = f"{part.get('device', '')} {part.get('processor', '')}".strip()
    return f"{place}, {threads}; quartiles of {part['rounds']} rounds"


FIGURE = PaperFigure(
    "s10",
    "speed",
    "What learnt activations cost: the operator against GELU, and a step of training against SiLU",
    compute,
    draw,
    tuple(COMMANDS.values()),
)
