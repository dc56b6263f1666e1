"""What the paper's text takes from results: numbers, tables, figures."""

from pwlact_figures.manuscript.generated import contents, outdated, write
from pwlact_figures.manuscript.sources import Sources

__all__ = ["Sources", "contents", "outdated", "write"]
