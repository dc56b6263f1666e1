"""The picture of a comparison shows every run and every mean, and is the same bytes each time."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from pwlact_figures import compare
from pwlact_figures.compare import draw


def comparison(runs_a_group, epochs=3):
    """Groups of so many runs each; run j of group i has the accuracy (i + j / 10 + epoch) %."""
    runs = [
        {
            "group": i,
            "curves": {
                "epoch": list(range(1, epochs + 1)),
                "val_accuracy": [(i + j / 10 + e) / 100 for e in range(1, epochs + 1)],
                "train_loss": [i + j / 10 + 1 / e for e in range(1, epochs + 1)],
            },
        }
        for i, count in enumerate(runs_a_group)
        for j in range(count)
    ]
    groups = [{"name": f"local width={i}", "seeds": list(range(count))} for i, count in enumerate(runs_a_group)]
    return {"runs": runs, "groups": groups, "notes": []}


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """Draw, and give the two panels and the legend of the figure that was saved."""
    kept: list[Figure] = []
    save = compare.save
    monkeypatch.setattr(compare, "save", lambda figure, path: (kept.append(figure), save(figure, path)))

    def draw_it(found):
        draw(found, tmp_path / "compare.png")
        assert (tmp_path / "compare.png").read_bytes().startswith(b"\x89PNG")
        legends = kept[-1].legends
        return *kept[-1].axes, [text.get_text() for text in legends[0].get_texts()] if legends else []

    return draw_it


def test_thin_runs_and_a_thick_mean_in_one_colour_a_group(drawn):
    accuracy, loss, names = drawn(comparison([3, 1]))
    assert names == ["local width=0 (3 seeds)", "local width=1 (1 seed)"]
    for axes, values in (
        (accuracy, lambda i, j: [i + j / 10 + e for e in (1, 2, 3)]),
        (loss, lambda i, j: [i + j / 10 + 1 / e for e in (1, 2, 3)]),
    ):
        *thin, mean, alone = axes.get_lines()
        assert len(thin) == 3
        for j, line in enumerate(thin):
            np.testing.assert_allclose(line.get_ydata(), values(0, j))
        np.testing.assert_allclose(mean.get_ydata(), np.mean([values(0, j) for j in range(3)], axis=0))
        np.testing.assert_allclose(alone.get_ydata(), values(1, 0))
        assert {line.get_color() for line in thin} == {mean.get_color()} != {alone.get_color()}
        assert max(line.get_linewidth() for line in thin) < mean.get_linewidth() == alone.get_linewidth()
        assert all(list(line.get_xdata()) == [1, 2, 3] for line in axes.get_lines())
    assert "%" in accuracy.get_ylabel()


def test_each_of_many_groups_looks_different(drawn):
    accuracy, _, names = drawn(comparison([1] * 30))
    looks = {(line.get_color(), line.get_linestyle()) for line in accuracy.get_lines()}
    assert len(looks) == len(names) == 30


def test_a_single_epoch_is_a_point(drawn):
    accuracy, _, _ = drawn(comparison([2], epochs=1))
    mean = accuracy.get_lines()[-1]
    assert mean.get_marker() == "o"
    assert accuracy.get_lines()[0].get_marker() != "o"


def test_the_mean_is_over_epochs_that_all_have(drawn):
    found = comparison([2], epochs=4)
    found["runs"][1]["curves"] = {
        "epoch": [1, 2, None, 4],
        "val_accuracy": [0.5, None, 0.1, 0.7],
        "train_loss": [1, 2, 3, 4],
    }
    accuracy, loss, _ = drawn(found)
    *_, mean = accuracy.get_lines()
    np.testing.assert_allclose(mean.get_xdata(), [1, 4])
    np.testing.assert_allclose(mean.get_ydata(), [(1 + 50) / 2, (4 + 70) / 2])
    np.testing.assert_allclose(loss.get_lines()[-1].get_xdata(), [1, 2, 4])


def test_nothing_known(drawn):
    found = comparison([1, 1])
    for run in found["runs"]:
        run["curves"]["val_accuracy"] = [None] * 3
    drawn(found)


def test_names_are_drawn_as_they_are(drawn):
    found = comparison([1])
    found["groups"][0]["name"] = "local path=$x^2$ <b>"
    *_, names = drawn(found)
    assert names == [r"local path=\$x^2\$ <b> (1 seed)"]


def test_the_same_bytes_each_time(tmp_path):
    for name in ("one.png", "two.png"):
        draw(comparison([2, 3]), tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    draw(comparison([3, 2]), tmp_path / "three.png")
    assert (tmp_path / "one.png").read_bytes() != (tmp_path / "three.png").read_bytes()
