"""Runs that are killed with signal 9, also in the middle of a save, and resumed: the undisturbed run, bit for bit."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from python_version import write_python_version

SMALL = ("--width", 0.0625, "--epochs", 2, "--val-size", 20, "--batch-size", 20, "--every", 3)
# kills itself at write number AT: with half of the file written, before its rename or after it;
# or in the middle of training, at step AT
KILLED = """
import os, pathlib, signal, sys
stage, at = sys.argv[1], int(sys.argv[2])
calls = 0

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def due():
    global calls
    calls += 1
    return calls == at

fsync, replace = os.fsync, pathlib.Path.replace

def half(handle):
    if stage == "half written" and due():
        os.ftruncate(handle, os.fstat(handle).st_size // 2)
        die()
    fsync(handle)

def rename(self, target):
    now = stage in ("before rename", "after rename") and due()
    if now and stage == "before rename":
        die()
    replace(self, target)
    if now:
        die()

os.fsync, pathlib.Path.replace = half, rename

from pwlact.training import LocalCorrelation
step = LocalCorrelation.step

def stepping(*arguments):
    if stage == "step" and due():
        die()
    return step(*arguments)

LocalCorrelation.step = stepping
from pwlact_cli.main import main
main(sys.argv[3:])
"""
# writes in order: 1 config, 2 activations, 3 inputs; an epoch: metrics, activations, inputs, checkpoint; 12 result
CASES = [
    ("half written", 2, 0),
    ("half written", 7, 0),
    ("after rename", 7, 1),
    ("after rename", 9, 1),
    ("before rename", 12, 2),
    ("step", 5, 1),
]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """The same sums in the killed, the resumed and the undisturbed run, whatever ran in this process before."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    return write_python_version(tmp_path_factory.mktemp("images"), 80, 20)


def arguments(images: Path, out: Path) -> list[str]:
    return [str(a) for a in ("cifar", "--mode", "local", "--data", images, *SMALL, "--out", out)]


@pytest.fixture(scope="module")
def whole(images: Path, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "run"
    subprocess.run([sys.executable, "-m", "pwlact_cli", *arguments(images, out)], check=True, capture_output=True)
    return out


def tensors(value):
    """All tensors within a checkpoint."""
    if isinstance(value, torch.Tensor):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return [tensor for item in items for tensor in tensors(item)]


def checkpoint(run: Path):
    return torch.load(run / "checkpoint.pt", weights_only=True)


@pytest.mark.parametrize(("stage", "at", "epochs_left_behind"), CASES)
def test_killed_and_resumed(pwlact, images, whole, tmp_path, stage, at, epochs_left_behind):
    out = tmp_path / "run"
    command = [sys.executable, "-c", KILLED, stage, str(at), *arguments(images, out)]
    killed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert killed.returncode == -9, killed.stderr
    assert not (out / "result.json").exists()
    stored = out / "checkpoint.pt"
    assert (len(checkpoint(out)["history"]) if stored.exists() else 0) == epochs_left_behind
    resumed = pwlact(*arguments(images, out), "--resume", "--json")
    assert resumed.status == 0, resumed.stderr
    assert [record["epoch"] for record in resumed.json["history"]] == [1, 2]
    ours, exact = tensors(checkpoint(out)), tensors(checkpoint(whole))
    assert len(ours) == len(exact) > 100
    assert all(torch.equal(a, b) for a, b in zip(ours, exact, strict=True))
    for name in ("activations.npz", "inputs.npz"):
        assert (out / name).read_bytes() == (whole / name).read_bytes()
    scores = [json.loads((run / "result.json").read_text())["test"] for run in (out, whole)]
    assert scores[0] == scores[1]
