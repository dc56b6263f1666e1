"""Drawing a figure of the paper to its files."""

from pathlib import Path

from pwlact_figures.paper.cache import recall
from pwlact_figures.paper.figure import PaperFigure
from pwlact_figures.paper.results import Results
from pwlact_figures.style import save, style

KINDS = ("pdf", "png")
CACHE = ".computed"


def draw_figure(figure: PaperFigure, folder: Path, results: Results | None = None) -> list[Path]:
    """Compute (or recall) what the figure shows and write it to `folder`, as PDF and PNG, the same bytes each time.

    Raises:
        MissingResultError: a result that it reads is not there.
        InputError: a result is damaged.
        OSError: a file cannot be written.
    """
    data = recall(figure.stem, figure.compute, results or Results(), folder / CACHE)
    paths = [folder / f"{figure.stem}.{kind}" for kind in KINDS]
    with style():
        picture = figure.draw(data)
        for path in paths:
            save(picture, path)
    return paths
