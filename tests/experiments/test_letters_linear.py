"""Perceptron and logistic regression one example at a time: against plain loops, and hard inputs."""

import json

import numpy as np
import pytest
import torch
from asserts import assert_close, assert_refused
from experiments.linear_models import INPUTS, SEEDS, made, noting

from pwlact.experiments.letters import one_by_one
from pwlact.experiments.letters.cells import order
from pwlact.experiments.letters.logistic import logistic
from pwlact.experiments.letters.one_by_one import Best, accuracies, moves
from pwlact.experiments.letters.parts import Part, Parts
from pwlact.experiments.letters.perceptron import multi_class, one_versus_rest, perceptron


@pytest.fixture
def offered(monkeypatch):
    return noting(monkeypatch)


def share_right(part, weights, bias):
    return float(np.mean(np.argmax(part.x.numpy() @ np.asarray(weights).T + bias, 1) == part.y.numpy()))


# plain loops


def plain_perceptron(parts, epochs, seed, rule):
    """The rule as it is written in textbooks, one example and one class at a time."""
    x, y, classes = parts.train.x.numpy(), parts.train.y.tolist(), parts.classes
    w, total, steps, kept, mistakes = np.zeros((classes, INPUTS + 1)), 0, 0, [], []
    for epoch in range(1, epochs + 1):
        wrong = 0
        for i in order(len(y), seed, epoch).tolist():
            own, before = np.append(x[i], 1.0), w.copy()
            scores = before @ own
            if rule == "multi-class":
                answer = int(np.argmax(scores))
                if answer != y[i]:
                    w[y[i]] += own
                    w[answer] -= own
            else:
                for k in range(classes):
                    sign = 1 if k == y[i] else -1
                    if sign * scores[k] <= 0:
                        w[k] += sign * own
            wrong += bool((w != before).any())
            total, steps = total + w, steps + 1
        kept.append((w.copy(), total / steps))
        mistakes.append(wrong / len(y))
    return kept, mistakes


@pytest.mark.parametrize("rule", ["multi-class", "one-versus-rest"])
@pytest.mark.parametrize("block", [1, 7, 64])
def test_perceptron_is_that_of_the_textbook(rule, block, monkeypatch, offered):
    monkeypatch.setattr(one_by_one, "BLOCK", block)
    parts = made()
    found = perceptron(parts, 2, SEEDS, rule=rule)
    for place, seed in enumerate(SEEDS):
        kept, mistakes = plain_perceptron(parts, 2, seed, rule)
        assert found["mistakes"][place] == pytest.approx(mistakes, abs=1e-6)
        for side, name in enumerate(("plain", "averaged")):
            record, calls = found[name][place], list(offered.values())[side]
            for both, (weights, bias) in zip(kept, calls, strict=True):
                expected = torch.from_numpy(both[side])
                assert_close(weights[place], expected[:, :-1], rtol=0 if side == 0 else 1e-12)
                assert_close(bias[place], expected[:, -1], rtol=0 if side == 0 else 1e-12)
            history = [share_right(parts.validation, w[side][:, :-1], w[side][:, -1]) for w in kept]
            assert record["history"] == pytest.approx(history, abs=1e-6)
            best = int(np.argmax(history))
            assert record["best_epoch"] == best + 1
            w = kept[best][side]
            for part in ("train", "validation", "test"):
                assert record[part] == pytest.approx(share_right(getattr(parts, part), w[:, :-1], w[:, -1]), abs=1e-6)


def plain_descent(parts, settings, epochs, seed, batch, rule):
    """Stochastic gradient descent on the loss itself, its gradient taken by autograd."""
    rate, penalty = settings
    w = torch.zeros(parts.classes, INPUTS, dtype=torch.float64, requires_grad=True)
    b = torch.zeros(parts.classes, dtype=torch.float64, requires_grad=True)
    kept = []
    for epoch in range(1, epochs + 1):
        for rows in order(len(parts.train.y), seed, epoch).split(batch):
            z, y = parts.train.x[rows] @ w.T + b, parts.train.y[rows]
            if rule == "softmax":
                loss = torch.nn.functional.cross_entropy(z, y)
            else:
                signs = 2 * torch.nn.functional.one_hot(y, parts.classes) - 1
                loss = torch.nn.functional.softplus(-signs * z).sum(1).mean()
            loss = loss + penalty / 2 * w.square().sum()
            slopes = torch.autograd.grad(loss, (w, b))
            with torch.no_grad():
                for parameter, slope in zip((w, b), slopes, strict=True):
                    parameter -= rate * slope
        kept.append((w.detach().clone(), b.detach().clone()))
    return kept


@pytest.mark.parametrize("rule", ["softmax", "one-versus-rest"])
@pytest.mark.parametrize(("batch", "block"), [(1, 64), (7, 64), (64, 64), (100, 64)])
def test_logistic_is_descent_on_the_loss(rule, batch, block, monkeypatch, offered):
    monkeypatch.setattr(one_by_one, "BLOCK", block)
    parts = made((75, 90, 100))
    rates, penalties = (0.3, 0.02), (0.0, 0.25)
    found = logistic(parts, rates, penalties, 2, SEEDS, batch=batch, rule=rule)
    (calls,) = offered.values()
    cells = [(rate, penalty) for rate in rates for penalty in penalties]
    assert [(cell["rate"], cell["penalty"]) for cell in found["cells"]] == cells
    for number, cell in enumerate(cells):
        for place, seed in enumerate(SEEDS):
            kept = plain_descent(parts, cell, 2, seed, batch, rule)
            for (weights, bias), (w, b) in zip(calls, kept, strict=True):
                assert_close(weights[place, number], w, rtol=1e-10)
                assert_close(bias[place, number], b, rtol=1e-10)
            history = [share_right(parts.validation, w, b.numpy()) for w, b in kept]
            record = found["cells"][number]["runs"][place]
            assert record["history"] == pytest.approx(history, abs=1e-6)
            w, b = kept[record["best_epoch"] - 1]
            assert record["test"] == pytest.approx(share_right(parts.test, w, b.numpy()), abs=1e-6)
    means = [np.mean([run["validation"] for run in cell["runs"]]) for cell in found["cells"]]
    assert means[found["best"]] == max(means)


def test_scores_within_a_block_know_of_all_steps_before():
    x = torch.randn(2, 9, 3, dtype=torch.float64)
    weights = torch.randn(2, 4, 3, dtype=torch.float64)
    seen = []

    def step(z, target):
        seen.append(z)
        return torch.ones_like(z) * len(seen)

    c = moves(x, torch.zeros(2, 9, 4, dtype=torch.float64), weights, step, 4)
    assert c[0, :, 0].tolist() == [1] * 4 + [2] * 4 + [3]
    now = weights + c[:, :4].mT @ x[:, :4]
    assert_close(seen[1], x[:, 4:8] @ now.mT)
    assert_close(seen[2], x[:, 8:] @ (now + c[:, 4:8].mT @ x[:, 4:8]).mT)


# hard inputs


def test_separable_classes_are_learnt_and_then_left_alone():
    parts = made(noise=0.02)
    found = perceptron(parts, 30)
    assert found["mistakes"][0][0] > 0
    assert found["mistakes"][0][-1] == 0
    assert found["plain"][0]["train"] == found["plain"][0]["test"] == 1
    assert found["plain"][0]["history"][-1] == 1


def test_ties_are_answered_with_the_first():
    target = torch.eye(3)[[0, 1, 2]][:, None]
    assert multi_class(torch.zeros(3, 1, 3), target).tolist() == [[[0, 0, 0]], [[-1, 1, 0]], [[-1, 0, 1]]]
    assert one_versus_rest(torch.zeros(3, 1, 3), target).tolist() == (2 * target - 1).tolist()
    z = torch.tensor([[2.0, 5.0, 5.0]])
    assert multi_class(z, torch.tensor([[0.0, 0.0, 1.0]])).tolist() == [[0, -1, 1]]
    assert one_versus_rest(torch.tensor([[1.0, 0.5, -1.0]]), torch.tensor([[0.0, 1.0, 0.0]])).tolist() == [[-1, 0, 0]]


def test_accuracies_of_models_of_any_shape_and_of_broken_ones():
    part = made().test
    weights, bias = torch.randn(2, 3, 4, INPUTS, dtype=torch.float64), torch.randn(2, 3, 4, dtype=torch.float64)
    found = accuracies(part, weights, bias)
    assert found.shape == (2, 3)
    assert float(found[1, 2]) == pytest.approx(share_right(part, weights[1, 2], bias[1, 2].numpy()))
    weights[0, 1, 2, 3], bias[1, 1, 0] = torch.nan, torch.inf
    broken = accuracies(part, weights, bias)
    assert (broken[0, 1], broken[1, 1]) == (0, 0)
    assert broken[0, 0] == found[0, 0]


def test_the_best_of_all_epochs_is_kept_and_not_the_last_rise():
    parts = made(classes=2, noise=0.1)
    means = torch.stack([parts.train.x[parts.train.y == k].mean(0) for k in range(2)])
    right, none = (means, -means.square().sum(1) / 2), (0 * means, torch.zeros(2).double())
    best = Best(parts, (1,))
    for weights, bias in (none, right, (-right[0], -right[1]), none):
        best.offer(weights[None], bias[None])
    (record,) = best.records()
    history = record["history"]
    assert history[2] < history[0] == history[3] < history[1] == record["validation"]
    assert record["best_epoch"] == 2
    assert torch.equal(best.weights[0], means)
    assert torch.equal(best.bias[0], right[1])


def test_many_answers_are_the_same_in_chunks(monkeypatch):
    part, weights = made().test, torch.randn(4, INPUTS, dtype=torch.float64)
    found = accuracies(part, weights, torch.zeros(4).double())
    monkeypatch.setattr(one_by_one, "CHUNK", 33)
    assert accuracies(part, weights, torch.zeros(4).double()) == found


def test_a_rate_that_diverges_is_recorded_and_not_chosen():
    parts = made((150, 90, 50), dtype=torch.float32)
    parts.train.x[:] *= 1e10
    found = logistic(parts, (1e30, 1e-21), (1e-31,), 2)
    assert found["cells"][0]["runs"][0]["history"] == [0.0, 0.0]
    assert found["best"] == 1
    assert "NaN" not in json.dumps(found)


def test_float32_and_records():
    parts, ticks = made(dtype=torch.float32), []
    first = logistic(parts, (0.01, 0.1), (0.0,), 3, SEEDS, epoch_done=lambda: ticks.append(1))
    again = logistic(parts, (0.01, 0.1), (0.0,), 3, SEEDS)
    exact = logistic(made(), (0.01, 0.1), (0.0,), 3, SEEDS)
    assert len(ticks) == 3
    assert first.pop("seconds") > 0
    again.pop("seconds")
    assert first == again == json.loads(json.dumps(first))
    for cell, other in zip(first["cells"], exact["cells"], strict=True):
        for run, twin in zip(cell["runs"], other["runs"], strict=True):
            assert run["history"] == pytest.approx(twin["history"], abs=0.012)
    assert (first["seeds"], first["batch"], first["rule"]) == ([3, 1], 1, "softmax")
    found = perceptron(parts, 2, SEEDS, epoch_done=lambda: ticks.append(1))
    assert len(ticks) == 5
    assert json.loads(json.dumps(found)) == found
    assert found["plain"][0] != found["plain"][1]
    assert (found["seeds"], found["rule"]) == ([3, 1], "multi-class")


def test_one_example_of_one_class():
    one = Part(torch.ones(1, INPUTS), torch.tensor([1]))
    found = perceptron(Parts(one, one, one, 2, "one"), 2)
    assert found["mistakes"] == [[1.0, 0.0]]
    assert found["plain"][0] == {"history": [1.0, 1.0], "best_epoch": 1, "train": 1.0, "validation": 1.0, "test": 1.0}
    assert logistic(Parts(one, one, one, 2, "one"), epochs=1)["cells"][0]["runs"][0]["test"] == 1


def test_bad_arguments():
    parts = made((20, 5, 5))
    empty = Parts(parts.train, Part(parts.train.x[:0], parts.train.y[:0]), parts.test, 4, "none")
    for call in (perceptron, logistic):
        assert_refused(lambda call=call: call(parts, epochs=0), "epochs", "0")
        assert_refused(lambda call=call: call(parts, seeds=()), "number of seeds", "0")
        assert_refused(lambda call=call: call(parts, seeds=(1, -1)), "seeds", "-1")
        assert_refused(lambda call=call: call(parts, rule="none"), "rule", "one-versus-rest", "'none'")
        assert_refused(lambda call=call: call(empty), "number of validation images", "0")
    assert_refused(lambda: logistic(parts, batch=0), "batch", "0")
    assert_refused(lambda: logistic(parts, ()), "number of rates times penalties")
    assert_refused(lambda: logistic(parts, penalties=()), "number of rates times penalties")
    for rate in (0.0, -1.0, float("nan"), float("inf")):
        assert_refused(lambda rate=rate: logistic(parts, (rate,)), "rates", str(rate))
    assert_refused(lambda: logistic(parts, penalties=(-1e-9,)), "penalties", "-1e-09")
    assert_refused(lambda: logistic(parts, (1.0,), (0.11,)), "at most 0.1", "1.0 times 0.11")
