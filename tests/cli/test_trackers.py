"""`pwlact cifar --tracker`: followed while it runs, resumed as one log."""

import json

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from pwlact.data import write_binary

SMALL = ("--width", 0.0625, "--val-size", 20, "--batch-size", 20, "--precision", "fp32", "--data", "images")


@pytest.fixture(autouse=True)
def _images(tmp_path):
    write_binary(tmp_path / "images", 60, 20, seed=0)


def train(pwlact, tmp_path, tracker):
    """One epoch, put away unfinished, and a second one; returns the result."""
    arguments = ("cifar", "--mode", "local", *SMALL, "--tracker", tracker, "--out", "run")
    assert pwlact(*arguments, "--epochs", 1).status == 0
    (tmp_path / "run" / "result.json").unlink()
    done = pwlact(*arguments, "--epochs", 2, "--resume", "--json")
    assert done.status == 0, done.stderr
    return done.json


def test_tensorboard(pwlact, tmp_path):
    record = train(pwlact, tmp_path, "tensorboard")
    log = EventAccumulator(str(tmp_path / "run" / "tensorboard" / "epochs"))
    log.Reload()
    found = {tag: [(event.step, event.value) for event in log.Scalars(tag)] for tag in log.Tags()["scalars"]}
    losses = [pytest.approx(epoch["val_loss"], rel=1e-6) for epoch in record["history"]]
    assert [(1, losses[0]), (2, losses[1])] in found.values()
    assert len(log.Tags()["histograms"]) >= 9


def test_wandb_offline(pwlact, tmp_path, monkeypatch):
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))  # nobody is logged in there
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    train(pwlact, tmp_path, "wandb")
    folder = tmp_path / "run" / "wandb"
    told = json.loads((folder / "run.json").read_text())
    files = list(folder.rglob("*.wandb"))
    assert len(files) == 2  # one a part of the run, both of the same id
    assert all(told["id"] in file.name for file in files)
    assert (tmp_path / "run" / "result.json").exists()


def test_none_leaves_nothing_behind(pwlact, tmp_path):
    pwlact("cifar", "--mode", "relu", *SMALL, "--epochs", 1, "--out", "run")
    assert not {"tensorboard", "wandb"} & {path.name for path in (tmp_path / "run").iterdir()}


def test_unknown_tracker(pwlact):
    line = pwlact("cifar", *SMALL, "--tracker", "paper").error
    assert line == "error: tracker must be one of none, tensorboard, wandb; got 'paper'"
