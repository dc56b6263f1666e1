"""Boxes, arrows and small plots on a canvas measured in inches."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import PlaceHolderLayoutEngine
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from pwlact_figures.style import BLACK

Point = tuple[float, float]
TEXT = 6.8


def canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure with one axis-less plot over all of it, in which a unit is an inch."""
    # with no engine at all, the house style's would be back at the second format that is saved
    figure = Figure(figsize=(width, height), layout=PlaceHolderLayoutEngine(True, True))
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set(xlim=(0, width), ylim=(0, height))
    axes.axis("off")
    return figure, axes


@dataclass(frozen=True)
class Box:
    """A rectangle by its centre, width and height, in inches."""

    x: float
    y: float
    width: float
    height: float

    @property
    def left(self) -> Point:
        """Middle of the left edge."""
        return self.x - self.width / 2, self.y

    @property
    def right(self) -> Point:
        """Middle of the right edge."""
        return self.x + self.width / 2, self.y

    @property
    def top(self) -> Point:
        """Middle of the upper edge."""
        return self.x, self.y + self.height / 2

    @property
    def bottom(self) -> Point:
        """Middle of the lower edge."""
        return self.x, self.y - self.height / 2

    def draw(self, axes: Axes, text: str = "", face: str = "white", edge: str = BLACK, **options: Any) -> None:
        """The box with rounded corners and a text in its middle."""
        corner = (self.x - self.width / 2, self.y - self.height / 2)
        axes.add_patch(
            FancyBboxPatch(
                corner, self.width, self.height, boxstyle="round,pad=0,rounding_size=0.04",
                facecolor=face, edgecolor=edge, linewidth=0.8,
            )
        )  # fmt: skip
        if text:
            write(axes, (self.x, self.y), text, **{"ha": "center", **options})

    def curve(self, axes: Axes, x: Sequence[float], y: Sequence[float], limits: Point, **options: Any) -> None:
        """A curve inside the box, y from limits[0] at its bottom to limits[1] at its top."""
        axes.plot(*self.inside(np.array(x), np.array(y), (x[0], x[-1]), limits), **options)

    def inside(self, x: np.ndarray, y: np.ndarray, across: Point, up: Point) -> tuple[np.ndarray, np.ndarray]:
        """Points of the canvas for data in the ranges `across` and `up`, with a margin to the box's edge."""
        margin = 0.06
        w, h = self.width - 2 * margin, self.height - 2 * margin
        return (
            self.x - w / 2 + w * (x - across[0]) / (across[1] - across[0]),
            self.y - h / 2 + h * (y - up[0]) / (up[1] - up[0]),
        )


def arrow(axes: Axes, start: Point, end: Point, colour: str = BLACK, **options: Any) -> None:
    """An arrow from `start` to `end`."""
    look = {"arrowstyle": "-|>", "mutation_scale": 6.5, "linewidth": 1.0, "shrinkA": 0.5, "shrinkB": 0.5}
    axes.add_patch(FancyArrowPatch(start, end, color=colour, **{**look, **options}))


def line(axes: Axes, points: Sequence[Point], colour: str = BLACK, **options: Any) -> None:
    """A line through the points, without a head."""
    axes.plot(*zip(*points, strict=True), color=colour, **{"linewidth": 1.0, "solid_joinstyle": "miter", **options})


def write(axes: Axes, place: Point, text: str, **options: Any) -> None:
    """Text, vertically centred on its place."""
    axes.text(*place, text, **{"fontsize": TEXT, "va": "center", **options})
