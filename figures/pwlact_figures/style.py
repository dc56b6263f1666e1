"""One look for every picture: fonts, sizes, a palette safe for colour-blind readers, repeatable files."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
from cycler import cycler
from matplotlib.figure import Figure

from pwlact.files import write_atomically

# Okabe and Ito, "Color universal design", 2008
BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, YELLOW, BLACK = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442", "#000000",
)  # fmt: skip
PALETTE = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, BLACK, YELLOW)
# of ordered things (classes, epochs): dark to light, also in print without colour
ORDERED = "viridis"
COLUMN_INCHES = 3.25
PAGE_INCHES = 6.75

_SETTINGS: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "legend.fontsize": 7,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.4,
    "legend.frameon": False,
    "axes.prop_cycle": cycler(color=PALETTE),
    "pdf.fonttype": 42,
    "svg.hashsalt": "pwlact",
    "figure.constrained_layout.use": True,
}


@contextmanager
def style() -> Iterator[None]:
    """Within, figures are made in the house style.

    Yields:
        nothing.
    """
    with mpl.rc_context(_SETTINGS):
        yield


def save(figure: Figure, path: Path, dpi: float = 200) -> None:
    """Write the figure in the format of `path`'s suffix, whole or not at all, the same bytes each time.

    Args:
        figure: what to write.
        path: the file.
        dpi: dots an inch, of a PNG.

    Raises:
        OSError: it cannot be written.
    """
    buffer = BytesIO()
    # dates and versions in the metadata would make every file differ from the last
    metadata = {
        "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
        "png": {"Software": None},
        "svg": {"Date": None},
    }
    kind = path.suffix.removeprefix(".")
    figure.savefig(buffer, format=kind, dpi=dpi, metadata=metadata.get(kind))
    write_atomically(path, lambda file: file.write(buffer.getbuffer()))
