"""What the paper's text takes from results: numbers, tables, figures."""

from pwlact_figures.manuscript.sources import Sources
from pwlact_figures.manuscript.write import contents, outdated, write

__all__ = ["Sources", "contents", "outdated", "write"]
