"""Picture of the autoencoder benchmark: what is drawn where, what is left out, the same bytes each time."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from pwlact.experiments.locoprop.rows import row
from pwlact_figures import locoprop


def made(name, *curves, relative: float | None = None, lost=()):
    runs = [{"steps": [0, 5, 10], "train": list(c), "test": [2 * v for v in c], "diverged": None} for c in curves]
    runs += [{"steps": [0], "train": [9.0], "test": [9.0], "diverged": {"step": 2, "reason": "x"}} for _ in lost]
    return row(name, "", {}, runs, None if relative is None else {"relative": relative})


def record(*rows):
    config = {"data": "mnist", "sizes": [20, 5], "loss": "squared", "batch_size": 8, "seeds": 2}
    return {"rows": list(rows), "config": config, "budget": {"trials": 6, "steps": 3}, "pixels": 16}


@pytest.fixture
def drawn(monkeypatch, tmp_path: Path):
    """Draws a record; gives the figure that was saved."""
    kept: list[Figure] = []
    save = locoprop.save

    def keep(figure, path):
        save(figure, path)
        kept.append(figure)

    monkeypatch.setattr(locoprop, "save", keep)

    def draw(*rows):
        locoprop.draw(record(*rows), tmp_path / "losses.png")
        assert (tmp_path / "losses.png").read_bytes().startswith(b"\x89PNG")
        return kept[-1]

    return draw


CURVES = ((9.0, 5.0, 3.0), (9.0, 7.0, 5.0))


def lines(axes):
    return {line.get_label(): line for line in axes.lines}


def test_four_panels(drawn):
    figure = drawn(
        made("adam", *CURVES, relative=1.0), made("loco", *CURVES, relative=3.0),
        made("loco-learned", *CURVES, relative=4.0),
    )  # fmt: skip
    assert [axes.get_xlabel() for axes in figure.axes] == ["steps"] * 2 + ["time (steps of Adam)"] * 2
    assert [axes.get_ylabel() for axes in figure.axes] == ["training loss (an image)", "test loss (an image)"] * 2
    train, test, train_time, test_time = map(lines, figure.axes)
    np.testing.assert_array_equal(train["loco"].get_xdata(), [0, 5, 10])
    np.testing.assert_array_equal(train["loco"].get_ydata(), [9, 6, 4])
    np.testing.assert_array_equal(test["loco"].get_ydata(), [18, 12, 8])
    np.testing.assert_array_equal(train_time["loco"].get_xdata(), [0, 15, 30])
    np.testing.assert_array_equal(test_time["adam"].get_xdata(), [0, 5, 10])
    np.testing.assert_array_equal(train_time["loco"].get_ydata(), [9, 6, 4])
    # a learned one is the dashed of the same colour
    assert train["loco"].get_color() == train["loco-learned"].get_color() != train["adam"].get_color()
    assert [train[name].get_linestyle() for name in ("loco", "loco-learned")] == ["-", "--"]
    band = figure.axes[0].collections[0].get_paths()[0].vertices
    assert {(x, y) for x, y in band if x == 10} == {(10, 3), (10, 5)}
    assert len(figure.axes[0].collections) == 3


def test_without_timing_no_panels_over_time(drawn):
    assert len(drawn(made("adam", *CURVES), made("loco", *CURVES)).axes) == 2
    # one that has no time is not drawn over it
    figure = drawn(made("adam", *CURVES, relative=1.0), made("loco", *CURVES))
    assert [list(lines(axes)) for axes in figure.axes] == [["adam", "loco"]] * 2 + [["adam"]] * 2


def test_what_diverged_is_named_or_left_out(drawn):
    figure = drawn(made("adam", CURVES[0], lost=[1]), made("lost", lost=[1, 2]), made("none"))
    found = lines(figure.axes[0])
    assert list(found) == ["adam (1 diverged)"]
    np.testing.assert_array_equal(found["adam (1 diverged)"].get_ydata(), CURVES[0])
    assert not figure.axes[0].collections
    assert not drawn(made("lost", lost=[1])).axes[0].lines


def test_title_and_repeated_bytes(drawn, tmp_path: Path):
    figure = drawn(made("adam", *CURVES))
    title = figure.get_suptitle()
    for part in ("16-20-5", "mnist", "squared", "n = 2", "6 trials of 3 steps"):
        assert part in title
    first = (tmp_path / "losses.png").read_bytes()
    drawn(made("adam", *CURVES))
    assert (tmp_path / "losses.png").read_bytes() == first


def test_more_methods_than_colours(drawn):
    figure = drawn(*(made(f"method {i}", CURVES[0]) for i in range(10)))
    assert len(figure.axes[0].lines) == 10
