"""`pwlact study` on generated images."""

import json

from pwlact.data import write_binary

SMALL = ("--width", 0.0625, "--epochs", 1, "--val-size", 20, "--batch-size", 20, "--precision", "fp32", "--seeds", 1)


def test_study(pwlact, tmp_path):
    write_binary(tmp_path / "images", 60, 20, seed=0)
    arguments = ("study", "--arch", "resnet10", "--kinds", "relu, derived", "--data", "images", *SMALL)
    done = pwlact(*arguments, "--out", "runs", "--results", "results", "--json")
    assert done.status == 0, done.stderr
    names = [f"resnet10-{kind}-w0.0625-s0" for kind in ("relu", "derived")]
    assert [run["name"] for run in done.json["runs"]] == names
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == sorted(names)
    assert "resnet10-derived-w0.0625-s0 (2 of 2)" in done.stderr
    assert "val %, n = 20" in done.stderr
    again = pwlact(*arguments, "--out", "runs", "--json")
    assert again.json == done.json
    assert "(2 of 2)" not in again.stderr


def test_the_first_seed_is_inspected(pwlact, tmp_path):
    write_binary(tmp_path / "images", 260, 20, seed=0)
    arguments = ("study", "--arch", "resnet10", "--kinds", "local", "--data", "images", *SMALL, "--val-size", 200)
    done = pwlact(*arguments, "--results", "results")
    assert done.status == 0, done.stderr
    kept = tmp_path / "results" / "resnet10-local-w0.0625-s0"
    assert {file.name for file in kept.iterdir()} == {"result.json", "activations.npz", "inputs.npz", "inspect.json"}
    record = json.loads((kept / "inspect.json").read_text())
    assert record["gaussianity"]["n"] == record["gradients"]["n"] == record["baking"]["validation"]["n"] == 200


def test_failed_runs_fail_the_command(pwlact, tmp_path, monkeypatch):
    from pwlact.experiments import study
    from pwlact.training import TrainingFailed

    def failing(*_):
        raise TrainingFailed("training loss is nan at epoch 1, step 1: lower lr or act_lr")

    monkeypatch.setattr(study, "run", failing)
    write_binary(tmp_path / "images", 60, 20, seed=0)
    done = pwlact("study", "--arch", "vgg11", "--kinds", "silu", "--data", "images", *SMALL, "--json")
    assert done.status == 1
    assert "error: not finished, the loss was no longer finite: vgg11-silu-w0.0625-s0" in done.stderr
    assert done.json["runs"] == []


def test_unknown_kind(pwlact):
    assert "kinds must be one of" in pwlact("study", "--kinds", "tanh").error
