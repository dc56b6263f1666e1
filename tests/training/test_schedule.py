"""Rates over the epochs: the learner's falls with half a cosine, wherever a run is resumed."""

import math

import pytest
import torch
from learning import line_model, lines

from pwlact.training import Backprop, LocalCorrelation, Score, fit


def same(first, second):
    """Whether two models hold the same parameters, bit for bit."""
    return all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


def rate_of(rule):
    (group,) = rule.learner.optimiser.param_groups
    return group["lr"]


@pytest.mark.parametrize("solver", ["adam", "eigen"])
def test_rate_falls_with_half_a_cosine(solver):
    rule = LocalCorrelation(line_model(), classes=5, lr=3e-3, act_lr=0.8, solver=solver)
    for done, share in ((0.0, 1.0), (1 / 3, 0.75), (0.5, 0.5), (2 / 3, 0.25), (1.0, 0.0)):
        rule.begin_epoch(done)
        assert rate_of(rule) == pytest.approx(0.8 * share)
        assert rule.backbone_adam.param_groups[0]["lr"] == 3e-3
    rule.begin_epoch(0.0)  # it depends on the share alone
    assert rate_of(rule) == 0.8


def test_rate_of_an_epoch_holds_for_its_steps():
    x, labels = lines(100)
    moved = []
    for done in (0.0, 0.5):
        model = line_model(start="relu")
        rule = LocalCorrelation(model, classes=5, act_lr=1e-2)
        rule.begin_epoch(done)
        before = model[1].values.clone()
        rule.step(x, labels)
        moved.append((model[1].values - before).abs().max().item())
    assert moved[0] == pytest.approx(1e-2, rel=0.25)  # Adam's first step is the rate, then comes the norm
    assert moved[0] == pytest.approx(2 * moved[1], rel=0.02)


@pytest.mark.parametrize("resumed_at", [1, 2, 3])
def test_a_resumed_run_goes_on_with_the_schedule(resumed_at):
    rates = []

    class Spying(LocalCorrelation):
        def step(self, images, labels):
            rates.append(rate_of(self))
            return super().step(images, labels)

    class Rows:
        def __len__(self):
            return 1

        def epoch(self, number):
            return [lines(50, seed=number)]

    def train(model, state, history, epochs):
        rule = Spying(model, classes=5, act_lr=1e-2)
        if state is not None:
            rule.load_state_dict(state)
        return rule, fit(model, rule, Rows(), lambda: Score(0.0, 0.0, 1), epochs=epochs, history=history)

    whole = line_model("silu")
    train(whole, None, [], 4)
    expected = [1e-2 * (1 + math.cos(math.pi * epoch / 4)) / 2 for epoch in range(4)]
    assert rates == pytest.approx(expected)
    rates.clear()
    model = line_model("silu")
    rule = Spying(model, classes=5, act_lr=1e-2)
    history = []
    for epoch in range(1, resumed_at + 1):  # stopped after each of these
        rule.begin_epoch((epoch - 1) / 4)
        rule.step(*lines(50, seed=epoch))
        history.append({"epoch": epoch})
    _, history = train(model, rule.state_dict(), history, 4)
    assert rates == pytest.approx(expected)
    assert [record["epoch"] for record in history] == [1, 2, 3, 4]
    assert same(model, whole)


def test_backprop_has_no_schedule():
    rule = Backprop(line_model(), lr=1e-3, act_lr=1e-2)
    rule.begin_epoch(0.7)
    assert [group["lr"] for group in rule.optimiser.param_groups] == [1e-3, 1e-2]
