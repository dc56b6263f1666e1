"""The study as a whole: its rows, resumed and shared between processes, its tables and pictures."""

import json
from dataclasses import replace

import pytest
from asserts import assert_refused
from data.letter_files import drawn, write_idx

from pwlact.experiments.kept_rows import FILE_NAME
from pwlact.experiments.letters import pool
from pwlact.experiments.letters.config import STUDIES, LettersConfig
from pwlact.experiments.letters.reported import DEPTH, LOGISTIC_GRID, WIDTH, reported
from pwlact.experiments.letters.study import load_parts, tasks
from pwlact_figures.letters.pictures import draw
from pwlact_figures.letters.tables import tables

TINY = LettersConfig(
    seeds=2, validation=12, batch_size=10, widths=(2, 3), width_epochs=1, rates=(1e-2,), decays=(0.0,), depths=(1, 3),
    depth_width=4, depth_rates=(1e-3, 1e-2), depth_epochs=1, variants=("plain", "both"),
    activations=("piecewise-linear",), outputs=("softmax", "relumax-hinge"), output_width=3, output_epochs=1,
    linear_epochs=2,
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_idx(tmp_path_factory.mktemp("letters"), drawn(60, 3), drawn(12, 3, seed=1))


@pytest.fixture(scope="module")
def record(folder):
    return pool.run(TINY, folder, load_parts(TINY, folder))


def test_rows(record):
    assert {row["study"] for row in record["rows"]} == set(STUDIES)
    assert record["data"] == {"name": "letters, 3 classes", "classes": 3, "train": 48, "validation": 12, "test": 12}
    depths = [(row["variant"], row["depth"]) for row in record["rows"] if row["study"] == "depth"]
    names = ("as-draft", "plain", "both", "piecewise-linear")
    assert depths == [(name, depth) for name in names for depth in (1, 3)]
    assert [row["epochs"] for row in record["rows"] if row["study"] == "depth"][:3] == [1, 1, 1]
    for row in record["rows"]:
        assert {"validation", "test"} <= set(row)
        assert 0 <= row["test"]["mean"] <= 1
    drafted = next(row for row in record["rows"] if row.get("variant") == "as-draft")
    assert drafted["chosen"] == {"rate": 3e-4, "dropout": 0.2, "decay": 0.0}
    assert drafted["grid"] == []
    wide = next(row for row in record["rows"] if row["study"] == "width")
    assert [cell["dropout"] for cell in wide["grid"]] == [0.0, 0.2]
    assert json.loads(json.dumps(record["rows"])) == record["rows"]


def test_resumed_and_shared_between_processes(folder, record, tmp_path):
    config = replace(TINY, studies=("depth", "width"), depths=(1,), variants=("plain",), activations=(), widths=(2,))
    parts = load_parts(config, folder)
    work = tasks(config, parts)
    seen = []
    shared = pool.compute(config, folder, parts, tmp_path, jobs=2, progress=lambda *state: seen.append(state))
    total = sum(task.work for task in work.values())
    assert seen[0] == (0, pytest.approx(total))
    assert all(0 <= done <= total * 1.0001 for done, _ in seen)
    kept = json.loads((tmp_path / FILE_NAME).read_text())
    assert set(kept) == set(work)
    del kept["width 2"]
    (tmp_path / FILE_NAME).write_text(json.dumps(kept))
    seen.clear()
    assert pool.compute(config, folder, parts, tmp_path, progress=lambda *state: seen.append(state)) == shared
    assert seen[0][0] == pytest.approx(total - work["width 2"].work)
    assert seen[-1] == (pytest.approx(total), pytest.approx(total))
    assert shared == [row for row in record["rows"] if row in shared]


def test_work_adds_up_to_what_was_said(folder):
    parts = load_parts(TINY, folder)
    for name, task in tasks(TINY, parts).items():
        ticks = []
        task.compute(ticks.append)
        assert sum(ticks) == pytest.approx(task.work), name


def test_studies_by_name(folder):
    parts = load_parts(TINY, folder)
    whole = tasks(TINY, parts)
    apart = [tasks(replace(TINY, studies=(name,)), parts) for name in STUDIES]
    assert list(whole) == [name for some in apart for name in some]
    assert all(some for some in apart)


@pytest.mark.parametrize("values", [
    {"studies": ("widths",)}, {"variants": ("deep",)}, {"activations": ("rely",)}, {"outputs": ("max",)}, {"seeds": 0},
    {"widths": ()}, {"widths": (0,)}, {"depths": (0,)}, {"depths": ()}, {"rates": ()}, {"rates": (0.0,)},
    {"dropouts": (1.0,)}, {"depth_rates": ()}, {"limit": 0}, {"validation": 0}, {"batch_size": 0}, {"linear_epochs": 0},
])  # fmt: skip
def test_settings_that_make_no_sense(values):
    assert_refused(lambda: LettersConfig(**values), next(iter(values)).removesuffix("s"))


def test_tables(record):
    found = {title.split(":")[0]: (columns, lines) for title, columns, lines in tables(record)}
    assert len(found) == len(tables(record)) == 5
    for columns, lines in found.values():
        assert lines
        assert all(len(line) == len(columns) for line in lines)
    columns, lines = found["hidden layers of 4"]
    assert lines[0] == ("draft, EMNIST", "81.8", "79.3")
    assert [line[0] for line in lines[1:]] == ["as-draft", "plain", "both", "piecewise-linear"]
    width = next(row for row in record["rows"] if row["study"] == "width")
    test = width["test"]
    assert f"{100 * test['mean']:.1f} ({100 * test['sd']:.1f})" in next(iter(found["one hidden layer"][1]))
    assert tables({"rows": [], "config": record["config"]}) == []


def test_one_seed_has_no_spread_and_what_diverged_no_number(record):
    row = {"study": "outputs", "output": "softmax", "test": {"mean": 0.5, "sd": None}}
    row |= {name: {"mean": None, "sd": None} for name in ("calibration", "brier", "dead_targets", "support")}
    ((_, _, (line,)),) = tables({"rows": [row], "config": record["config"]})
    assert line == ("softmax", "50.0", "-", "-", "-", "-")


def test_pictures(record, tmp_path):
    written = draw(record, tmp_path)
    assert {path.name for path in written} == {"curves.png", "width.png", "depth.png", "outputs.png"}
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written)
    again = tmp_path / "again"
    again.mkdir()
    assert [path.read_bytes() for path in draw(record, again)] == [path.read_bytes() for path in written]
    only = {**record, "rows": [row for row in record["rows"] if row["study"] == "perceptron"]}
    assert draw(only, again) == []


def test_a_run_that_diverged_is_drawn_all_the_same(record, tmp_path):
    rows = json.loads(json.dumps([row for row in record["rows"] if row["study"] in ("width", "depth")]))
    for row in rows:
        row["test"] |= {"mean": None, "values": [None, None]}
        row["history"]["train_accuracy"][0] = None
    assert len(draw({**record, "rows": rows}, tmp_path)) == 3


def test_what_the_draft_reports():
    assert reported({"study": "width", "width": 256})["test"] == 0.908
    assert reported({"study": "width", "width": 7}) is None
    assert reported({"study": "depth", "variant": "as-draft", "depth": 9}) == DEPTH[9]
    assert reported({"study": "depth", "variant": "plain", "depth": 9}) is None
    assert reported({"study": "outputs"}) is None
    assert len(LOGISTIC_GRID) == 12
    assert max(WIDTH, key=lambda width: WIDTH[width]["validation"]) == 256
