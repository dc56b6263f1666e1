"""Figure 5: what is set up: a unit on a mixture, a network with learnable activations, two ways to train it."""

from itertools import pairwise
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pwlact.experiments.unit import UnitConfig, run
from pwlact.moments import GaussianMixture
from pwlact_figures.paper.diagram import Box, Point, arrow, canvas, line, write
from pwlact_figures.paper.figure import PaperFigure
from pwlact_figures.paper.results import Results
from pwlact_figures.style import BLUE, GREEN, PAGE_INCHES, VERMILION

# few enough classes to be told apart in a drawing
CLASSES, SIGMA = 8, 0.6
HEIGHT = 3.0
_GREY, _PALE = "#f0f0f0", "#dcebf5"
_HEAD = HEIGHT - 0.12


def compute(_: Results) -> dict[str, Any]:
    """The curves of the drawings: densities of a mixture, its optimum, its correlations."""
    unit = run(UnitConfig(classes=CLASSES, sigma=SIGMA))
    x = np.linspace(unit["knots"][0], unit["knots"][-1], 161)
    parts = GaussianMixture.standardised(CLASSES, SIGMA).log_joint(torch.from_numpy(x)).exp().T
    config = unit["config"]
    return {
        "classes": CLASSES,
        "sigma": SIGMA,
        "knot_count": config["knots"],
        "low": config["low"],
        "high": config["high"],
        "x": x.tolist(),
        "densities": parts.tolist(),
        **{name: unit[name] for name in ("knots", "values", "means", "rho")},
    }


def draw(data: dict[str, Any]) -> Figure:
    """Three drawings side by side."""
    figure, axes = canvas(PAGE_INCHES, HEIGHT)
    for x, letter, text in (
        (0.06, "a", "a unit on a mixture"),
        (2.12, "b", "a network"),
        (3.72, "c", "two ways to train"),
    ):
        write(axes, (x, _HEAD), rf"$\mathbf{{({letter})}}$ {text}", fontsize=7.5)
    write(axes, (6.69, _HEAD), "$W$: convolution and batch norm", ha="right", color="0.35")
    _unit(axes, data)
    _network(axes, data)
    _backprop(axes, data)
    _local(axes, data)
    return figure


def _unit(axes: Axes, data: dict[str, Any]) -> None:
    """Mixture, f and correlations from top to bottom, and the way back from R to f."""
    mixture, f, rho = (Box(0.64, y, 1.12, 0.56) for y in (2.42, 1.48, 0.54))
    right = 1.26
    mixture.draw(axes, face=_GREY, edge=_GREY)
    top = max(map(max, data["densities"]))
    for density in data["densities"]:
        mixture.curve(axes, data["x"], density, (0, top), color=BLUE, linewidth=0.8)
    write(axes, (right, 2.42), "$K$ classes,\n$x\\,|\\,k \\sim N(\\mu_k, \\sigma^2)$")
    arrow(axes, mixture.bottom, f.top)
    write(axes, (mixture.x + 0.06, 1.95), "$x$, standardised")
    _activation(axes, f, data, markersize=1.6)
    write(axes, (right, 1.6), f"$f$: {data['knot_count']} knots\non [{_number(data['low'])}, {_number(data['high'])}]")
    arrow(axes, f.bottom, rho.top)
    write(axes, (f.x + 0.06, 1.01), "$f(x)$")
    _correlations(axes, rho, data)
    write(axes, (right, 0.54), "$\\rho_k$, with\neach class")
    write(axes, (rho.x, 0.12), r"$R = \sum_k \rho_k\,|\rho_k|$", ha="center", color=GREEN)
    _way_back(axes, (1.0, 0.12), (f.right[0], 1.32))


def _way_back(axes: Axes, start: Point, end: Point) -> None:
    """From R, right round the correlations, up to f."""
    corner = 1.92
    line(axes, [start, (corner, start[1]), (corner, end[1])], GREEN)
    arrow(axes, (corner, end[1]), end, GREEN, shrinkA=0)
    write(axes, (corner - 0.06, 1.01), "maximise", color=GREEN, ha="right")


def _activation(axes: Axes, box: Box, data: dict[str, Any], **options: Any) -> None:
    box.draw(axes, face=_PALE, edge=_PALE)
    values = data["values"]
    look = {"color": BLUE, "linewidth": 1.0, "marker": "o", **options}
    box.curve(axes, data["knots"], values, (min(values), max(values)), **look)


def _correlations(axes: Axes, box: Box, data: dict[str, Any]) -> None:
    box.draw(axes, face=_GREY, edge=_GREY)
    means, rho = np.array(data["means"]), np.array(data["rho"])
    across, up = (data["x"][0], data["x"][-1]), (rho.min(), rho.max())
    x, y = box.inside(means, rho, across, up)
    _, zero = box.inside(means, np.zeros_like(rho), across, up)
    axes.vlines(x, zero, y, colors=[VERMILION if value < 0 else BLUE for value in rho], linewidth=3.2)
    axes.plot([box.left[0] + 0.06, box.right[0] - 0.06], [zero[0], zero[0]], color="black", linewidth=0.5)


def _network(axes: Axes, data: dict[str, Any]) -> None:
    """Image, L times convolution, batch norm and activation, and the classifier."""
    x, width = 2.72, 1.0
    image, convolution, norm, f, linear = (Box(x, y, width, h) for y, h in _ROWS)
    image.draw(axes, "image", face=_GREY)
    frame = Box(x, (convolution.top[1] + f.bottom[1]) / 2, width + 0.2, convolution.top[1] - f.bottom[1] + 0.16)
    frame.draw(axes, edge="0.6")
    convolution.draw(axes, "convolution $W_l$", face=_GREY)
    norm.draw(axes, "batch norm", face=_GREY)
    _activation(axes, f, data, marker="")
    write(axes, (x - 0.42, f.y + 0.1), "$f_l$, learnt")
    linear.draw(axes, "linear, softmax", face=_GREY)
    for above, below in ((image, convolution), (convolution, norm), (norm, f), (f, linear)):
        arrow(axes, above.bottom, below.top)
    write(axes, (frame.right[0] + 0.11, frame.y), "for every layer $l$", ha="center", rotation=90)
    write(axes, (x, 0.12), r"cross-entropy $\mathcal{L}$", ha="center", color=VERMILION)
    arrow(axes, linear.bottom, (x, 0.19), shrinkB=0)


# centre and height of the boxes of the network, from top to bottom
_ROWS = ((2.6, 0.22), (2.12, 0.24), (1.7, 0.24), (1.17, 0.42), (0.52, 0.24))


def _chain(axes: Axes, data: dict[str, Any], y: float) -> list[Box]:
    """W1, f1, W2, f2 and the loss in a row, with the forward arrows."""
    boxes = [Box(x, y, 0.42, 0.34) for x in (4.0, 4.62, 5.24, 5.86)]
    for box, name in zip(boxes, ("$W_1$", "", "$W_2$", ""), strict=True):
        if name:
            box.draw(axes, name, face=_GREY)
        else:
            _activation(axes, box, data, marker="")
    for box, name in zip(boxes[1::2], ("$f_1$", "$f_2$"), strict=True):
        write(axes, (box.x - 0.17, box.y + 0.07), name)
    loss = Box(6.45, y, 0.36, 0.34)
    loss.draw(axes, r"$\mathcal{L}$", edge=VERMILION, color=VERMILION)
    boxes.append(loss)
    for before, after in pairwise(boxes):
        arrow(axes, before.right, after.left)
    return boxes


def _gradients(axes: Axes, boxes: list[Box], targets: list[Box]) -> None:
    """From under the loss, along below the chain, up to what it trains."""
    loss, low = boxes[-1], boxes[0].bottom[1] - 0.22
    line(axes, [loss.bottom, (loss.x, low), (targets[0].x, low)], VERMILION)
    for box in targets:
        arrow(axes, (box.x, low), box.bottom, VERMILION, shrinkA=0)


def _backprop(axes: Axes, data: dict[str, Any]) -> None:
    write(axes, (3.78, 2.62), "backprop: one loss for weights and knots", fontsize=7)
    boxes = _chain(axes, data, 2.27)
    _gradients(axes, boxes, boxes[:-1])
    write(axes, (3.78, 1.77), r"gradient of the cross-entropy $\mathcal{L}$", color=VERMILION)


def _local(axes: Axes, data: dict[str, Any]) -> None:
    write(axes, (3.78, 1.5), "local: the loss for weights, correlations for knots", fontsize=7)
    boxes = _chain(axes, data, 0.62)
    _gradients(axes, boxes, boxes[:-1:2])
    for layer, (weights, f) in enumerate(zip(boxes[0:4:2], boxes[1:4:2], strict=True), 1):
        objective = Box(f.x, 1.19, 0.42, 0.22)
        objective.draw(axes, f"$R_{layer}$", edge=GREEN, color=GREEN)
        arrow(axes, objective.bottom, f.top, GREEN)
        # what R sees is the input of f
        between = (weights.right[0] + f.left[0]) / 2
        line(axes, [(between, f.y), (between, objective.y)], "0.45", linewidth=0.8, linestyle=(0, (2, 1.5)))
        arrow(axes, (between, objective.y), objective.left, "0.45", linewidth=0.8, mutation_scale=5)
    write(axes, (3.78, 0.12), r"gradient of $\mathcal{L}$, knots held constant", color=VERMILION)
    write(axes, (6.69, 1.19), "of its layer's\nown input", color=GREEN, ha="right")


def _number(value: float) -> str:
    return f"{value:g}".replace("-", "−")


FIGURE = PaperFigure(
    "5",
    "setup-diagrams",
    "Set-up: a unit on a mixture of classes, a network with learnable activations, and two ways to train it",
    compute,
    draw,
    (f"pwlact unit --classes {CLASSES} --sigma {SIGMA}", "pwlact cifar --mode backprop", "pwlact cifar --mode local"),
)
