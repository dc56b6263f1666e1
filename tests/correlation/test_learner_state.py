"""The state of a CorrelationLearner: stored and loaded, it goes on as if nothing had happened, bit for bit."""

import io

import pytest
import torch
from learning import PAIRS, assert_same_values, images, learn, learner_of, look
from torch import nn

from pwlact.pwl import PiecewiseLinearActivation

each_pair = pytest.mark.parametrize(("estimator", "solver"), PAIRS)


def make():
    torch.manual_seed(0)
    acts = PiecewiseLinearActivation(start="silu"), PiecewiseLinearActivation(channels=4, groups=2, start="silu")
    return nn.Sequential(acts[0], nn.Conv2d(3, 4, 1), acts[1])


def learner(estimator, solver, scale=1.0, **more):
    model = make()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(scale)
    return learner_of(model, estimator, solver, positions=4, **more)


def train(one, steps):
    for step in steps:
        learn(one, *images(seed=step))


def stored(one):
    """Model and learner through a file that can hold tensors and plain values only."""
    file = io.BytesIO()
    torch.save({"model": one.model.state_dict(), "learner": one.state_dict()}, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def load(one, state):
    one.model.load_state_dict(state["model"])
    one.load_state_dict(state["learner"])


@each_pair
@pytest.mark.parametrize(
    ("settings", "done"),
    [({}, 2), ({"memory": 0.6}, 2), ({"every": 2}, 3), ({"every": 2, "memory": 0.6}, 3), ({"every": 3}, 0)],
    ids=str,
)
def test_going_on_from_a_file(estimator, solver, settings, done):
    whole, first = (learner(estimator, solver, **settings) for _ in range(2))
    # other weights, norms and draws, which the state must replace
    fresh = learner(estimator, solver, scale=1.7, seed=7, **settings)
    train(whole, range(8))
    train(first, range(done))
    load(fresh, stored(first))
    train(fresh, range(done, 8))
    assert_same_values(fresh, whole)
    assert torch.equal(fresh.rewards, whole.rewards)


@each_pair
def test_going_on_with_passes_seen_and_no_step_yet(estimator, solver):
    whole, first, fresh = (learner(estimator, solver) for _ in range(3))
    for one in (whole, first):
        train(one, [0])
        look(one, *images(seed=1))
    load(fresh, stored(first))
    for one in (whole, fresh):
        train(one, [2])
    assert_same_values(fresh, whole)


def test_the_state_holds_its_learning_rate():
    first, fresh = learner("sample", "adam", lr=0.05), learner("sample", "adam", lr=0.5)
    first.optimiser.param_groups[0]["lr"] = 0.01
    load(fresh, stored(first))
    assert fresh.optimiser.param_groups[0]["lr"] == 0.01


def test_a_state_does_not_change_as_the_learner_goes_on():
    one, fresh = learner("sample", "eigen", memory=0.5), learner("sample", "eigen", memory=0.5)
    train(one, [0])
    state, model = one.state_dict(), {name: value.clone() for name, value in one.model.state_dict().items()}
    train(one, [1])
    load(fresh, {"model": model, "learner": state})
    train(fresh, [1])
    assert_same_values(one, fresh)


def test_without_memory_no_statistics_are_stored():
    one = learner("sample", "adam")
    train(one, [0, 1])
    state = one.state_dict()
    assert state["seen"] == state["kept"] == [None, None]
