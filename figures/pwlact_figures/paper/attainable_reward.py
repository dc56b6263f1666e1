"""Figure s11: how much of the reward that a layer's own inputs allow is reached by what the layer has learnt."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from pwlact_figures.paper import network_runs as runs
from pwlact_figures.paper.figure import PaperFigure
from pwlact_figures.paper.panels import title_panel
from pwlact_figures.paper.results import Results
from pwlact_figures.style import PAGE_INCHES

ARCH, KINDS = "resnet10", ("backprop", "local", "silu")


def compute(results: Results) -> dict[str, Any]:
    """Rewards by layer of the widest runs, with ReLU's in the same place, over the optimum's."""
    panels = []
    for kind, (run, *_) in runs.widest(results, ARCH, KINDS, (runs.RESULT, runs.INSPECTION)).items():
        part = runs.read_inspection(results, run, "optimality")
        with runs.reading(results, f"{run.name}/{runs.INSPECTION}", run.command):
            layers = [
                {
                    "name": layer["name"],
                    "share": runs.known(layer["reward"]) / runs.known(layer["optimum"]),
                    "relu": runs.known(layer["relu"]) / runs.known(layer["optimum"]),
                    "optimum": runs.known(layer["optimum"]),
                }
                for layer in part["layers"]
            ]
            panels.append({"kind": kind, "width": run.width, "seed": run.seed, "n": part["n"], "layers": layers})
    return {"arch": runs.ARCHS[ARCH], "panels": panels}


def draw(data: dict[str, Any]) -> Figure:
    """A panel a kind: shares of the learnt (or fixed) activation and of a ReLU over the layers."""
    figure = Figure(figsize=(PAGE_INCHES, 2.2))
    shares = [layer[key] for panel in data["panels"] for layer in panel["layers"] for key in ("share", "relu")]
    lowest = min(shares) - 0.05
    for axes, panel, letter in zip(figure.subplots(1, len(KINDS), sharey=True), data["panels"], "abc", strict=True):
        name, colour = runs.LOOKS[panel["kind"]]
        place = np.arange(len(panel["layers"]))
        axes.plot(place, [layer["share"] for layer in panel["layers"]], "o-", color=colour, markersize=4, label=name)
        relu = [layer["relu"] for layer in panel["layers"]]
        axes.plot(place, relu, "s:", color=runs.LOOKS["relu"][1], markersize=3, linewidth=1, label="ReLU in its place")
        axes.axhline(0, color="0.4", linewidth=0.6)
        axes.set_ylim(lowest, 1.05)
        axes.set_xticks(place)
        axes.set_xlabel("layer")
        title_panel(axes, letter, f"{data['arch']}, {name}")
        axes.legend(loc="lower right")
    first = data["panels"][0]
    figure.axes[0].set_ylabel("reward / that of the optimum")
    # one note for all: panels are of the same width, seed and images
    where = f"width {first['width']:g}, seed {first['seed']}, n = {first['n']:,} validation images"
    figure.axes[1].set_xlabel(f"layer\n({where})")
    return figure


FIGURE = PaperFigure(
    "s11",
    "attainable-reward",
    "Reward of every layer's activation as a share of what its own inputs allow",
    compute,
    draw,
    (
        runs.study([ARCH], KINDS, seeds=1),
        f"pwlact inspect figures/results/networks/{ARCH}-backprop-w0.25-s0 --part optimality",
    ),
)
