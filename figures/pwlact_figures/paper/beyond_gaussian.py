"""Figure s6: is the optimum still a Swish where the classes are no equal Gaussians?"""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from pwlact.experiments.beyond import run
from pwlact_figures.paper.figure import PaperFigure
from pwlact_figures.paper.records import lasting
from pwlact_figures.paper.results import Results
from pwlact_figures.style import BLACK, BLUE, COLUMN_INCHES

CLASSES, SIGMA, DRAWS, SEED = 20, 1.0, 10, 0


def compute(_: Results) -> dict[str, Any]:
    """Every family's draws with their Swish fits, and the ends of the families' means."""
    record = lasting(run(CLASSES, SIGMA, DRAWS, SEED))
    drawn = [row["r2_mean"] for row in record["rows"] if row["n"] > 1]
    return {**record, "draws": DRAWS, "least_mean": min(drawn), "most_mean": max(drawn)}


def draw(data: dict[str, Any]) -> Figure:
    """R^2 of every draw by family, the best family on top, with mean and standard deviation."""
    rows = sorted(data["rows"], key=lambda row: row["r2_mean"])
    figure = Figure(figsize=(COLUMN_INCHES, 2.6))
    axes = figure.subplots()
    for place, row in enumerate(rows):
        r2 = [draw["r2"] for draw in row["draws"]]
        # draws side by side, so that equal ones can be told apart
        beside = place - 0.17 - 0.17 * np.linspace(0, 1, len(r2))
        label = "one draw" if place == 0 else None
        axes.plot(r2, beside, "o", color=BLUE, markersize=2.8, alpha=0.6, markeredgewidth=0, label=label)
        label = "mean ± standard deviation" if place == 0 else None
        axes.errorbar(row["r2_mean"], place + 0.12, xerr=row["r2_sd"] or 0.0, fmt="D", color=BLACK, markersize=3,
                      elinewidth=0.9, capsize=2, label=label)  # fmt: skip
    axes.set_yticks(range(len(rows)), [f"{row['family']} (n = {row['n']})" for row in rows])
    axes.set(ylim=(-0.6, len(rows) - 0.4))
    axes.set_xlim(right=1.02)
    figure.supxlabel(f"R² of the Swish fit, {data['classes']} classes, σ = {data['sigma']:g}", fontsize=8)
    axes.grid(visible=False, axis="y")
    figure.legend(loc="outside upper right", ncols=2, fontsize=6.5)
    return figure


FIGURE = PaperFigure(
    "s6",
    "beyond-gaussian",
    "R² of the Swish fit where the classes are no equal Gaussians, by family",
    compute,
    draw,
    (f"pwlact theory beyond --classes {CLASSES} --sigma {SIGMA} --draws {DRAWS} --seed {SEED}",),
)
