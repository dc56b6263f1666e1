"""Pictures of redundancy: what is drawn where, what is left out, the same bytes each time."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from pwlact.experiments.redundancy.comparison import MEASURES
from pwlact.experiments.redundancy.measuring import LAYER_MEASURES
from pwlact.experiments.redundancy.planar import REACH
from pwlact.experiments.spread import spread
from pwlact_figures import redundancy
from pwlact_figures.style import BLUE, VERMILION


def stats(values):
    return {name: spread(values) for name in LAYER_MEASURES}


def row(activation, lines=((1.0, 0.0, 0.0),), accuracy=(0.5, 0.75), **more):
    return {
        "data": "rings",
        "units": 4,
        "activation": activation,
        "lines": [list(line) for line in lines],
        "accuracy": spread(accuracy),
        "trained": stats([0.25, 0.5]),
        **more,
    }


def line(activation, values=(0.25, 0.5), **more):
    return {
        "activation": activation,
        **{name: spread(values) for name in MEASURES},
        "untrained": {**stats([0.1, 0.3]), "distinct": spread([0.1, 0.3])},
        **more,
    }


LINES = ((1.0, 0.0, 0.0), (-1.0, 0.0, 0.001), (0.0, 1.0, 0.2), (0.0, 1.0, 9.0))


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were saved, by name."""
    kept: dict[str, Figure] = {}
    save = redundancy.save

    def keep(figure, path):
        save(figure, path)
        assert path.read_bytes().startswith(b"\x89PNG")
        kept[path.name] = figure

    monkeypatch.setattr(redundancy, "save", keep)
    return kept


def toy(rows, lines):
    config = {"data": ["rings"], "units": [8, 4, 2], "points": 60, "tuning": {"seeds": 2}}
    return {"rows": rows, "overall": lines, "config": config}


def test_cuts_show_lines_duplicates_in_another_colour_and_no_idle_ones(drawn, tmp_path: Path) -> None:
    rows = [row("relu", LINES), row("$<b>_", LINES[2:], accuracy=[float("nan"), 1.0]), row("other", units=8)]
    paths = redundancy.draw_toy(toy(rows, [line("relu"), line("$<b>_")]), tmp_path)
    assert [path.name for path in paths] == ["cuts-rings.png", "redundancy.png"] == list(drawn)
    relu, odd = drawn["cuts-rings.png"].axes  # 8 units are not drawn: the middle number is
    colours = [one.get_color() for one in relu.lines if one.get_color() in {BLUE, VERMILION}]
    assert colours == [BLUE, VERMILION, BLUE]
    assert [one.get_color() for one in odd.lines if one.get_color() in {BLUE, VERMILION}] == [BLUE]
    assert relu.get_title() == "relu\n50.0 %"
    assert odd.get_title() == "$<b>_\ndiverged"
    assert relu.get_xlim() == (-REACH, REACH)
    points = sum(len(one.get_xdata()) for one in relu.lines if one.get_color() in redundancy._SHADES)
    assert points == 60


def test_a_cut_is_drawn_where_it_lies(drawn, tmp_path: Path) -> None:
    w1, w2, b = 0.6, 0.8, -0.3
    redundancy.draw_cuts([row("relu", [(w1, w2, b)])], "rings", 60, tmp_path / "a.png")
    cut = next(one for one in drawn["a.png"].axes[0].lines if one.get_color() == BLUE)
    for x, y in (cut.get_xy1(), cut.get_xy2()):
        assert w1 * x + w2 * y + b == pytest.approx(0, abs=1e-12)
    assert cut.get_xy1() != cut.get_xy2()


def test_spread_shows_every_seed_the_mean_and_the_start(drawn, tmp_path: Path) -> None:
    lines = [line("b", (0.5, 0.75)), line("a", (0.0, 0.25)), line("$c", (float("nan"), float("nan")))]
    redundancy.draw_spread(lines, "a $title", tmp_path / "a.png")
    figure = drawn["a.png"]
    accuracy = figure.axes[0]
    assert len(figure.axes) == 7
    # most distinct outputs on top; what has none measured below all
    assert [label.get_text() for label in accuracy.get_yticklabels()] == ["$c", "a", "b"]
    dots = [one for one in accuracy.lines if one.get_marker() == "."]
    np.testing.assert_array_equal(dots[2].get_xdata(), [50.0, 75.0])
    assert list(dots[2].get_ydata()) == [2, 2]
    assert [float(one.get_xdata()[0]) for one in accuracy.lines if one.get_marker() == "|"][1:] == [12.5, 62.5]
    assert not [one for one in accuracy.lines if one.get_marker() == "x"]
    starts = [one for one in figure.axes[1].lines if one.get_marker() == "x"]
    assert [float(one.get_xdata()[0]) for one in starts] == [20.0] * 3


def test_what_is_far_off_does_not_press_the_others_together(drawn, tmp_path: Path) -> None:
    lines = [line("good", (0.97, 0.98)), line("better", (0.98, 0.99)), line("lost", (0.3, 0.5))]
    redundancy.draw_spread(lines, "", tmp_path / "a.png")
    accuracy, distinct = drawn["a.png"].axes[:2]
    assert accuracy.get_xlim()[0] == pytest.approx(87.5)
    assert [text.get_text().strip() for text in accuracy.texts] == ["\N{LEFTWARDS ARROW} 40"]
    assert not distinct.texts
    redundancy.draw_spread(lines[:2], "", tmp_path / "b.png")
    assert not drawn["b.png"].axes[0].texts


def test_depth_and_group_size(drawn, tmp_path: Path) -> None:
    rows = [row(name, depth=depth) for depth in (5, 1, 3) for name in ("relu", "softmax")]
    config = {"data": "mnist", "depths": [5, 1, 3], "units": 4, "seeds": 2}
    record = {"rows": rows, "overall": [line("relu"), line("softmax")], "config": config}
    assert [path.name for path in redundancy.draw_mlp(record, tmp_path)] == ["redundancy.png", "depth.png"]
    accuracy = drawn["depth.png"].axes[0]
    assert [container.get_label() for container in accuracy.containers] == ["relu", "softmax"]
    main = accuracy.containers[0].lines[0]
    np.testing.assert_allclose(main.get_xdata(), [1, 3, 5], rtol=0.03)
    np.testing.assert_allclose(main.get_ydata(), 62.5)

    overall = [line("relu", kind="relu", size=1)]
    overall += [line(f"lwta, groups of {size}", kind="lwta", size=size) for size in (4, 2)]
    assert [path.name for path in redundancy.draw_groups({"overall": overall}, tmp_path)] == ["groups.png"]
    figure = drawn["groups.png"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["relu", "lwta"]
    level = next(one for one in figure.axes[0].lines if one.get_label() == "relu")
    assert list(level.get_ydata()) == [37.5, 37.5]


def test_little_to_draw_and_bytes_repeat(drawn, tmp_path: Path) -> None:
    nothing = line("lost", (float("nan"),))
    redundancy.draw_spread([nothing], "", tmp_path / "a.png")
    redundancy.draw_spread([], "", tmp_path / "b.png")
    redundancy.draw_lines([row("relu", depth=1)], "depth", "", lambda r: r["activation"], tmp_path / "c.png")
    first = [path.read_bytes() for path in redundancy.draw_toy(toy([row("relu")], [line("relu")]), tmp_path)]
    again = [path.read_bytes() for path in redundancy.draw_toy(toy([row("relu")], [line("relu")]), tmp_path)]
    assert first == again
