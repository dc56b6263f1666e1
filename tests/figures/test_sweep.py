"""The picture of a sweep: lines or map, what is left out, the same bytes each time."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from pwlact_figures import sweep


def row(classes, sigma, **changes):
    fitted = {"beta": 2.0 / sigma, "x0": 0.3, "scale": 1.0, "offset": 0.0, "r2": 0.99, "reward": 0.1 / sigma}
    flags = {"at_bound": [], "identifiable": True, "degenerate": False}
    return {"classes": classes, "sigma": sigma, **fitted, **flags, **changes}


def degenerate(sigma):
    nothing = dict.fromkeys(("beta", "x0", "scale", "offset", "r2"))
    return row(2, sigma, **nothing, reward=0.0, identifiable=False, degenerate=True)


SIGMAS = (0.5, 1.0, 2.0, 4.0)


def rows(classes):
    bound = {"at_bound": ["x0"], "identifiable": False, "x0": 6.0}
    return [
        degenerate(s) if k == 2 else row(k, s, **(bound if s == 4.0 else {"identifiable": s > 0.5}))
        for k in classes
        for s in SIGMAS
    ]


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """Draw, and give the figure that was saved."""
    kept: list[Figure] = []
    save = sweep.save
    monkeypatch.setattr(sweep, "save", lambda figure, path: (kept.append(figure), save(figure, path)))

    def draw(records) -> Figure:
        sweep.draw({"rows": records}, tmp_path / "sweep.png")
        assert (tmp_path / "sweep.png").read_bytes().startswith(b"\x89PNG")
        return kept[-1]

    return draw


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_few_numbers_of_classes_are_lines_without_the_fits_at_a_bound(drawn) -> None:
    figure = drawn(rows((2, 3, 20)))
    beta, _, _, reward = figure.axes
    assert len(reward.lines) == 3
    solid = beta.lines[-1].get_ydata()
    np.testing.assert_array_equal(np.isnan(solid), [True, False, False, True])
    np.testing.assert_allclose(reward.lines[-1].get_ydata(), [0.2, 0.1, 0.05, 0.025])
    texts = legend(figure)
    assert "K = 20" in texts
    assert any("R = 0" in text for text in texts)
    assert any("bound" in text for text in texts)
    assert any("std. errors" in text for text in texts)


def test_many_numbers_of_classes_are_a_map_with_hatches(drawn) -> None:
    figure = drawn(rows(range(2, 12)))
    panels = [axes for axes in figure.axes if axes.get_title()]
    assert len(panels) == 4
    for axes, missing in zip(panels, (4 + 9, 4 + 9, 4, 4), strict=True):
        mesh = axes.collections[0]
        assert np.ma.getmaskarray(mesh.get_array()).sum() == missing
    hatches = {collection.get_hatch() for collection in panels[0].collections[1:]}
    assert hatches == {sweep._AT_BOUND, sweep._VAGUE}
    assert len(legend(figure)) == 3


def test_map_cells_lie_around_their_sigma() -> None:
    edges = sweep._edges(np.array(SIGMAS))
    np.testing.assert_allclose(edges, np.sqrt(0.5) * np.array([0.5, 1, 2, 4, 8]))
    assert (np.diff(sweep._edges(np.array([1.0]))) > 0).all()


@pytest.mark.parametrize(
    "records",
    [
        [row(3, 1.0)],
        [degenerate(1.0)],
        [row(k, 1.0) for k in range(3, 12)],
        [row(k, 1.0, at_bound=["beta"], identifiable=False) for k in range(3, 12)],
        [row(3, 1.0), row(5, 2.0)],
    ],
    ids=["one", "degenerate", "one-sigma", "all-at-bound", "holes"],
)
def test_little_to_draw(drawn, records) -> None:
    assert drawn(records).axes


def test_order_of_the_rows_does_not_matter_and_bytes_repeat(tmp_path: Path) -> None:
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    for path, records in zip(paths, (rows((3, 20)), rows((20, 3))[::-1]), strict=True):
        sweep.draw({"rows": records}, path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
