"""The study: which runs in which order, resumed where it was, results copied."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pwlact.checks import InputError
from pwlact.data import Cifar10, cifar_shaped
from pwlact.experiments import study
from pwlact.experiments.cifar import CifarConfig
from pwlact.experiments.comparison import compare
from pwlact.experiments.study import KINDS, USUAL, StudyConfig, run_study
from pwlact.training import Silent, TrainingFailed

TINY = CifarConfig(width=0.0625, epochs=1, batch_size=8, limit=16, val_size=8, knots=9, device="cpu", positions=4)


@pytest.fixture(scope="module")
def data():
    return Cifar10(cifar_shaped(32, 0), cifar_shaped(8, 1), tuple("abcdefghij"), Path("generated"))


def test_every_kind_with_one_seed_before_the_next():
    runs = StudyConfig(("resnet10", "vgg11"), ("relu", "local-channel"), 2, TINY).runs()
    assert list(runs) == [
        f"{arch}-{kind}-w0.0625-s{seed}"
        for seed in (0, 1)
        for arch in ("resnet10", "vgg11")
        for kind in ("relu", "local-channel")
    ]
    expected = replace(TINY, arch="vgg11", mode="local", sharing="channel", seed=1)
    assert runs["vgg11-local-channel-w0.0625-s1"] == expected
    assert runs["resnet10-relu-w0.0625-s0"] == replace(TINY, mode="relu", keep_epochs=True)


def test_kinds_are_what_they_are_called():
    usual = StudyConfig().runs()
    assert len(usual) == 2 * len(USUAL) * 3
    rates = {kind: CifarConfig(**KINDS[kind]).activation_rate for kind in KINDS if "rate" in kind or kind == "local"}
    assert rates["local-half-rate"] == rates["local"] / 2
    assert rates["local-twice-rate"] == rates["local"] * 2
    assert CifarConfig(**KINDS["local-moving-smoother"]).smoothness == 4 * CifarConfig(**KINDS["local"]).smoothness
    assert {kind for kind in KINDS if CifarConfig(**KINDS[kind]).rest == 0} == {k for k in KINDS if "moving" in k}
    assert {config.width for config in usual.values()} == {0.25}


def test_stopped_it_goes_on(data, tmp_path):
    config = StudyConfig(("resnet10",), ("relu", "silu", "derived"), 1, TINY)
    begun = []

    class Stop(Exception):
        pass

    class Stopper(Silent):
        def begin(self, done, epochs, steps):
            raise Stop

    def stopping(name):
        begun.append(name)
        return Stopper() if "silu" in name else None

    with pytest.raises(Stop):
        run_study(config, data, tmp_path, tmp_path / "results", stopping)
    assert len(begun) == 2
    relu = (tmp_path / "resnet10-relu-w0.0625-s0" / "result.json").read_bytes()
    again = []
    record = run_study(config, data, tmp_path, tmp_path / "results", lambda name: again.append(name))
    assert again == [*begun[1:], "resnet10-derived-w0.0625-s0"]
    assert (tmp_path / "resnet10-relu-w0.0625-s0" / "result.json").read_bytes() == relu
    assert [run["mode"] for run in record["runs"]] == ["relu", "silu", "derived"]
    assert record["failed"] == []
    for run in record["runs"]:
        kept = tmp_path / "results" / run["name"]
        assert {"name": run["name"], **json.loads((kept / "result.json").read_text())} == run
        assert [file.name for file in kept.iterdir()] == ["result.json"]  # fixed, and too few images to inspect


def test_what_is_kept_of_learnt_activations(data, tmp_path, monkeypatch):
    looked = []
    monkeypatch.setattr(study, "inspect", lambda folder, data: looked.append(folder.name) or {})
    monkeypatch.setattr(study, "ENOUGH_TO_INSPECT", 8)
    config = StudyConfig(("resnet10",), ("local", "local-channel"), 2, TINY)
    for _ in range(2):
        run_study(config, data, tmp_path, tmp_path / "results")
    kept = {path.name: sorted(file.name for file in path.iterdir()) for path in (tmp_path / "results").iterdir()}
    assert kept == {
        "resnet10-local-w0.0625-s0": ["activations.npz", "inputs.npz", "inspect.json", "result.json"],
        "resnet10-local-w0.0625-s1": ["result.json"],
        "resnet10-local-channel-w0.0625-s0": ["inputs.npz", "inspect.json", "result.json"],
        "resnet10-local-channel-w0.0625-s1": ["result.json"],
    }
    assert looked == ["resnet10-local-w0.0625-s0", "resnet10-local-channel-w0.0625-s0"]  # once each: it takes long
    assert len(compare([tmp_path / "results"])["groups"]) == 2


def test_a_run_that_fails_does_not_stop_the_others(data, tmp_path, monkeypatch):
    whole = study.run

    def failing(config, *arguments):
        if config.mode == "relu":
            raise TrainingFailed("training loss is nan at epoch 1, step 1: lower lr or act_lr")
        return whole(config, *arguments)

    monkeypatch.setattr(study, "run", failing)
    record = run_study(StudyConfig(("resnet10",), ("relu", "silu"), 1, TINY), data, tmp_path)
    assert [run["mode"] for run in record["runs"]] == ["silu"]
    assert record["failed"] == [
        {"name": "resnet10-relu-w0.0625-s0", "reason": "training loss is nan at epoch 1, step 1: lower lr or act_lr"}
    ]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kinds": ("relu", "tanh")}, "kinds must be one of relu, silu, .*; got 'tanh'"),
        ({"archs": ("lenet",)}, "arch must be one of .*; got 'lenet'"),
        ({"archs": ()}, "arch must name at least one, got none"),
        ({"kinds": ()}, "kinds must name at least one, got none"),
        ({"seeds": 0}, "seeds must be a whole number of at least 1, got 0"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(InputError, match=f"^{message}$"):
        StudyConfig(**settings)
