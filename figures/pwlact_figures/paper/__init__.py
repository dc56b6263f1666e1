"""The figures of the paper: each file computes or reads what it shows, and draws it."""

from pwlact_figures.paper.catalogue import FIGURES, choose
from pwlact_figures.paper.draw import draw_figure
from pwlact_figures.paper.figure import PaperFigure
from pwlact_figures.paper.results import MissingResultError, Results

__all__ = ["FIGURES", "MissingResultError", "PaperFigure", "Results", "choose", "draw_figure"]
