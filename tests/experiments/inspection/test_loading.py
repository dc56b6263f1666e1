"""Opening a run: finished, unfinished, of an old version, damaged, or of other images; nothing is written."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from asserts import assert_refused
from torch import nn

from pwlact.conversion import FrozenSwish
from pwlact.data import Cifar10, channel_statistics, cifar_shaped
from pwlact.experiments import cifar
from pwlact.experiments.inspection import PARTS, inspect, open_run
from pwlact.files import to_json
from pwlact.models import activations
from pwlact.pwl import PiecewiseLinearActivation
from pwlact.training import RunFolder


@pytest.fixture
def copy(folders, tmp_path) -> Path:
    return Path(shutil.copytree(folders["local"], tmp_path / "run"))


def edit(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_finished_run(runs, data, tiny):
    run = runs["local"]
    assert run.config == tiny
    assert run.last == 2
    assert {epoch: path.name for epoch, path in run.weights.items()} == {1: "001.pt", 2: "002.pt"}
    assert torch.equal(run.val.images, data.train.images[40:])  # the last 100
    assert len(run.test) == 12
    torch.testing.assert_close(run.mean, channel_statistics(replace_images(data, 32))[0])
    assert run.describe() == {
        "name": "local", "arch": "resnet10", "mode": "local", "width": 0.0625, "sharing": "layer",
        "estimator": tiny.estimator, "solver": "adam", "smoothness": 0.05, "precision": "bf16", "seed": 0,
        "epoch": 2, "epochs": 2, "finished": True,
    }  # fmt: skip
    assert {epoch: path.name for epoch, path in runs["channel"].weights.items()} == {2: "checkpoint.pt"}


def replace_images(data, count):
    return replace(data.train, images=data.train.images[:count], labels=data.train.labels[:count])


@pytest.mark.parametrize("epoch", [1, 2, None])
def test_weights_are_those_of_the_epoch(runs, folders, epoch):
    model = runs["local"].model(epoch)
    stored = torch.load(folders["local"] / f"epochs/00{epoch or 2}.pt", weights_only=True)["model"]
    loaded = model.state_dict()
    assert all(torch.equal(value, loaded[name]) for name, value in stored.items())
    assert not model.training


def test_unfinished_run_of_an_old_version(copy, data):
    (copy / "result.json").unlink()
    (copy / "metrics.jsonl").unlink()
    shutil.rmtree(copy / "epochs")
    config = json.loads((copy / "config.json").read_text())
    for newer in ("recipe", "compile", "data", "processes", "keep_epochs"):
        config.pop(newer, None)
    (copy / "config.json").write_text(json.dumps(config))
    run = open_run(copy, data)
    assert run.weights == {2: copy / "checkpoint.pt"}
    assert not run.describe()["finished"]
    assert len(run.model().state_dict()) > 10


def test_checkpoint_of_a_later_epoch_than_those_kept(copy, data):
    (copy / "epochs/002.pt").unlink()
    for stray in ("012.pt.part", "best.pt", ".003.pt.x.part", "1.pt"):
        (copy / "epochs" / stray).write_bytes(b"")
    assert open_run(copy, data).weights == {1: copy / "epochs/001.pt", 2: copy / "checkpoint.pt"}
    (copy / "epochs/001.pt").rename(copy / "epochs/1000.pt")
    assert open_run(copy, data).last == 1000


def test_a_fixed_activation_becomes_knots(runs):
    run = runs["silu"]
    plain, knots = run.model(), run.model_with_knots()
    assert all(isinstance(module, nn.SiLU) for _, module in activations(plain))
    layers = activations(knots)
    assert [name for name, _ in layers] == [f"layer{i}" for i in range(8)]
    x = torch.linspace(-3, 3, 9)
    for _, module in layers:
        assert isinstance(module, PiecewiseLinearActivation)
        torch.testing.assert_close(module.values.detach(), nn.functional.silu(x))
    (images, _), *_ = run.batches(run.first(20)).epoch(0)
    with torch.no_grad():
        before, after = plain(images), knots(images)
    assert 0 < float((before - after).abs().max()) < 0.5


def test_derived_activation_becomes_knots(data, tmp_path, tiny):
    cifar.run(replace(tiny, mode="derived", epochs=1, keep_epochs=False), data, RunFolder(tmp_path))
    run = open_run(tmp_path, data)
    assert all(isinstance(module, FrozenSwish) for _, module in activations(run.model()))
    assert all(isinstance(module, PiecewiseLinearActivation) for _, module in activations(run.model_with_knots()))


def test_learnt_activations_stay(runs):
    values = [model.state_dict() for model in (runs["channel"].model(), runs["channel"].model_with_knots())]
    for name, value in values[0].items():
        torch.testing.assert_close(values[1][name], value)


def test_compiled_run_is_looked_at_uncompiled(copy, data):
    edit(copy, compile=True)
    assert not open_run(copy, data).config.compile


def test_inspection_reads_only(folders, data):
    folder = folders["local"]
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    state = torch.get_rng_state()
    record = inspect(folder, data, images=90, epochs=1, limit=10)
    assert torch.equal(torch.get_rng_state(), state)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert list(record) == ["run", "seed", *PARTS, "environment"]
    assert (record["gaussianity"]["n"], record["gradients"]["n"], record["baking"]["test"]["n"]) == (90, 90, 10)
    to_json(record)


@pytest.mark.parametrize("part", PARTS)
def test_one_part(folders, data, part):
    record = inspect(folders["local"], data, part=part, images=90, epochs=1, limit=4, seed=3)
    assert [name for name in PARTS if record[name] is not None] == [part]
    assert record["seed"] == 3


def test_all_parts_of_a_fixed_activation(folders, data):
    record = inspect(folders["silu"], data, images=90)
    assert record["baking"] is record["evolution"] is None
    assert record["gradients"]["layers"]
    assert record["optimality"]["layers"]
    assert_refused(lambda: inspect(folders["silu"], data, part="baking"), "silu", "fixed")


@pytest.mark.parametrize(
    ("setting", "value"), [("part", "everything"), ("images", 19), ("epochs", 0), ("limit", 0), ("seed", -1)]
)
def test_bad_settings_are_refused_before_the_work(folders, data, setting, value, monkeypatch):
    monkeypatch.setattr("pwlact.experiments.inspection.whole.open_run", None)
    assert_refused(lambda: inspect(folders["local"], data, **{setting: value}), setting, str(value))


def test_places_without_a_run(data, tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "nowhere", tmp_path / "file"):
        assert_refused(lambda path=path: open_run(path, data), "no run", str(path))


@pytest.mark.parametrize("content", ["", "{", "[]", "3", "\x00"])
def test_damaged_config(copy, data, content):
    (copy / "config.json").write_text(content)
    assert_refused(lambda: open_run(copy, data), "config.json", "damaged")


def test_config_that_is_no_text(copy, data):
    (copy / "config.json").write_bytes(b"\xff\xfe\xff")
    assert_refused(lambda: open_run(copy, data), "config.json", "damaged")


def test_config_of_something_else(copy, data):
    (copy / "config.json").write_text('{"classes": 3}')
    assert_refused(lambda: open_run(copy, data), str(copy), "no run of `pwlact cifar`")


@pytest.mark.parametrize("wrong", [{"arch": "transformer"}, {"width": "wide"}, {"memory": "much"}, {"mode": None}])
def test_config_with_wrong_values(copy, data, wrong):
    edit(copy, **wrong)
    assert_refused(lambda: open_run(copy, data), str(copy))


def test_other_images(copy, data):
    other = Cifar10(cifar_shaped(140, 5), cifar_shaped(12, 1), data.class_names, Path("elsewhere"))
    assert_refused(lambda: open_run(copy, other), str(copy), "elsewhere", "--data")
    renamed = replace(data, class_names=("<b>", '"', *data.class_names[2:]))
    assert_refused(lambda: open_run(copy, renamed), "other images")
    edit(copy, data=None)
    few = Cifar10(cifar_shaped(20, 5), cifar_shaped(12, 1), data.class_names, Path("elsewhere"))
    assert_refused(lambda: open_run(copy, few), "val_size")


def test_no_weights(copy, data):
    (copy / "checkpoint.pt").unlink()
    assert open_run(copy, data).last == 2
    shutil.rmtree(copy / "epochs")
    assert_refused(lambda: open_run(copy, data), "no weights", "checkpoint.pt")


def test_damaged_weights(copy, data):
    whole = (copy / "checkpoint.pt").read_bytes()
    for damaged in (b"", whole[:1000], b"PK nonsense"):
        (copy / "checkpoint.pt").write_bytes(damaged)
        assert_refused(lambda: open_run(copy, data), "checkpoint.pt", "damaged")
    (copy / "checkpoint.pt").write_bytes(whole)
    kept = copy / "epochs/002.pt"
    kept.write_bytes(kept.read_bytes()[:1000])
    assert_refused(lambda: open_run(copy, data).model(), "002.pt", "damaged")


def test_weights_of_another_model(copy, folders, data):
    shutil.copy(folders["channel"] / "checkpoint.pt", copy / "epochs/002.pt")
    assert_refused(lambda: open_run(copy, data).model(), "002.pt", "does not fit")
