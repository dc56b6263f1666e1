"""How activations evolve: every epoch and layer is on the picture and in the film, and bytes repeat."""

from itertools import pairwise

import numpy as np
import pytest
from asserts import assert_refused
from matplotlib.figure import Figure
from PIL import Image

from pwlact.training import ActivationHistory
from pwlact_figures import evolution
from pwlact_figures.evolution import Histogram, draw_film, draw_picture

KNOTS = np.linspace(-3, 3, 9)


def history(layers=2, epochs=4, channels=None, knots=KNOTS):
    film = ActivationHistory(knots)
    spread = 1.0 if channels is None else np.linspace(0.5, 1.5, channels)[:, None]
    for epoch in range(epochs):
        film.append({f"layer{i}": spread * np.maximum(knots, 0) * (1 + epoch + i) for i in range(layers)})
    return film


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """Draw, and give the panels of the figure that was saved."""
    kept: list[Figure] = []
    save = evolution.save
    monkeypatch.setattr(evolution, "save", lambda figure, path: (kept.append(figure), save(figure, path)))

    def draw(film, **options):
        draw_picture(film, tmp_path / "evolution.png", **options)
        assert (tmp_path / "evolution.png").read_bytes().startswith(b"\x89PNG")
        return [axes for axes in kept[-1].axes if axes.get_visible()], kept[-1]

    return draw


def test_every_epoch_is_a_line_from_dark_to_light(drawn):
    panels, figure = drawn(history(2, 4))
    assert [axes.get_title() for axes in panels] == ["layer0", "layer1"]
    for i, axes in enumerate(panels):
        lines = axes.get_lines()
        assert len(lines) == 4
        for epoch, line in enumerate(lines):
            np.testing.assert_allclose(line.get_xdata(), KNOTS)
            np.testing.assert_allclose(line.get_ydata(), np.maximum(KNOTS, 0) * (1 + epoch + i))
        brightness = [np.dot(line.get_color()[:3], (0.3, 0.6, 0.1)) for line in lines]
        assert brightness == sorted(brightness)
        assert brightness[-1] > brightness[0] + 0.3
    assert figure.get_suptitle() == "learnt activations, epochs 0 to 3, dark to light"


def test_channels_are_their_mean_and_a_band(drawn):
    (axes,), _ = drawn(history(1, 3, channels=5))
    assert axes.get_title() == "layer0, mean of 5 channels"
    np.testing.assert_allclose(axes.get_lines()[-1].get_ydata(), 3 * np.maximum(KNOTS, 0))
    (band,) = axes.collections
    edge = band.get_paths()[0].vertices
    deviation = np.linspace(0.5, 1.5, 5).std()
    assert edge[:, 1].max() == pytest.approx(3 * 3 * (1 + deviation))
    assert edge[edge[:, 0] == 3.0, 1].min() == pytest.approx(3 * 3 * (1 - deviation))


def test_a_shared_function_has_no_band(drawn):
    (axes,), _ = drawn(history(1, 3))
    assert not axes.collections


@pytest.mark.parametrize("channels", [None, 4])
def test_all_that_is_drawn_lies_within_the_panel(drawn, channels):
    panels, _ = drawn(history(2, 6, channels))
    for axes in panels:
        low, high = axes.get_ylim()
        drawn_values = [line.get_ydata() for line in axes.get_lines()]
        drawn_values += [path.vertices[:, 1] for band in axes.collections for path in band.get_paths()]
        assert low < min(v.min() for v in drawn_values)
        assert high > max(v.max() for v in drawn_values)
        assert axes.get_xlim() == (-3, 3)


@pytest.mark.parametrize("layers", [1, 4, 5, 6, 9])
def test_any_number_of_layers(drawn, layers):
    panels, _ = drawn(history(layers, 2))
    assert [axes.get_title() for axes in panels] == [f"layer{i}" for i in range(layers)]


def test_many_epochs_are_spread_and_both_ends_are_there(drawn):
    (axes,), _ = drawn(history(1, 500))
    lines = axes.get_lines()
    assert len(lines) == 30
    ends = [line.get_ydata()[-1] / 3 for line in (lines[0], lines[-1])]
    assert ends == [pytest.approx(1), pytest.approx(500)]


def test_input_lies_behind_the_curves(drawn):
    counts, edges = np.array([1.0, 3.0, 4.0]), np.array([-2.0, -1.0, 0.0, 4.0])
    (with_it, without), _ = drawn(history(2, 2), inputs={"layer0": Histogram(counts, edges)})
    (steps,) = with_it.patches
    values, place, _ = steps.get_data()
    # by density: the widest bin holds the most and is low
    np.testing.assert_allclose(values, [1 / 6, 1 / 2, 1 / 6])
    np.testing.assert_allclose(place, edges)
    assert steps.get_zorder() < min(line.get_zorder() for line in with_it.get_lines())
    assert with_it.get_xlim() == (-3, 3)
    assert not without.patches


@pytest.mark.parametrize("counts", [np.zeros(3), np.array([0.0, 0.0, 5.0])])
def test_empty_histogram(drawn, counts):
    drawn(history(1, 2), inputs={"layer0": Histogram(counts, np.arange(4.0))})


@pytest.mark.parametrize(
    "layer",
    [np.zeros(9), np.full(9, 1e15), np.full(9, -1e-15), np.r_[np.nan, np.arange(8.0)], np.r_[np.inf, np.arange(8.0)],
     np.full(9, np.nan), np.full((3, 9), 2.0)],
    ids=["zero", "large", "tiny", "nan", "inf", "all-nan", "equal-channels"],
)  # fmt: skip
def test_hard_values(drawn, tmp_path, layer):
    film = ActivationHistory(KNOTS)
    film.append({"layer0": layer})
    (axes,), _ = drawn(film)
    low, high = axes.get_ylim()
    assert np.isfinite([low, high]).all()
    assert low < high
    draw_film(film, tmp_path / "a.gif")


def test_two_knots(drawn, tmp_path):
    film = history(1, 2, knots=np.array([-1.0, 1.0]))
    (axes,), _ = drawn(film)
    assert axes.get_xlim() == (-1, 1)
    draw_film(film, tmp_path / "a.gif")


def frames(path):
    with Image.open(path) as image:
        found = []
        for i in range(image.n_frames):
            image.seek(i)
            found.append((np.asarray(image.convert("RGB")), image.info["duration"]))
        return found, image.info.get("loop")


@pytest.mark.parametrize("channels", [None, 4])
def test_film_has_a_frame_an_epoch_and_holds_the_last(tmp_path, channels):
    draw_film(history(2, 5, channels), tmp_path / "a.gif", frames_per_second=10)
    film, loop = frames(tmp_path / "a.gif")
    assert loop == 0
    assert [duration for _, duration in film] == [100] * 4 + [2000]
    for (one, _), (other, _) in pairwise(film):
        assert (one != other).any()


def test_film_moves_only_curves_and_title(tmp_path):
    draw_film(history(1, 5), tmp_path / "a.gif")
    film, _ = frames(tmp_path / "a.gif")
    first, last = film[0][0], film[-1][0]
    assert (first[0, 0] == 255).all()
    changed = (first != last).any(axis=-1)
    # neither the margin with the ticks on the left nor the one below
    assert not changed[:, : changed.shape[1] // 10].any()
    assert not changed[-changed.shape[0] // 8 :].any()
    assert changed[changed.shape[0] // 4 : -changed.shape[0] // 4].any()


def test_film_of_many_epochs_has_at_most_60_frames_and_is_small(tmp_path):
    draw_film(history(1, 300), tmp_path / "a.gif")
    film, _ = frames(tmp_path / "a.gif")
    assert 55 <= len(film) <= 60
    assert (tmp_path / "a.gif").stat().st_size < 500_000


def test_film_shows_start_trail_and_newest():
    film = [np.full(9, float(epoch)) for epoch in range(8)]
    axes = Figure().subplots()
    lines = evolution._moment(axes, KNOTS, film)
    assert [line.get_ydata()[0] for line in lines] == [0, 6, 5, 4, 3, 7]
    alphas = [line.get_alpha() for line in lines[1:5]]
    assert alphas == sorted(alphas, reverse=True)
    assert [line.get_ydata()[0] for line in evolution._moment(axes, KNOTS, film[:1])] == [0, 0]


def test_film_of_one_epoch(tmp_path):
    draw_film(history(1, 1), tmp_path / "a.gif")
    film, _ = frames(tmp_path / "a.gif")
    assert len(film) == 1


@pytest.mark.parametrize("suffix", ["png", "svg", "gif"])
def test_bytes_repeat(tmp_path, suffix):
    draw = draw_film if suffix == "gif" else draw_picture
    inputs = {"layer0": Histogram(np.arange(4.0), np.arange(5.0))}
    paths = [tmp_path / f"{name}.{suffix}" for name in "ab"]
    for path in paths:
        draw(history(2, 3, channels=2), path, inputs, "run")
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_title(drawn, tmp_path):
    _, figure = drawn(history(), title="my run")
    assert figure.get_suptitle() == "my run: epochs 0 to 3, dark to light"


@pytest.mark.parametrize("draw", [draw_picture, draw_film])
def test_refused(draw, tmp_path):
    path = tmp_path / "a.gif"
    assert_refused(lambda: draw(ActivationHistory(KNOTS), path), "no activations")
    histogram = Histogram(np.ones(2), np.arange(3.0))
    assert_refused(lambda: draw(history(), path, {"layer7": histogram}), "'layer7'", "layer0, layer1")
    assert not path.exists()


@pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf"), 51])
def test_refused_rates(tmp_path, rate):
    assert_refused(lambda: draw_film(history(), tmp_path / "a.gif", frames_per_second=rate), repr(rate))
    assert not (tmp_path / "a.gif").exists()


@pytest.mark.parametrize(("counts", "edges"), [((3,), (3,)), ((3, 1), (4,)), ((0,), (0,))], ids=str)
def test_histogram_that_is_none(counts, edges):
    assert_refused(lambda: Histogram(np.ones(counts), np.ones(edges)), str(counts), str(edges))


def test_what_was_there_stays_where_writing_fails(tmp_path, monkeypatch):
    path = tmp_path / "a.gif"
    path.write_bytes(b"old")

    def fail(*arguments, **options):
        raise OSError(28, "no space left")

    monkeypatch.setattr("pwlact.files.os.fsync", fail)
    with pytest.raises(OSError, match="no space left"):
        draw_film(history(1, 2), path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
