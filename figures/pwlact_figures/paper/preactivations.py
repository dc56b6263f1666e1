"""Figure S8: are the inputs of activations normal within a class? Histograms, quantiles, and W by layer."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from pwlact.training import read_inputs
from pwlact_figures.paper import network_runs as runs
from pwlact_figures.paper.figure import PaperFigure
from pwlact_figures.paper.panels import title_panel
from pwlact_figures.paper.results import MissingResultError, Results
from pwlact_figures.style import BLACK, BLUE, PAGE_INCHES, SKY

KINDS = ("local", "backprop")
OPTIONAL = ("silu",)
# of the normal drawn under the histograms, in standard deviations
_REACH = 4.0
_MARKS = {"local": "s-", "backprop": "o-", "silu": "^-"}


def compute(results: Results) -> dict[str, Any]:
    """W of the widest inspected runs; quantiles, and histograms where they are kept, of the first one's layers."""
    networks, firsts = [], []
    for arch in runs.ARCHS:
        try:
            chosen = runs.widest(results, arch, KINDS, (runs.RESULT, runs.INSPECTION))
        except MissingResultError:
            if not networks:
                raise
            continue
        width = chosen[KINDS[0]][0].width
        others = [run for run in runs.finished(results, arch, (runs.RESULT, runs.INSPECTION)) if run.kind in OPTIONAL]
        inspected = [chosen[kind][0] for kind in KINDS] + [run for run in others if run.width == width][:1]
        networks.append(
            {"arch": runs.ARCHS[arch], "width": width, "runs": [_normality(results, run) for run in inspected]}
        )
        firsts.append(inspected[0])
    return {"networks": networks, "closer": _closer(results, firsts[0])}


def _normality(results: Results, run: runs.NetworkRun) -> dict[str, Any]:
    part = runs.read_inspection(results, run, "gaussianity")
    with runs.reading(results, f"{run.name}/{runs.INSPECTION}", run.command):
        return {
            "kind": run.kind,
            "seed": run.seed,
            "n": int(part["n"]),
            "samples": {end: int(part["samples"][end]) for end in ("least", "most")},
            "w": {str(layer["name"]): _spread(layer["within"]["w"]) for layer in part["layers"]},
            "w_pooled": {str(layer["name"]): _spread(layer["pooled"]["w"]) for layer in part["layers"]},
            "w_normal": _spread(part["baselines"]["normal"]["w"]),
        }


def _spread(statistic: dict[str, Any]) -> dict[str, float | None]:
    return {name: runs.number(statistic[name]) for name in ("median", "q10", "q90")}


def _closer(results: Results, run: runs.NetworkRun) -> dict[str, Any]:
    """The layers of the least, the middle and the largest W of a run: quantiles, and histograms if it has them."""
    part = runs.read_inspection(results, run, "gaussianity")
    with runs.reading(results, f"{run.name}/{runs.INSPECTION}", run.command):
        w = {layer["name"]: runs.known(layer["within"]["w"]["median"]) for layer in part["layers"]}
        order = sorted(w, key=lambda name: w[name])
        chosen = dict.fromkeys((order[0], order[len(order) // 2], order[-1]))
        curves = {layer["name"]: layer["within"] for layer in part["qq"]["layers"]}
        quantiles = {
            name: {key: [runs.number(value) for value in curves[name][key]] for key in ("mean", "q10", "q90")}
            for name in chosen
        }
        normal = [runs.known(value) for value in part["qq"]["normal"]]
    return {
        "run": run.name, "arch": runs.ARCHS[run.arch], "kind": run.kind, "width": run.width, "seed": run.seed,
        "w": {name: w[name] for name in chosen}, "normal": normal, "quantiles": quantiles,
        "histograms": _histograms(results, run, list(chosen)),
    }  # fmt: skip


def _histograms(results: Results, run: runs.NetworkRun, layers: list[str]) -> dict[str, Any] | None:
    """Density of the standardised input of each class after the last epoch; None where the run does not have it."""
    folder = results.folder / run.name
    if not (folder / runs.INPUTS).is_file():
        return None
    history = read_inputs(folder)
    with runs.reading(results, f"{run.name}/{runs.INPUTS}", run.command):
        return {name: [_standardised(counts, history.edges) for counts in history.layers[name][-1]] for name in layers}


def _standardised(counts: np.ndarray, edges: np.ndarray) -> dict[str, Any]:
    """Histogram of z = (x - m) / s with the class' own mean m and deviation s, both from the bins.

    The outer bins also hold all beyond them: they count in m and s, and are not shown.
    """
    n, centres = int(counts.sum()), (edges[1:] + edges[:-1]) / 2
    if n == 0:
        return {"n": 0, "mean": None, "deviation": None, "edges": [], "density": []}
    mean = float(counts @ centres / n)
    deviation = float(np.sqrt(counts @ (centres - mean) ** 2 / n))
    if deviation == 0:
        return {"n": n, "mean": mean, "deviation": 0.0, "edges": [], "density": []}
    density = counts / n / np.diff(edges) * deviation
    return {
        "n": n,
        "mean": mean,
        "deviation": deviation,
        "edges": ((edges[1:-1] - mean) / deviation).tolist(),
        "density": density[1:-1].tolist(),
    }


def draw(data: dict[str, Any]) -> Figure:
    """Three layers of one run, from the least normal to the most, and W of all layers of all runs."""
    closer, networks = data["closer"], data["networks"]
    parts = [part for part in ("histograms", "quantiles") if closer[part] is not None]
    figure = Figure(figsize=(PAGE_INCHES, 1.75 * len(parts) + 2.3))
    above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=(1.75 * len(parts), 2.0))[:, 0]
    grid = above.subplots(len(parts), len(closer["w"]), squeeze=False, sharex="row", sharey="row")
    letters = iter("abcdefghijklmnop")
    for panels, part in zip(grid, parts, strict=True):
        for axes, name in zip(panels, closer["w"], strict=True):
            _PARTS[part](axes, closer, name)
            title_panel(axes, next(letters), f"{name.replace('layer', 'layer ')}, W {closer['w'][name]:.3f}")
        panels[0].set_ylabel({"histograms": "density", "quantiles": "quantile of the input"}[part])
        panels[0].legend(
            fontsize=6, loc={"histograms": "upper left", "quantiles": "lower right"}[part], handlelength=1.5
        )
    panels = below.subplots(1, len(networks), squeeze=False, sharey=True)[0]
    for axes, network in zip(panels, networks, strict=True):
        _statistic(axes, network)
        title_panel(axes, next(letters), f"{network['arch']}, width {network['width']:g}, {_count(network)}")
    panels[0].set_ylabel("W within a class")
    figure.suptitle(_title(closer), fontsize=7)
    return figure


def _title(closer: dict[str, Any]) -> str:
    return (
        f"above: {closer['arch']}, {runs.LOOKS[closer['kind']][0]}, width {closer['width']:g}, seed {closer['seed']}: "
        "layers of the least, the middle and the largest W"
    )


def _count(network: dict[str, Any]) -> str:
    samples = network["runs"][0]["samples"]
    return f"{samples['least']} to {samples['most']} images a class"


def _density(axes: Axes, closer: dict[str, Any], name: str) -> None:
    classes = closer["histograms"][name]
    for place, one in enumerate(classes):
        if one["density"]:
            label = f"{len(classes)} classes" if place == 0 else None
            axes.stairs(one["density"], one["edges"], baseline=None, color=SKY, linewidth=0.6, label=label)
    z = np.linspace(-_REACH, _REACH, 200)
    axes.plot(z, np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi), "--", color=BLACK, linewidth=1, label="normal")
    axes.set(xlim=(-_REACH, _REACH), xlabel="input, standardised in its class")


def _quantiles(axes: Axes, closer: dict[str, Any], name: str) -> None:
    normal, curves = closer["normal"], closer["quantiles"][name]
    axes.axline((0, 0), slope=1, color=BLACK, linewidth=0.8, linestyle="--", label="normal")
    low, high = runs.numbers(curves["q10"]), runs.numbers(curves["q90"])
    axes.fill_between(normal, low, high, color=SKY, alpha=0.5, linewidth=0, label="10 to 90 % of them")
    axes.plot(normal, runs.numbers(curves["mean"]), color=BLUE, linewidth=1.2, label="mean of channels and classes")
    axes.set_xlabel("quantile of a normal")


_PARTS = {"histograms": _density, "quantiles": _quantiles}


def _statistic(axes: Axes, network: dict[str, Any]) -> None:
    """W by layer: medians over channels and classes with their 10 to 90 %, and the same of true normals."""
    reference = network["runs"][0]["w_normal"]
    axes.axhspan(reference["q10"], reference["q90"], color="0.87", linewidth=0, label="true normals")
    axes.axhline(reference["median"], color="0.5", linewidth=0.8)
    for place, run in enumerate(network["runs"]):
        spreads = list(run["w"].values())
        x = np.arange(len(spreads)) + 0.15 * (place - (len(network["runs"]) - 1) / 2)
        middle, low, high = (runs.numbers([one[key] for one in spreads]) for key in ("median", "q10", "q90"))
        name, colour = runs.LOOKS[run["kind"]]
        axes.vlines(x, low, high, color=colour, linewidth=0.6)
        axes.plot(x, middle, _MARKS[run["kind"]], color=colour, markersize=2.6, linewidth=0.8, label=name)
    axes.set_xlabel("layer")
    axes.xaxis.set_major_locator(MultipleLocator(1))
    axes.legend(loc="lower right", ncols=2, fontsize=6.5)


FIGURE = PaperFigure(
    "s8",
    "preactivations",
    "Inputs of activations within a class, against normals of the same moments",
    compute,
    draw,
    ("pwlact inspect RUN --part gaussianity",),
)
