"""Figure s14: handwritten letters, accuracy against width and depth."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from pwlact_figures.letters.pictures import draw_depths, draw_widths, of
from pwlact_figures.paper import network_runs as runs
from pwlact_figures.paper.figure import PaperFigure
from pwlact_figures.paper.panels import title_panel
from pwlact_figures.paper.results import Results
from pwlact_figures.style import PAGE_INCHES

RESULT = "letters/dhcd"
COMMAND = "pwlact letters --results figures/results/letters"
_PARTS = ("train", "validation", "test")


def compute(results: Results) -> dict[str, Any]:
    """Accuracies of every width, and of every variant at every depth, one value a seed."""
    record = results.read(RESULT, COMMAND)
    with runs.reading(results, f"{RESULT}.json", COMMAND):
        return {
            "width": [_kept(row, ("study", "width")) for row in of(record, "width")],
            "depth": [_kept(row, ("study", "variant", "depth")) for row in of(record, "depth")],
            "data": {name: record["data"][name] for name in ("name", "test")},
            "units": record["config"]["depth_width"],
            "seeds": record["config"]["seeds"],
        }


def _kept(row: Mapping[str, Any], head: tuple[str, ...]) -> dict[str, Any]:
    accuracies = {part: {key: row[part][key] for key in ("mean", "values")} for part in _PARTS}
    return {name: row[name] for name in head} | accuracies


def draw(data: dict[str, Any]) -> Figure:
    """Lines through means, one dot a seed; dotted, what the draft reports of EMNIST Letters."""
    figure = Figure(figsize=(PAGE_INCHES, 2.6))
    width, depth = figure.subplots(1, 2, width_ratios=(1, 1.1))
    draw_widths(width, data["width"])
    draw_depths(depth, data["depth"])
    title_panel(width, "a", "one hidden layer")
    title_panel(depth, "b", f"hidden layers of {data['units']}")
    depth.set_xlabel(f"hidden layers ({data['data']['name']}, n = {data['data']['test']:,}, {data['seeds']} seeds)")
    return figure


FIGURE = PaperFigure(
    "s14",
    "letters",
    "Handwritten letters: accuracy against width and depth of a perceptron",
    compute,
    draw,
    (COMMAND,),
)
