"""The figures of the paper that need no training, at small sizes: computed once, drawn, and measured on the page."""

import json
from contextlib import ExitStack
from functools import cache
from itertools import combinations
from pathlib import Path
from unittest.mock import patch

import numpy as np
from matplotlib.text import Text

from pwlact.experiments import tails as tails_experiment
from pwlact.files import to_json
from pwlact_figures.paper import (
    Results,
    beyond_gaussian,
    certificate,
    common_activations,
    correlations_against_activation,
    knots_study,
    noise_and_classes,
    objective_at_work,
    regimes,
    setup_diagrams,
    tails,
    unit_results,
)
from pwlact_figures.style import save, style

# what makes each quick to compute without changing what it shows
SMALL = {
    common_activations: {},
    objective_at_work: {},
    correlations_against_activation: {"DENSE": (130, 0.5, 6.0)},
    setup_diagrams: {},
    unit_results: {"STEPS": 40},
    noise_and_classes: {"CLASSES": "3:9", "SIGMAS": "0.3:10:6"},
    knots_study: {},
    regimes: {"COUNT": 7},
    certificate: {"CLASSES": 8},
    tails: {},
    beyond_gaussian: {"CLASSES": 5, "DRAWS": 2},
}
MODULES = tuple(SMALL)
DENSE = ((40, 1.0, 6.0), (130, 0.5, 6.0))


def compute(module):
    with ExitStack() as stack:
        stack.enter_context(patch.object(tails_experiment, "DENSE", DENSE))
        for name, value in SMALL[module].items():
            stack.enter_context(patch.object(module, name, value))
        return to_json(module.compute(Results(Path("nowhere"))))


@cache
def _computed(module):
    return compute(module)


def small(module):
    """The figure's data as they come back from the file that keeps them."""
    return json.loads(_computed(module))


@cache
def drawn(module):
    """The figure, laid out."""
    with style():
        figure = module.draw(small(module))
        figure.draw_without_rendering()
    return figure


def written(module, data, path):
    with style():
        save(module.draw(data), path)
    return path.read_bytes()


def texts(figure):
    """(text, box on the page) of all texts that are seen: titles, labels, ticks, legends, notes."""
    found = figure.findobj(lambda artist: isinstance(artist, Text) and artist.get_visible())
    ticks = {
        label
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks())
        for label in (tick.label1, tick.label2)
    }
    shown = {label for axes in figure.axes for label in (*_ticks(axes.xaxis), *_ticks(axes.yaxis)) if axes.axison}
    return [
        (text.get_text(), text.get_window_extent())
        for text in found
        if text.get_text().strip() and (text not in ticks or text in shown)
    ]


def _ticks(axis):
    low, high = sorted(axis.get_view_interval())
    return [
        tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high and tick.label1.get_visible()
    ]


def outside(figure, slack=0.5):
    """Texts that stick out of the page, in pixels of slack."""
    width, height = figure.bbox.width, figure.bbox.height
    return [
        text
        for text, box in texts(figure)
        if min(box.x0, box.y0) < -slack or box.x1 > width + slack or box.y1 > height + slack
    ]


def colliding(figure, slack=1.0):
    """Pairs of texts that lie on each other."""

    def overlap(a, b):
        return min(a.x1, b.x1) - max(a.x0, b.x0) > slack and min(a.y1, b.y1) - max(a.y0, b.y0) > slack

    return [(a, b) for (a, box), (b, other) in combinations(texts(figure), 2) if overlap(box, other)]


def under_legends(figure):
    """Vertices of curves that lie under a legend of their own axes."""
    found = []
    for axes in figure.axes:
        legend = axes.get_legend()
        if legend is None:
            continue
        box = legend.get_window_extent()
        for line in axes.lines:
            points = line.get_transform().transform(dense(line.get_xydata()))
            found += [tuple(point) for point in points[np.isfinite(points).all(1)] if box.contains(*point)]
    return found


def dense(points, parts=20):
    """The points, and others on the straight lines between them."""
    if len(points) < 2:
        return points
    w = np.linspace(0, 1, parts)[:, None, None]
    return (points[:-1] * (1 - w) + points[1:] * w).reshape(-1, 2)
