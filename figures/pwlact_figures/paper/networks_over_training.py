"""Figure 7: activations learnt by backprop and by the local rule, over the epochs, and of all layers at the end."""

import math
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, Colormap, ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator

from pwlact_figures.paper import network_runs as runs
from pwlact_figures.paper.figure import PaperFigure
from pwlact_figures.paper.network_runs import NetworkRun
from pwlact_figures.paper.results import Results
from pwlact_figures.paper.swish_overlay import draw_swish, fit_text, head
from pwlact_figures.style import BLACK, ORDERED, PAGE_INCHES

FILMS = {"vgg11": "layer0", "resnet10": "layer3"}
"""The layer whose epochs are shown."""
KINDS = ("backprop", "local")
# the lightest part of the palette is lost on white
_LIGHTEST = 0.9


def compute(results: Results) -> dict[str, Any]:
    """Films and final activations of the widest runs that both kinds have, and R^2 of every seed's Swish fits."""
    networks = []
    for arch, layer in FILMS.items():
        chosen = runs.widest(results, arch, KINDS, (runs.RESULT, runs.FILM))
        networks.append(
            {
                "arch": runs.ARCHS[arch],
                "layer": layer,
                "width": chosen[KINDS[0]][0].width,
                "kinds": {kind: _learnt(results, chosen[kind][0], layer) for kind in KINDS},
            }
        )
    return {"networks": networks}


def _learnt(results: Results, run: NetworkRun, layer: str) -> dict[str, Any]:
    knots, films = runs.read_film(results, run)
    fits = runs.read_fits(results, run)
    with runs.reading(results, f"{run.name}/{runs.FILM}", run.command):
        film, fit = films[layer], fits[layer]
    same = [other for other in runs.finished(results, run.arch) if (other.kind, other.width) == (run.kind, run.width)]
    least = {str(other.seed): _least(runs.read_fits(results, other)) for other in same}
    record = runs.read_result(results, run)
    with runs.reading(results, f"{run.name}/{runs.RESULT}", run.command):
        images = runs.training_images(record)
    return {
        "run": run.name,
        "seed": run.seed,
        "training_images": images,
        "epochs": len(film) - 1,
        "knots": knots,
        "film": film,
        "fit": fit,
        "final": {name: values[-1] for name, values in films.items()},
        "r2": {name: one["r2"] for name, one in fits.items()},
        "r2_least_by_seed": least,
    }


def _least(fits: dict[str, dict[str, Any]]) -> float | None:
    return min((fit["r2"] for fit in fits.values() if fit["r2"] is not None), default=None)


def draw(data: dict[str, Any]) -> Figure:
    """A row a kind of learning: films of one layer of each network, then the last epoch of all its layers."""
    networks = data["networks"]
    layers = max(len(network["kinds"][kind]["final"]) for network in networks for kind in KINDS)
    figure = Figure(figsize=(PAGE_INCHES, 4.3))
    grid = figure.subplots(len(KINDS), 2 * len(networks), sharex=True)
    for row, kind in zip(grid, KINDS, strict=True):
        films, finals = np.split(row, 2)
        for place, network in enumerate(networks):
            learnt = network["kinds"][kind]
            _film(films[place], learnt)
            _final(finals[place], learnt, _palette(layers))
            layer = network["layer"].replace("layer", "layer ")
            titles = [f"{network['arch']}, {what}" if kind == KINDS[0] else "" for what in (layer, "all layers")]
            head(films[place], fit_text(learnt["fit"]), "ab"[place], titles[0])
            head(finals[place], _least_text(learnt), "cd"[place], titles[1])
        films[0].set_ylabel(f"{runs.LOOKS[kind][0]}\nf(x)")
        finals[0].set_ylabel("f(x), standardised")
    for panel in grid[-1]:
        panel.set_xlabel("input x")
    _bars(figure, grid, networks, layers)
    figure.suptitle(_setting(networks), fontsize=7)
    return figure


def _setting(networks: list[dict[str, Any]]) -> str:
    """What was trained, and what of it is drawn."""
    parts = []
    for network in networks:
        learnt = network["kinds"][KINDS[0]]
        images = f"{learnt['training_images']:,} images, {learnt['epochs']} epochs, seed {learnt['seed']}"
        parts.append(f"{network['arch']}: width {network['width']:g}, {images}")
    return "; ".join(parts)


def _film(axes: Axes, learnt: dict[str, Any]) -> None:
    knots, film = learnt["knots"], learnt["film"]
    colours = _palette(len(film))
    for colour, values in zip(colours[1:], film[1:], strict=True):
        axes.plot(knots, runs.numbers(values), color=colour, linewidth=0.7)
    axes.plot(knots, runs.numbers(film[0]), ":", color=BLACK, linewidth=1)
    draw_swish(axes, knots, learnt["fit"])


def _final(axes: Axes, learnt: dict[str, Any], colours: np.ndarray) -> None:
    """All layers at the end, each with mean 0 and deviation 1 over the knots: only the shape counts."""
    for colour, values in zip(colours, learnt["final"].values(), strict=False):
        y = runs.numbers(values)
        finite = y[np.isfinite(y)]
        if len(finite):
            axes.plot(learnt["knots"], (y - finite.mean()) / (finite.std() or 1), color=colour, linewidth=0.8)


def _least_text(learnt: dict[str, Any]) -> str:
    """The least R^2 of all layers and seeds."""
    least = [value for value in learnt["r2_least_by_seed"].values() if value is not None]
    if not least:
        return "no Swish fit"
    count = len(learnt["r2_least_by_seed"])
    seeds = "1 seed" if count == 1 else f"{count} seeds"
    return f"Swish fits: R² ≥ {math.floor(1000 * min(least)) / 1000:.3f}, {seeds}"


def _palette(count: int) -> np.ndarray:
    return mpl.colormaps[ORDERED](np.linspace(0, _LIGHTEST, count))


def _bars(figure: Figure, grid: Any, networks: list[dict[str, Any]], layers: int) -> None:
    """What the colours mean, below the panels."""
    middle, integers = len(networks), MaxNLocator(5, integer=True)
    epochs = max(network["kinds"][kind]["epochs"] for network in networks for kind in KINDS)
    shades: Colormap = ListedColormap(_palette(256))
    for panels, norm, label, ticks in (
        (
            grid[:, :middle],
            Normalize(0, max(epochs, 1)),
            "epoch (dotted: start; dashed: Swish fit of the last)",
            integers,
        ),
        (grid[:, middle:], BoundaryNorm(np.arange(layers + 1) - 0.5, 256), "layer", FixedLocator(range(layers))),
    ):
        bar = figure.colorbar(
            ScalarMappable(norm, shades), ax=panels.ravel().tolist(), location="bottom", fraction=0.05, aspect=40,
            label=label, ticks=ticks,
        )  # fmt: skip
        bar.outline.set_linewidth(0.4)  # pyright: ignore[reportCallIssue]


FIGURE = PaperFigure(
    "7",
    "networks-over-training",
    "Activations that networks learn, over the epochs and in all layers, by backprop and by the local rule",
    compute,
    draw,
    (runs.study(FILMS, KINDS, seeds=1), "pwlact swish RUN"),
)
