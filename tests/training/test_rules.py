"""Update rules: who moves what, and along which gradient."""

import numpy as np
import pytest
import torch
from learning import AT_ONCE, PAIRS, lines
from torch import nn
from torch.nn import functional

from pwlact.checks import InputError
from pwlact.correlation import ESTIMATORS, CorrelationLearner
from pwlact.pwl import Knots, PiecewiseLinearActivation
from pwlact.training import Backprop, LocalCorrelation, learnable
from pwlact.training.rules import backbone


def batch_of(toy):
    return next(iter(toy.epoch(1)))


def weights(model):
    return [p.detach().clone() for p in backbone(model)]


def values(model):
    return [module.values.detach().clone() for module in learnable(model)]


def same(first, second):
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def mean_cross_entropy(model, images, labels):
    return functional.cross_entropy(model(images), labels)


def number_of_hooks(model):
    return sum(len(module._forward_pre_hooks) + len(module._forward_hooks) for module in model.modules())


# --- backprop


def test_backprop_is_adam_on_the_mean_cross_entropy(net, toy):
    images, labels = batch_of(toy)
    model, twin = net(), net()
    rule = Backprop(model, lr=1e-3, act_lr=1e-2)
    adam = torch.optim.Adam(
        [{"params": backbone(twin), "lr": 1e-3}, {"params": [m.values for m in learnable(twin)], "lr": 1e-2}]
    )
    for _ in range(2):
        loss, correct = rule.step(images, labels)
        logits = twin(images)
        assert correct == (logits.argmax(1) == labels).sum()
        expected = functional.cross_entropy(logits, labels)
        assert loss.item() == pytest.approx(8 * expected.item(), rel=1e-5)
        adam.zero_grad()
        expected.backward()
        adam.step()
    for ours, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=2e-6)


def test_backprop_moves_every_knot_that_sees_data_by_its_own_rate(net, toy):
    model = net()
    before = values(model)
    Backprop(model, lr=1e-6, act_lr=1e-2).step(*batch_of(toy))
    for old, new in zip(before, values(model), strict=True):
        assert (new - old).abs().amax() == pytest.approx(1e-2, rel=1e-2)  # Adam's first step is the rate


def test_backprop_trains_fixed_activations_too(net, toy):
    model = net(learns=False)
    rule = Backprop(model)
    assert rule.values is None
    before = weights(model)
    rule.step(*batch_of(toy))
    assert not same(before, weights(model))


# --- local: the two objectives do not mix


@pytest.mark.parametrize("sharing", ["layer", "channel"])
def test_knot_gradient_is_that_of_the_mean_reward_over_channels(net, toy, sharing):
    model = net(sharing=sharing)
    images, labels = batch_of(toy)
    inputs = []
    hooks = [m.register_forward_pre_hook(lambda _, a: inputs.append(a[0].detach())) for m in learnable(model)]
    model(images)
    for hook in hooks:
        hook.remove()
    old = values(model)
    smoothness = 0.07
    rule = LocalCorrelation(model, classes=4, positions=1024, smoothness=smoothness, estimator="sample", **AT_ONCE)
    grads = []
    # the step throws the gradient away
    rule.learner.optimiser.register_step_pre_hook(lambda *_: grads.extend(m.values.grad for m in learnable(model)))
    rule.step(images, labels)
    for module, x, y, grad in zip(learnable(model), inputs, old, grads, strict=True):
        expected = objective_gradient(module, x, labels, y, smoothness)
        torch.testing.assert_close(-grad.double(), expected, rtol=1e-3, atol=1e-6)


def objective_gradient(module, x, labels, y, smoothness):
    """dJ/dy by the definition: activation outputs of each channel, correlated with each class."""
    twin = PiecewiseLinearActivation(module.knots, channels=module.channels).double()
    twin.values.data.copy_(y)
    f = twin(x.double()).transpose(0, 1).flatten(1)  # (C, n * positions)
    f = f - f.mean(1, keepdim=True)
    total = 0
    for k in range(4):
        one = (labels == k).double().repeat_interleave(f.shape[1] // len(labels))
        one = one - one.mean()
        rho = (f * one).mean(1) / (f.square().mean(1) * one.square().mean()).sqrt()
        total = total + (rho * rho.abs()).mean()
    bends = twin.values[..., :-2] - 2 * twin.values[..., 1:-1] + twin.values[..., 2:]
    (total - smoothness * bends.square().sum(-1).mean()).backward()
    return twin.values.grad


def test_backbone_gradient_is_that_of_the_cross_entropy_alone(net, toy):
    images, labels = batch_of(toy)
    model, twin = net(), net()
    LocalCorrelation(model, classes=4).step(images, labels)
    mean_cross_entropy(twin, images, labels).backward()
    for ours, theirs in zip(backbone(model), backbone(twin), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-6)


def test_knots_do_not_feel_the_cross_entropy(net, toy):
    images, labels = batch_of(toy)
    quiet, loud = net(), net()
    loud.classifier.weight.data.mul_(-50)  # another loss and other gradients, but the same layer inputs
    for model in (quiet, loud):
        LocalCorrelation(model, classes=4).step(images, labels)
    assert same(values(quiet), values(loud))
    assert not same(weights(quiet), weights(loud))


def test_backbone_does_not_feel_the_reward(net, toy):
    images, labels = batch_of(toy)
    first, second = net(), net()
    LocalCorrelation(first, classes=4, act_lr=1e-3, **AT_ONCE).step(images, labels)
    LocalCorrelation(second, classes=4, act_lr=0.5, smoothness=3.0, **AT_ONCE).step(images, labels)
    assert same(weights(first), weights(second))
    assert not same(values(first), values(second))


def test_cross_entropy_computes_no_gradient_of_the_values(net, toy, monkeypatch):
    asked = []
    forward = PiecewiseLinearActivation.forward

    def spy(self, x):
        asked.append((self.values.requires_grad, x.requires_grad))
        return forward(self, x)

    monkeypatch.setattr(PiecewiseLinearActivation, "forward", spy)
    model = net()
    LocalCorrelation(model, classes=4).step(*batch_of(toy))
    assert asked == [(False, True)] * 9
    assert all(module.values.grad is None for module in learnable(model))


# --- local: what it learns, and how


def line_model(start="tanh"):
    torch.manual_seed(1)
    activation = PiecewiseLinearActivation(Knots(), start=start)
    return nn.Sequential(nn.BatchNorm1d(3), activation, nn.Linear(3, 5))


@pytest.mark.parametrize(("estimator", "solver"), PAIRS)
def test_reward_rises_above_that_of_relu(estimator, solver):
    x, labels = lines()
    rate = {"adam": 5e-2, "eigen": 0.5}[solver]
    settings = {"classes": 5, "lr": 1e-9, "act_lr": rate, "estimator": estimator, "solver": solver, **AT_ONCE}
    rule = LocalCorrelation(line_model(), smoothness=0.01, **settings)
    rule.step(x, labels)
    before = rule.learner.rewards.item()
    for _ in range(60 if solver == "adam" else 5):
        rule.step(x, labels)
    relu = LocalCorrelation(line_model(start="relu"), **settings)
    relu.step(x, labels)
    assert before < 0.02  # an odd function of a symmetric mixture earns nothing
    assert rule.learner.rewards.item() > 1.05 * relu.learner.rewards.item()


def test_settings_reach_the_learner():
    settings = {"smoothness": 0.3, "memory": 0.5, "every": 3, "positions": None, "objective": "energy", "classes": 7}
    rule = LocalCorrelation(line_model(), act_lr=0.25, estimator="gaussian", solver="eigen", seed=11, **settings)
    assert {name: getattr(rule.learner, name) for name in settings} == settings
    assert rule.learner.estimator is ESTIMATORS["gaussian"]
    assert rule.learner.solver == "eigen"
    assert rule.learner.generator.initial_seed() == 11
    assert rule.learner.optimiser.param_groups[0]["lr"] == 0.25


def test_step_is_that_of_a_learner_beside_an_adam(net, toy):
    images, labels = batch_of(toy)
    model, twin = net(), net()
    rule = LocalCorrelation(model, classes=4, lr=3e-3, act_lr=2e-2, seed=5)
    learner = CorrelationLearner(twin, classes=4, lr=2e-2, seed=5)
    adam = torch.optim.Adam(learner.backbone(), lr=3e-3)
    for _ in range(2):
        loss, correct = rule.step(images, labels)
        with learner.observe(labels):
            logits = twin(images)
        expected = functional.cross_entropy(logits, labels)
        adam.zero_grad()
        expected.backward()
        adam.step()
        learner.step()
        assert correct == (logits.argmax(1) == labels).sum()
        assert loss.item() == pytest.approx(8 * expected.item(), rel=1e-4)
        assert not loss.requires_grad
    for ours, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_no_hook_stays_behind(net, toy):
    model = net()
    rule = LocalCorrelation(model, classes=4)
    rule.step(*batch_of(toy))
    assert number_of_hooks(model) == 0
    with pytest.raises(RuntimeError):
        rule.step(torch.randn(2, 5, 32, 32), torch.tensor([0, 1]))  # five colours: the stem fails
    assert number_of_hooks(model) == 0


@pytest.mark.parametrize(("estimator", "solver"), PAIRS)
def test_forward_in_bfloat16_learns_in_float32(net, toy, estimator, solver):
    model = net()
    dtypes = []
    model.classifier.register_forward_hook(lambda _, __, output: dtypes.append(output.dtype))
    rule = LocalCorrelation(model, classes=4, precision="bf16", estimator=estimator, solver=solver, every=1)
    before = values(model)
    rule.step(*batch_of(toy))
    assert dtypes == [torch.bfloat16]
    kept = [part.dtype for summary in rule.state_dict()["learner"]["kept"] for part in summary.values()]
    assert set(kept) == {torch.float32 if estimator == "sample" else torch.float64}
    assert not any(torch.equal(a, b) for a, b in zip(before, values(model), strict=True))


# --- bad arguments


def test_nothing_to_learn(net):
    with pytest.raises(InputError, match="nothing to learn: no PiecewiseLinearActivation"):
        LocalCorrelation(net(learns=False), classes=4)


def test_activation_that_starts_as_a_constant():
    with pytest.raises(InputError, match="starts as a constant"):
        LocalCorrelation(nn.Sequential(nn.Linear(2, 2), PiecewiseLinearActivation(Knots(5, -3.0, -1.0))), classes=4)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("lr", 0.0),
        ("act_lr", np.nan),
        ("smoothness", -1.0),
        ("positions", 0),
        ("classes", 1),
        ("memory", 1.0),
        ("every", 0),
        ("rest", 1.0),
    ],
)
def test_local_arguments_out_of_range(argument, value):
    with pytest.raises(InputError, match=f"^{argument} must be "):
        LocalCorrelation(line_model(), **{"classes": 5, argument: value})


@pytest.mark.parametrize("argument", ["lr", "act_lr"])
def test_backprop_rates_out_of_range(net, argument):
    with pytest.raises(InputError, match=f"^{argument} must be "):
        Backprop(net(), **{argument: -1e-3})
