"""The CIFAR-10 experiment on a few generated images: every mode, resuming, repeating, bad settings."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pwlact.checks import InputError
from pwlact.correlation import ESTIMATORS
from pwlact.data import Cifar10, cifar_shaped
from pwlact.experiments.cifar import MODES, CifarConfig, describe, make_activation, make_rule, run
from pwlact.experiments.cifar.run import seconds_to
from pwlact.models import build
from pwlact.training import FAST, Backprop, LocalCorrelation, RunFolder, Silent, TrainingFailed, read_activations

TINY = CifarConfig(
    mode="local",
    width=0.0625,
    epochs=2,
    batch_size=8,
    limit=24,
    val_size=8,
    knots=9,
    device="cpu",
    positions=4,
    every=2,
)


@pytest.fixture(scope="module")
def data():
    names = tuple(f"class {k}" for k in range(10))
    return Cifar10(cifar_shaped(40, 0), cifar_shaped(12, 1), names, Path("generated"))


def train(config, data, path, **options):
    return run(config, data, RunFolder(path, **options))


def without_times(value):
    """A result less what differs from run to run: times and rates."""
    if isinstance(value, dict):
        return {k: without_times(v) for k, v in value.items() if k not in {"seconds", "images_per_second"}}
    return [without_times(item) for item in value] if isinstance(value, list) else value


def weights(path):
    return torch.load(path / "checkpoint.pt", weights_only=True)["model"]


def same_weights(first, second):
    return all(torch.equal(tensor, second[name]) for name, tensor in first.items())


@pytest.mark.parametrize("mode", MODES)
def test_every_mode(data, tmp_path, mode):
    config = replace(TINY, mode=mode, epochs=1)
    result = train(config, data, tmp_path)
    assert result["arch"] == "resnet10"
    assert result["mode"] == mode
    learns = mode in {"backprop", "local"}
    assert result["parameters"] == 19_790 + (9 * 9 if learns else 0)  # by hand; 9 layers of 9 knots
    assert result["val"] == {
        "loss": result["history"][0]["val_loss"],
        "accuracy": result["history"][0]["val_accuracy"],
        "n": 8,
    }
    assert result["test"]["n"] == 12
    assert [layer["name"] for layer in result["layers"]] == ([f"layer{i}" for i in range(9)] if learns else [])
    assert all({"beta", "x0", "r2", "stderr"} <= set(layer) for layer in result["layers"])
    assert result["images_per_second"] > 0
    assert set(result["environment"]) >= {"torch", "python", "threads", "device", "pwlact"}
    stored = json.loads((tmp_path / "result.json").read_text())
    assert stored["history"] == result["history"]
    assert (tmp_path / "activations.npz").exists() == learns


def test_fixed_activations_differ(data, tmp_path):
    ends = [train(replace(TINY, mode=mode, epochs=1), data, tmp_path / mode) for mode in ("relu", "silu", "gelu")]
    losses = {result["history"][0]["train_loss"] for result in ends}
    assert len(losses) == 3


def test_learnt_activations_start_from_relu_and_move(data, tmp_path):
    relu = torch.linspace(-3, 3, 9).relu().numpy()
    for sharing in ("layer", "channel"):
        train(replace(TINY, sharing=sharing, rest=0.0), data, tmp_path / sharing)
        film = read_activations(tmp_path / sharing)
        assert film.epochs == 2
        for values in film.layers.values():
            assert values[0].shape[:-1] == (() if sharing == "layer" else values[0].shape[:1])
            assert abs(values[0] - relu).max() < 1e-6
            assert abs(values[1] - values[0]).max() > 1e-4
            assert abs(values[2] - values[1]).max() > 1e-4


def test_same_seed_gives_the_same_bits(data, tmp_path):
    first = train(TINY, data, tmp_path / "first")
    torch.manual_seed(99)  # what the caller has drawn before does not matter
    again = train(TINY, data, tmp_path / "again")
    assert without_times(first) == without_times(again)
    assert same_weights(weights(tmp_path / "first"), weights(tmp_path / "again"))
    train(replace(TINY, seed=1), data, tmp_path / "other")
    assert not same_weights(weights(tmp_path / "first"), weights(tmp_path / "other"))


class Stop(Exception):
    pass


class Stopper(Silent):
    """Interrupts training in the middle of epoch 2."""

    def __init__(self):
        self.steps = 0

    def begin(self, done, epochs, steps):
        assert (done, epochs, steps) == (0, 2, 3)

    def step(self, images, images_per_second, loss):
        self.steps += 1
        if self.steps == 5:
            raise Stop

    def epoch(self, record):
        assert record["epoch"] == 1


@pytest.mark.parametrize("mode", ["backprop", "local", "relu"])
def test_resumed_run_is_the_undisturbed_run(data, tmp_path, mode):
    config = replace(TINY, mode=mode)
    whole = train(config, data, tmp_path / "whole")
    with pytest.raises(Stop):
        run(config, data, RunFolder(tmp_path / "parts"), Stopper())
    assert not (tmp_path / "parts" / "result.json").exists()
    parts = train(config, data, tmp_path / "parts", resume=True)
    assert without_times(parts) == without_times(whole)
    assert same_weights(weights(tmp_path / "parts"), weights(tmp_path / "whole"))
    if mode != "relu":
        first, second = (read_activations(tmp_path / name) for name in ("parts", "whole"))
        assert list(first.layers) == list(second.layers)
        assert all(np.array_equal(first.layers[name], second.layers[name]) for name in first.layers)


def test_resume_with_fewer_epochs_or_other_images(data, tmp_path):
    with pytest.raises(Stop):
        run(replace(TINY, epochs=2), data, RunFolder(tmp_path), Stopper())
    other = Cifar10(cifar_shaped(40, 7), data.test, data.class_names, data.source)
    with pytest.raises(InputError, match="was run with data="):
        train(TINY, other, tmp_path, resume=True)
    with pytest.raises(InputError, match=r"was run with lr=0\.001, not 0\.5"):
        train(replace(TINY, lr=0.5), data, tmp_path, resume=True)
    assert len(train(replace(TINY, epochs=1), data, tmp_path, resume=True)["history"]) == 1


def test_resume_asks_for_at_least_what_is_done(data, tmp_path):
    folder = tmp_path / "run"
    train(TINY, data, folder)
    (folder / "result.json").unlink()
    with pytest.raises(InputError, match=r"^epochs must be at least the 2 that .*run holds, got 1$"):
        train(replace(TINY, epochs=1), data, folder, resume=True)


def test_global_random_state_is_left_alone(data, tmp_path):
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    train(replace(TINY, epochs=1), data, tmp_path)
    assert torch.equal(torch.rand(2), expected)


def test_it_learns(data, tmp_path):
    many = Cifar10(cifar_shaped(200, 0), data.test, data.class_names, data.source)
    config = replace(TINY, mode="local", limit=None, epochs=4, batch_size=16, width=0.125, lr=5e-3, precision="fp32")
    history = train(config, many, tmp_path)["history"]
    assert history[-1]["train_loss"] < 0.7 * history[0]["train_loss"]
    assert history[-1]["train_accuracy"] > 0.35  # chance is 0.1


def test_failed_run_stays_unfinished(data, tmp_path):
    with pytest.raises(TrainingFailed, match="lower lr or act_lr"):
        train(replace(TINY, mode="relu", lr=1e30), data, tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["config.json", "inputs.npz"]
    assert json.loads((tmp_path / "config.json").read_text())["lr"] == 1e30


def test_seconds_until_an_accuracy():
    history = [{"seconds": 2.0, "val_accuracy": accuracy} for accuracy in (0.5, 0.89, 0.9, 0.95)]
    assert seconds_to(history, 0.9) == 6.0
    assert seconds_to(history, 0.4) == 2.0
    assert seconds_to(history, 0.96) is None


def test_images_are_known_by_their_content(data):
    assert describe(data)["train"] == 40
    elsewhere = replace(data, source=Path("other"))
    assert describe(elsewhere) == describe(data)
    assert describe(replace(data, train=cifar_shaped(40, 3))) != describe(data)


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("arch", "resnet50", "arch must be one of vgg11, vgg13, vgg16, resnet10, resnet18; got 'resnet50'"),
        ("mode", "tanh", "mode must be one of backprop, local, relu, silu, gelu, derived; got 'tanh'"),
        ("recipe", "slow", "recipe must be one of paper, fast; got 'slow'"),
        ("sharing", "all", "sharing must be one of layer, channel; got 'all'"),
        ("estimator", "guess", "estimator must be one of gaussian, sample; got 'guess'"),
        ("solver", "newton", "solver must be one of adam, eigen; got 'newton'"),
        ("memory", 1.0, "memory must be at least 0 and below 1, got 1.0"),
        ("rest", 1.0, "rest must be at least 0 and below 1, got 1.0"),
        ("every", 0, "every must be a whole number of at least 1, got 0"),
        ("device", "tpu", "device must be one of auto, cuda, mps, cpu; got 'tpu'"),
        ("precision", "fp16", "precision must be one of bf16, fp32; got 'fp16'"),
        ("width", 0.0, "width must be a finite number above 0, got 0.0"),
        ("epochs", 0, "epochs must be a whole number of at least 1, got 0"),
        ("batch_size", 0, "batch_size must be a whole number of at least 1, got 0"),
        ("lr", float("nan"), "lr must be a finite number above 0, got nan"),
        ("act_lr", -1.0, "act_lr must be a finite number above 0, got -1.0"),
        (
            "knots",
            4,
            "knots must be a whole number of at least 5, got 4: the Swish that is read off has four parameters",
        ),
        ("low", 3.0, "low must be below high, got low=3.0, high=3.0"),
        ("high", float("inf"), "high must be a finite number, got inf"),
        ("seed", -1, "seed must be a whole number of at least 0, got -1"),
        ("limit", 0, "limit must be a whole number of at least 1, got 0"),
        ("val_size", 0, "val_size must be a whole number of at least 1, got 0"),
        ("smoothness", -0.1, "smoothness must be a finite number, 0 or above, got -0.1"),
        ("positions", 0, "positions must be a whole number of at least 1, got 0"),
    ],
)
def test_bad_settings(setting, value, message):
    with pytest.raises(InputError) as error:
        CifarConfig(**{setting: value})
    assert str(error.value) == message


def test_bad_settings_touch_no_folder(data, tmp_path):
    with pytest.raises(InputError, match="val_size must leave at least 1"):
        train(replace(TINY, val_size=40), data, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_settings_that_the_rule_refuses_cost_no_finished_run(data, tmp_path):
    train(replace(TINY, epochs=1), data, tmp_path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(InputError, match="starts as a constant"):
        train(replace(TINY, low=-3.0, high=-1.0), data, tmp_path, force=True)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_settings_reach_the_rule():
    config = replace(TINY, lr=0.02, act_lr=0.3, smoothness=0.7, positions=5, seed=11, precision="bf16")
    config = replace(config, estimator="gaussian", solver="eigen", memory=0.25, every=3, rest=0.75)
    model = build("resnet10", width=0.0625, activation=make_activation(config))
    rule = make_rule(config, model)
    assert isinstance(rule, LocalCorrelation)
    assert rule.precision == "bf16"
    learner = rule.learner
    assert (learner.classes, learner.smoothness, learner.positions) == (10, 0.7, 5)
    assert (learner.memory, learner.every, learner.solver) == (0.25, 3, "eigen")
    assert rule.moving == 0.25
    assert learner.estimator is ESTIMATORS["gaussian"]
    assert learner.generator.initial_seed() == 11
    rates = [optimiser.param_groups[0]["lr"] for optimiser in (rule.backbone, learner.optimiser)]
    assert rates == [0.02, 0.3]
    rule = make_rule(replace(config, mode="backprop"), model)
    assert isinstance(rule, Backprop)
    assert rule.precision == "bf16"
    assert [optimiser.param_groups[0]["lr"] for optimiser in (rule.backbone, rule.values)] == [0.02, 0.3]
    assert make_rule(replace(config, recipe="fast"), model).recipe is FAST
    assert make_rule(replace(config, recipe="fast", mode="backprop"), model).recipe is FAST


def test_rates_of_the_activations():
    rates = {mode: CifarConfig(mode=mode).activation_rate for mode in ("backprop", "local")}
    assert rates == {"backprop": 1e-2, "local": 1e-3}
    assert CifarConfig(mode="local", act_lr=0.3).activation_rate == 0.3


def test_the_rate_of_the_eigen_solver_is_a_share():
    assert CifarConfig(mode="local", solver="eigen").activation_rate == 0.2
    assert CifarConfig(mode="local", solver="eigen", act_lr=1.0).activation_rate == 1.0
    with pytest.raises(InputError, match="at most 1 with solver eigen"):
        CifarConfig(mode="local", solver="eigen", act_lr=1.5)
    assert CifarConfig(mode="backprop", solver="eigen").activation_rate == 1e-2


@pytest.mark.filterwarnings("ignore:The .grad attribute")  # torch's tracer looks at intermediate results
@pytest.mark.parametrize(("mode", "rest"), [("backprop", 0.0), ("local", 0.0), ("local", 0.5)])
def test_a_compiled_model_learns_the_same(unchecked, data, tmp_path, monkeypatch, mode, rest):
    """The hooks of the learner, and the films and scores between its steps, survive the compiler's tracing."""
    compile_whole = torch.nn.Module.compile
    monkeypatch.setattr(torch.nn.Module, "compile", lambda model: compile_whole(model, backend="aot_eager"))
    config = replace(TINY, mode=mode, precision="fp32", epochs=1, rest=rest)
    plain = train(config, data, tmp_path / "plain")
    compiled = train(replace(config, compile=True), data, tmp_path / "compiled")
    torch._dynamo.reset()
    assert compiled["history"][0]["train_loss"] == pytest.approx(plain["history"][0]["train_loss"], rel=1e-4)
    first, second = (read_activations(tmp_path / name).last() for name in ("plain", "compiled"))
    for name, values in first.items():
        np.testing.assert_allclose(second[name], values, atol=2e-3)
    if mode == "local":
        start = read_activations(tmp_path / "compiled").layers["layer0"][0]
        assert abs(second["layer0"] - start).max() > (4e-4 if rest else 5e-4)  # at rest half of the steps move
