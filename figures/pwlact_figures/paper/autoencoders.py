"""Figure s15: a deep autoencoder trained by LocoProp and by the usual optimisers."""

from typing import Any

from matplotlib.figure import Figure

from pwlact_figures.locoprop import draw_losses
from pwlact_figures.paper import network_runs as runs
from pwlact_figures.paper.figure import PaperFigure
from pwlact_figures.paper.panels import title_panel
from pwlact_figures.paper.results import Results
from pwlact_figures.style import PAGE_INCHES

RESULT = "locoprop/mnist"
COMMAND = (
    "pwlact locoprop --steps 500 --tuning-steps 50 --rates 4 --points 20 --measured 5000 "
    "--results figures/results/locoprop"
)
_PANELS = (("train", False, "over steps"), ("train", True, "over time"), ("test", False, "test images"))


def compute(results: Results) -> dict[str, Any]:
    """Losses of every method over the steps, a curve a seed, and the time of a step against Adam's."""
    record = results.read(RESULT, COMMAND)
    with runs.reading(results, f"{RESULT}.json", COMMAND):
        return {"rows": [_kept(row) for row in record["rows"]]}


def _kept(row: dict[str, Any]) -> dict[str, Any]:
    kept = {name: row[name] for name in ("name", "curves", "diverged")}
    ends = {part: {"values": row[part]["values"]} for part in ("train", "test")}
    time = None if row["time"] is None else {"relative": row["time"]["relative"]}
    return {**kept, **ends, "time": time}


def draw(data: dict[str, Any]) -> Figure:
    """Lines through means over seeds, bands from the least to the largest; learned activations dashed."""
    figure = Figure(figsize=(PAGE_INCHES, 2.8))
    panels = figure.subplots(1, 3)
    for axes, letter, (part, over_time, title) in zip(panels, "abc", _PANELS, strict=True):
        draw_losses(axes, data["rows"], part, over_time=over_time)
        title_panel(axes, letter, title)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=6.5)
    return figure


FIGURE = PaperFigure(
    "s15",
    "autoencoders",
    "A deep autoencoder trained by LocoProp and by the usual optimisers, over steps and over time",
    compute,
    draw,
    (COMMAND,),
)
