"""Parts of the autoencoder benchmark: pictures, model, losses, tuning, kept records, timing, rows."""

import gzip
import json
import math
from pathlib import Path

import pytest
import torch
from asserts import assert_close, assert_refused
from redundancy.mnist_files import idx, write_mnist
from torch import nn

from pwlact.experiments.locoprop.autoencoder import LOSSES, OUTPUTS, autoencoder, floor
from pwlact.experiments.locoprop.kept import Kept
from pwlact.experiments.locoprop.methods import METHODS, learned
from pwlact.experiments.locoprop.pictures import Pictures, load_pictures
from pwlact.experiments.locoprop.rows import against_base, mean_curve, row
from pwlact.experiments.locoprop.timing import time_steps
from pwlact.experiments.locoprop.training import Job
from pwlact.experiments.locoprop.tuning import choose, grid, tuned
from pwlact.matching import matching_loss

JOB = Job(sizes=(6, 3), loss="cross-entropy", batch_size=8, steps=30, points=2, measured=20, seed=0)


@pytest.fixture
def pictures():
    patterns = (torch.arange(24).reshape(3, 8) % 5 < 2).float()
    rows = patterns[torch.randint(3, (50,))] * torch.rand(50, 1)
    return Pictures(rows[:40], rows[40:])


def middle(name):
    method = METHODS[name]
    return math.sqrt(method.rates[0] * method.rates[1]), method.seconds[1]


# pictures


def test_pictures_of_both_sets(tmp_path: Path):
    write_mnist(tmp_path / "mnist")
    found = load_pictures("mnist", tmp_path)
    assert found.train.shape == (12, 12)
    assert found.test.shape == (5, 12)
    raw = torch.randint(0, 256, (12, 4, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    assert_close(found.train, raw.flatten(1).float() / 255)
    assert torch.equal(load_pictures("mnist", tmp_path / "mnist", limit=4).train, found.train[:4])
    assert load_pictures("mnist", tmp_path, limit=4).test.shape == (5, 12)
    letters = tmp_path / "dhcd-letters"
    letters.mkdir()
    for part in ("train", "test"):
        content = gzip.compress(idx(raw[: 3 if part == "test" else 6]))
        (letters / f"emnist-letters-{part}-images-idx3-ubyte.gz").write_bytes(content)
    assert torch.equal(load_pictures("dhcd", tmp_path).train, found.train[:6])
    assert len(load_pictures("dhcd", letters).test) == 3


def test_where_pictures_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PWLACT_DATA", raising=False)
    assert_refused(lambda: load_pictures("mnist"), "no mnist in .data", "--data-dir")
    write_mnist(tmp_path / ".data")
    assert len(load_pictures("mnist").train) == 12
    write_mnist(tmp_path / "other" / "mnist", train=7)
    monkeypatch.setenv("PWLACT_DATA", str(tmp_path / "other"))
    assert len(load_pictures("mnist").train) == 7


def test_bad_pictures(tmp_path: Path):
    assert_refused(lambda: load_pictures("emnist", tmp_path), "'emnist'")
    assert_refused(lambda: load_pictures("mnist", tmp_path, limit=0), "limit", "0")
    write_mnist(tmp_path)
    test = tmp_path / "t10k-images-idx3-ubyte.gz"
    content = test.read_bytes()
    test.write_bytes(content[:-9])
    assert_refused(lambda: load_pictures("mnist", tmp_path), "t10k", "fetch it anew")
    test.write_bytes(gzip.compress(idx(torch.zeros(2, 4, 4, dtype=torch.uint8))))
    assert_refused(lambda: load_pictures("mnist", tmp_path), "differ in size")
    test.write_bytes(gzip.compress(idx(torch.zeros(0, 4, 3, dtype=torch.uint8))))
    assert_refused(lambda: load_pictures("mnist", tmp_path), "(n, rows, columns)", "(0, 4, 3)")
    test.unlink()
    assert_refused(lambda: load_pictures("mnist", tmp_path), "t10k-images", "not there")


# the model and its losses


def test_autoencoder():
    model = autoencoder(9, (7, 5, 2), 3)
    layers = [part for part in model if isinstance(part, nn.Linear)]
    assert [(layer.in_features, layer.out_features) for layer in layers] == [
        (9, 7), (7, 5), (5, 2), (2, 5), (5, 7), (7, 9),
    ]  # fmt: skip
    assert [type(part) for part in model] == [nn.Linear, nn.Tanh] * 5 + [nn.Linear]
    other = autoencoder(9, (7, 5, 2), 3, learned)
    for layer, same, different in zip(layers, other[::2], autoencoder(9, (7, 5, 2), 4)[::2], strict=True):
        assert torch.equal(layer.weight, same.weight)
        assert not torch.equal(layer.weight, different.weight)
        assert not layer.bias.any()
        bound = math.sqrt(6 / (layer.in_features + layer.out_features))
        assert 0.4 * bound < layer.weight.abs().max() <= bound
    assert [layer.out_features for layer in autoencoder(4, (3,), 0)[::2]] == [3, 4]
    assert len({id(part) for part in other[1::2]}) == 5


@pytest.mark.parametrize("name", LOSSES)
def test_losses_are_matching_losses_of_their_outputs_beyond_the_floor(name):
    a = 5 * torch.randn(7, 4, dtype=torch.float64)
    y = torch.cat([torch.rand(5, 4, dtype=torch.float64), torch.zeros(1, 4), torch.ones(1, 4)])
    matching = matching_loss(OUTPUTS[name], a, y, reduction="sum") / 7
    assert_close(LOSSES[name](a, y) - floor(name, y), matching)
    best = y.logit() if name == "cross-entropy" else y
    assert_close(LOSSES[name](best.clamp(-1e3, 1e3), y), torch.tensor(floor(name, y), dtype=y.dtype), atol=1e-12)


def test_the_floor_of_black_and_white_is_zero():
    assert floor("cross-entropy", torch.tensor([[0.0, 1.0]])) == 0
    assert floor("cross-entropy", torch.full((3, 2), 0.5)) == pytest.approx(2 * math.log(2))


# tuning


def trial(loss, diverged=None):
    return {"steps": [0, 3], "train": [9.0, loss], "test": [0.0, 0.0], "diverged": diverged}


def test_grid_is_log_spaced_with_its_ends():
    trials = list(grid(METHODS["adam"], 3).values())
    assert trials[:3] == [(3e-5, 0.5), (0.000948683, 0.5), (0.03, 0.5)]
    assert list(grid(METHODS["adam"], 1)) == ["0.000948683-0.5", "0.000948683-0.9", "0.000948683-0.95"]


def test_the_lowest_loss_is_chosen_but_not_of_what_diverged():
    lost = {"step": 2, "reason": "x"}
    assert choose({"a": trial(3.0), "b": trial(2.0), "c": trial(1.0, lost)}) == "b"
    assert choose({"a": trial(3.0, lost)}) is None
    method = METHODS["adam"]
    names = list(grid(method, 3))
    for place, rate_edge, second_edge in ((0, True, True), (1, False, True), (4, False, False), (5, True, False)):
        trials = {name: trial(1.0 if i == place else 2.0, None) for i, name in enumerate(names)}
        found = tuned(method, 3, trials)
        assert (found["rate_at_edge"], found["second_at_edge"]) == (rate_edge, second_edge)
        assert found["chosen"] == {key: found["tried"][place][key] for key in ("rate", "second")}
    assert not tuned(method, 1, {name: trial(1.0) for name in grid(method, 1)})["rate_at_edge"]


# kept records


def test_kept_records(tmp_path: Path):
    made = []

    def make():
        made.append(1)
        return {"pair": (1, 2), "nan": math.nan}

    for store in (Kept(tmp_path / "new"), Kept(None)):
        made.clear()
        for _ in range(2):
            assert store.get("runs", "a-1e-05-0.5", make) == {"pair": [1, 2], "nan": None}
        assert len(made) == 1
        store.get("tuning", "a-1e-05-0.5", make)
        assert len(made) == 2
        store.forget()
        store.get("runs", "a-1e-05-0.5", make)
        assert len(made) == 3
    (tmp_path / "new" / "mine.txt").write_text("x")
    Kept(tmp_path / "new").forget()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("content", ["", '{"a": ', "[1]", "\x00"])
def test_a_damaged_record_is_named(tmp_path: Path, content):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "a.json").write_text(content)
    assert_refused(lambda: Kept(tmp_path).get("runs", "a", dict), "a.json", "damaged", "--resume")


# timing


def test_timing_against_adam_in_the_same_round(pictures):
    going = {name: (METHODS[name], middle(name)) for name in ("adam", "locoprop-m")}
    ticks = []
    record = time_steps(going, pictures, JOB, 3, lambda: ticks.append(1))
    assert len(ticks) == 6
    adam, loco = record["methods"]["adam"], record["methods"]["locoprop-m"]
    assert (adam["relative"], adam["low"], adam["high"]) == (1, 1, 1)
    assert loco["low"] <= loco["relative"] <= loco["high"]
    # ten local steps a layer
    assert loco["relative"] > 1.5
    assert loco["ms"] > adam["ms"] > 0
    alone = time_steps({"momentum": (METHODS["momentum"], (1e-3, 0.9))}, pictures, JOB, 1)["methods"]["momentum"]
    assert alone["relative"] is None
    assert alone["ms"] > 0


def test_what_diverges_at_once_has_no_time(pictures):
    going = {"momentum": (METHODS["momentum"], (1e30, 0.9)), "adam": (METHODS["adam"], middle("adam"))}
    found = time_steps(going, pictures, JOB, 2)["methods"]
    assert found["momentum"] == {"ms": None, "relative": None, "low": None, "high": None}
    assert found["adam"]["relative"] == 1
    json.dumps(found, allow_nan=False)


# rows


def test_rows_against_adam():
    def made(name, *curves, relative=None):
        runs = [{"steps": [0, 5, 10], "train": list(c), "test": [2 * v for v in c], "diverged": None} for c in curves]
        return row(name, "", {}, runs, None if relative is None else {"relative": relative})

    adam = made("adam", (9.0, 5.0, 3.0), (9.0, 6.0, 4.0), relative=1.0)
    fast = made("fast", (9.0, 3.0, 1.0), (9.0, 4.0, 1.5), relative=3.0)
    slow = made("slow", (9.0, 8.0, 7.0), (9.0, 8.0, 7.5))
    rows = against_base([slow, adam, fast])
    assert [one["name"] for one in rows] == ["slow", "adam", "fast"]
    assert rows[0]["against"] == {
        "train": {"mean": 3.75, "stderr": 0.25, "n": 2}, "test": {"mean": 7.5, "stderr": 0.5, "n": 2}, "steps": None,
        "seconds": None,
    }  # fmt: skip
    assert (rows[1]["against"]["steps"], rows[1]["against"]["seconds"]) == (1, 1)
    assert (rows[2]["against"]["steps"], rows[2]["against"]["seconds"]) == (0.5, 1.5)
    assert mean_curve(adam, "train") == [9.0, 5.5, 3.5]
    assert mean_curve(adam, "test") == [18.0, 11.0, 7.0]
    assert [one["against"] for one in against_base([slow, fast])] == [None, None]


def test_what_diverged_early_is_in_no_mean():
    lost = {"steps": [0], "train": [9.0], "test": [9.0], "diverged": {"step": 3, "reason": "x"}}
    one = row("adam", "", {}, [lost, lost], None)
    assert mean_curve(one, "train") == []
    assert against_base([one])[0]["against"] is None
    good = {"steps": [0, 5], "train": [9.0, 4.0], "test": [9.0, 4.0], "diverged": None}
    one = row("adam", "", {}, [lost, good], None)
    assert mean_curve(one, "train") == [9.0, 4.0]
    assert one["curves"]["steps"] == [0, 5]
    assert (one["train"]["n"], len(one["diverged"])) == (1, 1)
