"""What the panels of all figures share: letters and legends."""

from typing import Any, Literal

from matplotlib.axes import Axes


def title_panel(axes: Axes, letter: str, text: str) -> None:
    """Head a panel "(a) text", flush left."""
    axes.set_title(rf"$\mathbf{{({letter})}}$ {text}", loc="left", fontsize=7.5, pad=4)


def legend_inside(axes: Axes, place: Literal["upper left", "upper right", "lower left"], **options: Any) -> None:
    """The panel's legend in a corner that its data leave free."""
    axes.legend(loc=place, **_TIGHT | options)


_TIGHT: dict[str, Any] = {
    "fontsize": 6.5,
    "borderaxespad": 0.2,
    "handlelength": 1.5,
    "labelspacing": 0.3,
    "columnspacing": 1.0,
    "handletextpad": 0.5,
}
