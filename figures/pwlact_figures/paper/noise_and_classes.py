"""Figure s1: the whole map over noise and number of classes."""

from typing import Any

from matplotlib.figure import Figure

from pwlact.experiments.sweep import SweepConfig, parse_classes, parse_sigmas, run
from pwlact_figures import sweep
from pwlact_figures.paper.figure import PaperFigure
from pwlact_figures.paper.records import lasting
from pwlact_figures.paper.results import Results

CLASSES, SIGMAS = "3:20", "0.1:10:40"


def compute(_: Results) -> dict[str, Any]:
    """Every pair, solved exactly, with its Swish; how many fits mean something, and the best."""
    record = lasting(run(SweepConfig(parse_classes(CLASSES), parse_sigmas(SIGMAS))))
    rows = record["rows"]
    sound = [row for row in rows if row["identifiable"]]
    return {
        **record,
        "pairs": len(rows),
        "identifiable": len(sound),
        "at_bound": sum(bool(row["at_bound"]) for row in rows),
        "best": max(sound, key=lambda row: row["r2"]),
        "least_r2": min(row["r2"] for row in rows),
    }


def draw(data: dict[str, Any]) -> Figure:
    """The map of `pwlact sweep`."""
    return sweep.figure(data)


FIGURE = PaperFigure(
    "s1",
    "noise-and-classes",
    "Sharpness, bend, R² of the Swish and reward over noise and number of classes",
    compute,
    draw,
    (f"pwlact sweep --classes {CLASSES} --sigma {SIGMAS}",),
)
