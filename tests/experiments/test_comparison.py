"""Comparing runs: what forms a group, means and errors against numpy, old and damaged folders."""

import json
import math
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from asserts import assert_refused

from pwlact.data import Cifar10, cifar_shaped
from pwlact.experiments import cifar
from pwlact.experiments.cifar import CifarConfig
from pwlact.experiments.comparison import binomial_error, compare
from pwlact.files import to_json
from pwlact.training import RunFolder

DATA = {"train": 50000, "test": 1000, "classes": list("abc"), "labels_crc32": "d8b1a86d"}


def finished(mode="local", seed=0, val=0.6, test=0.5, epochs=3, n=(5000, 1000), r2=(0.9, 0.8), **settings):
    """A result.json as `pwlact cifar` writes it."""
    config = asdict(CifarConfig(mode=mode, seed=seed, epochs=epochs)) | settings
    history = [
        {"epoch": e, "train_loss": 2 / e + seed, "train_accuracy": 0.1 * e, "val_loss": 2.0,
         "val_accuracy": val * e / epochs, "seconds": 1.0, "images_per_second": 100.0}
        for e in range(1, epochs + 1)
    ]  # fmt: skip
    return {
        "arch": config["arch"],
        "mode": mode,
        "seed": seed,
        "parameters": 1234,
        "history": history,
        "val": {"loss": 1.0, "accuracy": val, "n": n[0]},
        "test": {"loss": 1.0, "accuracy": test, "n": n[1]},
        "layers": [] if mode == "relu" else [{"name": f"layer{i}", "r2": value} for i, value in enumerate(r2)],
        "images_per_second": 500.0 + seed,
        "config": config,
        "data": DATA,
        "environment": {"device": "cpu"},
    }


@pytest.fixture
def put(tmp_path):
    """Store a result in a folder of runs; gives the folder."""

    def store(name, result):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        text = result if isinstance(result, str) else to_json(result)
        (folder / "result.json").write_text(text)
        return folder

    return store


def names(comparison):
    return [group["name"] for group in comparison["groups"]]


def test_groups_and_their_statistics(put, tmp_path):
    vals = {"relu": [0.60, 0.62, 0.61], "local": [0.63, 0.66, 0.62]}
    tests = {"relu": [0.50, 0.51, 0.55], "local": [0.52, 0.50, 0.56]}
    for mode in vals:
        for seed in (2, 0, 1):
            put(f"{'ab'[mode == 'local']}-{seed}", finished(mode, seed, vals[mode][seed], tests[mode][seed]))
    result = compare([tmp_path])
    assert names(result) == ["relu", "local"]
    for group, mode in zip(result["groups"], vals, strict=True):
        assert (group["seeds"], group["n_runs"], group["settings"]) == ([0, 1, 2], 3, {"mode": mode})
        for part, scores, n in (("val", vals[mode], 5000), ("test", tests[mode], 1000)):
            p = np.mean(scores)
            assert group[f"{part}_mean"] == pytest.approx(p)
            assert group[f"{part}_sd"] == pytest.approx(np.std(scores, ddof=1))
            assert group[f"{part}_se"] == pytest.approx(np.sqrt(p * (1 - p) / n))
            assert group[f"{part}_n"] == n
        assert group["train_loss"] == pytest.approx(2 / 3 + 1)
        assert group["images_per_second"] == pytest.approx(501)
    first, second = result["groups"]
    assert (first["to_first"], first["r2_min"], second["r2_min"]) == (None, None, 0.8)
    for part, scores in (("val", vals), ("test", tests)):
        apart = np.subtract(scores["local"], scores["relu"])
        assert second["to_first"][f"{part}_mean"] == pytest.approx(apart.mean())
        assert second["to_first"][f"{part}_se"] == pytest.approx(apart.std(ddof=1) / math.sqrt(3))
    assert second["to_first"]["seeds"] == [0, 1, 2]


def test_late_accuracy_is_that_of_the_last_five_epochs(put):
    scores = {"relu": [0.6, 0.7], "local": [0.5, 0.8]}
    runs = [
        put(f"{mode}{seed}", finished(mode, seed, scores[mode][seed], epochs=7)) for mode in scores for seed in (0, 1)
    ]
    result = compare(runs)
    late = {mode: np.array(scores[mode]) * np.mean([3, 4, 5, 6, 7]) / 7 for mode in scores}
    assert [row["late_accuracy"] for row in result["runs"]] == pytest.approx([*late["relu"], *late["local"]])
    for group, mode in zip(result["groups"], late, strict=True):
        assert group["late_mean"] == pytest.approx(late[mode].mean())
        assert group["late_sd"] == pytest.approx(late[mode].std(ddof=1))
    apart = late["local"] - late["relu"]
    assert result["groups"][1]["to_first"]["late_mean"] == pytest.approx(apart.mean())
    assert result["groups"][1]["to_first"]["late_se"] == pytest.approx(apart.std(ddof=1) / math.sqrt(2))


def test_a_run_without_five_epochs_has_no_late_accuracy(put):
    result = compare([put("short", finished(epochs=4)), put("relu", finished("relu", epochs=4))])
    assert {row["late_accuracy"] for row in result["runs"]} == {None}
    assert {(group["late_mean"], group["late_sd"]) for group in result["groups"]} == {(None, None)}
    assert result["groups"][1]["to_first"]["late_mean"] is None


def test_rows(put):
    paths = [put("r", finished("relu", 4, 0.6)), put("b", finished("backprop", 4, 0.7)), put("l", finished())]
    rows = compare(paths)["runs"]
    assert [row["path"] for row in rows] == [str(path) for path in paths]
    assert [row["group"] for row in rows] == [0, 1, 2]
    assert [(row["sharing"], row["estimator"], row["act_lr"]) for row in rows] == [
        (None, None, None),
        ("layer", None, 1e-2),
        ("layer", "gaussian", 1e-3),
    ]
    assert rows[1] | {"curves": None} == {
        "path": str(paths[1]), "arch": "resnet10", "mode": "backprop", "width": 1.0, "seed": 4, "epochs": 3,
        "sharing": "layer", "estimator": None, "act_lr": 1e-2, "parameters": 1234, "val_accuracy": 0.7,
        "val_se": pytest.approx(math.sqrt(0.21 / 5000)), "val_n": 5000, "late_accuracy": None, "test_accuracy": 0.5,
        "test_se": pytest.approx(math.sqrt(0.25 / 1000)), "test_n": 1000, "train_loss": pytest.approx(2 / 3 + 4),
        "images_per_second": 504.0, "r2_min": 0.8, "group": 1, "curves": None,
    }  # fmt: skip
    assert rows[0]["curves"]["epoch"] == [1, 2, 3]
    assert rows[0]["curves"]["val_accuracy"] == pytest.approx([0.2, 0.4, 0.6])
    assert rows[0]["curves"]["train_loss"] == pytest.approx([6, 5, 4 + 2 / 3])


@pytest.mark.parametrize(
    ("mode", "setting", "value"),
    [
        ("relu", "width", 0.5), ("relu", "lr", 0.1), ("relu", "epochs", 5), ("relu", "limit", 100),
        ("relu", "arch", "vgg11"),
        ("backprop", "act_lr", 0.5), ("backprop", "sharing", "channel"), ("backprop", "knots", 9),
        ("local", "memory", 0.5), ("local", "rest", 0.25),
        ("local", "estimator", "sample"), ("local", "solver", "eigen"), ("local", "recipe", "fast"),
        ("local", "a_new_one", 1),
    ],
)  # fmt: skip
def test_what_differs_is_a_group_and_names_it(put, mode, setting, value):
    result = compare([put("one", finished(mode)), put("two", finished(mode, **{setting: value}))])
    first, second = result["groups"]
    assert list(first["settings"]) == [setting]
    assert second["settings"] == {setting: value}
    named = "" if setting == "arch" else f"{setting}="
    assert second["name"] == f"{mode} {named}{value}"
    # how activations learn is told only where it is not as usual
    usual = setting in {"act_lr", "sharing", "knots", "memory", "rest", "estimator", "solver"}
    assert first["name"] == mode if usual else first["name"].startswith(f"{mode} {named}")
    assert first["name"] != second["name"]


@pytest.mark.parametrize(
    ("mode", "setting", "value"),
    [
        ("relu", "act_lr", 0.5), ("relu", "sharing", "channel"), ("relu", "memory", 0.5), ("backprop", "memory", 0.5),
        ("backprop", "rest", 0.0),
        ("backprop", "estimator", "sample"), ("backprop", "act_lr", 1e-2), ("local", "act_lr", 1e-3),
        ("local", "device", "cpu"), ("local", "keep_epochs", True), ("local", "compile", True),
        ("derived", "low", -4.0),
    ],
)  # fmt: skip
def test_what_does_not_matter_is_no_group(put, mode, setting, value):
    (group,) = compare([put("one", finished(mode)), put("two", finished(mode, seed=1, **{setting: value}))])["groups"]
    assert (group["seeds"], group["settings"], group["name"]) == ([0, 1], {}, mode)


def test_act_lr_of_a_solver(put):
    (group,) = compare([put("1", finished(solver="eigen")), put("2", finished(seed=1, solver="eigen", act_lr=0.2))])[
        "groups"
    ]
    assert group["n_runs"] == 2
    paths = [put("3", finished(act_lr=0.2)), put("4", finished())]
    assert [row["act_lr"] for row in compare(paths)["runs"]] == [0.2, 1e-3]
    assert names(compare(paths)) == ["local act_lr=0.2", "local"]


def test_results_of_old_versions(put):
    """They knew no memory, every, rest and recipe: 0, 1, 0 and "paper", whatever the defaults are today."""
    old, new = finished(memory=0.0, every=1, rest=0.0), finished(seed=1, memory=0.0, every=1, rest=0.0)
    for key in ("memory", "every", "rest", "recipe", "compile", "keep_epochs"):
        del old["config"][key]
    (group,) = compare([put("old", old), put("new", new)])["groups"]
    assert group["seeds"] == [0, 1]


def test_results_that_lack_nearly_everything(put):
    bare = {"mode": "relu", "history": [{"epoch": 1}], "val": {}, "test": {}}
    result = compare([put("bare", bare), put("whole", finished("relu"))])
    row = result["runs"][0]
    assert {key for key, value in row.items() if value is not None} == {"path", "mode", "epochs", "group", "curves"}
    assert row["curves"] == {"epoch": [1], "train_loss": [None], "val_accuracy": [None]}
    assert len(result["groups"]) == 2
    assert result["groups"][1]["to_first"]["val_mean"] is None
    to_json(result)


def test_numbers_that_are_none(put):
    broken = finished("relu", val=math.nan, test=math.inf)  # null in the file
    (group,) = compare([put("0", broken), put("1", finished("relu", seed=1, val=0.5, test=0.4))])["groups"]
    assert (group["val_mean"], group["val_sd"], group["test_mean"]) == (0.5, None, 0.4)
    assert group["seeds"] == [0, 1]


def test_one_seed_has_no_spread(put):
    result = compare([put("a", finished("relu", val=0.6)), put("b", finished("local", val=0.65))])
    first, second = result["groups"]
    assert first["val_sd"] is None
    assert second["to_first"] == {
        "group": 0, "seeds": [0], "val_mean": pytest.approx(0.05), "val_se": None, "late_mean": None, "late_se": None,
        "test_mean": 0.0, "test_se": None,
    }  # fmt: skip
    assert any("one seed has no spread" in note for note in result["notes"])


def test_differences_are_over_common_seeds(put):
    paths = [put(f"r{seed}", finished("relu", seed, 0.5 + seed / 100)) for seed in (0, 1, 2)]
    paths += [put(f"l{seed}", finished("local", seed, 0.6 + seed / 50)) for seed in (1, 2, 3)]
    paths += [put("b9", finished("backprop", 9))]
    _, local, backprop = compare(paths)["groups"]
    assert local["to_first"]["seeds"] == [1, 2]
    assert local["to_first"]["val_mean"] == pytest.approx(np.mean([0.62 - 0.51, 0.64 - 0.52]))
    assert local["to_first"]["val_se"] == pytest.approx(0.01 / 2)
    assert (backprop["to_first"].pop("group"), backprop["to_first"].pop("seeds")) == (0, [])
    assert set(backprop["to_first"].values()) == {None}


def test_activations_are_compared_within_a_network(put):
    vals = {("resnet10", 1.0): (0.7, 0.71), ("vgg11", 1.0): (0.6, 0.63), ("vgg11", 0.5): (0.5, 0.55)}
    paths = [
        put(f"{arch}{width}{mode}", finished(mode, val=val, arch=arch, width=width))
        for i, mode in enumerate(("relu", "local"))
        for (arch, width), val in ((key, pair[i]) for key, pair in vals.items())
    ]
    firsts = [group["to_first"] for group in compare(paths)["groups"]]
    assert firsts[:3] == [None] * 3
    assert [first["group"] for first in firsts[3:]] == [0, 1, 2]
    assert [first["val_mean"] for first in firsts[3:]] == pytest.approx([0.01, 0.03, 0.05])


def test_networks_are_compared_where_each_has_one_group(put):
    paths = [put(arch, finished(val=val, arch=arch)) for arch, val in (("resnet10", 0.7), ("vgg11", 0.6))]
    first, second = (group["to_first"] for group in compare(paths)["groups"])
    assert first is None
    assert (second["group"], second["val_mean"]) == (0, pytest.approx(-0.1))


def test_runs_of_one_seed_count_once(put):
    paths = [put("a", finished(val=0.6)), put("again", finished(val=0.62)), put("other", finished(seed=1, val=0.7))]
    result = compare(paths)
    (group,) = result["groups"]
    assert (group["n_runs"], group["seeds"]) == (3, [0, 1])
    assert group["val_mean"] == pytest.approx((0.61 + 0.7) / 2)
    assert group["val_sd"] == pytest.approx(0.09 / math.sqrt(2))
    assert any("3 runs, seeds 0, 1; those of one seed count once" in note for note in result["notes"])


def test_a_run_counts_once_however_it_is_named(put, tmp_path, monkeypatch):
    path = put("study/a", finished())
    monkeypatch.chdir(tmp_path)
    result = compare([path, Path("study/a"), Path("study"), path / "result.json", tmp_path / "study" / ".." / "study"])
    assert [row["path"] for row in result["runs"]] == [str(path)]


def test_the_first_that_is_named_is_the_first_group(put, tmp_path):
    put("study/a", finished("backprop"))
    relu = put("study/z", finished("relu"))
    assert names(compare([tmp_path / "study"])) == ["backprop", "relu"]
    assert names(compare([relu, tmp_path / "study"])) == ["relu", "backprop"]


def test_other_images_are_another_group(put):
    other = finished(seed=1)
    other["data"] = DATA | {"labels_crc32": "00000000"}
    result = compare([put("a", finished()), put("b", other), put("c", finished(seed=2, n=(5000, 10000)))])
    assert [group["settings"]["data"] for group in result["groups"]] == ["d8b1a86d", "00000000", "d8b1a86d"]
    assert "test accuracies are of different numbers of images: they do not compare" in result["notes"]
    assert not any("validation accuracies are of different" in note for note in result["notes"])


def test_the_binomial_error_is_told(put):
    notes = compare([put("a", finished(val=0.64, test=0.6))])["notes"]
    assert notes == [
        "one standard error of one validation accuracy of 64.0% on n = 5,000 images is 0.68 points; more seeds on the "
        "same images do not lessen it",
        "one standard error of one test accuracy of 60.0% on n = 1,000 images is 1.5 points; more seeds on the "
        "same images do not lessen it",
    ]


def test_binomial_error_against_draws():
    draws = np.random.default_rng(0).binomial(1000, 0.3, 200_000) / 1000
    assert binomial_error(0.3, 1000) == pytest.approx(draws.std(), rel=0.01)
    assert binomial_error(1.0, 10) == binomial_error(0.0, 10) == 0
    assert binomial_error(None, 10) is binomial_error(0.5, None) is binomial_error(0.5, 0) is None


def test_unfinished_and_foreign_folders_are_notes(put, tmp_path):
    put("study/good", finished())
    put("study/bad", "{not json")
    put("study/list", "[1]")
    put("study/unit", json.dumps({"classes": 20, "mode": 3, "history": []}))
    (tmp_path / "study" / "running <b>").mkdir()
    (tmp_path / "study" / "running <b>" / "config.json").write_text("{}")
    (tmp_path / "study" / "pictures").mkdir()
    (tmp_path / "study" / "file").write_text("")
    result = compare([tmp_path / "study", tmp_path / "study"])
    assert len(result["runs"]) == 1
    left_out = [note for note in result["notes"] if "left out" in note]
    assert [word in note for word, note in zip(("bad", "list", "running <b>", "unit"), left_out, strict=True)] == [
        True
    ] * 4
    assert not any("pictures" in note for note in result["notes"])


def test_a_run_in_the_making_beside_finished_ones_is_a_note(put, tmp_path):
    (tmp_path / "now").mkdir()
    (tmp_path / "now" / "config.json").write_text("{}")
    result = compare([tmp_path / "now", put("good", finished())])
    assert f"{tmp_path / 'now'} is left out: not finished" in result["notes"]
    assert_refused(lambda: compare([tmp_path / "now"]), "no finished run to compare", "now is left out: not finished")


@pytest.mark.parametrize("history", [None, [], {}, [1], "x"])
def test_a_damaged_run_named_by_itself_is_refused(put, history):
    folder = put("bad", finished() | {"history": history})
    assert_refused(lambda: compare([folder]), "bad/result.json is no result of `pwlact cifar`")


@pytest.mark.parametrize(("key", "value"), [("mode", None), ("val", None), ("test", 0.5), ("mode", ["relu"])])
def test_results_of_something_else_are_refused(put, key, value):
    folder = put("bad", finished() | {key: value})
    assert_refused(lambda: compare([folder]), "it lacks mode, history, val or test")


def test_paths_that_are_no_runs(put, tmp_path):
    assert_refused(lambda: compare([tmp_path / "nowhere"]), "nowhere is no folder: give the folder of a run")
    (tmp_path / "file").write_text("")
    assert_refused(lambda: compare([tmp_path / "file"]), "file is no folder")
    (tmp_path / "empty").mkdir()
    assert_refused(lambda: compare([put("ok", finished()), tmp_path / "empty"]), "empty holds no run")
    assert_refused(lambda: compare([put("cut", '{"arch": ')]), "result.json is damaged: not JSON")
    assert_refused(lambda: compare([]), "no finished run to compare")


def test_odd_parts_of_a_result(put):
    odd = finished() | {
        "config": None,
        "data": "x",
        "layers": [{"r2": None}, 3],
        "seed": None,
        "images_per_second": "fast",
    }
    result = compare([put("odd", odd), put("ok", finished()), put("odd2", odd)])
    assert (result["runs"][0]["r2_min"], result["runs"][0]["images_per_second"]) == (None, None)
    assert result["groups"][0]["seeds"] == [None]
    assert len(set(names(result))) == 2


def test_real_runs(tmp_path):
    data = Cifar10(cifar_shaped(40, 0), cifar_shaped(12, 1), tuple("abcdefghij"), Path("generated"))
    config = {"width": 0.0625, "epochs": 1, "batch_size": 8, "limit": 24, "val_size": 8, "knots": 9, "device": "cpu"}
    stored = {}
    for mode, seed in (("relu", 1), ("backprop", 1)):
        folder = tmp_path / f"{mode}-{seed}"
        stored[mode, seed] = cifar.run(CifarConfig(mode=mode, seed=seed, **config), data, RunFolder(folder))
    result = compare([tmp_path / "relu-1", tmp_path])
    assert names(result) == ["relu", "backprop"]
    relu = stored["relu", 1]["test"]["accuracy"]
    assert result["groups"][0]["test_mean"] == relu
    apart = stored["backprop", 1]["test"]["accuracy"] - relu
    assert result["groups"][1]["to_first"]["test_mean"] == pytest.approx(apart)
    assert result["groups"][1]["r2_min"] == min(layer["r2"] for layer in stored["backprop", 1]["layers"])
