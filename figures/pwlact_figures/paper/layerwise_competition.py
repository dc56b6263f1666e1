"""Figure s13: competition inside layers, trained one by one and end to end."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pwlact_figures.layerwise import over_epochs
from pwlact_figures.paper import network_runs as runs
from pwlact_figures.paper.figure import PaperFigure
from pwlact_figures.paper.panels import title_panel
from pwlact_figures.paper.results import Results
from pwlact_figures.style import BLACK, BLUE, GREEN, ORANGE, PAGE_INCHES, PURPLE, SKY, VERMILION

ABLATION, END_TO_END = "layerwise/ablation-mnist", "layerwise/end-to-end-mnist"
_RESULTS = "--results figures/results/layerwise"
COMMANDS = (f"pwlact layerwise ablation --depth 3 {_RESULTS}", f"pwlact layerwise end-to-end {_RESULTS}")
MEASURES = ("accuracy", "effective_rank", "dead", "duplicates")
LOOKS = {
    "scratch": ("ReLU", "-", BLUE),
    "scratch+control": ("ReLU, control", "--", BLUE),
    "pretrained": ("ReLU, pretrained", "-", VERMILION),
    "pretrained+control": ("ReLU, pretrained, control", "--", VERMILION),
    "softmax": ("softmax", "-", GREEN),
    "z-times-softmax": ("z · softmax(z)", "-", ORANGE),
    "grouped-softmax": ("grouped softmax", "-", PURPLE),
    "sparsemax": ("sparsemax", "-", SKY),
    "attention": ("attention over prototypes", "-", BLACK),
}
"""Arms of panels (b) and (c): name in print, dashes and colour."""
_NAMES = {
    "lse": "log-sum-exp",
    "lse+variance": "+ variance",
    "lse+decorrelation": "+ decorrelation",
    "lse+both": "+ both",
    "control-only": "both alone",
}


def compute(results: Results) -> dict[str, Any]:
    """Layer 1 of every arm of the ablation; of the arms in `LOOKS`, the last layer over the epochs end to end."""
    record = results.read(ABLATION, COMMANDS[0])
    with runs.reading(results, f"{ABLATION}.json", COMMANDS[0]):
        bars = [
            {
                "arm": str(line["arm"]),
                **{name: {"mean": runs.known(line[name]), "sd": runs.number(line[f"{name}_sd"])} for name in MEASURES},
            }
            for line in record["overall"]
            if line["layer"] <= 1
        ]
        seeds = [int(record["config"]["seeds"])]
    record = results.read(END_TO_END, COMMANDS[1])
    with runs.reading(results, f"{END_TO_END}.json", COMMANDS[1]):
        layer = int(record["config"]["depth"])
        curves = [_curve(record["rows"], arm, layer) for arm in LOOKS]
        seeds.append(int(record["config"]["seeds"]))
    return {"bars": bars, "curves": curves, "seeds": seeds, "layer": layer}


def _curve(rows: list[dict[str, Any]], arm: str, layer: int) -> dict[str, Any]:
    own = [row for row in rows if row["arm"] == arm]
    found = {"arm": arm}
    for name in ("accuracy", "effective_rank"):
        epochs, mean, sd = over_epochs(own, name, layer)
        found |= {"epochs": epochs.tolist(), name: {"mean": mean.tolist(), "sd": sd.tolist()}}
    return found


def draw(data: dict[str, Any]) -> Figure:
    """Bars and lines at means, spread one standard deviation over seeds."""
    figure = Figure(figsize=(PAGE_INCHES, 2.7))
    probe, rank, accuracy = figure.subplots(1, 3, width_ratios=(1.2, 1, 1))
    _bars(probe, data["bars"])
    probe.set_xlabel(f"one layer (%), {data['seeds'][0]} seeds")
    for axes, name, label in (
        (rank, "effective_rank", f"effective rank of layer {data['layer']} (%)"),
        (accuracy, "accuracy", "test accuracy (%)"),
    ):
        for curve in data["curves"]:
            _line(axes, curve["epochs"], curve[name], curve["arm"])
        axes.set(xlabel=f"epochs end to end, {data['seeds'][1]} seeds", ylabel=label)
    # where the arms end is what can be told apart: before the first epoch all guess, and some begin far below
    accuracy.set_xlim(left=1)
    ends = [m - s for c in data["curves"] for m, s in _both(c["accuracy"])[-1:]]
    accuracy.set_ylim(bottom=min(ends, default=0) - 3)
    title_panel(probe, "a", "layers trained one by one")
    title_panel(rank, "b", "redundancy")
    title_panel(accuracy, "c", "end to end")
    handles, labels = rank.get_legend_handles_labels()
    own, names = probe.get_legend_handles_labels()
    figure.legend([*own, *handles], [*names, *labels], loc="outside lower center", ncols=4, fontsize=6.5)
    return figure


def _both(stat: dict[str, list[float]]) -> list[tuple[float, float]]:
    return list(zip(stat["mean"], stat["sd"], strict=True))


def _bars(axes: Axes, bars: list[dict[str, Any]]) -> None:
    for name, label, colour, mark in (
        ("accuracy", "linear probe", GREEN, "D"),
        ("effective_rank", "effective rank", BLUE, "o"),
        ("duplicates", "duplicates", VERMILION, "s"),
        ("dead", "dead", ORANGE, "^"),
    ):
        means = [100 * bar[name]["mean"] for bar in bars]
        spread = [100 * (bar[name]["sd"] or 0.0) for bar in bars]
        axes.errorbar(
            means, range(len(bars)), xerr=spread, fmt=mark, color=colour, markersize=3, elinewidth=0.8, label=label
        )
    axes.set_yticks(range(len(bars)), [str(_NAMES.get(bar["arm"], bar["arm"])) for bar in bars])
    axes.set_ylim(len(bars) - 0.5, -0.5)


def _line(axes: Axes, epochs: list[int], stat: dict[str, list[float]], arm: str) -> None:
    label, dashes, colour = LOOKS[arm]
    axes.plot(epochs, stat["mean"], dashes, color=colour, linewidth=1, label=label)
    low, high = ([mean + sign * sd for mean, sd in _both(stat)] for sign in (-1, 1))
    axes.fill_between(epochs, low, high, color=colour, alpha=0.15, linewidth=0)


FIGURE = PaperFigure(
    "s13",
    "layerwise-competition",
    "Competition inside layers: trained one by one with and without control, and kept or lost end to end",
    compute,
    draw,
    COMMANDS,
)
