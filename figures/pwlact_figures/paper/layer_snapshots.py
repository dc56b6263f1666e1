"""Figure 8: four layers of ResNet-10 learnt by backprop and by the local rule, and beta by layer."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import MultipleLocator

from pwlact_figures.paper import network_runs as runs
from pwlact_figures.paper.figure import PaperFigure
from pwlact_figures.paper.panels import title_panel
from pwlact_figures.paper.results import Results
from pwlact_figures.paper.swish_overlay import draw_swish, fit_text, head
from pwlact_figures.style import BLACK, COLUMN_INCHES

ARCH = "resnet10"
SHOWN = ("layer0", "layer3", "layer6", "layer7")
KINDS = ("backprop", "local")
DRAFT = ((0, 2, 1.25, 2.0), (3, 6, 2.0, 3.0), (7, 9, 3.0, 5.0))
"""Layers from, to, and beta from, to, as the draft states them ("about 1.5", "about 2.5", "3 to 5"), with the
tolerances of `pwlact claims`."""
_MARKS, _SIZE = {"backprop": "o", "local": "s"}, 2.6
# layers stand side by side at the integers; kinds and seeds a little apart
_APART, _SEED_APART = 0.4, 0.1


def compute(results: Results) -> dict[str, Any]:
    """Final activations of the first seed that has them, and the Swish fits of all layers and seeds."""
    chosen = runs.widest(results, ARCH, KINDS, (runs.RESULT, runs.FILM))
    return {
        "arch": runs.ARCHS[ARCH],
        "width": chosen[KINDS[0]][0].width,
        "kinds": {kind: _learnt(results, chosen[kind][0]) for kind in KINDS},
    }


def _learnt(results: Results, run: runs.NetworkRun) -> dict[str, Any]:
    knots, films = runs.read_film(results, run)
    same = [other for other in runs.finished(results, ARCH) if (other.kind, other.width) == (run.kind, run.width)]
    fits = {str(other.seed): runs.read_fits(results, other) for other in same}
    with runs.reading(results, f"{run.name}/{runs.FILM}", run.command):
        shown = {name: {"values": films[name][-1], "fit": fits[str(run.seed)][name]} for name in SHOWN}
    return {"run": run.name, "seed": run.seed, "knots": knots, "shown": shown, "fits": fits}


def draw(data: dict[str, Any]) -> Figure:
    """A row a layer, a column a kind of learning, and below them beta of all layers against the draft's ranges."""
    figure = Figure(figsize=(COLUMN_INCHES, 6.3))
    above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=(4.3, 2.0))[:, 0]
    grid = above.subplots(len(SHOWN), len(KINDS), sharex=True)
    for column, (kind, learnt) in enumerate(data["kinds"].items()):
        name, colour = runs.LOOKS[kind]
        for row, (layer, shown) in enumerate(learnt["shown"].items()):
            axes = grid[row, column]
            axes.plot(learnt["knots"], runs.numbers(shown["values"]), color=colour)
            draw_swish(axes, learnt["knots"], shown["fit"], BLACK)
            head(axes, fit_text(shown["fit"]), "ab"[column], name if row == 0 else "")
            if column == 0:
                axes.set_ylabel(f"{layer.replace('layer', 'layer ')}\nf(x)")
        grid[-1, column].set_xlabel("input x")
    _betas(below.subplots(), data)
    seeds = " and ".join(dict.fromkeys(str(learnt["seed"]) for learnt in data["kinds"].values()))
    figure.suptitle(f"{data['arch']}, width {data['width']:g}, seed {seeds}; dashed: Swish fit", fontsize=7)
    return figure


def _betas(axes: Axes, data: dict[str, Any]) -> None:
    for first, last, low, high in DRAFT:
        axes.add_patch(Rectangle((first - 0.45, low), last - first + 0.9, high - low, color="0.87", linewidth=0))
    layers = 0
    for place, (kind, learnt) in enumerate(data["kinds"].items()):
        for rank, fits in enumerate(learnt["fits"].values()):
            shift = (place - 0.5) * _APART + (rank - (len(learnt["fits"]) - 1) / 2) * _SEED_APART
            _one(axes, list(fits.values()), shift, kind)
            layers = max(layers, len(fits))
    axes.set(xlabel="layer", ylabel="β (1 / units of x)", xlim=(-0.6, layers - 0.4), ylim=(0, _top(data)))
    axes.xaxis.set_major_locator(MultipleLocator(1))
    axes.grid(visible=False, axis="x")
    title_panel(axes, "c", f"sharpness of the fits, {_seeds(data)}")
    axes.legend(handles=_handles(data), fontsize=6, loc="upper left", ncols=2, columnspacing=1, handletextpad=0.4)


def _one(axes: Axes, fits: Sequence[dict[str, Any]], shift: float, kind: str) -> None:
    """Beta of one seed's layers: filled with its error where it is determined, hollow where it is not."""
    colour = runs.LOOKS[kind][1]
    x, beta = np.arange(len(fits)) + shift, runs.numbers([fit["beta"] for fit in fits])
    error = runs.numbers([fit["error"] for fit in fits])
    vague = np.array([fit["open"] for fit in fits])
    look: dict[str, Any] = {"color": colour, "markersize": _SIZE, "linestyle": "none"}
    sure = ~vague
    bars = np.nan_to_num(error[sure])
    axes.errorbar(x[sure], beta[sure], bars, fmt=_MARKS[kind], elinewidth=0.8, **look)
    axes.plot(x[vague], beta[vague], _MARKS[kind], markerfacecolor="white", markeredgewidth=0.8, **look)


def _top(data: dict[str, Any]) -> float:
    """Above all that is drawn, with room for the legend."""
    betas = [
        fit["beta"] + (0.0 if fit["open"] else fit["error"] or 0.0)
        for learnt in data["kinds"].values()
        for fits in learnt["fits"].values()
        for fit in fits.values()
        if fit["beta"] is not None
    ]
    return 1.45 * max(DRAFT[-1][-1], *betas, 0.0)


def _seeds(data: dict[str, Any]) -> str:
    seeds = {kind: [int(seed) for seed in learnt["fits"]] for kind, learnt in data["kinds"].items()}
    if len({tuple(one) for one in seeds.values()}) == 1:
        return runs.seeds_text(seeds[KINDS[0]])
    return "; ".join(f"{runs.LOOKS[kind][0]}: {runs.seeds_text(one)}" for kind, one in seeds.items())


def _handles(data: dict[str, Any]) -> list[Any]:
    look: dict[str, Any] = {"linestyle": "none", "markersize": _SIZE}
    named = [
        Line2D([], [], marker=_MARKS[kind], color=runs.LOOKS[kind][1], label=f"{runs.LOOKS[kind][0]} (± s.e.)", **look)
        for kind in data["kinds"]
    ]
    hollow = Line2D(
        [], [], marker="o", color="0.3", markerfacecolor="white", markeredgewidth=0.8, label="not determined", **look
    )
    return [*named, hollow, Patch(color="0.87", label="draft's ranges")]


FIGURE = PaperFigure(
    "8",
    "layer-snapshots",
    "Layers of ResNet-10 learnt by backprop and by the local rule, with Swish fits, and their sharpness by layer",
    compute,
    draw,
    (runs.study([ARCH], KINDS), "pwlact swish RUN"),
)
