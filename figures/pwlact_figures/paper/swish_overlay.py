"""A Swish drawn over what it was fitted to, and what the fit says in words."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from pwlact.swish import PARAMETERS, swish
from pwlact_figures.paper.network_runs import r2_text
from pwlact_figures.paper.panels import title_panel
from pwlact_figures.style import VERMILION

_SYMBOLS = {"beta": "β", "x0": "x₀"}


def draw_swish(axes: Axes, knots: Sequence[float], fit: dict[str, Any], color: str = VERMILION) -> None:
    """The fitted Swish, dashed, between the outer knots; nothing where there is no fit."""
    parameters = [fit[name] for name in PARAMETERS]
    if None in parameters:
        return
    x = np.linspace(knots[0], knots[-1], 200)
    axes.plot(x, swish(x, *parameters), "--", color=color, linewidth=1)


def head(axes: Axes, fit: str, letter: str = "", title: str = "") -> None:
    """What a fit says as the panel's head, under letter and title where they are given."""
    # the empty line is the fit's, in letters small enough for its three numbers
    if title:
        title_panel(axes, letter, f"{title}\n")
    place: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points"}
    axes.annotate(fit, (0, 1), (0, 3), va="bottom", fontsize=6, **place)


def fit_text(fit: dict[str, Any]) -> str:
    """beta, x0 and R^2 in a line.

    Where a parameter sits at a bound of the search no value is given, as it would mean nothing; a beta that is not
    determined comes with its standard error.
    """
    if fit["beta"] is None or fit["x0"] is None:
        return "no Swish fit"
    if fit["at_bound"]:
        names = ", ".join(str(_SYMBOLS.get(name, name)) for name in fit["at_bound"])
        return f"{names} at bound, {r2_text(fit['r2'])}"
    beta = f"{fit['beta']:.2f}"
    if fit["open"]:
        error = fit["error"]
        if error is None or error > fit["beta"]:
            return f"β undetermined, {r2_text(fit['r2'])}"
        beta = f"{fit['beta']:.1f}±{error:.1f}"
    return f"β {beta}, x₀ {fit['x0']:.2f}, {r2_text(fit['r2'])}".replace("-", "−")
