"""Figure s4: every sign pattern tried: the local optima, and the margin of the global one."""

from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pwlact.correlation import HatStatistics, Problem, hat_gram, reward, solve_eigen
from pwlact.correlation.patterns import Gram
from pwlact.moments import GaussianMixture
from pwlact.pwl import Knots
from pwlact.theory import certify
from pwlact_figures.paper.figure import PaperFigure
from pwlact_figures.paper.panels import legend_inside, title_panel
from pwlact_figures.paper.results import Results
from pwlact_figures.style import BLUE, PAGE_INCHES, SKY, VERMILION

CLASSES, SIGMAS = 12, (0.1, 0.3, 1.0)
# rho this small beside the largest fits either sign; rewards this near are one (f and its mirror image)
_ZERO, _SAME = 1e-9, 1e-6


def compute(_: Results) -> dict[str, Any]:
    """The best function of each of the 2^K patterns, which of them are local optima, and the certificate."""
    return {"classes": CLASSES, "patterns": 2**CLASSES, "cases": [_case(sigma) for sigma in SIGMAS]}


def _case(sigma: float) -> dict[str, Any]:
    knots = Knots()
    statistics = HatStatistics.from_mixture(GaussianMixture.standardised(CLASSES, sigma), knots)
    gram, _ = hat_gram(statistics)
    codes = torch.arange(2**CLASSES)[:, None] >> torch.arange(CLASSES)
    patterns = 1 - 2 * (codes & 1).double()
    rho = Gram(gram).best(patterns).rho
    rewards = reward(rho)
    # consistent: the best function of the pattern has the signs of the pattern
    consistent = (rho * patterns > -_ZERO * rho.abs().amax(-1, keepdim=True)).all(-1)
    order = rewards.argsort(descending=True)
    optima = rewards[order][consistent[order]].tolist()
    lower = [value for value in optima if value < optima[0] * (1 - _SAME)]
    certificate = certify(gram)
    return {
        "sigma": sigma,
        "rewards": rewards[order].tolist(),
        "ranks": (consistent[order].nonzero()[:, 0] + 1).tolist(),
        "optima": optima,
        "global_optima": len(optima) - len(lower),
        "next": lower[0] if lower else None,
        "margin": 1 - lower[0] / optima[0] if lower else None,
        "certified_reward": certificate.reward,
        "certified_optima": certificate.consistent,
        "solver_reward": solve_eigen(Problem(statistics, knots)).reward.item(),
    }


def draw(data: dict[str, Any]) -> Figure:
    """Rewards by rank, a panel a noise, local optima marked."""
    figure = Figure(figsize=(PAGE_INCHES, 2.4))
    for axes, case, letter in zip(figure.subplots(1, len(data["cases"])), data["cases"], "abc", strict=True):
        _draw_case(axes, case)
        title_panel(axes, letter, f"σ = {case['sigma']:g}: margin {100 * case['margin']:.1f} %")
        axes.set_xlabel(f"rank among {data['patterns']:,} patterns")
    figure.axes[0].set_ylabel("reward R")
    return figure


def _draw_case(axes: Axes, case: dict[str, Any]) -> None:
    ranks, optima = np.array(case["ranks"]), np.array(case["optima"])
    best = np.arange(len(optima)) < case["global_optima"]
    every = np.arange(len(case["rewards"])) + 1
    axes.plot(every, case["rewards"], color=SKY, label="best function of each pattern")
    axes.plot(
        ranks[~best], optima[~best], "o", color=BLUE, markersize=3.5, label=f"other local optima: {(~best).sum()}"
    )
    label = f"global optimum: {optima[0]:.4f}"
    axes.plot(ranks[best], optima[best], "*", color=VERMILION, markersize=9, label=label)
    axes.set(xscale="log", ylim=(-0.05 * optima[0], 1.6 * optima[0]))
    legend_inside(axes, "upper right")


FIGURE = PaperFigure(
    "s4",
    "certificate",
    f"Rewards of all sign patterns of {CLASSES} classes: the global optimum and its margin over the other local ones",
    compute,
    draw,
    tuple(f"pwlact unit --classes {CLASSES} --sigma {sigma} --certify" for sigma in SIGMAS),
)
