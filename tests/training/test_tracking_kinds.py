"""Trackers by their names: the kinds, what is missing, and that a tracker waits for its run to begin."""

import pytest
from asserts import assert_refused
from tracked_run import CONFIG

from pwlact.checks import InputError
from pwlact.training import Silent
from pwlact.training.tracking import TRACKERS, TensorBoardTracker, WandbTracker, logbook, make_tracker


def test_kinds(tmp_path):
    assert type(make_tracker("none", tmp_path, {}, "x")) is Silent
    assert isinstance(make_tracker("tensorboard", tmp_path, {}, "x"), TensorBoardTracker)
    assert isinstance(make_tracker("wandb", tmp_path, {}, "x"), WandbTracker)
    with pytest.raises(InputError, match="tracker must be one of none, tensorboard, wandb; got 'mlflow'"):
        make_tracker("mlflow", tmp_path, {}, "x")


def test_nothing_is_written_before_the_run_begins(tmp_path):
    for kind in TRACKERS:
        make_tracker(kind, tmp_path / "run", CONFIG, "name").end()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", TRACKERS[1:])
def test_missing_package(tmp_path, monkeypatch, kind):
    monkeypatch.setitem(__import__("sys").modules, kind, None)
    expected = f"tracker {kind} needs the package {kind}: pip install 'pwlact[{kind}]'"
    assert_refused(lambda: make_tracker(kind, tmp_path, {}, "x"), expected)
    make_tracker("none", tmp_path, {}, "x")


def test_a_folder_is_no_package(tmp_path, monkeypatch):
    """W&B leaves a folder "wandb" where it runs, and Python takes any folder for a package."""
    (tmp_path / "wandbx").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert_refused(lambda: logbook.require("wandbx"), "needs the package wandbx")
    (tmp_path / "wandbx" / "__init__.py").touch()
    __import__("importlib").invalidate_caches()
    logbook.require("wandbx")
