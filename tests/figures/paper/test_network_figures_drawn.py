"""Pictures of the figures of trained networks: all data drawn, axes labelled, texts apart and inside."""

import itertools
import re

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from network_results import KNOTS, beta, change, cosine, write_bench, write_run, write_study

from pwlact.swish import swish
from pwlact_figures.paper import Results
from pwlact_figures.paper import gradient_agreement as s7
from pwlact_figures.paper import layer_snapshots as eight
from pwlact_figures.paper import networks_over_training as seven
from pwlact_figures.paper import preactivations as s8
from pwlact_figures.paper import speed as s10
from pwlact_figures.paper import training_comparison as s9
from pwlact_figures.style import COLUMN_INCHES, PAGE_INCHES, save, style

ALL = (seven, eight, s7, s8, s9, s10)
WIDTHS = {eight: COLUMN_INCHES}


def usual(folder):
    write_study(folder, inputs=True)


def large(folder):
    """All kinds, three seeds; full width of some."""
    write_study(folder, kinds=("relu", "silu", "gelu", "derived", "backprop", "local", "local-channel"), seeds=3)
    write_study(folder, kinds=("relu", "backprop", "local"), widths=(1.0,))


def short(folder):
    """One epoch."""
    write_study(folder, epochs=1)


def gaps(folder):
    """Fits without numbers, at a bound, far too large; cosines and quantiles that are not defined."""
    write_study(folder, inputs=True)

    def fits(record):
        layers = record["layers"]
        layers[0].update(beta=None, r2=None, scale=None)
        layers[3].update(at_bound=["x0"], caveat="x0 at the bound", stderr=dict.fromkeys(layers[3]["stderr"]))
        layers[6].update(caveat="vague", beta=12.0, stderr={"beta": 1e6})
        layers[7].update(caveat="vague", stderr={"beta": 2.0})

    def undefined(record):
        record["gradients"]["layers"][0]["epochs"][0]["sample"]["projected"] = None
        record["gaussianity"]["qq"]["layers"][1]["within"]["mean"][0] = None

    for arch in ("resnet10", "vgg11"):
        place = folder / "networks" / f"{arch}-local-w0.25-s0"
        change(place / "result.json", fits)
        change(place / "inspect.json", undefined)


CASES = (usual, large, short, gaps)
# speed reads no runs
DRAWN = [(module, write) for module in ALL for write in (CASES if module is not s10 else (usual,))]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A figure of a study, drawn once for all tests, which only look at it."""
    folders, figures = {}, {}

    def draw(module, write=usual):
        if write not in folders:
            folders[write] = tmp_path_factory.mktemp("results")
            write(folders[write])
            write_bench(folders[write])
        if (module, write) not in figures:
            with style():
                figure = module.draw(module.compute(Results(folders[write])))
                figure.set_dpi(200)  # as it is saved
                FigureCanvasAgg(figure).draw()
            figures[module, write] = figure
        return figures[module, write]

    return draw


def panels(figure):
    """All axes but colour bars and those switched off."""
    return [axes for axes in figure.axes if axes.axison and axes.get_label() != "<colorbar>" and axes.get_title("left")]


def texts(figure):
    """Every title, label, legend and note, with its place in the picture."""
    blocks = [figure, *figure.subfigs]
    found = [legend for block in blocks for legend in block.legends]
    found += [block._suptitle for block in blocks if block._suptitle is not None]
    for axes in figure.axes:
        found += [axes._left_title, axes.title, *axes.texts]
        found += [axes.xaxis.label, axes.yaxis.label] if axes.axison else []
        found += [axes.get_legend()] if axes.get_legend() else []
    shown = [text for text in found if text.get_visible() and getattr(text, "get_text", lambda: "x")().strip()]
    return [(text, text.get_window_extent()) for text in shown]


@pytest.mark.parametrize(("module", "write"), DRAWN)
def test_texts_are_inside_and_apart(drawn, module, write):
    figure = drawn(module, write)
    width = WIDTHS.get(module, PAGE_INCHES)
    assert figure.get_size_inches()[0] == pytest.approx(width)
    for text, box in texts(figure):
        inside = box.x0 >= -1, box.y0 >= -1, box.x1 <= figure.bbox.x1 + 1, box.y1 <= figure.bbox.y1 + 1
        assert all(inside), text
    for (one, box), (other, beside) in itertools.combinations(texts(figure), 2):
        overlap = min(box.x1, beside.x1) - max(box.x0, beside.x0), min(box.y1, beside.y1) - max(box.y0, beside.y0)
        if min(overlap) > 1:
            # the empty line under a title is the fit's
            names = [getattr(text, "get_text", lambda: "legend")() for text in (one, other)]
            assert any(name.endswith("\n") for name in names), names


@pytest.mark.parametrize("module", ALL)
def test_axes_are_labelled_and_lettered(drawn, module):
    figure = drawn(module)
    letters = [re.search(r"\{\((.)\)\}", axes.get_title("left")) for axes in panels(figure)]
    assert sorted(match[1] for match in letters if match) == list("abcdefghijklmnopqrstuvwxyz"[: len(letters)])
    for axes in figure.axes:
        if not axes.axison:
            continue
        below = axes.xaxis.label.get_text() or not any(
            label.get_visible() and label.get_text() for label in axes.get_xticklabels()
        )
        shared = any(other.xaxis.label.get_text() for other in figure.axes if _column(other) == _column(axes))
        assert below or shared


def _column(axes):
    box = axes.get_window_extent()
    return round(box.x0 / 20), round(box.width / 20)


@pytest.mark.parametrize(("module", "write"), DRAWN)
def test_fonts_can_be_read_and_data_are_finite(drawn, module, write):
    figure = drawn(module, write)
    for text, _ in texts(figure):
        if hasattr(text, "get_fontsize"):
            assert text.get_fontsize() >= 6
    count = 0
    for axes in figure.axes:
        assert np.isfinite([*axes.get_xlim(), *axes.get_ylim()]).all()
        for line in axes.get_lines():
            assert not np.isinf(np.asarray(line.get_ydata(), float)).any()
            count += bool(np.isfinite(np.asarray(line.get_ydata(), float)).any())
        assert not any(isinstance(one, PathCollection) for one in axes.collections)
    assert count >= 8


def test_films_are_drawn_dark_to_light_with_their_fit(drawn):
    figure = drawn(seven)
    (axes,) = [axes for axes in figure.axes if "ResNet-10, layer 3" in axes.get_title("left")]
    *epochs, start, fit = axes.get_lines()
    assert len(epochs) == 4
    light = [sum(line.get_color()[:3]) for line in epochs]
    assert light == sorted(light)
    assert start.get_linestyle() == ":"
    np.testing.assert_allclose(start.get_ydata(), KNOTS.clip(0), atol=1e-9)
    assert fit.get_linestyle() == "--"
    expected = swish(fit.get_xdata(), beta("backprop", 3), 0.5, 1.5, -0.25)
    np.testing.assert_allclose(fit.get_ydata(), expected)
    assert [text.get_text() for text in axes.texts] == ["β 2.25, x₀ 0.50, R² 0.960"]
    finals = [axes for axes in figure.axes if "all layers" in axes.get_title("left")]
    assert [len(axes.get_lines()) for axes in finals] == [8, 9]
    for line in finals[1].get_lines():
        assert np.mean(line.get_ydata()) == pytest.approx(0, abs=1e-9)
        assert np.std(line.get_ydata()) == pytest.approx(1)
    assert finals[1].texts[0].get_text() == "Swish fits: R² ≥ 0.910, 1 seed"


def test_what_a_fit_cannot_tell_is_said(drawn):
    figure = drawn(eight, gaps)
    notes = [axes.texts[0].get_text() for axes in figure.axes[1:8:2]]
    assert notes == ["no Swish fit", "x₀ at bound, R² 0.960", "β undetermined, R² 0.930",
                     "β 2.8±2.0, x₀ 0.50, R² 0.920"]  # fmt: skip


def test_undetermined_betas_are_hollow(drawn):
    axes = drawn(eight, gaps).axes[-1]
    hollow = [line for line in axes.get_lines() if to_hex(line.get_markerfacecolor()) == "#ffffff"]
    drawn_hollow = np.concatenate([line.get_ydata() for line in hollow])
    np.testing.assert_allclose(drawn_hollow, [beta("local", 3), 12.0, beta("local", 7)])
    filled = [line for line in axes.get_lines() if line not in hollow and line.get_marker() in {"o", "s"}]
    assert [np.isfinite(line.get_ydata()).sum() for line in filled] == [9, 5]
    assert axes.get_ylim()[1] > 12
    assert axes.get_ylim()[1] < 30  # an error without bound does not flatten the rest


def test_draft_s_ranges(drawn):
    axes = drawn(eight).axes[-1]
    boxes = [(box.get_y(), box.get_y() + box.get_height()) for box in axes.patches]
    assert boxes == [(1.25, 2.0), (2.0, 3.0), (3.0, 5.0)]


def test_dots_mark_chance(drawn):
    axes = drawn(s7).axes[0]
    ((image,), (dots,)) = axes.images, axes.get_lines()
    expected = np.array([[cosine("local", layer, e) for e in range(1, 5)] for layer in range(9)])
    np.testing.assert_allclose(image.get_array(), expected)
    assert (image.norm.vmin, image.norm.vmax) == (-1, 1)
    layers, epochs = np.nonzero(np.abs(expected) <= 0.25)
    assert list(dots.get_xdata()) == list(epochs)
    assert list(dots.get_ydata()) == list(layers)


def test_a_row_of_histograms_only_where_they_are_kept(drawn):
    assert len(panels(drawn(s8))) == 3 + 3 + 2


def test_without_histograms(drawn):
    assert len(panels(drawn(s8, short))) == 3 + 2


def test_a_dot_a_seed(drawn):
    figure = drawn(s9, lambda folder: write_study(folder, archs=("resnet10",), seeds=3))
    dots = [line for line in figure.axes[0].get_lines() if line.get_marker() == "o"]
    assert [sorted(line.get_xdata()) for line in dots] == [
        pytest.approx([82, 82.5, 83]), pytest.approx([83, 83.5, 84]), pytest.approx([84, 84.75, 85.5]),
    ]  # fmt: skip
    left, right = figure.axes[0].get_xlim()
    assert left < 81.9
    assert right > 85.5
    means = [axes.get_xdata()[0] for axes in figure.axes[1].get_lines() if axes.get_marker() in {"o", "D"}]
    assert means == pytest.approx([1.0, 2.25, -1.0, 1.25])
    assert len(figure.axes[2].get_lines()) == 3 * (3 + 1)


def test_quartiles_and_names_of_the_benchmark(drawn):
    left, right = drawn(s10).axes
    assert [label.get_text() for label in left.get_yticklabels()] == ["relu", "gelu", "pwl shared", "$x & <b>"]
    spans = [list(line.get_xdata()) for line in left.get_lines() if len(line.get_xdata()) == 2]
    assert spans[1:] == [pytest.approx([0.45 * k, 0.6 * k]) for k in (1, 2, 3, 4)]
    assert [text.get_text() for text in right.texts] == ["0.90", "1.00", "1.10", "1.20"]
    assert "2 threads" in left.get_xlabel()
    assert "7 rounds" in right.get_xlabel()
    (legend,) = left.figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["PyTorch", "pwlact", "other packages"]


@pytest.mark.parametrize("module", ALL)
def test_same_data_same_bytes_and_other_data_others(tmp_path, module):
    write_study(tmp_path, archs=("resnet10", "vgg11") if module is seven else ("resnet10",))
    write_bench(tmp_path)

    def picture() -> bytes:
        with style():
            save(module.draw(module.compute(Results(tmp_path))), tmp_path / "picture.pdf")
        return (tmp_path / "picture.pdf").read_bytes()

    # a process's first picture may differ from its later ones in the last digit of a coordinate
    before = [picture(), picture()]
    while len(before) < 4 and len(set(before)) == len(before):
        before.append(picture())
    assert len(set(before)) < len(before)
    place = tmp_path / "networks" / "resnet10-local-w0.25-s0"
    change(place / "result.json", lambda r: (r["layers"][3].update(beta=4.5), r["val"].update(accuracy=0.6)))
    change(place / "inspect.json", _nudge)
    change(tmp_path / "bench" / "train.json", lambda r: r["rows"][3].update(vs_silu=1.5))
    assert picture() not in before


def _nudge(record):
    record["gradients"]["layers"][1]["epochs"][0]["sample"]["projected"] = 0.95
    record["gaussianity"]["layers"][2]["within"]["w"]["median"] = 0.95


def test_other_seeds_show(tmp_path):
    usual(tmp_path)
    with style():
        before = len(eight.draw(eight.compute(Results(tmp_path))).axes[-1].get_lines())
        write_run(tmp_path, "resnet10", "local", seed=1)
        figure = eight.draw(eight.compute(Results(tmp_path)))
    assert len(figure.axes[-1].get_lines()) > before
    assert "backprop: seed 0; local: seeds 0 and 1" in figure.axes[-1].get_title("left")
