"""Run folders: who may write, what survives, what a full disk leaves."""

import errno
import json
import os
import resource
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from pwlact.checks import InputError
from pwlact.training import (
    ActivationHistory,
    Backprop,
    InputHistory,
    RunFolder,
    learnable,
    read_activations,
    read_inputs,
    read_result,
)
from pwlact.training.checkpoint import load_model

CONFIG = {"mode": "backprop", "lr": 1e-3, "epochs": 2, "device": "cpu", "limit": None}
OWN = ["activations.npz", "checkpoint.pt", "config.json", "inputs.npz", "metrics.jsonl", "result.json"]


def films_of(model, epochs):
    film, inputs = ActivationHistory(np.linspace(-3, 3, 9)), InputHistory(np.linspace(-5, 5, 4))
    for epoch in range(epochs + 1):
        film.append({f"layer{i}": m.values.detach().numpy().copy() for i, m in enumerate(learnable(model))})
        inputs.append({"layer0": np.arange(6).reshape(2, 3) + epoch})
    return film, inputs


def history_of(epochs):
    return [{"epoch": epoch + 1, "train_loss": float("nan")} for epoch in range(epochs)]


def unfinished(path, model, epochs=1, **options):
    folder = RunFolder(path, **options)
    folder.begin(CONFIG)
    folder.save_epoch(model, Backprop(model), history_of(epochs), films_of(model, epochs))
    return folder


def contents(path):
    return {file.name: file.read_bytes() for file in path.iterdir()}


def test_what_a_run_holds(tmp_path, net):
    path = tmp_path / "deep" / "run"
    unfinished(path, net(), epochs=2).finish({"val": {"accuracy": 0.5}})
    assert sorted(contents(path)) == OWN
    assert json.loads((path / "config.json").read_text()) == CONFIG
    lines = (path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"epoch": 1, "train_loss": None},
        {"epoch": 2, "train_loss": None},
    ]
    assert read_activations(path).epochs == 2
    assert read_inputs(path).layers["layer0"][2].tolist() == [[2, 3, 4], [5, 6, 7]]
    assert read_result(path) == {"val": {"accuracy": 0.5}}


def test_the_weights_of_every_epoch_stay_where_asked(tmp_path, net):
    folder = RunFolder(tmp_path)
    folder.begin(CONFIG)
    for epoch in (1, 2):
        model = net(seed=epoch)
        folder.save_epoch(model, Backprop(model), history_of(epoch), films_of(model, epoch), keep=True)
    for epoch in (1, 2):
        other = net(seed=9)
        load_model(tmp_path / "epochs" / f"00{epoch}.pt", other)
        assert all(torch.equal(a, b) for a, b in zip(net(seed=epoch).parameters(), other.parameters(), strict=True))
    assert len(list((tmp_path / "epochs").iterdir())) == 2
    RunFolder(tmp_path, force=True).begin(CONFIG)
    assert [file.name for file in tmp_path.iterdir()] == ["config.json"]


def test_finished_run_is_kept_unless_forced(tmp_path, net):
    unfinished(tmp_path, net()).finish({"a": 1})
    before = contents(tmp_path)
    for options in ({}, {"resume": True}):
        with pytest.raises(InputError) as error:
            RunFolder(tmp_path, **options)
        assert str(error.value) == (f"{tmp_path} holds a finished run: use --force to replace it, or another --out")
    assert contents(tmp_path) == before


def test_force_removes_the_runs_own_files_only(tmp_path, net):
    unfinished(tmp_path, net()).finish({"a": 1})
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "curves.png").write_text("old picture")
    folder = RunFolder(tmp_path, force=True)
    assert (tmp_path / "result.json").exists()  # nothing is gone before the new run begins
    folder.begin({**CONFIG, "lr": 5.0})
    assert sorted(contents(tmp_path)) == ["config.json", "notes.txt"]
    assert json.loads((tmp_path / "config.json").read_text())["lr"] == 5.0


def test_unfinished_run_wants_resume_or_force(tmp_path, net):
    unfinished(tmp_path, net())
    with pytest.raises(InputError) as error:
        RunFolder(tmp_path)
    assert str(error.value) == (
        f"{tmp_path} holds an unfinished run: use --resume to go on, --force to start over, or another --out"
    )
    RunFolder(tmp_path, resume=True)
    RunFolder(tmp_path, force=True)
    with pytest.raises(InputError, match=r"^--resume goes on with a run and --force starts it over"):
        RunFolder(tmp_path, resume=True, force=True)


def test_resume_restores_the_last_stored_epoch(tmp_path, net):
    model = net()
    folder = unfinished(tmp_path, model, epochs=1)
    folder.save_films(films_of(model, 2))  # killed after the films, before the checkpoint
    other = net(seed=9)
    again = RunFolder(tmp_path, resume=True)
    again.begin({**CONFIG, "epochs": 7, "device": "cuda"})
    history, (film, inputs) = again.restore(other, Backprop(other), films_of(other, 0))
    assert [record["epoch"] for record in history] == [1]
    assert film.epochs == inputs.epochs == 1
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))


def test_resume_without_a_checkpoint_starts(tmp_path, net):
    model = net()
    films = films_of(model, 0)
    for path in (tmp_path / "new", tmp_path / "begun"):
        if path.name == "begun":
            RunFolder(path).begin(CONFIG)
        folder = RunFolder(path, resume=True)
        folder.begin(CONFIG)
        assert folder.restore(model, Backprop(model), films) == ([], films)


@pytest.mark.parametrize(
    ("change", "told"),
    [({"lr": 0.5}, "lr=0.001, not 0.5"), ({"limit": 10}, "limit=None, not 10"), ({"new": 1}, "new=None, not 1")],
)
def test_resume_with_other_settings(tmp_path, net, change, told):
    unfinished(tmp_path, net())
    before = contents(tmp_path)
    with pytest.raises(InputError) as error:
        RunFolder(tmp_path, resume=True).begin({**CONFIG, **change})
    assert str(error.value) == (f"{tmp_path} was run with {told}: resume with the same settings, or use another --out")
    assert contents(tmp_path) == before


def test_resume_with_a_setting_that_is_gone(tmp_path, net):
    unfinished(tmp_path, net())
    with pytest.raises(InputError, match=r"was run with lr=0\.001, not None"):
        RunFolder(tmp_path, resume=True).begin({key: CONFIG[key] for key in CONFIG if key != "lr"})


def test_resume_with_damaged_files(tmp_path, net):
    model = net()
    unfinished(tmp_path, model, epochs=2)
    folder = RunFolder(tmp_path, resume=True)
    film, inputs = films_of(model, 1)
    film.write(tmp_path / "activations.npz")
    with pytest.raises(InputError, match=r"activations\.npz is older than the checkpoint: start over with"):
        folder.restore(model, Backprop(model), films_of(model, 0))
    (tmp_path / "activations.npz").unlink()
    with pytest.raises(InputError, match=r"holds no activations"):
        folder.restore(model, Backprop(model), films_of(model, 0))
    films_of(model, 2)[0].write(tmp_path / "activations.npz")
    inputs.write(tmp_path / "inputs.npz")
    with pytest.raises(InputError, match=r"inputs\.npz is older than the checkpoint: start over with"):
        folder.restore(model, Backprop(model), films_of(model, 0))
    (tmp_path / "inputs.npz").unlink()
    with pytest.raises(InputError, match=r"holds no input histograms: inputs\.npz is not there$"):
        folder.restore(model, Backprop(model), films_of(model, 0))
    for broken in ("{", "[1]"):
        (tmp_path / "config.json").write_text(broken)
        with pytest.raises(InputError, match=r"config\.json is damaged: not JSON|not a JSON object"):
            folder.begin(CONFIG)


def test_fixed_activations_leave_no_film(tmp_path, net):
    model = net(learns=False)
    unfinished(tmp_path, model)
    assert not (tmp_path / "activations.npz").exists()
    history, (film, inputs) = RunFolder(tmp_path, resume=True).restore(model, Backprop(model), films_of(model, 0))
    assert len(history) == 1
    assert film.layers == {}
    assert inputs.epochs == 1


def test_reading_a_run_that_is_not_finished(tmp_path, net):
    unfinished(tmp_path, net())
    with pytest.raises(InputError, match=r"holds no finished run: result\.json is not there$"):
        read_result(tmp_path)


@pytest.mark.parametrize("inside", [False, True])
def test_file_in_the_way(tmp_path, inside):
    file = tmp_path / "file"
    file.write_text("precious")
    path = file / "run" if inside else file
    with pytest.raises(InputError) as error:
        RunFolder(path)
    assert str(error.value) == f"{path} cannot be a run folder: the file {file} is in its way"
    assert file.read_text() == "precious"


def test_no_permission(tmp_path, monkeypatch):
    # the tests may run as root, whom no permission stops
    def refuse(*args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied")

    folder = RunFolder(tmp_path)
    monkeypatch.setattr(tempfile, "mkstemp", refuse)
    with pytest.raises(InputError) as error:
        folder.begin(CONFIG)
    assert str(error.value) == f"{tmp_path} cannot be written: Permission denied"
    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(InputError) as error:
        RunFolder(tmp_path / "run").begin(CONFIG)
    assert str(error.value) == f"{tmp_path / 'run'} cannot be created: Permission denied"
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(InputError) as error:
        RunFolder(tmp_path / "deep" / "run")
    assert str(error.value) == (
        f"{tmp_path / 'deep' / 'run'} cannot be written: no permission for {tmp_path}; choose another --out"
    )


def test_a_folder_is_created_by_begin_alone(tmp_path):
    folder = RunFolder(tmp_path / "deep" / "run")
    assert not (tmp_path / "deep").exists()
    folder.begin(CONFIG)
    assert (tmp_path / "deep" / "run" / "config.json").exists()


@contextmanager
def files_of_at_most(size):
    """The system refuses to write a file beyond `size` bytes, as it would on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
    ("room", "fails", "new"),
    [
        (10, "metrics.jsonl", []),
        (500, "activations.npz", ["metrics.jsonl"]),
        (20_000, "checkpoint.pt", ["activations.npz", "inputs.npz", "metrics.jsonl"]),
    ],
)
def test_full_disk_leaves_old_files_whole(tmp_path, net, room, fails, new):
    model = net()
    folder = unfinished(tmp_path, model, epochs=1)
    before = contents(tmp_path)
    with files_of_at_most(room), pytest.raises(OSError, match=fails) as error:
        folder.save_epoch(model, Backprop(model), history_of(2), films_of(model, 2))
    assert error.value.filename == str(tmp_path / fails)
    after = contents(tmp_path)
    assert sorted(after) == sorted(before)
    assert sorted(name for name in after if after[name] != before[name]) == new
    history, (film, inputs) = RunFolder(tmp_path, resume=True).restore(model, Backprop(model), films_of(model, 0))
    assert (len(history), film.epochs, inputs.epochs) == (1, 1, 1)


def test_full_disk_leaves_the_run_unfinished(tmp_path, net):
    folder = unfinished(tmp_path, net())
    with files_of_at_most(100), pytest.raises(OSError, match=r"result\.json"):
        folder.finish({"text": "x" * 200})
    RunFolder(tmp_path, resume=True)  # not finished: this is accepted
