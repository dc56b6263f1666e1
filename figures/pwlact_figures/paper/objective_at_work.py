"""Figure 3: the objective at work: who gains, who pays, and the budget that ties them."""

from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pwlact.correlation import HatStatistics, Problem, solve_eigen
from pwlact.experiments.unit import UnitConfig, run
from pwlact.moments import GaussianMixture
from pwlact.pwl import Knots
from pwlact_figures.paper.figure import PaperFigure
from pwlact_figures.paper.panels import title_panel
from pwlact_figures.paper.results import Results
from pwlact_figures.style import BLUE, COLUMN_INCHES, VERMILION

CLASSES, SIGMA = 20, 1.0
# prior of the lowest class over that of the highest
SKEW = 8.0


def compute(_: Results) -> dict[str, Any]:
    """Densities, correlations and contributions of the 20-class optimum, and the budget with both kinds of priors."""
    unit = run(UnitConfig(classes=CLASSES, sigma=SIGMA))
    mixture = GaussianMixture.standardised(CLASSES, SIGMA)
    x = np.linspace(-3.0, 3.0, 241)
    rho = np.array(unit["rho"])
    return {
        "classes": CLASSES,
        "sigma": SIGMA,
        "reward": unit["reward"],
        "means": unit["means"],
        "rho": unit["rho"],
        "contributions": (rho * np.abs(rho)).tolist(),
        "gaining": int((rho > 0).sum()),
        "paying": int((rho < 0).sum()),
        "gained": float((rho[rho > 0] ** 2).sum()),
        "paid": float((rho[rho < 0] ** 2).sum()),
        "x": x.tolist(),
        "densities": mixture.log_joint(torch.from_numpy(x)).exp().T.tolist(),
        "skew": SKEW,
        "budgets": {"equal": _budget(mixture), "unequal": _budget(_unequal(mixture))},
    }


def _unequal(mixture: GaussianMixture) -> GaussianMixture:
    """The same classes with priors that fall geometrically from the lowest class to the highest, standardised anew."""
    priors = torch.from_numpy(np.geomspace(SKEW, 1.0, mixture.classes))
    priors = priors / priors.sum()
    mean = (priors * mixture.means).sum()
    variance = (priors * (mixture.sigmas.square() + (mixture.means - mean).square())).sum()
    return GaussianMixture((mixture.means - mean) / variance.sqrt(), mixture.sigmas / variance.sqrt(), priors)


def _budget(mixture: GaussianMixture) -> dict[str, Any]:
    """Positive and negative parts of sum_k w_k rho_k, w_k = sqrt(p_k (1 - p_k)) over its mean, and of sum_k rho_k."""
    knots = Knots()
    rho = solve_eigen(Problem(HatStatistics.from_mixture(mixture, knots), knots)).rho.numpy()
    p = mixture.priors.numpy()
    weights = np.sqrt(p * (1 - p))
    weights = weights / weights.mean()
    return {"priors": p.tolist(), "rho": rho.tolist(), "weighted": _parts(weights * rho), "plain": _parts(rho)}


def _parts(terms: np.ndarray) -> dict[str, float]:
    return {
        "positive": float(terms[terms > 0].sum()),
        "negative": float(terms[terms < 0].sum()),
        "sum": float(terms.sum()),
    }


def draw(data: dict[str, Any]) -> Figure:
    """Densities, correlations, contributions, budget."""
    figure = Figure(figsize=(COLUMN_INCHES, 5.2))
    densities, rho, reward, budget = figure.subplots(4, 1, height_ratios=(1, 1, 1, 1.05))
    _densities(densities, data)
    _bars(rho, data, "rho", r"$\rho_k$")
    title_panel(rho, "b", "correlations ρₖ of the optimal f")
    _bars(reward, data, "contributions", r"$\rho_k\,|\rho_k|$")
    title_panel(reward, "c", f"contributions: R = {data['gained']:.4f} − {data['paid']:.4f} = {data['reward']:.4f}")
    reward.set_xlabel("class mean μₖ, input x (std. deviations)")
    for axes in (densities, rho, reward):
        axes.set_xlim(data["x"][0], data["x"][-1])
    for axes in (densities, rho):
        axes.tick_params(labelbottom=False)
    _budgets(budget, data)
    return figure


def _densities(axes: Axes, data: dict[str, Any]) -> None:
    for density, colour in zip(data["densities"], _colours(data["rho"]), strict=True):
        axes.plot(data["x"], density, color=colour, linewidth=0.8)
    axes.set(ylabel=r"$p_k\,p(x\,|\,k)$", ylim=(0, None))
    title_panel(axes, "a", f"{data['gaining']} classes gain (blue), {data['paying']} pay (orange)")


def _bars(axes: Axes, data: dict[str, Any], name: str, label: str) -> None:
    means = np.array(data["means"])
    axes.bar(means, data[name], width=0.75 * (means[1] - means[0]), color=_colours(data["rho"]))
    axes.axhline(0, color="black", linewidth=0.6)
    axes.set_ylabel(label)


def _colours(rho: list[float]) -> list[str]:
    return [VERMILION if value < 0 else BLUE for value in rho]


def _budgets(axes: Axes, data: dict[str, Any]) -> None:
    """What is gained and what is paid, in the weights of the budget, and without them."""
    equal, unequal = data["budgets"]["equal"], data["budgets"]["unequal"]
    rows = {
        "equal\nΣ wₖρₖ": equal["weighted"],
        "unequal\nΣ wₖρₖ": unequal["weighted"],
        "unequal\nΣ ρₖ": unequal["plain"],
    }
    widest = max(abs(parts[end]) for parts in rows.values() for end in ("positive", "negative"))
    for place, parts in enumerate(rows.values()):
        axes.barh(place, parts["positive"], color=BLUE, height=0.6)
        axes.barh(place, parts["negative"], color=VERMILION, height=0.6)
        axes.text(1.12 * widest, place, f"total {_rounded(parts['sum'])}", va="center", fontsize=7)
    axes.axvline(0, color="black", linewidth=0.6)
    axes.set_yticks(range(len(rows)), list(rows), fontsize=6.5)
    axes.set(xlabel="sums of negative and positive terms", xlim=(-1.0 * widest, 1.85 * widest))
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    title_panel(axes, "d", "budget by priors, wₖ ∝ √(pₖ (1 − pₖ))")


def _rounded(value: float) -> str:
    # rounding errors are zeros
    return "0" if abs(value) < 1e-9 else f"{value:+.2f}".replace("-", "−")


FIGURE = PaperFigure(
    "3",
    "objective-at-work",
    f"The objective at work on {CLASSES} classes: densities, correlations, contributions, and the zero-sum budget",
    compute,
    draw,
    (f"pwlact unit --classes {CLASSES} --sigma {SIGMA}", "pwlact claims"),
)
