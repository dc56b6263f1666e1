"""A curve as text, for a look in the terminal."""

import sys
from collections.abc import Sequence


def sketch(x: Sequence[float], curve: Sequence[float], fit: Sequence[float], name: str) -> None:
    """Draw a curve as a line and its fit as dots on standard error; nothing where the characters are missing.

    Args:
        x: positions.
        curve: the line's values.
        fit: the dots' values.
        name: of the line, for the legend.
    """
    if (sys.stderr.encoding or "").lower().replace("-", "") != "utf8":
        return
    import plotille

    figure = plotille.Figure()
    figure.width, figure.height = 60, 14
    figure.with_colors = False
    figure.set_x_limits(min(x), max(x))
    figure.x_label, figure.y_label = "x", "f(x)"
    figure.y_ticks_fkt = lambda low, _: f"{low:8.2f}"
    figure.plot(list(x), list(curve), label=name)
    figure.scatter(list(x), list(fit), label="Swish fit", marker="o")
    print(figure.show(legend=True), file=sys.stderr)
