"""Figure 1: the activations that networks use, beside the classes that a unit sees."""

from typing import Any

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pwlact.moments import GaussianMixture
from pwlact.pwl import STARTS
from pwlact.theory import ClassDensities, solve_posterior
from pwlact_figures.paper.any_function import Array, correlations_of, signed_reward
from pwlact_figures.paper.figure import PaperFigure
from pwlact_figures.paper.panels import legend_inside, title_panel
from pwlact_figures.paper.results import Results
from pwlact_figures.style import BLACK, BLUE, COLUMN_INCHES, GREEN, ORANGE, ORDERED, PURPLE, VERMILION

CLASSES, SIGMA, EDGE = 20, 1.0, 3.0
_NAMES = {
    "relu": "ReLU",
    "silu": "SiLU (Swish, β = 1)",
    "gelu": "GELU",
    "softplus": "softplus",
    "tanh": "tanh",
    "sigmoid": "sigmoid",
}
_LOOKS = ((BLACK, "-"), (BLUE, "-"), (VERMILION, "--"), (GREEN, "-"), (ORANGE, "-."), (PURPLE, "-"))


def compute(_: Results) -> dict[str, Any]:
    """Curves, densities, and what share of the best reward each activation has on these classes."""
    x = np.linspace(-EDGE, EDGE, 241)
    mixture = GaussianMixture.standardised(CLASSES, SIGMA)
    densities = ClassDensities.from_mixture(mixture)
    best = solve_posterior(densities).reward
    rewards = {name: signed_reward(correlations_of(_function(name), densities)) for name in _NAMES}
    return {
        "classes": CLASSES,
        "sigma": SIGMA,
        "x": x.tolist(),
        "activations": {name: _function(name)(x).tolist() for name in _NAMES},
        "rewards": rewards,
        "optimum_reward": best,
        "shares": {name: reward / best for name, reward in rewards.items()},
        "means": mixture.means.tolist(),
        "densities": mixture.log_joint(torch.from_numpy(x)).exp().T.tolist(),
    }


def _function(name: str) -> Any:
    def function(x: Array) -> Array:
        return STARTS[name](torch.from_numpy(x.copy())).numpy()

    return function


def draw(data: dict[str, Any]) -> Figure:
    """Activations above, class densities under them, over the same input."""
    figure = Figure(figsize=(COLUMN_INCHES, 3.3))
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(1.35, 1))
    _activations(top, data)
    _densities(bottom, data)
    return figure


def _activations(axes: Axes, data: dict[str, Any]) -> None:
    for (name, values), (colour, dashes) in zip(data["activations"].items(), _LOOKS, strict=True):
        axes.plot(data["x"], values, dashes, color=colour, label=_NAMES[name])
    axes.set(ylabel="f(x)", ylim=(-1.2, 3.2))
    title_panel(axes, "a", "the usual activations: which one should it be?")
    legend_inside(axes, "upper left")


def _densities(axes: Axes, data: dict[str, Any]) -> None:
    x, parts = np.array(data["x"]), np.array(data["densities"])
    for part, colour in zip(parts, mpl.colormaps[ORDERED](np.linspace(0, 0.92, len(parts))), strict=True):
        axes.plot(x, part, color=colour, linewidth=0.8)
    axes.set(xlabel="input x (standard deviations)", ylabel=r"$p_k\,p(x\,|\,k)$", xlim=(x[0], x[-1]), ylim=(0, None))
    title_panel(axes, "b", f"what a unit sees: {data['classes']} classes, dark to light")


FIGURE = PaperFigure(
    "1",
    "common-activations",
    "Common activations beside the classes that a unit sees: which one should it be?",
    compute,
    draw,
    (f"pwlact unit --classes {CLASSES} --sigma {SIGMA} --solver posterior",),
)
