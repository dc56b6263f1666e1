"""Rates over the steps: the learner's falls with half a cosine, the recipes', wherever a run is resumed."""

import copy
import math

import pytest
import torch
from learning import AT_ONCE, line_model, lines

from pwlact.pwl import PiecewiseLinearActivation
from pwlact.training import FAST, PAPER, Backprop, LocalCorrelation, Score, fit


def same(first, second):
    """Whether two models hold the same parameters, bit for bit."""
    return all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


def rate_of(rule):
    (group,) = rule.learner.optimiser.param_groups
    return group["lr"]


def step_at(rule, done):
    rule.step(*lines(20), done)


@pytest.mark.parametrize("solver", ["adam", "eigen"])
@pytest.mark.parametrize("rest", [0.0, 0.25, 0.5])
def test_rate_falls_with_half_a_cosine(solver, rest):
    rule = LocalCorrelation(line_model(), classes=5, lr=3e-3, act_lr=0.8, rest=rest, solver=solver)
    for done, share in ((0.0, 1.0), (1 / 3, 0.75), (0.5, 0.5), (2 / 3, 0.25)):
        step_at(rule, done * (1 - rest))
        assert rate_of(rule) == pytest.approx(0.8 * share)
        assert rule.backbone.param_groups[0]["lr"] == 3e-3
    step_at(rule, 0.0)  # it depends on the share alone
    assert rate_of(rule) == 0.8


def test_at_rest_the_activations_stay_and_the_backbone_goes_on():
    model = line_model()
    rule = LocalCorrelation(model, classes=5, act_lr=1e-2, rest=0.25, every=1)
    step_at(rule, 0.74)
    values, weights, state = copy.deepcopy((model[1].values, model[0].weight, rule.learner.state_dict()))
    for done in (0.75, 0.99):
        step_at(rule, done)
    assert torch.equal(model[1].values, values)
    assert not torch.equal(model[0].weight, weights)
    after = rule.learner.state_dict()
    for what in ("seen", "kept", "generator", "optimiser"):  # nothing was looked at
        torch.testing.assert_close(after[what], state[what], rtol=0, atol=0)


def test_at_rest_the_backbone_takes_the_steps_of_a_fixed_activation():
    rested, fixed = line_model("silu"), line_model("silu")
    rule, plain = LocalCorrelation(rested, classes=5, rest=0.5), Backprop(fixed, act_lr=1e-9)
    for done in (0.5, 0.75):
        step_at(rule, done)
        step_at(plain, done)
    torch.testing.assert_close(rested[0].weight, fixed[0].weight, rtol=1e-5, atol=1e-7)


def test_rate_is_that_of_the_step():
    x, labels = lines(100)
    moved = []
    for done in (0.0, 0.5):
        model = line_model(start="relu")
        rule = LocalCorrelation(model, classes=5, act_lr=1e-2, rest=0.0, estimator="sample", **AT_ONCE)
        before = model[1].values.clone()
        rule.step(x, labels, done)
        moved.append((model[1].values - before).abs().max().item())
    assert moved[0] == pytest.approx(1e-2, rel=0.25)  # Adam's first step is the rate, then comes the norm
    assert moved[0] == pytest.approx(2 * moved[1], rel=0.02)


@pytest.mark.parametrize("resumed_at", [1, 2, 3])
def test_a_resumed_run_goes_on_with_the_schedule(resumed_at):
    rates = []

    class Spying(LocalCorrelation):
        def step(self, images, labels, done=0.0):
            out = super().step(images, labels, done)
            rates.append(rate_of(self))
            return out

    class Rows:
        def __len__(self):
            return 2

        def epoch(self, number):
            return [lines(50, seed=number), lines(50, seed=10 + number)]

    def train(model, state, history, epochs):
        rule = Spying(model, classes=5, act_lr=1e-2, rest=0.25)
        if state is not None:
            rule.load_state_dict(state)
        return rule, fit(model, rule, Rows(), lambda: Score(0.0, 0.0, 1), epochs=epochs, history=history)

    whole = line_model("silu")
    train(whole, None, [], 4)
    expected = [1e-2 * (1 + math.cos(math.pi * min(step, 5) / 6)) / 2 for step in range(8)]  # at rest it stays
    assert rates == pytest.approx(expected)
    rates.clear()
    model = line_model("silu")
    rule = Spying(model, classes=5, act_lr=1e-2, rest=0.25)
    history = []
    for epoch in range(1, resumed_at + 1):  # stopped after each of these
        rule.step(*lines(50, seed=epoch), (epoch - 1) / 4)
        rule.step(*lines(50, seed=10 + epoch), (epoch - 0.5) / 4)
        history.append({"epoch": epoch})
    _, history = train(model, rule.state_dict(), history, 4)
    assert rates == pytest.approx(expected)
    assert [record["epoch"] for record in history] == [1, 2, 3, 4]
    assert same(model, whole)


def test_the_papers_recipe_has_no_schedule():
    rule = Backprop(line_model(), lr=1e-3, act_lr=1e-2)
    step_at(rule, 0.7)
    assert [o.param_groups[0]["lr"] for o in (rule.backbone, rule.values)] == [1e-3, 1e-2]


@pytest.mark.parametrize("kind", [Backprop, LocalCorrelation])
def test_the_fast_recipe_rises_and_falls(kind):
    more = {"classes": 5} if kind is LocalCorrelation else {}
    rule = kind(line_model(), lr=0.4, act_lr=1e-2, recipe=FAST, **more)
    for done, share in ((0.0, 0.1), (0.125, 0.55), (0.25, 1.0), (0.625, 0.5), (0.99, 1 / 75)):
        step_at(rule, done)
        rates = [group["lr"] for group in rule.backbone.param_groups]
        assert rates == pytest.approx([0.4 * share] * 2)
        if kind is Backprop:
            assert rule.values.param_groups[0]["lr"] == pytest.approx(1e-2 * share)


@pytest.mark.parametrize(
    ("done", "sides"),
    [(0.0, (20, 40)), (0.3, (24, 52)), (0.5, (28, 56)), (0.69, (32, 64)), (0.7, (32, 64)), (1.0, (32, 64))],
)
def test_images_grow_until_they_are_whole(done, sides):
    images = torch.rand(2, 3, 32, 64, generator=torch.Generator().manual_seed(0))
    seen = FAST.seen(images.contiguous(memory_format=torch.channels_last), done)
    assert seen.shape == (2, 3, *sides)
    assert seen.is_contiguous(memory_format=torch.channels_last)
    # the same by a sampler that is told where to look
    rows, columns = (2 * (torch.arange(side) + 0.5) / side - 1 for side in sides)
    where = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1).expand(2, -1, -1, -1)
    expected = torch.nn.functional.grid_sample(images, where, padding_mode="border", align_corners=False)
    torch.testing.assert_close(seen, expected, rtol=1e-5, atol=1e-5)
    assert PAPER.seen(images, done) is images


@pytest.mark.parametrize("shape", [(5, 8), (5,), (2, 3, 4, 4), (2, 3, 2, 1), (0, 3, 3, 3)])
def test_what_is_small_or_no_image_stays(shape):
    inputs = torch.zeros(shape)
    assert FAST.seen(inputs, 0.0) is inputs


@pytest.mark.parametrize("kind", [Backprop, LocalCorrelation])
def test_the_network_sees_what_the_recipe_shows(kind):
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), PiecewiseLinearActivation(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
    )
    sides = []
    model[0].register_forward_pre_hook(lambda _, inputs: sides.append(inputs[0].shape[2]))
    more = {"classes": 4} if kind is LocalCorrelation else {}
    rule = kind(model, recipe=FAST, **more)
    generator = torch.Generator().manual_seed(0)
    images, labels = torch.rand(8, 3, 32, 32, generator=generator), torch.arange(8) % 4
    for done in (0.0, 0.5, 1.0):
        rule.step(images, labels, done)
    assert sides == [20, 28, 32]


@pytest.mark.parametrize("recipe", [PAPER, FAST])
def test_steps_are_those_of_plain_pytorch(recipe):
    x, labels = lines(60)
    ours, theirs = line_model(), line_model()
    rule = Backprop(ours, lr=0.02, act_lr=1e-2, recipe=recipe)
    backbone = [p for p in theirs.parameters() if p is not theirs[1].values]
    if recipe is PAPER:
        plain = torch.optim.Adam(backbone, lr=0.02)
    else:
        decayed = [p for p in backbone if p.ndim >= 2], [p for p in backbone if p.ndim < 2]
        groups = [{"params": decayed[0], "weight_decay": 5e-4}, {"params": decayed[1], "weight_decay": 0}]
        plain = torch.optim.SGD(groups, lr=0.02, momentum=0.9, nesterov=True)
    knots = torch.optim.Adam([theirs[1].values], lr=1e-2)
    for done in (0.0, 0.25, 0.5):
        loss, _ = rule.step(x, labels, done)
        factor = 1.0 if recipe is PAPER else {0.0: 0.1, 0.25: 1.0, 0.5: 2 / 3}[done]
        for optimiser, rate in ((plain, 0.02), (knots, 1e-2)):
            optimiser.zero_grad()
            for group in optimiser.param_groups:
                group["lr"] = rate * factor
        smoothing = 0.0 if recipe is PAPER else 0.1
        expected = torch.nn.functional.cross_entropy(theirs(x), labels, label_smoothing=smoothing)
        expected.backward()
        plain.step()
        knots.step()
        assert loss.item() == pytest.approx(60 * expected.item(), rel=1e-5)
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)
