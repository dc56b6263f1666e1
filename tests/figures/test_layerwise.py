"""Pictures of the layer-wise experiments: what is drawn where, and the same bytes each time."""

from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from pwlact.checks import InputError
from pwlact.experiments.layerwise import pictures
from pwlact_figures import layerwise
from pwlact_figures.layerwise import PANELS, ablation_figure, draw_ablation, draw_end_to_end, over_epochs


def line(arm, layer, value, sd=0.1):
    return {"arm": arm, "layer": layer} | {name: value for name in PANELS} | {f"{name}_sd": sd for name in PANELS}


def row(arm, seed, values, layers=2, **more):
    def layer(number, value):
        return {"layer": number} | {name: value / number for name in PANELS if name != "accuracy"}

    epochs = [
        {"epoch": e, "accuracy": v, "layers": [layer(n, v) for n in range(1, layers + 1)]} for e, v in enumerate(values)
    ]
    return {"arm": arm, "seed": seed, "epochs": epochs, **more}


CONFIG = {"data": "mnist", "units": 4, "seeds": 2}


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were saved, by name."""
    kept: dict[str, Figure] = {}
    save = layerwise.save

    def keep(figure, path):
        save(figure, path)
        assert path.read_bytes().startswith(b"\x89PNG")
        kept[path.name] = figure

    monkeypatch.setattr(layerwise, "save", keep)
    return kept


def test_ablation_marks_every_arm_and_layer_where_it_is(drawn, tmp_path: Path) -> None:
    summary = [line("lse", 1, 0.25), line("lse", 2, 0.5), line("$<b>_", 1, 0.75), line("pixels", 0, 0.9, None)]
    record = {"rows": [], "overall": summary, "config": CONFIG}
    assert [path.name for path in draw_ablation(record, tmp_path)] == ["ablation.png"]
    figure = drawn["ablation.png"]
    accuracy, *others = figure.axes
    assert len(others) == 3
    assert [label.get_text() for label in accuracy.get_yticklabels()] == ["lse", r"\$<b>_", "pixels"]
    assert [container.get_label() for container in accuracy.containers] == ["input", "layer 1", "layer 2"]
    first = accuracy.containers[1]
    np.testing.assert_allclose(first.lines[0].get_xdata(orig=False), [25, 75])
    np.testing.assert_allclose(first.lines[0].get_ydata(orig=False), [0, 1])
    np.testing.assert_allclose([np.ptp(part[:, 0]) for part in first.lines[2][0].get_segments()], 20)
    np.testing.assert_allclose(np.ptp(accuracy.containers[0].lines[2][0].get_segments()[0][:, 0]), 0)
    assert "mnist" in figure.get_suptitle()
    assert "n = 2" in figure.get_suptitle()


def test_epochs_are_drawn_by_arm_and_layer_with_their_spread(drawn, tmp_path: Path) -> None:
    rows = [row("relu", 0, (0.0, 0.5)), row("relu", 1, (0.5, 0.75)), row("soft", 0, (0.25, 0.25))]
    record = {"rows": rows, "config": CONFIG}
    assert [path.name for path in draw_end_to_end(record, tmp_path)] == ["epochs.png"]
    figure = drawn["epochs.png"]
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert len(shown) == 7  # accuracy once, three measures of two layers
    accuracy, second = shown[0], next(a for a in shown if a.get_ylabel() == "layer 2: duplicates (%)")
    relu, soft = accuracy.lines
    np.testing.assert_allclose(relu.get_ydata(), [25, 62.5])
    np.testing.assert_allclose(soft.get_ydata(), [25, 25])
    np.testing.assert_allclose(second.lines[0].get_ydata(), [12.5, 31.25])
    band = accuracy.collections[0].get_paths()[0].vertices[:, 1]
    assert band.min() == pytest.approx(25 - 100 * 0.125**0.5)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["relu", "soft"]
    assert all(axes.get_xlabel() for axes in (shown[0], *shown[-3:]))


def test_means_and_deviations_over_epochs() -> None:
    epochs, mean, spread = over_epochs([row("a", 0, (0.0, 1.0)), row("a", 1, (0.5, 0.5))], "dead", 2)
    np.testing.assert_allclose(epochs, [0, 1])
    np.testing.assert_allclose(mean, [12.5, 37.5])
    np.testing.assert_allclose(spread, [25 * 0.5**0.5] * 2)
    np.testing.assert_allclose(over_epochs([row("a", 0, (0.0, 1.0))], "accuracy", 1)[2], 0)


def test_prototypes_stand_side_by_side(drawn, tmp_path: Path) -> None:
    grey, colour = torch.randn(3, 12), torch.randn(2, 3072)
    rows = [
        row("a $name", 0, (0.5,), prototypes=pictures.keep(grey, "mnist")),
        row("b", 0, (0.5,), prototypes=pictures.keep(colour, "cifar10")),
        row("none", 0, (0.5,)),
    ]
    path = tmp_path / "prototypes.png"
    assert layerwise.draw_prototypes(rows, path) == [path]
    axes = drawn["prototypes.png"].axes
    assert [one.get_ylabel() for one in axes if one.get_ylabel()] == [r"a \$name", "b"]
    images = [image.get_array() for one in axes for image in one.images]
    assert [image.shape for image in images] == [(4, 3)] * 3 + [(32, 32, 3)] * 2
    np.testing.assert_allclose(images[1], pictures.read(rows[0]["prototypes"])[1, 0])
    expected = (pictures.read(rows[1]["prototypes"])[0].transpose(1, 2, 0) + 1) / 2
    np.testing.assert_allclose(images[3], expected)
    assert axes[0].images[0].get_clim() == (-1, 1)
    first = path.read_bytes()
    layerwise.draw_prototypes(rows, path)
    assert path.read_bytes() == first
    assert layerwise.draw_prototypes(rows[2:], tmp_path / "none.png") == []
    assert not (tmp_path / "none.png").exists()
    rows[0]["prototypes"]["values"] = "AAAA"
    with pytest.raises(InputError, match="again"):
        layerwise.draw_prototypes(rows, path)


def test_little_to_draw(drawn, tmp_path: Path) -> None:
    ablation_figure([line("pixels", 0, 0.9, None)], "one").draw_without_rendering()
    record = {"rows": [row("relu", 0, (0.5,), layers=1)], "config": CONFIG | {"seeds": 1}}
    draw_end_to_end(record, tmp_path)
    assert len([axes for axes in drawn["epochs.png"].axes if axes.get_visible()]) == 4
