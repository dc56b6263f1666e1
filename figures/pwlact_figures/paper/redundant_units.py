"""Figure s12: hidden units that repeat others or are dead, under competitive and learnt activations."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pwlact_figures.paper import network_runs as runs
from pwlact_figures.paper.figure import PaperFigure
from pwlact_figures.paper.panels import title_panel
from pwlact_figures.paper.results import Results
from pwlact_figures.style import BLUE, GREEN, ORANGE, PAGE_INCHES, VERMILION

RESULT = "redundancy/toy"
COMMAND = "pwlact redundancy toy --results figures/results/redundancy"
MEASURES = ("accuracy", "distinct", "duplicate_units", "dead", "duplicate_cuts")
_LEARNT = {"piecewise-linear": "learnt, a layer", "piecewise-linear-unit": "learnt, a unit"}


def compute(results: Results) -> dict[str, Any]:
    """Means over shapes, with standard deviations over seeds, by activation: most distinct units first."""
    record = results.read(RESULT, COMMAND)
    with runs.reading(results, f"{RESULT}.json", COMMAND):
        rows = [
            {
                "activation": str(line["activation"]),
                **{
                    name: {"mean": runs.known(line[name]["mean"]), "sd": runs.number(line[name]["sd"])}
                    for name in MEASURES
                },
            }
            for line in record["overall"]
        ]
        seeds = record["config"]["tuning"]["seeds"]
        units, shapes = record["config"]["units"], len(record["config"]["data"])
    rows.sort(key=lambda row: -row["distinct"]["mean"])
    return {"rows": rows, "seeds": seeds, "units": units, "shapes": shapes}


def draw(data: dict[str, Any]) -> Figure:
    """Dots at the means, lines of one standard deviation over seeds."""
    rows = data["rows"]
    figure = Figure(figsize=(PAGE_INCHES, 0.9 + 0.145 * len(rows)))
    units, accuracy = figure.subplots(1, 2, sharey=True, width_ratios=(2, 1))
    for name, label, colour, mark in (
        ("distinct", "neither dead nor duplicate", BLUE, "o"),
        ("duplicate_units", "duplicates of live units", VERMILION, "s"),
        ("dead", "dead", ORANGE, "^"),
    ):
        _dots(units, rows, name, colour, mark, label)
    _dots(accuracy, rows, "accuracy", GREEN, "D", None)
    units.set_yticks(range(len(rows)), [_LEARNT.get(row["activation"], row["activation"]) for row in rows])
    units.tick_params(axis="y", labelsize=6.5)
    units.set_ylim(len(rows) - 0.5, -0.5)
    shown = f"{'/'.join(map(str, data['units']))} units, {data['shapes']} shapes, {data['seeds']} seeds"
    units.set_xlabel(f"hidden units (%), ± standard deviation over seeds\n{shown}")
    accuracy.set_xlabel("accuracy on fresh points (%)")
    title_panel(units, "a", "what the units are")
    title_panel(accuracy, "b", "how well they do")
    figure.legend(loc="outside lower center", ncols=3)
    return figure


def _dots(axes: Axes, rows: list[dict[str, Any]], name: str, colour: str, mark: str, label: str | None) -> None:
    means = [100 * row[name]["mean"] for row in rows]
    spread = [100 * (row[name]["sd"] or 0.0) for row in rows]
    axes.errorbar(
        means, range(len(rows)), xerr=spread, fmt=mark, color=colour, markersize=3, elinewidth=0.8, label=label
    )


FIGURE = PaperFigure(
    "s12",
    "redundant-units",
    "Duplicate and dead hidden units of one layer on points in the plane, under every activation",
    compute,
    draw,
    (COMMAND,),
)
