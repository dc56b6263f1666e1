"""Methods of the autoencoder benchmark and their training runs: same start, same batches, rates, divergence."""

import math

import pytest
import torch
from asserts import assert_close
from torch import nn

from pwlact.experiments.locoprop import methods
from pwlact.experiments.locoprop.autoencoder import LOSSES, OUTPUTS, autoencoder
from pwlact.experiments.locoprop.methods import LEAST_SLOPE, METHODS, learned
from pwlact.experiments.locoprop.pictures import Pictures
from pwlact.experiments.locoprop.training import BLOWN, Job, Trainee, train
from pwlact.experiments.locoprop.tuning import grid
from pwlact.pwl import PiecewiseLinearActivation

JOB = Job(sizes=(6, 3), loss="cross-entropy", batch_size=8, steps=30, points=2, measured=20, seed=0)


@pytest.fixture
def pictures():
    patterns = (torch.arange(24).reshape(3, 8) % 5 < 2).float()
    rows = patterns[torch.randint(3, (50,))] * torch.rand(50, 1)
    return Pictures(rows[:40], rows[40:])


def middle(name):
    method = METHODS[name]
    return math.sqrt(method.rates[0] * method.rates[1]), method.seconds[1]


def test_each_method_has_the_same_budget():
    for method in METHODS.values():
        assert method.rates[1] / method.rates[0] == pytest.approx(1000)
        assert list(method.seconds) == sorted(set(method.seconds))
        trials = grid(method, 4)
        assert len(trials) == 12
        assert len(set(trials.values())) == 12


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("loss", LOSSES)
def test_each_method_learns_from_the_same_start_and_repeats(name, loss, pictures):
    if METHODS[name].package:
        pytest.importorskip(METHODS[name].package)
    job = Job((6, 3), loss, 8, 8, 2, 20, 0)
    curve = train(METHODS[name], middle(name), pictures, job)
    assert curve["diverged"] is None
    assert curve["steps"] == [0, 4, 8]
    start = Trainee(METHODS["adam"], middle("adam"), pictures, job).measure()
    assert (curve["train"][0], curve["test"][0]) == pytest.approx(start, rel=0.02)
    assert curve["train"][2] < curve["train"][0]
    assert curve["test"] != curve["train"]
    assert train(METHODS[name], middle(name), pictures, job) == curve


def test_steps_are_those_of_sgd_with_a_falling_rate(pictures):
    job = Job((3,), "squared", 8, 4, 1, 20, 5)
    trainee = Trainee(METHODS["momentum"], (0.01, 0.5), pictures, job)
    model = autoencoder(8, (3,), 5)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(5))
    velocity = [torch.zeros_like(p) for p in model.parameters()]
    for step in range(4):
        x = pictures.train[order[8 * step : 8 * step + 8]]
        model.zero_grad()
        ((model(x) - x).square().sum() / 16).backward()
        with torch.no_grad():
            for p, v in zip(model.parameters(), velocity, strict=True):
                v.mul_(0.5).add_(p.grad)
                p.sub_(0.01 * (1 - step / 4) * v)
        trainee.step()
    for ours, theirs in zip(trainee.model.parameters(), model.parameters(), strict=True):
        assert_close(ours.detach(), theirs.detach())
    losses = trainee.measure()
    frozen = model.requires_grad_(False)
    assert losses[0] == pytest.approx(float(LOSSES["squared"](frozen(pictures.train[:20]), pictures.train[:20])))
    assert losses[1] == pytest.approx(float(LOSSES["squared"](frozen(pictures.test), pictures.test)))


def test_batches_go_through_all_pictures_in_a_new_order_each_pass():
    seen = []

    class Keeping(nn.Module):
        def forward(self, x):
            seen.append(x)
            return x

    trainee = Trainee(
        METHODS["adam"], (0.0, 0.9), Pictures(torch.eye(10), torch.eye(10)), Job((2,), "squared", 3, 9, 1, 9, 0)
    )
    trainee.model.insert(0, Keeping())
    for _ in range(6):
        trainee.step()
    passes = [torch.cat(seen[:3]), torch.cat(seen[3:])]
    for rows in passes:
        assert len(rows.unique(dim=0)) == 9
    assert not torch.equal(*passes)


def test_learned_activations_begin_as_tanh_learn_and_keep_rising(pictures):
    start = learned()
    assert_close(start.values.detach(), start.knots.positions().tanh().float(), atol=2e-3)
    for name in ("adam-learned", "locoprop-m-learned"):
        trainee = Trainee(METHODS[name], middle(name), pictures, JOB)
        activations = [part for part in trainee.model if isinstance(part, PiecewiseLinearActivation)]
        assert len(activations) == 3
        # one that is too flat: what a step must mend
        with torch.no_grad():
            activations[0].values[31] = activations[0].values[30] + 1e-5
        for _ in range(3):
            trainee.step()
        for activation in activations:
            assert (activation.values - start.values).abs().max() > 1e-4
            slopes = activation.values.detach().double().diff() / activation.knots.spacing
            assert slopes.min() > LEAST_SLOPE - 1e-5


def test_adam_leaves_no_parameter_out_and_takes_none_twice(pictures):
    trainee = Trainee(METHODS["locoprop-m-learned"], middle("locoprop-m-learned"), pictures, JOB)
    before = [p.detach().clone() for p in trainee.model.parameters()]
    for _ in range(2):
        trainee.step()
    for p, was in zip(trainee.model.parameters(), before, strict=True):
        assert not torch.equal(p, was)


def test_locoprop_m_is_told_what_follows_the_last_layer():
    for loss, output in (("cross-entropy", "sigmoid"), ("squared", "linear")):
        model = autoencoder(8, (3,), 0)
        loco = methods._locoprop_m(model, OUTPUTS[loss], 0.1, 1.0)._parts[0][0]
        assert [layer.transfer.name for layer in loco.layers.values()] == ["tanh", output]


@pytest.mark.parametrize("name", ["momentum", "locoprop-s", "locoprop-m"])
def test_divergence_ends_a_run_and_is_recorded(name, pictures):
    curve = train(METHODS[name], (1e30, METHODS[name].seconds[0]), pictures, JOB)
    assert 1 <= curve["diverged"]["step"] < 30
    assert curve["diverged"]["reason"]
    assert curve["steps"] == [0]
    assert all(math.isfinite(loss) for loss in curve["train"])


def test_other_errors_are_no_divergence(pictures, monkeypatch):
    monkeypatch.setattr(Trainee, "step", lambda self: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        train(METHODS["adam"], middle("adam"), pictures, JOB)


def test_more_points_than_steps(pictures):
    job = Job((3,), "squared", 8, 2, 9, 20, 0)
    ticks = []
    assert train(METHODS["adam"], (0.01, 0.9), pictures, job, ticks.append)["steps"] == [0, 1, 2]
    assert ticks == [1, 2]


def test_a_loss_far_above_the_first_is_divergence(pictures, monkeypatch):
    trainee = Trainee(METHODS["momentum"], (1e-4, 0.9), pictures, JOB)
    trainee.step()
    first = trainee._bound / BLOWN
    assert first == pytest.approx(trainee.measure()[0], rel=0.2)
    trainee._check(first * BLOWN * 0.99)
    for loss in (first * BLOWN * 1.01, math.nan, math.inf):
        with pytest.raises(FloatingPointError, match="loss of the batch"):
            trainee._check(loss)
    monkeypatch.setattr(trainee, "_mean", lambda x: first * BLOWN * 1.01)
    with pytest.raises(FloatingPointError, match="training loss"):
        trainee.measure()
