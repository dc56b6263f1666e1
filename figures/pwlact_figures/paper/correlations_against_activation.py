"""Figure 4: the correlations rho against the activation f: what gives f back, what does not, and the tails."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pwlact.correlation import HatStatistics, Problem, solve_eigen
from pwlact.experiments.tails import integral, measure
from pwlact.moments import GaussianMixture
from pwlact.pwl import Knots
from pwlact.theory import ClassDensities, FunctionOptimum, solve_posterior
from pwlact_figures.paper.any_function import Array, correlations_of
from pwlact_figures.paper.dense_tail import dense_tail
from pwlact_figures.paper.figure import PaperFigure
from pwlact_figures.paper.panels import legend_inside, title_panel
from pwlact_figures.paper.results import Results
from pwlact_figures.style import BLACK, BLUE, COLUMN_INCHES, GREEN, ORANGE, VERMILION

CLASSES, SIGMA = 20, 1.0
# (classes, sigma, half width): many sigma wide, so that the bulk is far from both ends
DENSE = (160, 0.5, 6.0)
_EDGE = 3.0
# sigma to the left of the bend that are shown
_SHOWN = 7.0


def compute(_: Results) -> dict[str, Any]:
    """f of 20 classes three ways, and the tail of many classes against the theory."""
    mixture = GaussianMixture.standardised(CLASSES, SIGMA)
    densities = ClassDensities.from_mixture(mixture)
    knots = Knots()
    on_knots = solve_eigen(Problem(HatStatistics.from_mixture(mixture, knots), knots))
    optimum = solve_posterior(densities, start=on_knots.rho.numpy())
    x, means = np.linspace(-_EDGE, _EDGE, 241), mixture.means.numpy()
    f, form = optimum(x), _posterior_form(optimum, densities, x)
    inside = np.linspace(means[0], means[-1], 400)
    t = knots.positions().numpy()
    # on the knots f starts from 0; f* has mean 0: shift and scale are free
    values = _aligned(on_knots.values.numpy(), optimum(t))
    return {
        "classes": CLASSES,
        "sigma": SIGMA,
        "reward": optimum.reward,
        "means": means.tolist(),
        "rho": optimum.rho.tolist(),
        "x": x.tolist(),
        "f": f.tolist(),
        "posterior_form": form.tolist(),
        "posterior_error": float(np.abs(f - form).max()),
        "knots": t.tolist(),
        "values": values.tolist(),
        "knots_error": float(np.abs(values - optimum(t)).max()),
        "inside": inside.tolist(),
        "integral": _aligned(_integral(inside, means, optimum.rho), optimum(inside)).tolist(),
        "integral_r2": integral(CLASSES, SIGMA)["r2"],
        "tail": dense_tail(*DENSE),
        "measured": measure(*DENSE),
    }


def _posterior_form(optimum: FunctionOptimum, densities: ClassDensities, x: Array) -> Array:
    """sum_k |rho_k| (p(k|x) - p_k) / sqrt(p_k (1 - p_k)) / lambda, with rho and lambda measured on f by quadrature.

    Where f is stationary this is f again.
    """
    rho, p = correlations_of(optimum, densities), densities.priors
    weights = np.abs(rho) / np.sqrt(p * (1 - p)) / (rho * np.abs(rho)).sum()
    return (densities.posterior(x) - p) @ weights


def _integral(x: Array, means: Array, rho: Array) -> Array:
    """The draft's f: rho, interpolated between the class means, integrated from the lowest up to x."""
    height = np.interp(x, means, rho)
    return np.concatenate([[0.0], np.cumsum((height[1:] + height[:-1]) / 2 * np.diff(x))])


def _aligned(y: Array, f: Array) -> Array:
    """The shift and scale of y that are nearest to f."""
    design = np.stack([np.ones_like(y), y], axis=1)
    return design @ np.linalg.lstsq(design, f, rcond=None)[0]


def draw(data: dict[str, Any]) -> Figure:
    """rho over the class means, f three ways, the tail of rho where classes are dense."""
    figure = Figure(figsize=(COLUMN_INCHES, 5.2))
    panels = figure.subplot_mosaic([["rho", "rho"], ["f", "f"], ["tail", "ramp"]], height_ratios=(0.8, 1.2, 1.1))
    _correlations(panels["rho"], data)
    _activations(panels["f"], data)
    _tail(panels["tail"], data)
    _ramp(panels["ramp"], data)
    return figure


def _correlations(axes: Axes, data: dict[str, Any]) -> None:
    means, rho = np.array(data["means"]), np.array(data["rho"])
    axes.vlines(means, 0, rho, colors=BLUE, linewidth=1.2)
    axes.plot(means, rho, "o", color=BLUE, markersize=3)
    axes.axhline(0, color="black", linewidth=0.6)
    axes.set(xlabel=r"class mean $\mu_k$ (standard deviations of x)", ylabel=r"$\rho_k$", xlim=(-_EDGE, _EDGE))
    title_panel(axes, "a", rf"correlations $\rho$, {data['classes']} classes, $\sigma$ = {data['sigma']:g}")


def _activations(axes: Axes, data: dict[str, Any]) -> None:
    r2 = data["integral_r2"]
    axes.plot(data["x"], data["posterior_form"], color=VERMILION, linewidth=2.6, alpha=0.5,
              label=f"posterior form of ρ (within {_power(data['posterior_error'])})")  # fmt: skip
    axes.plot(data["x"], data["f"], color=BLUE, linewidth=1, label="f, best of all functions")
    axes.plot(data["knots"], data["values"], "o", color=BLUE, markersize=2.2, label=f"f on {len(data['knots'])} knots")
    axes.plot(data["inside"], data["integral"], "--", color=GREEN, label=f"∫ ρ, best shift and scale: R² = {r2:.3f}")
    low, high = min(data["f"]), max(data["f"])
    axes.set(
        xlabel="input x (standard deviations)",
        ylabel="f(x)",
        xlim=(-_EDGE, _EDGE),
        ylim=(low - 0.1 * (high - low), high + 0.25 * (high - low)),
    )
    title_panel(axes, "b", "the activation f from ρ")
    legend_inside(axes, "upper left")


def _tail(axes: Axes, data: dict[str, Any]) -> None:
    """How far rho is from its plateau, on a logarithmic scale: a line for the decay, dips where the cosine is 0."""
    tail, found = data["tail"], data["measured"]
    u = tail["left"]
    axes.plot(u, np.abs(tail["deviation"]), "o", color=BLUE, markersize=2, label="ρ")
    axes.plot(u, np.abs(tail["fitted"]), color=VERMILION, linewidth=1, label=f"fit: {_decay(found, 'b')}")
    axes.plot(
        u, np.abs(tail["predicted"]), "--", color=BLACK, linewidth=1, label=f"theory: {_decay(found, 'b_predicted')}"
    )
    axes.set(yscale="log", xlabel="(μ − bend) / σ", ylabel="|ρ − plateau|")
    top = np.abs(tail["deviation"]).max()
    axes.set(xlim=(-_SHOWN, 0), ylim=(1e-4 * top, 300 * top))
    axes.set_xticks((-6, -4, -2, 0))
    title_panel(axes, "c", f"tail of {found['classes']} classes")
    legend_inside(axes, "upper left")


def _ramp(axes: Axes, data: dict[str, Any]) -> None:
    tail, found = data["tail"], data["measured"]
    axes.axhline(0, color="black", linewidth=0.6)
    axes.plot(tail["u"], tail["rho"], "o", color=BLUE, markersize=2, label="ρ")
    axes.plot(tail["right"], tail["ramp"], color=ORANGE, linewidth=2, label=f"line, R² = {found['ramp_r2']:.4f}")
    axes.set(xlabel="(μ − bend) / σ", ylabel="ρ", xlim=(-_SHOWN / 2, max(tail["u"]) + 0.2))
    axes.set(ylim=(1.5 * min(tail["rho"]), 1.45 * max(tail["rho"])), xticks=(-2, 0, 2, 4))
    title_panel(axes, "d", "their ramp")
    legend_inside(axes, "upper left")


def _power(error: float) -> str:
    """An upper bound by a power of ten, 1e-9 as 10⁻⁹."""
    exponent = int(np.ceil(np.log10(max(error, 1e-16))))
    return rf"$10^{{{exponent}}}$"


def _decay(found: dict[str, Any], name: str) -> str:
    return f"b σ = {found[name] * found['sigma']:.2f}"


FIGURE = PaperFigure(
    "4",
    "correlations-against-activation",
    "Correlations ρ against the activation f: the posterior form gives f back, the integral does not",
    compute,
    draw,
    ("pwlact theory tails", f"pwlact unit --classes {CLASSES} --sigma {SIGMA} --solver posterior"),
)
