"""Figure 6: single units: two classes, twenty classes, three levels of noise, and the solvers side by side."""

from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pwlact.experiments.unit import UnitConfig, run
from pwlact.swish import PARAMETERS, swish
from pwlact_figures.paper.figure import PaperFigure
from pwlact_figures.paper.panels import legend_inside, title_panel
from pwlact_figures.paper.records import lasting
from pwlact_figures.paper.results import Results
from pwlact_figures.style import BLACK, BLUE, GREEN, ORANGE, PAGE_INCHES, VERMILION

CLASSES, SIGMA = 20, 1.0
SIGMAS = (0.6, 1.0, 10.0)
SOLVERS = ("analytic", "sample")
STEPS = 500
# a shortfall below is rounding
_FLOOR = 1e-13
_LOOKS = ((VERMILION, "-"), (BLUE, "--"), (GREEN, "-."))


def compute(_: Results) -> dict[str, Any]:
    """Two classes under both objectives, twenty over the noise, and Adam against the exact solver."""
    sweep = {f"{sigma:g}": lasting(run(UnitConfig(classes=CLASSES, sigma=sigma))) for sigma in SIGMAS}
    exact = sweep[f"{SIGMA:g}"]
    return {
        "two": _two_classes(),
        "twenty": exact,
        "sweep": sweep,
        "solvers": {name: _agreement(name, exact) for name in SOLVERS},
    }


def _two_classes() -> dict[str, Any]:
    """The signed objective's untouched start, and the energy objective's optimum with the posterior it ought to be."""
    signed = lasting(run(UnitConfig(classes=2, sigma=SIGMA)))
    energy = lasting(run(UnitConfig(classes=2, sigma=SIGMA, objective="energy")))
    t = torch.tensor(energy["knots"], dtype=torch.float64)
    posterior = UnitConfig(classes=2, sigma=SIGMA).mixture().posterior(t)[:, 1].numpy()
    values = np.array(energy["values"])
    design = np.stack([np.ones_like(posterior), posterior], axis=1)
    weights = np.linalg.lstsq(design, values, rcond=None)[0]
    rest = values - design @ weights
    return {
        "signed": signed,
        "energy": energy,
        "posterior": posterior.tolist(),
        # the optimum in the units of the posterior: shift and scale are free
        "energy_as_posterior": ((values - weights[0]) / weights[1]).tolist(),
        "posterior_r2": float(1 - (rest**2).sum() / ((values - values.mean()) ** 2).sum()),
    }


def _agreement(name: str, exact: dict[str, Any]) -> dict[str, Any]:
    """A gradient solver's way to the exact optimum: 1 - R / R(exact) over its steps, and R^2 between the curves."""
    found = lasting(run(UnitConfig(classes=CLASSES, sigma=SIGMA, solver=name, steps=STEPS)))
    history = [step for step in found["history"] if step["step"]]
    correlation = np.corrcoef(found["values"], exact["values"])[0, 1]
    return {
        "reward": found["reward"],
        "samples": found["config"]["samples"] if name == "sample" else None,
        "lr": found["config"]["lr"],
        "steps": [step["step"] for step in history],
        "shortfall": [1 - step["score"] / exact["reward"] for step in history],
        "values": found["values"],
        "swish": found["swish"],
        "r2": float(correlation**2),
        "largest_difference": float(np.abs(np.array(found["values"]) - exact["values"]).max()),
    }


def draw(data: dict[str, Any]) -> Figure:
    """Four panels across the page."""
    figure = Figure(figsize=(PAGE_INCHES, 2.5))
    two, twenty, sweep, solvers = figure.subplots(1, 4)
    _two(two, data["two"])
    _twenty(twenty, data["twenty"])
    _sweep(sweep, data["sweep"])
    _solvers(solvers, data["solvers"])
    return figure


def _two(axes: Axes, two: dict[str, Any]) -> None:
    t, signed = two["signed"]["knots"], two["signed"]
    axes.plot(t, signed["values"], color=BLACK, label=f"signed: R = {signed['reward']:g} for\nevery f; the start stays")
    axes.plot(t, two["posterior"], color=VERMILION, linewidth=1, zorder=3, label="posterior p(2 | x)")
    label = f"energy: the optimum,\nR² = {two['posterior_r2']:.5f}"
    axes.plot(t, two["energy_as_posterior"], "o", color=BLUE, markersize=2.5, label=label)
    axes.set(xlabel="input x (std. dev.)", ylabel="f(x)", ylim=(-0.2, 5.6))
    title_panel(axes, "a", "two classes")
    legend_inside(axes, "upper left", fontsize=6)


def _twenty(axes: Axes, found: dict[str, Any]) -> None:
    t, fit = np.array(found["knots"]), found["swish"]
    x = np.linspace(t[0], t[-1], 241)
    axes.plot(t, found["values"], "o", color=BLUE, markersize=2, label=f"optimum,\nR = {found['reward']:.4f}")
    label = f"Swish, R² = {fit['r2']:.4f},\nβ = {fit['beta']:.2f}, x₀ = {fit['x0']:.2f}"
    axes.plot(x, swish(x, *(fit[name] for name in PARAMETERS)), "--", color=VERMILION, label=label)
    _headroom(axes, found["values"])
    axes.set(xlabel="input x (std. dev.)", ylabel="f(x)")
    title_panel(axes, "b", f"{found['classes']} classes, σ = {found['sigma']:g}")
    legend_inside(axes, "upper left", fontsize=6)


def _sweep(axes: Axes, sweep: dict[str, Any]) -> None:
    shapes = {sigma: _unit_range(found["values"]) for sigma, found in sweep.items()}
    for (sigma, values), (colour, dashes) in zip(shapes.items(), _LOOKS, strict=True):
        reward = sweep[sigma]["reward"]
        axes.plot(sweep[sigma]["knots"], values, dashes, color=colour, label=f"σ = {sigma}, R = {reward:.2g}")
    axes.set(xlabel="input x (std. dev.)", ylabel="f(x), scaled to [0, 1]", ylim=(-0.05, 1.5), yticks=(0, 0.5, 1))
    title_panel(axes, "c", "noise")
    legend_inside(axes, "upper left", fontsize=6)


def _unit_range(values: list[float]) -> np.ndarray:
    y = np.array(values)
    return (y - y.min()) / np.ptp(y)


def _solvers(axes: Axes, solvers: dict[str, Any]) -> None:
    names = {"analytic": "closed form", "sample": "samples"}
    for (name, found), (colour, marker) in zip(solvers.items(), ((BLUE, "o-"), (ORANGE, "s--")), strict=True):
        label = f"{names[name]}:\nR² = {found['r2']:.5f}"
        axes.plot(
            found["steps"], np.maximum(found["shortfall"], _FLOOR), marker, color=colour, markersize=2.5, label=label
        )
    axes.set(xscale="log", yscale="log", xlabel="Adam step", ylabel="shortfall 1 − R / R(exact)", ylim=(_FLOOR, 1))
    axes.set_xticks((1, 10, 100), ("1", "10", "100"))
    title_panel(axes, "d", "solvers agree")
    legend_inside(axes, "lower left", fontsize=6)


def _headroom(axes: Axes, values: list[float]) -> None:
    """Room for a legend over the data."""
    low, high = min(values), max(values)
    axes.set_ylim(low - 0.06 * (high - low), high + 0.5 * (high - low))


FIGURE = PaperFigure(
    "6",
    "unit-results",
    "Single units: two classes, twenty classes with their Swish, three levels of noise, and the solvers side by side",
    compute,
    draw,
    (
        f"pwlact unit --classes 2 --sigma {SIGMA} --objective energy",
        *(f"pwlact unit --classes {CLASSES} --sigma {sigma}" for sigma in SIGMAS),
        *(f"pwlact unit --classes {CLASSES} --sigma {SIGMA} --solver {name}" for name in SOLVERS),
    ),
)
