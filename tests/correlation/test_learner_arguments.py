"""What a CorrelationLearner refuses, each in one line."""

import pytest
import torch
from asserts import assert_refused
from learning import PAIRS, alone, learn, learner_of, line_model, lines, look
from torch import nn

from pwlact.correlation import CorrelationLearner
from pwlact.pwl import Knots


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("argument", "value"),
    [
        *(("classes", v) for v in (1, 0, 2.5, None)),
        *(("estimator", v) for v in ("samples", "")),
        *(("solver", v) for v in ("sgd", "")),
        *(("objective", v) for v in ("square", "")),
        *(("lr", v) for v in (0.0, -1.0, float("nan"), float("inf"), None)),
        *(("smoothness", v) for v in (-1.0, float("nan"), float("inf"))),
        *(("memory", v) for v in (1.0, -0.1, float("nan"), None, True)),
        *(("every", v) for v in (0, 1.5)),
        *(("positions", v) for v in (0, -1, 2.5)),
        *(("seed", v) for v in (-1, 0.5, None)),
    ],
)
def test_bad_arguments_are_refused(argument, value):
    assert_refused(lambda: CorrelationLearner(alone(), **{"classes": 5, argument: value}), argument, repr(value))


def test_a_part_of_the_way_is_at_most_all_of_it():
    CorrelationLearner(alone(), classes=5, solver="eigen", lr=1.0)
    assert_refused(lambda: CorrelationLearner(alone(), classes=5, solver="eigen", lr=1.01), "lr", "1.01", "eigen")


def test_two_classes_have_no_signed_reward():
    assert_refused(lambda: CorrelationLearner(alone(), classes=2), "signed", "two classes", "energy")


def test_nothing_to_learn():
    assert_refused(lambda: CorrelationLearner(nn.ReLU(), classes=5), "nothing to learn", "PiecewiseLinearActivation")


def test_an_activation_that_starts_as_a_constant():
    assert_refused(lambda: CorrelationLearner(alone("relu", Knots(5, -3.0, -1.0)), classes=5), "starts as a constant")


def test_a_step_without_a_look():
    learner = learner_of(line_model())
    learner.model(lines(20)[0])
    assert_refused(learner.step, "nothing was observed", "with learner.observe(labels):")
    look(learner, *lines(20))
    learner.step()
    assert_refused(learner.step, "nothing was observed")


def test_several_batches_a_step_without_a_look():
    learner = learner_of(line_model(), every=2)
    learner.step()
    assert_refused(learner.step, "nothing was observed")


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("estimator", ["sample", "gaussian"])
@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (torch.arange(19) % 5, "(19,)"),
        (torch.zeros(20, 1, dtype=torch.int64), "(20, 1)"),
        (torch.tensor(0), "()"),
        (torch.full((20,), 5), "0..4"),
        (torch.full((20,), -1), "0..4"),
    ],
    ids=["few", "column", "number", "high", "low"],
)
def test_labels_that_do_not_fit(estimator, labels, told):
    learner = learner_of(alone(), estimator)
    assert_refused(lambda: look(learner, lines(20)[0], labels), "labels", told)


@pytest.mark.parametrize("estimator", ["sample", "gaussian"])
@pytest.mark.parametrize("shape", [(0, 3), (4, 3, 0)], ids=str)
def test_empty_batches(estimator, shape):
    learner = learner_of(alone(), estimator)
    labels = torch.zeros(shape[0], dtype=torch.int64)
    assert_refused(lambda: look(learner, torch.zeros(shape), labels), "samples", "0")


@pytest.mark.parametrize("estimator", ["sample", "gaussian"])
@pytest.mark.parametrize("narrow", [1, 2])
def test_one_activation_on_two_widths(estimator, narrow):
    x, labels = lines(20)
    learner = learner_of(alone(), estimator)
    look(learner, x, labels)
    assert_refused(lambda: look(learner, x[:, :narrow], labels), f"3 and of {narrow} channels", "module of its own")


@pytest.mark.parametrize("other", [pair for pair in PAIRS if pair != ("sample", "adam")])
def test_the_state_of_another_kind_of_learner(other):
    stored = learner_of(alone())
    learn(stored, *lines(20))
    fresh = learner_of(alone(), *other)
    assert_refused(lambda: fresh.load_state_dict(stored.state_dict()), "sample", "adam", *map(repr, other))
    assert fresh.batches == 0
    assert not fresh.optimiser.state_dict()["state"]


def test_the_state_of_another_model():
    two = learner_of(nn.Sequential(alone(), alone()))
    assert_refused(lambda: two.load_state_dict(learner_of(alone()).state_dict()), "1 activations", "2 activations")
