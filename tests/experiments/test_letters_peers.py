"""Perceptron and logistic regression are those of scikit-learn on the same examples in the same order."""

import numpy as np
import pytest
import torch
from asserts import assert_close
from experiments.linear_models import SEEDS, made, noting
from sklearn.linear_model import LogisticRegression, Perceptron, SGDClassifier

from pwlact.experiments.letters.cells import order
from pwlact.experiments.letters.logistic import logistic
from pwlact.experiments.letters.perceptron import perceptron


@pytest.fixture
def offered(monkeypatch):
    return noting(monkeypatch)


def fed(estimator, parts, epochs, seed):
    """scikit-learn's estimator after so many passes in the order of a seed."""
    x, y = parts.train.x.numpy(), parts.train.y.numpy()
    for epoch in range(1, epochs + 1):
        rows = order(len(y), seed, epoch).numpy()
        estimator.partial_fit(x[rows], y[rows], classes=np.arange(parts.classes))
    return estimator


@pytest.mark.parametrize("averaged", [False, True])
def test_one_versus_rest_perceptron_is_that_of_scikit_learn(averaged, offered):
    # scikit-learn mixes up its two intercepts when an averaged estimator is fed a second time
    parts, epochs = made(), 1 if averaged else 3
    found = perceptron(parts, epochs, SEEDS, rule="one-versus-rest")
    for place, seed in enumerate(SEEDS):
        plain = Perceptron(shuffle=False, tol=None)
        mean = SGDClassifier("perceptron", alpha=0, learning_rate="constant", eta0=1, shuffle=False, average=True)
        peer = fed(mean if averaged else plain, parts, epochs, seed)
        weights, bias = list(offered.values())[averaged][-1]
        assert_close(weights[place], torch.from_numpy(peer.coef_), rtol=1e-10)
        assert_close(bias[place], torch.from_numpy(peer.intercept_), rtol=1e-10)
        history = found["averaged" if averaged else "plain"][place]["history"]
        assert history[-1] == pytest.approx(
            peer.score(parts.validation.x.numpy(), parts.validation.y.numpy()), abs=1e-6
        )


def test_two_classes_are_the_binary_perceptron_of_scikit_learn(offered):
    parts = made(classes=2)
    # at a score of exactly 0 the two differ: the first example settles it, unless it is of class 1
    seed = next(s for s in range(9) if parts.train.y[order(100, s, 1)[0]] == 1)
    perceptron(parts, 3, (seed,))
    peer = fed(Perceptron(shuffle=False, tol=None), parts, 3, seed)
    weights, bias = next(iter(offered.values()))[-1]
    assert_close(weights[0, 1] - weights[0, 0], 2 * torch.from_numpy(peer.coef_[0]), rtol=0)
    assert_close(bias[0, 1] - bias[0, 0], 2 * torch.from_numpy(peer.intercept_)[0], rtol=0)


@pytest.mark.parametrize(("classes", "rule"), [(2, "softmax"), (4, "one-versus-rest")])
def test_logistic_is_that_of_scikit_learn(classes, rule, offered):
    """Softmax of two classes at rate r, penalty a is logistic regression of w_1 - w_0 at rate 2 r, penalty a / 2."""
    parts = made(classes=classes)
    rate, penalty, twice = 0.05, 0.1, 1 + (rule == "softmax")
    logistic(parts, (rate,), (penalty,), 3, (5,), rule=rule)
    settings = {"learning_rate": "constant", "eta0": twice * rate, "alpha": penalty / twice}
    peer = fed(SGDClassifier("log_loss", shuffle=False, tol=None, **settings), parts, 3, 5)
    (weights, bias) = next(iter(offered.values()))[-1]
    weights, bias = weights[0, 0], bias[0, 0]
    if rule == "softmax":
        weights, bias = weights[1:] - weights[:1], bias[1:] - bias[:1]
    assert_close(weights, torch.from_numpy(peer.coef_), rtol=1e-10)
    assert_close(bias, torch.from_numpy(peer.intercept_), rtol=1e-10)


def test_softmax_converges_to_the_multinomial_solution(offered):
    parts = made((60, 200, 400))
    penalty = 0.1
    # C weighs the sum of losses
    peer = LogisticRegression(C=1 / (penalty * 60), tol=1e-10, max_iter=5000)
    peer.fit(parts.train.x.numpy(), parts.train.y.numpy())
    found = logistic(parts, (0.8,), (penalty,), 400, (0,), batch=60)
    weights, bias = next(iter(offered.values()))[-1]
    assert_close(weights[0, 0], torch.from_numpy(peer.coef_), rtol=1e-5)
    # biases are settled up to a constant only
    assert_close(bias[0, 0] - bias[0, 0].mean(), torch.from_numpy(peer.intercept_ - peer.intercept_.mean()), rtol=1e-5)
    score = peer.score(parts.validation.x.numpy(), parts.validation.y.numpy())
    assert found["cells"][0]["runs"][0]["history"][-1] == pytest.approx(score, abs=0.005)
