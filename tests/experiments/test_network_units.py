"""Optima for a network's own pre-activations: a tiny trained run, against statistics taken by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from asserts import assert_refused

from pwlact.correlation import HatStatistics, Problem, solve_eigen
from pwlact.data import Cifar10, channel_statistics, cifar_shaped, split
from pwlact.experiments import cifar, network_units
from pwlact.experiments.cifar import CifarConfig, make_activation
from pwlact.experiments.unit import UnitConfig
from pwlact.experiments.unit import run as run_unit
from pwlact.files import to_json
from pwlact.models import activations, build
from pwlact.pwl import Knots
from pwlact.swish import fit_swish
from pwlact.training import RunFolder

TINY = CifarConfig(
    mode="relu", width=0.0625, epochs=1, batch_size=16, limit=48, val_size=32, knots=9, device="cpu", positions=4
)
MODES = {"relu": TINY, "learnt by channel": replace(TINY, mode="backprop", sharing="channel")}
KEYS = {
    "name", "channels", "r2_mean", "r2_sd", "r2_median", "r2_q10", "r2_q90", "share_above_099", "reward_median",
    "beta_median",
}  # fmt: skip


@pytest.fixture(scope="module")
def data():
    return Cifar10(cifar_shaped(80, 0), cifar_shaped(10, 1), tuple("abcdefghij"), Path("generated"))


@pytest.fixture(scope="module")
def folders(data, tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    for name, config in MODES.items():
        cifar.run(config, data, RunFolder(root / name))
    return {name: root / name for name in MODES}


@pytest.fixture(scope="module")
def records(folders, data):
    """With more images asked for than the 32 that were held out."""
    return {name: network_units.run(folder, data, images=5000) for name, folder in folders.items()}


def inputs_by_hand(folder, config, data):
    """Every layer's pre-activations of the validation images, (channels, images * positions), and the labels."""
    train, val = split(data, config.val_size, config.limit)
    model = build(config.arch, width=config.width, activation=make_activation(config), classes=10)
    model.load_state_dict(torch.load(folder / "checkpoint.pt", weights_only=True)["model"])
    model.eval()
    mean, std = channel_statistics(train)
    images = (val.images.double() / 255 - mean[:, None, None]) / std[:, None, None]
    seen = {}
    for name, module in activations(model):
        module.register_forward_pre_hook(lambda _, x, name=name: seen.update({name: x[0].double()}))
    with torch.no_grad():
        model(images.float())
    flat = {name: x.permute(1, 0, 2, 3).reshape(x.shape[1], -1) for name, x in seen.items()}
    return flat, {name: val.labels.repeat_interleave(x.shape[1] // len(val)) for name, x in flat.items()}


@pytest.mark.parametrize("name", MODES)
def test_layers_are_those_of_the_network(folders, records, data, name):
    config, record = MODES[name], records[name]
    flat, labels = inputs_by_hand(folders[name], config, data)
    assert record["n"] == 32
    assert [layer["name"] for layer in record["layers"]] == list(flat)
    assert record["run"] == {"arch": config.arch, "mode": config.mode, "width": 0.0625, "epochs": 1}
    knots = Knots()
    for layer in record["layers"][:4:3]:  # of 4 and of 8 channels
        assert layer.keys() == KEYS
        x, y = flat[layer["name"]], labels[layer["name"]]
        assert layer["channels"] == len(x)
        rewards, r2 = [], []
        for channel in x:
            standard = (channel - channel.mean()) / channel.std(correction=0)
            statistics = HatStatistics.from_samples(standard, y, 10, knots)
            solution = solve_eigen(Problem(statistics, knots, smoothness=1e-3))
            rewards.append(solution.reward.item())
            r2.append(fit_swish(knots.positions().numpy(), solution.values.numpy()).r2)
        # the network runs in float32: its inputs are the same to 1e-6, and R follows them
        assert layer["reward_median"] == pytest.approx(np.sort(rewards)[(len(rewards) - 1) // 2], rel=1e-4)
        # two fits of one curve: least squares by different ways, of which either may find the better optimum
        assert layer["r2_mean"] == pytest.approx(np.mean(r2), abs=0.02)
        assert layer["r2_q10"] <= layer["r2_median"] <= layer["r2_q90"] <= 1
    to_json(record)


def test_fewer_images_leave_the_folder_as_it_was(folders, records, data):
    before = {file.name: file.read_bytes() for file in folders["relu"].iterdir()}
    few = network_units.run(folders["relu"], data, images=10)
    assert few["n"] == 10
    assert few["layers"] != records["relu"]["layers"]
    assert {file.name: file.read_bytes() for file in folders["relu"].iterdir()} == before


def test_smoothness_costs_reward(folders, records, data):
    stiff = network_units.run(folders["relu"], data, images=32, smoothness=10.0)
    for a, b in zip(stiff["layers"], records["relu"]["layers"], strict=True):
        assert a["reward_median"] < b["reward_median"]


@pytest.mark.parametrize(("setting", "value"), [("images", 9), ("smoothness", -1.0)])
def test_bad_settings_are_refused(folders, data, setting, value):
    assert_refused(lambda: network_units.run(folders["relu"], data, **{setting: value}), setting, repr(value))


def test_folder_without_a_finished_run(data, folders, tmp_path):
    for path in (tmp_path, tmp_path / "nowhere"):
        assert_refused(lambda: network_units.run(path, data), "no finished run")  # noqa: B023
    for name in ("config.json", "checkpoint.pt"):
        (tmp_path / name).write_bytes((folders["relu"] / name).read_bytes())
    assert_refused(lambda: network_units.run(tmp_path, data), "no finished run")


def test_finished_run_without_its_checkpoint(data, folders, tmp_path):
    (tmp_path / "result.json").write_bytes((folders["relu"] / "result.json").read_bytes())
    assert_refused(lambda: network_units.run(tmp_path, data), "checkpoint.pt")


@pytest.mark.parametrize("content", ["unit", "{}", '{"config": 3}'])
def test_result_of_another_command(data, tmp_path, content):
    text = to_json(run_unit(UnitConfig(3))) if content == "unit" else content
    (tmp_path / "result.json").write_text(text)
    assert_refused(lambda: network_units.run(tmp_path, data), str(tmp_path))
