"""CorrelationLearner: what it moves, what it leaves alone, and which statistics its steps rest on."""

import pytest
import torch
from asserts import assert_close
from learning import (
    CLASSES,
    PAIRS,
    alone,
    assert_same_values,
    clouds,
    learn,
    learner_of,
    line_model,
    lines,
    look,
    values_of,
    written_out,
)
from torch import nn
from torch.nn import functional

from pwlact.correlation import ClassMoments, HatStatistics, ascent, reward
from pwlact.pwl import Knots, PiecewiseLinearActivation

each_pair = pytest.mark.parametrize(("estimator", "solver"), PAIRS)


# --- it learns ------------------------------------------------------------------------------------------------


@each_pair
@pytest.mark.parametrize("own", [False, True])
def test_a_loop_of_ones_own_earns_more_than_relu(estimator, solver, own):
    x, labels = lines()
    model = line_model(channels=3 if own else None)
    learner = learner_of(model, estimator, solver, smoothness=0.01)
    optimiser = torch.optim.Adam(learner.backbone(), lr=1e-2)
    rewards, losses = [], []
    for _ in range(70 if solver == "adam" else 25):
        with learner.observe(labels):
            loss = functional.cross_entropy(model(x), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        learner.step()
        rewards.append(learner.rewards.item())
        losses.append(loss.item())
    relu = learner_of(line_model(start="relu"), estimator, solver)
    learn(relu, x, labels)
    assert rewards[0] < 0.02  # an odd function of a symmetric mixture earns nothing
    assert rewards[-1] > 1.05 * relu.rewards.item()
    assert losses[-1] < losses[0]


@each_pair
@pytest.mark.parametrize("objective", ["signed", "energy"])
def test_both_objectives_rise(estimator, solver, objective):
    x, labels = clouds(1, 3, dtype=torch.float32)
    learner = learner_of(alone(), estimator, solver, objective=objective, smoothness=0.0)
    rewards = []
    for _ in range(20 if solver == "adam" else 5):
        learn(learner, x.T, labels)
        rewards.append(learner.rewards.item())
    assert rewards[-1] > rewards[0] + 0.01


def test_two_classes_are_learnt_by_energy():
    x, labels = clouds(1, 3, classes=2, dtype=torch.float32)
    learner = learner_of(alone(), solver="eigen", classes=2, objective="energy", smoothness=0.0)
    learn(learner, x.T, labels)
    before = learner.rewards.item()
    learn(learner, x.T, labels)
    assert learner.rewards.item() > before + 0.01


@pytest.mark.parametrize("sharing", [{}, {"channels": 4}, {"channels": 4, "groups": 2}], ids=str)
def test_the_first_step_follows_the_written_out_objective(sharing):
    x, labels = clouds(2, 4, n=200, dtype=torch.float32)
    learner = learner_of(alone(**sharing), lr=1e-3, smoothness=0.07)
    (y,) = values_of(learner)
    grads = []
    learner.optimiser.register_step_pre_hook(lambda *_: grads.append(learner.modules[0].values.grad.clone()))
    learn(learner, x.T, labels)
    exact = y.double().requires_grad_()
    (slope,) = torch.autograd.grad(written_out(exact, x, labels, Knots(), "signed", 0.07), exact)
    assert_close(-grads[0].double(), slope, rtol=1e-3, atol=1e-6)


def test_each_channel_learns_for_itself():
    x, labels = lines(300)
    mirrored = x * torch.tensor([1.0, 1.0, -1.0])
    learnt = []
    for data in (x, mirrored):
        learner = learner_of(line_model(start="silu", channels=3), lr=1e-2)
        for _ in range(20):
            learn(learner, data, labels)
        learnt.append(values_of(learner)[0])
    assert_close(learnt[0][:2], learnt[1][:2])
    assert (learnt[0][2] - learnt[1][2]).abs().max() > 0.01


@each_pair
def test_left_knot_stays_at_zero_and_the_norm_at_its_start(estimator, solver):
    x, labels = lines(100)
    learner = learner_of(line_model(start="silu", channels=3), estimator, solver)
    (start,) = values_of(learner)
    norm = (start - start[:, :1]).norm(dim=-1)
    for _ in range(5):
        learn(learner, x, labels)
        (y,) = values_of(learner)
        assert y[:, 0].abs().max() == 0
        assert_close(y.norm(dim=-1), norm)
    assert (y - start).abs().max() > 0.2  # more than the shift to zero, 0.14


@each_pair
def test_smoothness_straightens_what_the_data_leave_free(estimator, solver):
    x, labels = lines(500)
    bends = []
    for smoothness in (0.0, 5.0):
        learner = learner_of(line_model(start="relu"), estimator, solver, smoothness=smoothness)
        for _ in range(30 if solver == "adam" else 5):
            learn(learner, x, labels)
        bends.append(values_of(learner)[0].diff(n=2).square().sum())
    assert bends[1] < 0.5 * bends[0]


# --- it keeps to the values -----------------------------------------------------------------------------------


def test_backbone_is_everything_but_the_values():
    model = nn.Sequential(line_model(), nn.PReLU(), PiecewiseLinearActivation(channels=CLASSES))
    learner = learner_of(model)
    named = dict(model.named_parameters())
    expected = [name for name in named if not name.endswith("values")]
    assert len(expected) == len(named) - 2 == 5
    assert all(ours is named[name] for ours, name in zip(learner.backbone(), expected, strict=True))
    assert learner.modules == [model[0][1], model[2]]


@each_pair
def test_a_step_leaves_the_backbone_alone(estimator, solver):
    x, labels = lines(100)
    learner = learner_of(line_model(), estimator, solver)
    look(learner, x, labels).sum().backward()
    before = [(p.detach().clone(), p.grad.clone()) for p in learner.backbone()]
    start = values_of(learner)
    learner.step()
    for parameter, (value, grad) in zip(learner.backbone(), before, strict=True):
        assert torch.equal(parameter, value)
        assert torch.equal(parameter.grad, grad)
    assert not torch.equal(start[0], values_of(learner)[0])


def test_to_the_loss_the_values_are_constants():
    x, labels = lines(100)
    model = line_model()
    learner = learner_of(model)
    assert not learner.modules[0].values.requires_grad
    functional.cross_entropy(look(learner, x, labels), labels).backward()
    assert learner.modules[0].values.grad is None
    assert model[0].weight.grad.abs().max() > 0  # the loss reaches what lies before
    learner.step()
    assert learner.modules[0].values.grad is None
    assert not learner.modules[0].values.requires_grad


def test_to_the_learner_the_input_is_a_constant():
    x, labels = lines(100)
    x.requires_grad_()
    learner = learner_of(alone())
    learn(learner, x, labels)
    assert x.grad is None
    assert not learner.rewards.requires_grad


def test_activations_that_see_nothing_do_not_move():
    x, labels = lines(100)
    model = nn.ModuleDict({"seen": alone(), "unseen": alone("relu")})  # ReLU has its left knot at 0
    learner = learner_of(model)
    (_, still) = values_of(learner)
    for _ in range(3):
        learn_only(learner, model["seen"], x, labels)
    assert torch.equal(values_of(learner)[1], still)
    assert learner.rewards.shape == (1,)


def learn_only(learner, part, x, labels):
    look(learner, x, labels, model=part)
    learner.step()


# --- which statistics a step rests on -------------------------------------------------------------------------


@each_pair
def test_two_batches_a_step_are_one_of_both(estimator, solver):
    x, labels = lines(200)
    whole, parts = (learner_of(alone(), estimator, solver, every=every) for every in (1, 2))
    for _ in range(3):
        learn(whole, x, labels)
        before = values_of(parts)
        learn(parts, x[:70], labels[:70])
        assert torch.equal(values_of(parts)[0], before[0])
        learn(parts, x[70:], labels[70:])
    assert_same_values(whole, parts, 2e-5)
    assert_close(parts.rewards, whole.rewards, rtol=1e-4)


@each_pair
def test_several_passes_a_step_are_one_of_all(estimator, solver):
    x, labels = lines(200)
    whole, parts = (learner_of(alone(), estimator, solver) for _ in range(2))
    learn(whole, x, labels)
    for i in range(0, 200, 50):
        look(parts, x[i : i + 50], labels[i : i + 50])
    parts.step()
    assert_same_values(whole, parts, 2e-5)


def statistics_of(estimator, x, labels):
    if estimator == "sample":
        return HatStatistics.from_samples(x.T, labels, CLASSES, Knots())
    return ClassMoments.from_samples(x[:, None], labels, CLASSES).statistics(Knots())


@pytest.mark.parametrize("estimator", ["sample", "gaussian"])
@pytest.mark.parametrize("memory", [0.0, 0.25, 0.9])
def test_memory_is_the_share_that_stays(estimator, memory):
    batches = [clouds(seed, 3, dtype=torch.float32) for seed in range(3)]
    learner = learner_of(alone("relu"), estimator, "eigen", memory=memory, lr=1.0)
    for step, (x, labels) in enumerate(batches):
        (y,) = values_of(learner)
        learn(learner, x.T, labels)
        weights = [memory ** (step - i) * (1 if i == 0 else 1 - memory) for i in range(step + 1)]
        parts = [statistics_of(estimator, a.T, b) * w for (a, b), w in zip(batches, weights, strict=False) if w]
        known = parts[0]
        for part in parts[1:]:
            # moments of densities do not add up as the densities do, so only sums may be averaged
            known = known + part
        if estimator == "gaussian":
            known = averaged_moments(batches, weights).statistics(Knots())
        expected = reward(known.correlations(ascent.spread(y, 3)), "signed").mean()
        assert_close(learner.rewards[0], expected, rtol=1e-3, atol=1e-5)
        assert_close(values_of(learner)[0], anchored(ascent.optimum(y, known, "signed", 0.05)[0]), rtol=1e-2)


def averaged_moments(batches, weights):
    total = None
    for (x, labels), weight in zip(batches, weights, strict=False):
        part = ClassMoments.from_samples(x.T[:, None], labels, CLASSES) * weight
        total = part if total is None else total + part
    return total


def anchored(y):
    return y - y[..., :1]


def test_passes_outside_observe_are_not_counted():
    x, labels = lines(100)
    quiet, busy = (learner_of(line_model()) for _ in range(2))
    for learner in (quiet, busy):
        look(learner, x, labels)
    busy.model.eval()
    busy.model(3 * x)
    with torch.no_grad():
        busy.model(x[:7])
    for learner in (quiet, busy):
        learner.step()
    assert_same_values(quiet, busy)


def test_the_learning_rate_is_the_callers_to_change():
    x, labels = lines(100)
    learner = learner_of(alone("relu"), solver="eigen", lr=0.5)
    learner.optimiser.param_groups[0]["lr"] = 0.0
    before = values_of(learner)
    learn(learner, x, labels)
    assert_close(values_of(learner)[0], before[0], rtol=1e-6)
