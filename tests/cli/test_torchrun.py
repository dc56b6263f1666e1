"""`torchrun -m pwlact_cli cifar`: several processes, one run."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from python_version import write_python_version

SMALL = (
    "--width",
    0.0625,
    "--epochs",
    2,
    "--val-size",
    20,
    "--batch-size",
    20,
    "--mode",
    "local",
    "--tracker",
    "tensorboard",
)
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
# the second process dies in epoch 2, as by a fault of its machine, or fails as by a fault of its own
MISFORTUNE = """
import os, signal, sys
from pwlact.data import Batches
epoch, how = Batches.epoch, sys.argv[1]

def failing(self, number):
    if os.environ["RANK"] == "1" and number == 2:
        if how == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        raise OSError(5, "Input/output error", "images.bin")
    return epoch(self, number)

Batches.epoch = failing
from pwlact_cli.main import main
main(sys.argv[2:])
"""


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    return write_python_version(tmp_path_factory.mktemp("images"), 75, 21)


def torchrun(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*TORCHRUN, *map(str, command)], capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture(scope="module")
def whole(images: Path, tmp_path_factory):
    """An undisturbed run, and what it said."""
    out = tmp_path_factory.mktemp("whole") / "run"
    return out, torchrun("-m", "pwlact_cli", "cifar", "--data", images, *SMALL, "--out", out, "--json")


def weights(run: Path):
    return torch.load(run / "checkpoint.pt", weights_only=True)["model"]


def test_one_writes_and_speaks(whole) -> None:
    out, done = whole
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)  # one object, of one process
    assert record["processes"] == 2
    assert (record["val"]["n"], record["test"]["n"]) == (20, 21)
    assert sum(line.startswith("epoch ") for line in done.stderr.splitlines()) == 2
    assert "Warning" not in done.stderr
    names = {path.name for path in out.iterdir()}
    assert names >= {"config.json", "metrics.jsonl", "checkpoint.pt", "result.json", "activations.npz", "curves.png"}
    for part in ("epochs", "steps"):
        assert len(list((out / "tensorboard" / part).iterdir())) == 1
    assert all(torch.isfinite(tensor).all() for tensor in weights(out).values())


@pytest.mark.parametrize("how", ["killed", "failing"])
def test_one_that_dies_ends_all_and_the_run_goes_on_later(pwlact, images, whole, tmp_path, how) -> None:
    script, out = tmp_path / "misfortune.py", tmp_path / "run"
    script.write_text(MISFORTUNE)
    arguments = ("cifar", "--data", images, *SMALL, "--out", out)
    broken = torchrun(script, how, *arguments)
    assert broken.returncode != 0
    assert not (out / "result.json").exists()
    assert len((out / "metrics.jsonl").read_text().splitlines()) == 1
    if how == "failing":
        assert "process 1 of 2: error: [Errno 5] Input/output error: 'images.bin'" in broken.stderr
        return
    resumed = torchrun("-m", "pwlact_cli", *arguments, "--resume", "--json")
    assert [record["epoch"] for record in json.loads(resumed.stdout)["history"]] == [1, 2]
    expected = weights(whole[0])
    assert all(torch.equal(tensor, expected[name]) for name, tensor in weights(out).items())


def test_bad_input_ends_all(images, tmp_path) -> None:
    done = torchrun("-m", "pwlact_cli", "cifar", "--data", images, *SMALL, "--batch-size", 1, "--out", tmp_path / "run")
    assert done.returncode != 0
    assert "process 0 of 2: error: batch_size must be a whole number of at least 2, got 1" in done.stderr
    assert not (tmp_path / "run").exists()
