"""Pictures of an inspection: every layer and number of the record is drawn, whatever the run is called."""

import json

import numpy as np
import pytest
from matplotlib.figure import Figure

from pwlact.files import to_json
from pwlact_figures import inspection
from pwlact_figures.inspection import draw

NORMAL = [-1.0, 0.0, 1.0]


def curve(offset):
    return {"mean": [offset - 1.1, offset, offset + 1.1], "q10": [offset - 2.0] * 3, "q90": [offset + 2.0] * 3}


def row(epoch, level):
    pair = {"cosine": level, "projected": level + 0.01}
    return {
        "epoch": epoch, "seen": 0.5, "sample": {**pair, "repeat": 1.0},
        "gaussian": {"cosine": 0, "projected": -level, "repeat": 1.0},
        "ceiling": {"cosine": 0.9, "projected": 0.95}, "chance": {"cosine": 0.2, "projected": 0.25},
    }  # fmt: skip


def record(layers=3, epochs=4, name="my-run"):
    names = [f"layer{i}" for i in range(layers)]
    curves = [{"name": n, "within": curve(i / 10), "pooled": curve(i / 5)} for i, n in enumerate(names)]
    rows = [[row(e + 1, (i + e) / 20) for e in range(epochs)] for i in range(layers)]
    return {
        "run": {"name": name},
        "gaussianity": {
            "n": 2000, "epoch": epochs, "layers": [{"name": n} for n in names],
            "qq": {"normal": NORMAL, "layers": curves},
        },
        "gradients": {"n": 1500, "layers": [{"name": n, "epochs": r} for n, r in zip(names, rows, strict=True)]},
        "baking": None,
    }  # fmt: skip


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """Draw, and give the blocks of the figure that was saved."""
    kept: list[Figure] = []
    save = inspection.save
    monkeypatch.setattr(inspection, "save", lambda figure, path: (kept.append(figure), save(figure, path)))

    def run(content):
        assert draw(content, tmp_path / "inspect.png")
        assert (tmp_path / "inspect.png").read_bytes().startswith(b"\x89PNG")
        return list(kept[-1].subfigs)

    return run


def panels(block):
    return [axes for axes in block.axes if axes.get_visible()]


@pytest.mark.parametrize("layers", [1, 3, 5, 9, 17])
def test_a_panel_for_every_layer(drawn, layers):
    blocks = drawn(record(layers))
    assert len(blocks) == 2
    for block in blocks:
        assert [axes.get_title() for axes in panels(block)] == [f"layer{i}" for i in range(layers)]


def test_quantiles(drawn):
    block = drawn(record())[0]
    for i, axes in enumerate(panels(block)):
        lines = {line.get_label(): line for line in axes.get_lines()}
        np.testing.assert_allclose(lines["within a class (band: 10 to 90 %)"].get_ydata(), curve(i / 10)["mean"])
        np.testing.assert_allclose(lines["classes pooled"].get_ydata(), curve(i / 5)["mean"])
        np.testing.assert_allclose(lines["classes pooled"].get_xdata(), NORMAL)
        (band,) = axes.collections
        edge = band.get_paths()[0].vertices[:, 1]
        assert (edge.min(), edge.max()) == pytest.approx((i / 10 - 2, i / 10 + 2))
    assert "my-run, epoch 4" in block.get_suptitle()
    assert "n = 2,000 images" in block.get_suptitle()


@pytest.mark.parametrize("epochs", [1, 4])
def test_cosines(drawn, epochs):
    block = drawn(record(epochs=epochs))[1]
    for i, axes in enumerate(panels(block)):
        lines = {line.get_label(): line for line in axes.get_lines()}
        level = (i + np.arange(epochs)) / 20
        expected = {
            "J from samples": level + 0.01,
            "J from normal densities": -level,
            "halves of the images": np.full(epochs, 0.95),
            "± labels shuffled": np.full(epochs, 0.25),
        }
        for label, values in expected.items():
            np.testing.assert_allclose(lines[label].get_ydata(), values)
            np.testing.assert_allclose(lines[label].get_xdata(), 1 + np.arange(epochs))
            assert lines[label].get_marker() != "None"  # one epoch makes no line
        assert axes.get_ylim() == (-1.05, 1.05)
    assert "n = 1,500 images" in block.get_suptitle()


@pytest.mark.parametrize("name", ["<b>&amp;</b>", 'a "quoted" run', "costs $5 or $x", "$\\frac$", "", "ä" * 80])
def test_any_name(drawn, name):
    for block in drawn(record(name=name)):
        assert block.get_suptitle().startswith(name)


@pytest.mark.parametrize(("part", "title"), [("gaussianity", "inputs"), ("gradients", "gradient")])
def test_one_part(drawn, part, title):
    content = record()
    other = {"gaussianity": "gradients", "gradients": "gaussianity"}[part]
    (block,) = drawn({**content, other: None})
    assert title in block.get_suptitle()
    assert len(panels(block)) == 3


def test_nothing_to_draw(tmp_path):
    content = record() | {"gaussianity": None, "gradients": None}
    assert not draw(content, tmp_path / "inspect.png")
    assert not list(tmp_path.iterdir())


def test_gaps_where_nothing_is_defined(drawn):
    content = record()
    content["gradients"]["layers"][0]["epochs"][1]["sample"]["projected"] = float("nan")
    content["gaussianity"]["qq"]["layers"][0]["within"] = {n: [float("nan")] * 3 for n in ("mean", "q10", "q90")}
    for read in (content, json.loads(to_json(content))):
        block = drawn(read)[1]
        (line,) = [line for line in panels(block)[0].get_lines() if line.get_label() == "J from samples"]
        assert list(np.isnan(line.get_ydata())) == [False, True, False, False]


def test_drawing_again_gives_the_same_bytes(tmp_path):
    pictures = []
    for name in ("a.png", "b.png"):
        draw(record(), tmp_path / name)
        pictures.append((tmp_path / name).read_bytes())
    assert pictures[0] == pictures[1]


def test_legends_are_within_the_picture(drawn):
    for block in drawn(record(9)):
        figure = block.figure
        (legend,) = block.legends
        box = legend.get_window_extent()
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.x1
        for axes in panels(block)[:5]:
            assert box.y0 > axes.get_window_extent().y1
        assert len(legend.get_texts()) in {3, 4}
