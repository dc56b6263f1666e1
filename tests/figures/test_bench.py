"""The picture of the activation benchmark: all that was timed is on it, and the same bytes each time."""

import copy

import matplotlib.image
import pytest
from matplotlib.figure import Figure

from pwlact_figures import bench

NAMES = {"pwl shared": "ours", "relu": "baseline", "gelu": "baseline", "theirs": "peer"}


def row(name, shape, ratio, **changes):
    x_bytes = 4 * shape[0] * shape[1]
    return {
        "name": name, "kind": NAMES[name], "note": "", "shape": list(shape), "forward_ms": 1.0, "backward_ms": 1.0,
        "total_ms": 2.0, "vs_gelu": ratio, "vs_silu": ratio, "forward_vs_gelu": 0.9 * ratio, "saved_bytes": x_bytes,
        "backward_vs_gelu": 1.1 * ratio, "spread": [0.95 * ratio, 1.2 * ratio], "x_bytes": x_bytes, **changes,
    }  # fmt: skip


def record(shapes=((8, 4),), names=NAMES, **changes):
    ratios = {"pwl shared": 1.25, "relu": 0.625, "gelu": 1.0, "theirs": 87.4}
    rows = [row(name, shape, ratios[name], **changes) for shape in shapes for name in names]
    environment = {"device": "cpu"}
    return {
        "rows": rows,
        "dtype": "fp32",
        "layout": "contiguous",
        "threads": 2,
        "repeats": 11,
        "environment": environment,
    }


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """Draw, and give the figure that was saved."""
    kept: list[Figure] = []
    save = bench.save
    monkeypatch.setattr(bench, "save", lambda figure, path: (kept.append(figure), save(figure, path)))

    def draw(result) -> Figure:
        bench.draw(result, tmp_path / "bench.png")
        assert (tmp_path / "bench.png").read_bytes().startswith(b"\x89PNG")
        return kept[-1]

    return draw


def panels(figure):
    return [axes for axes in figure.axes if axes.get_visible()]


def texts(axes):
    return [text.get_text() for text in axes.texts]


def bars(axes):
    return [
        (bar.get_x(), round(bar.get_width(), 9), round(bar.get_y() + bar.get_height() / 2, 9)) for bar in axes.patches
    ]


def test_bars_reach_from_gelu_to_each_ratio(drawn):
    times, kept = panels(drawn(record()))
    assert times.get_title() == "8 × 4"
    assert times.get_xscale() == "log"
    forward, backward = bars(times)[:2]
    assert forward == (1, round(0.9 * 1.25 - 1, 9), -0.18)
    assert backward == (1, round(1.1 * 1.25 - 1, 9), 0.18)
    # a faster one's bar goes to the left
    assert bars(times)[2][1] < 0
    assert texts(times) == ["1.25", "0.62", "1.00", "87"]
    assert texts(kept) == ["1"] * 4
    assert [label.get_text() for label in times.get_yticklabels()] == list(NAMES)


def test_ours_stand_out_and_kinds_have_their_colours(drawn):
    times, _ = panels(drawn(record()))
    assert [label.get_fontweight() for label in times.get_yticklabels()] == ["bold", "normal", "normal", "normal"]
    faces = [bar.get_facecolor() for bar in times.patches]
    assert len(set(faces)) == 6
    assert faces[2:4] == faces[4:6]


def test_every_number_lies_within_its_panel(drawn):
    for axes in panels(drawn(record())):
        low, high = axes.get_xlim()
        for text in axes.texts:
            assert low <= text.xy[0] < high
        for bar in axes.patches:
            assert low <= bar.get_x() + bar.get_width() <= high


def test_legend_names_the_kinds_that_are_there(drawn):
    def labels(figure):
        return [text.get_text() for text in figure.legends[0].get_texts()]

    assert len(labels(drawn(record()))) == 6
    assert labels(drawn(record(names=("pwl shared", "gelu")))) == [
        "pwlact, forward", "pwlact, backward", "PyTorch, forward", "PyTorch, backward"
    ]  # fmt: skip


@pytest.mark.parametrize("count", [1, 2, 5, 6, 11])
def test_a_panel_a_shape_on_one_scale(drawn, count):
    shapes = [(8, 4, i + 1) for i in range(count)]
    shown = panels(drawn(record(shapes)))
    times = [axes for axes in shown if axes.get_title() != "kept for backward"]
    assert len(shown) == len(times) + 1
    assert [axes.get_title() for axes in times] == [" × ".join(map(str, shape)) for shape in shapes]
    assert len({axes.get_xlim() for axes in times}) == 1


def test_a_row_that_did_not_run_on_a_shape_says_so(drawn):
    result = record([(8, 4), (8, 5)])
    result["rows"] = [r for r in result["rows"] if (r["name"], r["shape"]) != ("theirs", [8, 5])]
    first, second, _ = panels(drawn(result))
    assert "not run" not in texts(first)
    assert texts(second)[-1] == "not run"


@pytest.mark.parametrize(("share", "text"), [(0.0, "0"), (0.004, "0"), (0.5, "0.5"), (6.0, "6"), (114.13, "114")])
def test_kept_in_sizes_of_x(drawn, share, text):
    *_, kept = panels(drawn(record(saved_bytes=share * 128)))
    assert texts(kept) == [text] * 4


def test_what_is_kept_is_read_off_the_largest_shape(drawn):
    result = record([(80, 40), (8, 4)])
    for r in result["rows"]:
        r["saved_bytes"] = r["x_bytes"] * (3 if r["shape"] == [80, 40] else 5)
    *_, kept = panels(drawn(result))
    assert texts(kept) == ["3"] * 4


def test_all_as_fast_as_gelu(drawn):
    assert panels(drawn(record(names=("gelu",), forward_vs_gelu=1.0, backward_vs_gelu=1.0, spread=[1.0, 1.0])))


@pytest.mark.parametrize("suffix", ["png", "pdf", "svg"])
def test_bytes_repeat_and_the_record_is_left_alone(tmp_path, suffix):
    result = record([(8, 4), (8, 5)])
    before = copy.deepcopy(result)
    paths = [tmp_path / f"{name}.{suffix}" for name in "ab"]
    for path in paths:
        bench.draw(result, path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert result == before


def test_picture_shows_the_ratios(tmp_path):
    other = record()
    other["rows"][0]["forward_vs_gelu"] = 3.0
    pixels = []
    for result in (record(), other):
        bench.draw(result, tmp_path / "a.png")
        pixels.append(matplotlib.image.imread(tmp_path / "a.png"))
    assert pixels[0].shape == pixels[1].shape
    assert (pixels[0] != pixels[1]).any()
