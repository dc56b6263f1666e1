"""The autoencoder benchmark as a whole: the record, stopped and resumed runs, divergence, one budget for all."""

import dataclasses
import json
import math
from pathlib import Path

import pytest
import torch
from asserts import assert_refused

from pwlact.experiments.locoprop import experiment, kept, methods
from pwlact.experiments.locoprop.config import TUNING_SEED, LocoPropConfig
from pwlact.experiments.locoprop.experiment import run
from pwlact.experiments.locoprop.methods import METHODS
from pwlact.experiments.locoprop.pictures import Pictures

TINY = LocoPropConfig(
    sizes=(6, 3), methods=("adam", "locoprop-s"), batch_size=8, steps=6, tuning_steps=3, rates=2, seeds=2, points=3,
    measured=20, rounds=0, device="cpu",
)  # fmt: skip


def blobs(count, seed):
    """Pictures of one of three patterns each, of varying brightness."""
    generator = torch.Generator().manual_seed(seed)
    patterns = (torch.arange(24).reshape(3, 8) % 5 < 2).float().repeat(1, 2)
    brightness = torch.rand(count, 1, generator=generator)
    return patterns[torch.randint(3, (count,), generator=generator)] * brightness


PICTURES = Pictures(blobs(40, 0), blobs(10, 1))


def files(folder):
    parts = [path for part in kept.FOLDERS for path in (folder / part).glob("*")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in parts}


def with_rates(monkeypatch, name, rates):
    monkeypatch.setitem(methods.METHODS, name, dataclasses.replace(METHODS[name], rates=rates))


def test_record(tmp_path: Path):
    seen = []
    record = run(TINY, PICTURES, tmp_path, lambda done, total: seen.append((done, total)))
    assert json.loads(json.dumps(record, allow_nan=False)) == json.loads(json.dumps(record))
    assert [row["name"] for row in record["rows"]] == ["adam", "locoprop-s"]
    assert record["budget"]["trials"] == 6
    assert record["budget"]["steps"] == 3
    for row in record["rows"]:
        assert len(row["tried"]) == 6
        losses = [one["train"] for one in row["tried"]]
        best = row["tried"][losses.index(min(losses))]
        assert row["chosen"] == {"rate": best["rate"], "second": best["second"]}
        assert row["rate_at_edge"]  # of two rates each is at an edge
        assert row["curves"]["steps"] == [0, 2, 4, 6]
        assert [len(values) for values in row["curves"]["train"]] == [4, 4]
        assert row["train"]["values"] == pytest.approx([values[-1] for values in row["curves"]["train"]], rel=1e-5)
        assert row["test"]["values"] == pytest.approx([values[-1] for values in row["curves"]["test"]], rel=1e-5)
        assert row["train"]["values"][0] != row["train"]["values"][1]
        assert row["train"]["mean"] > record["floor"]["train"] > 0
        assert row["time"] is None
    adam, loco = record["rows"]
    # the same weights to begin with, for everyone
    assert [values[0] for values in adam["curves"]["train"]] == [values[0] for values in loco["curves"]["train"]]
    assert adam["against"] == {
        "train": {"mean": 0, "stderr": 0, "n": 2}, "test": {"mean": 0, "stderr": 0, "n": 2}, "steps": 1,
        "seconds": None,
    }  # fmt: skip
    assert seen == sorted(seen)
    assert seen[-1] == (2 * (6 * 3 + 2 * 6),) * 2
    assert {len(list((tmp_path / part).iterdir())) for part in ("tuning", "runs")} == {12, 4}
    assert not (tmp_path / "timing").exists()


def test_stopped_anywhere_it_goes_on_to_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    whole = run(TINY, PICTURES, tmp_path / "whole")
    expected = files(tmp_path / "whole")
    write, stops = kept.write_text, []

    def stop(path, text):
        write(path, text)
        stops.append(path)
        if len(stops) in (1, 7, 14):
            raise KeyboardInterrupt

    monkeypatch.setattr(kept, "write_text", stop)
    parts = tmp_path / "parts"
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            run(TINY, PICTURES, parts)
    assert len(files(parts)) == 14
    assert run(TINY, PICTURES, parts) == whole
    assert files(parts) == expected
    # each record was made once
    assert len(stops) == len(set(stops)) == len(expected) == 16
    assert run(TINY, PICTURES, parts) == whole
    assert len(stops) == 16
    assert run(TINY, PICTURES) == whole


def test_stopped_inside_a_trial_nothing_of_it_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def stop(done, total):
        if done == 4:  # the second of the three steps of the second trial begins
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(TINY, PICTURES, tmp_path, stop)
    assert len(files(tmp_path)) == 1
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".")]
    assert run(TINY, PICTURES, tmp_path) == run(TINY, PICTURES)


def test_what_diverges_is_recorded_and_not_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with_rates(monkeypatch, "momentum", (1e-3, 1e30))
    config = dataclasses.replace(TINY, methods=("momentum", "adam"))
    row = run(config, PICTURES, tmp_path)["rows"][0]
    assert row["chosen"]["rate"] == 1e-3
    lost = [one for one in row["tried"] if one["diverged"]]
    assert {one["rate"] for one in lost} == {1e30}
    assert len(lost) == 3
    for one in lost:
        assert one["train"] is None
        assert 1 <= one["diverged"]["step"] <= 3
        assert "loss" in one["diverged"]["reason"]
    assert row["diverged"] == []
    assert row["train"]["n"] == 2


def test_a_method_of_which_all_diverges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with_rates(monkeypatch, "locoprop-s", (1e25, 1e30))
    record = run(dataclasses.replace(TINY, rounds=1), PICTURES, tmp_path)
    adam, lost = record["rows"]
    assert lost["chosen"] is None
    assert not lost["rate_at_edge"]
    assert (lost["train"]["mean"], lost["train"]["n"], lost["against"], lost["time"]) == (None, 0, None, None)
    assert lost["curves"] == {"steps": [], "train": [], "test": []}
    assert adam["train"]["n"] == 2
    assert adam["time"]["relative"] == 1
    assert record["notes"] == ["locoprop-s: all trials diverged"]
    json.dumps(record, allow_nan=False)


def test_a_run_may_diverge_where_its_trials_did_not(monkeypatch: pytest.MonkeyPatch):
    train = experiment.train

    def trained(method, settings, pictures, job, tick):
        curve = train(method, settings, pictures, job, tick)
        if job.seed == 1 and "Adam" in method.what:
            cut = {part: curve[part][:2] for part in ("steps", "train", "test")}
            return cut | {"diverged": {"step": 2, "reason": "$<b>\"'"}}
        return curve

    monkeypatch.setattr(experiment, "train", trained)
    row = run(TINY, PICTURES)["rows"][0]
    assert row["diverged"] == [{"step": 2, "reason": "$<b>\"'"}]
    assert (row["train"]["n"], row["train"]["values"][1]) == (1, None)
    assert row["curves"]["steps"] == [0, 2, 4, 6]
    assert [len(values) for values in row["curves"]["train"]] == [4, 2]


def test_nothing_is_chosen_by_test_pictures():
    one, other = (run(TINY, Pictures(PICTURES.train, test)) for test in (PICTURES.test, blobs(10, 7)))
    for row, again in zip(one["rows"], other["rows"], strict=True):
        assert row["tried"] == again["tried"]
        assert row["curves"]["train"] == again["curves"]["train"]
        assert row["curves"]["test"] != again["curves"]["test"]


def test_jobs():
    assert TINY.trial().seed == TUNING_SEED
    assert TINY.trial().steps == 3
    assert (TINY.run(1).seed, TINY.run(1).steps, TINY.run(1).points) == (1, 6, 3)
    assert TUNING_SEED not in range(10_000)


def test_without_the_package_its_method_is_left_out(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(methods, "find_spec", lambda name: None)
    found, notes = methods.available(())
    assert set(METHODS) - set(found) == {"soap"}
    assert notes == ["soap is left out: it needs `pip install pytorch_optimizer`"]
    assert_refused(lambda: methods.available(("soap",)), "soap", "pip install pytorch_optimizer")
    record = run(dataclasses.replace(TINY, methods=("soap", "adam")), PICTURES)
    assert [row["name"] for row in record["rows"]] == ["adam"]
    assert record["notes"] == notes


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"data": "letters"}, "'letters'"),
        ({"loss": "hinge"}, "'hinge'"),
        ({"methods": ("adam", "lion")}, "'lion'"),
        ({"sizes": ()}, "got 0"),
        ({"sizes": (4, 0)}, "got 0"),
        ({"batch_size": 0}, "batch_size"),
        ({"steps": 0}, "steps"),
        ({"tuning_steps": -1}, "tuning_steps"),
        ({"rates": 0}, "rates"),
        ({"seeds": 0}, "seeds"),
        ({"points": 0}, "points"),
        ({"measured": 0}, "measured"),
        ({"limit": 0}, "limit"),
        ({"rounds": -1}, "rounds"),
        ({"device": "tpu"}, "'tpu'"),
        ({"steps": 1.5}, "1.5"),
        ({"seeds": math.nan}, "nan"),
    ],
    ids=str,
)
def test_bad_settings(change, named):
    assert_refused(lambda: dataclasses.replace(TINY, **change), named)


def test_a_batch_larger_than_the_set():
    assert_refused(lambda: run(dataclasses.replace(TINY, batch_size=41), PICTURES), "batch_size", "40", "41")
