"""`pwlact cifar` and what reads its runs, on generated images and on real ones where they are found."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pwlact.data import write_binary

SMALL = ("--width", 0.0625, "--epochs", 1, "--val-size", 20, "--batch-size", 20, "--precision", "fp32")
KEYS = {"arch", "mode", "seed", "parameters", "history", "val", "test", "layers", "images_per_second"}


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    write_binary(folder, 60, 20, seed=0)
    return folder


@pytest.mark.parametrize("mode", ["relu", "silu", "gelu", "backprop", "local"])
def test_every_mode_trains_and_leaves_a_run(pwlact, images: Path, tmp_path: Path, mode: str) -> None:
    outcome = pwlact("cifar", "--mode", mode, "--data", images, *SMALL, "--out", "run", "--json")
    assert outcome.status == 0, outcome.stderr
    record = outcome.json
    assert record.keys() >= KEYS
    assert (record["val"]["n"], record["test"]["n"]) == (20, 20)
    assert record["history"][0].keys() >= {
        "epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "seconds",
    }  # fmt: skip
    assert "images/s" in outcome.stderr
    learns = mode in {"backprop", "local"}
    assert len(record["layers"]) == (9 if learns else 0)
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names >= {"config.json", "metrics.jsonl", "checkpoint.pt", "result.json", "curves.png"}
    assert ("activations.npz" in names) == ("activations.png" in names) == learns


def test_swish_reads_a_run(pwlact, images: Path, tmp_path: Path) -> None:
    record = pwlact("cifar", "--mode", "local", "--data", images, *SMALL, "--out", "run", "--json").json
    for path in ("run", "run/activations.npz"):
        layers = pwlact("swish", path, "--json").json["layers"]
        assert [layer["beta"] for layer in layers] == pytest.approx([layer["beta"] for layer in record["layers"]])
    with np.load(tmp_path / "run" / "activations.npz") as arrays:
        assert arrays["layer8"].shape == (2, 33)
    first = pwlact("swish", "run", "--epoch", 0, "--json").json["layers"][0]
    assert first["r2"] > 0.99
    assert "epoch" in pwlact("swish", "run", "--epoch", 7).error


def test_channels_have_functions_of_their_own(pwlact, images: Path) -> None:
    pwlact("cifar", "--mode", "local", "--sharing", "channel", "--data", images, *SMALL, "--out", "run")
    layers = pwlact("swish", "run", "--json").json["layers"]
    assert layers[0]["name"] == "layer0 channel 0"
    assert len(layers) > 9


def test_finished_unfinished_and_resumed_runs(pwlact, images: Path, tmp_path: Path) -> None:
    arguments = ("cifar", "--mode", "relu", "--data", images, *SMALL, "--out", "run")
    assert pwlact(*arguments).status == 0
    refused = pwlact(*arguments)
    assert refused.status == 2
    assert "--force" in refused.error
    (tmp_path / "run" / "result.json").unlink()
    unfinished = pwlact(*arguments)
    assert unfinished.status == 2
    assert "--resume" in unfinished.error
    resumed = pwlact(*arguments, "--resume", "--epochs", 2, "--json")
    assert [record["epoch"] for record in resumed.json["history"]] == [1, 2]
    changed = pwlact(*arguments, "--force", "--lr", 0.01)
    assert changed.status == 0


def test_a_killed_run_is_resumed_to_the_same_result(pwlact, images: Path, tmp_path: Path) -> None:
    arguments = ["cifar", "--mode", "local", "--data", str(images), *map(str, SMALL), "--epochs", "3"]
    command = [sys.executable, "-m", "pwlact_cli", *arguments, "--out", str(tmp_path / "killed")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    next(line for line in process.stderr if line.startswith("epoch   1"))
    process.kill()
    process.communicate()
    assert not (tmp_path / "killed" / "result.json").exists()
    resumed = pwlact(*arguments, "--out", tmp_path / "killed", "--resume", "--json").json
    whole = pwlact(*arguments, "--out", tmp_path / "whole", "--json").json
    for key in ("val", "test", "layers"):
        assert resumed[key] == whole[key]


BAD = [
    (("--arch", "lenet"), "'lenet'"),
    (("--mode", "global"), "'global'"),
    (("--width", 0), "got 0.0"),
    (("--epochs", 0), "got 0"),
    (("--batch-size", 0), "got 0"),
    (("--lr", "nan"), "nan"),
    (("--act-lr", -1), "-1.0"),
    (("--sharing", "none"), "'none'"),
    (("--estimator", "guess"), "'guess'"),
    (("--solver", "newton"), "'newton'"),
    (("--precision", "fp8"), "'fp8'"),
    (("--device", "abacus"), "'abacus'"),
    (("--tracker", "wall"), "'wall'"),
    (("--knots", 1), "got 1"),
    (("--val-size", 60), "60"),
    (("--limit", 0), "got 0"),
    (("--data", "nowhere"), "nowhere"),
]


@pytest.mark.parametrize(("arguments", "named"), BAD, ids=[" ".join(map(str, bad[0])) for bad in BAD])
def test_bad_arguments_are_one_line_and_write_nothing(pwlact, images: Path, tmp_path, arguments, named) -> None:
    outcome = pwlact("cifar", "--mode", "relu", "--data", images, *SMALL, "--out", "run", "--json", *arguments)
    assert outcome.status == 2
    assert named in outcome.error
    assert outcome.stdout == ""
    assert not (tmp_path / "run").exists()


def test_no_data_says_how_to_get_it(pwlact) -> None:
    outcome = pwlact("cifar")
    assert outcome.status == 2
    assert "pwlact data cifar10" in outcome.error


def test_damaged_images(pwlact, images: Path, tmp_path: Path) -> None:
    shutil.copytree(images, tmp_path / "images")
    file = tmp_path / "images" / "data_batch_2.bin"
    file.write_bytes(file.read_bytes()[:-1])
    for command in (("cifar", "--data"), ("data", "cifar10", "--check")):
        outcome = pwlact(*command, tmp_path / "images")
        assert outcome.status == 2
        assert "data_batch_2.bin" in outcome.error


FULL_DISK = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
from pwlact_cli.main import main
main(sys.argv[1:])
"""


def test_a_full_disk_fails_the_run_in_one_line(images: Path, tmp_path: Path) -> None:
    arguments = ["cifar", "--mode", "local", "--data", images, *SMALL, "--out", tmp_path / "run"]
    command = [sys.executable, "-c", FULL_DISK, *map(str, arguments)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    (line,) = [line for line in run.stderr.splitlines() if line]
    assert "checkpoint.pt" in line
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert not any(name.endswith(".part") for name in names)
    assert "checkpoint.pt" not in names
    assert json.loads((tmp_path / "run" / "config.json").read_text())["mode"] == "local"


def test_data_commands(pwlact, images: Path) -> None:
    record = pwlact("data", "cifar10", images, "--json").json
    assert (len(record["files"]), record["train"], record["test"]) == (6, 60, 20)
    assert pwlact("data", "synthetic", "made", "--train", 10, "--test", 5, "--json").json["train"] == 10
    assert pwlact("data", "cifar10", "made", "--check").status == 0
    assert pwlact("data", "cifar10", "nothing", "--check").status == 2
    failed = pwlact("data", "cifar10", "fetched", "--url", "file:///nowhere/archive.tar.gz")
    assert failed.status == 1
    assert "by hand" in failed.error
    assert not Path("fetched").exists()


@pytest.mark.data
def test_real_images(pwlact, data_directory: Path) -> None:
    arguments = ("--width", 0.0625, "--epochs", 1, "--limit", 2000, "--val-size", 1000, "--mode", "relu")
    record = pwlact("cifar", *arguments, "--data", data_directory.resolve(), "--out", "run", "--json").json
    assert record["val"]["n"] == 1000
    assert record["val"]["accuracy"] > 0.12
    assert record["history"][0]["train_loss"] < 2.31
