"""Update rules: who moves what, and along which gradient."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from pwlact.checks import InputError
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
    assert len(rule.optimiser.param_groups) == 1
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
    LocalCorrelation(model, classes=4, positions=1024, smoothness=smoothness).step(images, labels)
    for module, x, y in zip(learnable(model), inputs, old, strict=True):
        expected = objective_gradient(module, x, labels, y, smoothness)
        torch.testing.assert_close(-module.values.grad.double(), expected, rtol=1e-3, atol=1e-6)


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
    LocalCorrelation(first, classes=4, act_lr=1e-3).step(images, labels)
    LocalCorrelation(second, classes=4, act_lr=0.5, smoothness=3.0).step(images, labels)
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
    assert all(module.values.requires_grad for module in learnable(model))


# --- local: what it learns, and how


def line_problem(n=1000):
    """Five classes on a line, seen by three channels under independent noise."""
    torch.manual_seed(0)
    labels = torch.arange(n) % 5
    return labels.float()[:, None] + 0.7 * torch.randn(n, 3), labels


def line_model(start="tanh", own=False):
    torch.manual_seed(1)
    activation = PiecewiseLinearActivation(Knots(), start=start, channels=3 if own else None)
    return nn.Sequential(nn.BatchNorm1d(3), activation, nn.Linear(3, 5))


@pytest.mark.parametrize("own", [False, True])
def test_reward_rises_above_that_of_relu(own):
    x, labels = line_problem()
    model = line_model(own=own)
    rule = LocalCorrelation(model, classes=5, lr=1e-9, act_lr=5e-2, smoothness=0.01)
    rule.step(x, labels)
    before = rule.rewards.item()
    for _ in range(100):
        rule.step(x, labels)
    relu = LocalCorrelation(line_model(start="relu"), classes=5)
    relu.step(x, labels)
    assert before < 0.02  # an odd function of a symmetric mixture earns nothing
    assert rule.rewards.item() > 1.05 * relu.rewards.item()


def test_each_channel_learns_for_itself():
    x, labels = line_problem()
    mirrored = x.clone()
    mirrored[:, 2] = -mirrored[:, 2]
    learnt = []
    for data in (x, mirrored):
        model = line_model(start="silu", own=True)
        rule = LocalCorrelation(model, classes=5, lr=1e-9, act_lr=1e-2)
        for _ in range(20):
            rule.step(data, labels)
        learnt.append(values(model)[0])
    torch.testing.assert_close(learnt[0][:2], learnt[1][:2])
    assert (learnt[0][2] - learnt[1][2]).abs().max() > 0.01


def test_left_knot_stays_at_zero_and_the_norm_at_its_start():
    x, labels = line_problem(n=100)
    model = line_model(start="silu", own=True)
    start = values(model)[0]
    norm = (start - start[:, :1]).norm(dim=-1)
    rule = LocalCorrelation(model, classes=5, act_lr=0.1)
    for _ in range(5):
        rule.step(x, labels)
        (y,) = values(model)
        assert y[:, 0].abs().max() == 0
        torch.testing.assert_close(y.norm(dim=-1), norm)
    assert (y - start).abs().max() > 0.3  # far more than the shift to zero, 0.14


def test_smoothness_straightens_what_the_data_leave_free():
    x, labels = line_problem(n=500)
    bends = []
    for smoothness in (0.0, 5.0):
        model = line_model(start="relu")
        rule = LocalCorrelation(model, classes=5, lr=1e-9, act_lr=2e-2, smoothness=smoothness)
        for _ in range(50):
            rule.step(x, labels)
        bends.append(values(model)[0].diff(n=2).square().sum())
    assert bends[1] < 0.5 * bends[0]


# --- local: sampling and hooks


def coded(images=6, channels=4, side=5):
    """x whose every entry tells image, channel and position: 10,000 n + 100 c + p."""
    n, c = torch.arange(images)[:, None, None], torch.arange(channels)[None, :, None]
    code = 10_000 * n + 100 * c + torch.arange(side * side)
    return code.reshape(images, channels, side, side).float()


@pytest.mark.parametrize("layout", ["contiguous", "channels_last", "channels at the end"])
def test_samples_are_of_every_image_and_keep_their_channel(layout):
    rule = LocalCorrelation(line_model(), classes=5, positions=8)
    x, dim = coded(), 1
    if layout == "channels_last":
        x = x.contiguous(memory_format=torch.channels_last)
    elif layout == "channels at the end":
        x, dim = x.movedim(1, -1), -1
    samples = rule._sample(x, dim)
    assert samples.shape == (4, 6 * 8)
    assert samples.dtype == torch.float32
    image, rest = samples.long() // 10_000, samples.long() % 10_000
    assert torch.equal(image, torch.arange(6).repeat_interleave(8).expand(4, -1))
    assert torch.equal(rest // 100, torch.arange(4)[:, None].expand(-1, 48))
    place = rest[0] % 100
    assert torch.equal(rest % 100, place.expand(4, -1))  # channels of one position stay together
    assert len(place.unique()) > 15  # drawn for each image anew
    assert not torch.equal(samples, rule._sample(x, dim))  # and for each step


def test_few_positions_are_taken_whole():
    rule = LocalCorrelation(line_model(), classes=5, positions=25)
    assert torch.equal(rule._sample(coded(), 1), coded().transpose(0, 1).flatten(1))


def test_draws_depend_on_the_seed():
    first, again, other = (LocalCorrelation(line_model(), classes=5, seed=s) for s in (3, 3, 4))
    x = coded()
    drawn = first._sample(x, 1)
    assert torch.equal(drawn, again._sample(x, 1))
    assert not torch.equal(drawn, other._sample(x, 1))


def test_no_hook_stays_behind(net, toy):
    model = net()
    rule = LocalCorrelation(model, classes=4)
    rule.step(*batch_of(toy))
    assert number_of_hooks(model) == 0
    with pytest.raises(RuntimeError):
        rule.step(torch.randn(2, 5, 32, 32), torch.tensor([0, 1]))  # five colours: the stem fails
    assert number_of_hooks(model) == 0
    assert all(module.values.requires_grad for module in learnable(model))


def test_objective_takes_x_detached_in_float32_outside_autocast(net, toy, monkeypatch):
    from pwlact.training import local

    seen = []
    real = local.HatStatistics.from_samples

    def spy(x, *args):
        seen.append((x.dtype, x.requires_grad, torch.is_autocast_enabled("cpu")))
        return real(x, *args)

    monkeypatch.setattr(local.HatStatistics, "from_samples", spy)
    model = net()
    dtypes = []
    model.classifier.register_forward_hook(lambda _, __, output: dtypes.append(output.dtype))
    LocalCorrelation(model, classes=4, precision="bf16").step(*batch_of(toy))
    assert dtypes == [torch.bfloat16]
    assert seen == [(torch.float32, False, False)] * 9  # x is a constant


# --- bad arguments


def test_nothing_to_learn(net):
    with pytest.raises(InputError, match="nothing to learn: no PiecewiseLinearActivation"):
        LocalCorrelation(net(learns=False), classes=4)


def test_activation_that_starts_as_a_constant():
    with pytest.raises(InputError, match="starts as a constant"):
        LocalCorrelation(nn.Sequential(nn.Linear(2, 2), PiecewiseLinearActivation(Knots(5, -3.0, -1.0))), classes=4)


@pytest.mark.parametrize(
    ("argument", "value"),
    [("lr", 0.0), ("act_lr", np.nan), ("smoothness", -1.0), ("positions", 0), ("classes", 1)],
)
def test_local_arguments_out_of_range(argument, value):
    with pytest.raises(InputError, match=f"^{argument} must be "):
        LocalCorrelation(line_model(), **{"classes": 5, argument: value})


@pytest.mark.parametrize("argument", ["lr", "act_lr"])
def test_backprop_rates_out_of_range(net, argument):
    with pytest.raises(InputError, match=f"^{argument} must be "):
        Backprop(net(), **{argument: -1e-3})
