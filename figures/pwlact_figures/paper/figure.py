"""What a figure of the paper consists of."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from pwlact_figures.paper.results import Results


@dataclass(frozen=True)
class PaperFigure:
    """A figure: what it shows, how that is computed, how it is drawn.

    Attributes:
        name: number in the paper, "1" to "8", or "s1", "s2", ... for a supplementary one.
        slug: name in files, in words with hyphens.
        title: what it shows, in a line.
        compute: (results) -> data, a JSON-able dict; the same for the same code and results.
        draw: (data) -> figure, called within the house style; computes nothing.
        commands: the commands that compute the same numbers for a user, or make the results that it reads.
    """

    name: str
    slug: str
    title: str
    compute: Callable[[Results], dict[str, Any]]
    draw: Callable[[dict[str, Any]], Figure]
    commands: tuple[str, ...]

    @property
    def stem(self) -> str:
        """File name without suffix: figure-2-twenty-classes."""
        return f"figure-{self.name}-{self.slug}"
