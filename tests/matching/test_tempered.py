"""The bi-tempered logistic loss: against bisection, quadrature, softmax and sparsemax."""

import math

import numpy as np
import pytest
import torch
from asserts import assert_close, assert_refused

from pwlact.matching import BiTemperedLoss, bi_tempered_loss, exp_t, log_t, matching_loss, tempered_softmax

TEMPERATURES = [0.0, 0.5, 0.9, 0.999, 1.0, 1.001, 1.2, 2.0, 4.0]


def by_bisection(a, t):
    """The tempered softmax of a list of numbers, lambda found by halving an interval 200 times."""
    power = (lambda x: math.exp(x)) if t == 1 else lambda x: max(1 + (1 - t) * x, 0.0) ** (1 / (1 - t))
    low, high = max(a), max(a) + 1.0
    while sum(power(x - high) for x in a) > 1:
        high = max(a) + 2 * (high - max(a))
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if sum(power(x - middle) for x in a) > 1 else (low, middle)
    return [power(x - high) for x in a]


@pytest.mark.parametrize("t", TEMPERATURES)
def test_tempered_softmax_against_bisection(t):
    generator = torch.Generator().manual_seed(0)
    for scale in (0.0, 1e-3, 1.0, 30.0):
        a = torch.randn(4, 6, dtype=torch.float64, generator=generator) * scale
        expected = torch.tensor([by_bisection(row, t) for row in a.tolist()], dtype=torch.float64)
        found = tempered_softmax(a, t)
        assert_close(found, expected, rtol=1e-9, atol=1e-11)
        assert_close(found.sum(-1), torch.ones(4, dtype=torch.float64), rtol=1e-12)


def test_special_temperatures():
    a = torch.randn(5, 4, 3, dtype=torch.float64) * 3
    assert_close(tempered_softmax(a, 1.0, dim=1), a.softmax(1))
    assert_close(tempered_softmax(a, 1 + 1e-9), a.softmax(-1), rtol=1e-6)
    assert tempered_softmax(torch.tensor([0.3, 0.0, -2.0], dtype=torch.float64), 0.0).tolist() == pytest.approx(
        [0.65, 0.35, 0.0], abs=1e-15
    )
    x = torch.tensor([0.1, 1.0, 7.0], dtype=torch.float64)
    for t in TEMPERATURES:
        assert_close(exp_t(log_t(x, t), t), x, rtol=1e-11)
    assert log_t(torch.zeros(1), 0.5).item() == -2.0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
def test_extreme_activations(dtype):
    a = torch.tensor([[1e4, 0.0, -1e4], [0.0, 0.0, 1e-4], [-1e4, -1e4, -1e4]], dtype=dtype)
    for t in TEMPERATURES:
        p = tempered_softmax(a, t)
        assert p.dtype == dtype
        assert_close(p.float().sum(-1), torch.ones(3), rtol=1e-2 if dtype == torch.bfloat16 else 1e-5)
    a = a.clone().requires_grad_()
    loss = bi_tempered_loss(a, torch.tensor([2, 0, 1]), 0.5, 1.5)
    loss.backward()
    assert loss.isfinite()
    assert a.grad.isfinite().all()


def test_at_one_it_is_the_matching_loss_of_softmax():
    a = torch.randn(9, 5, dtype=torch.float64, requires_grad=True)
    y = torch.randn(9, 5, dtype=torch.float64).softmax(-1)
    found, expected = bi_tempered_loss(a, y, 1.0, 1.0), matching_loss("softmax", a, y)
    assert_close(found, expected, rtol=1e-11)
    assert_close(*(torch.autograd.grad(loss, a)[0] for loss in (found, expected)), rtol=1e-11)
    labels = torch.randint(5, (9,))
    assert_close(BiTemperedLoss(1.0, 1.0)(a, labels), torch.nn.functional.cross_entropy(a, labels), rtol=1e-11)


@pytest.mark.parametrize(("t1", "t2"), [(0.0, 1.0), (0.3, 0.7), (0.8, 1.2), (1.0, 1.3), (0.5, 4.0), (0.6, 0.6)])
def test_value_is_the_integral_of_its_bregman_divergence(t1, t2):
    # int_p^y (log_t1 z - log_t1 p) dz of each unit, z from the prediction to the target
    a = torch.randn(6, 4, dtype=torch.float64)
    y = torch.randn(6, 4, dtype=torch.float64).softmax(-1)
    p = tempered_softmax(a, t2)
    nodes, weights = (torch.as_tensor(x) for x in np.polynomial.legendre.leggauss(200))
    z = p[..., None] + (y - p)[..., None] * ((nodes + 1) / 2) ** 4  # crowded at p, which may be 0
    jacobian = (y - p)[..., None] * 2 * ((nodes + 1) / 2) ** 3
    logs = log_t(p, t1)[..., None]
    expected = ((log_t(z.clamp(min=1e-300), t1) - logs) * jacobian * weights).sum((-1, -2))
    assert_close(bi_tempered_loss(a, y, t1, t2, reduction="none"), expected, rtol=1e-6)


@pytest.mark.parametrize(("t1", "t2"), [(0.0, 1.0), (0.8, 1.2), (1.0, 1.0), (0.2, 3.0), (0.7, 0.9)])
def test_gradients(t1, t2):
    a = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    y = torch.randn(3, 4, dtype=torch.float64).softmax(-1)
    for call in (lambda x: bi_tempered_loss(x, y, t1, t2), lambda x: tempered_softmax(x, t2)):
        assert torch.autograd.gradcheck(call, (a,), atol=1e-6)
        assert torch.autograd.gradgradcheck(call, (a,), atol=1e-5)


def test_it_is_never_negative_bounded_and_zero_at_the_prediction():
    a = torch.randn(40, 5, dtype=torch.float64) * 4
    assert bi_tempered_loss(a, tempered_softmax(a, 1.4), 0.7, 1.4, reduction="none").max() <= 1e-13
    losses = bi_tempered_loss(a * 1e4, torch.zeros(40).long(), 0.7, 1.4, reduction="none")
    assert losses.min() >= 0
    # for a hard target at p = 0 there: (1/(1 - t1))  - (1 - sum p^(2-t1))/(2 - t1)
    assert losses.max() <= 1 / 0.3 + 1e-9
    assert losses.max() > 1 / 0.3 - 1 / 1.3


def test_dimension_and_reduction():
    a, labels = torch.randn(4, 5, 3, dtype=torch.float64), torch.randint(5, (4, 3))
    found = bi_tempered_loss(a, labels, dim=1, reduction="none")
    assert found.shape == (4, 3)
    assert_close(found, bi_tempered_loss(a.movedim(1, -1), labels, reduction="none"))
    assert_close(bi_tempered_loss(a, labels, dim=1), found.mean())
    assert_close(BiTemperedLoss(dim=1, reduction="sum")(a, labels), found.sum())


@pytest.mark.parametrize(
    ("call", "fragments"),
    [
        (lambda: tempered_softmax(torch.zeros(3), -0.5), ("t must", "-0.5")),
        (lambda: tempered_softmax(torch.zeros(2, 0), 1.0), ("(2, 0)",)),
        (lambda: tempered_softmax(torch.zeros(()), 1.0), ("()",)),
        (lambda: bi_tempered_loss(torch.zeros(1, 2), torch.tensor([0]), 1.1, 1.2), ("t1", "1.1")),
        (lambda: bi_tempered_loss(torch.zeros(1, 2), torch.tensor([0]), 0.9, 0.8), ("t2", "0.8")),
        (lambda: bi_tempered_loss(torch.zeros(1, 2), torch.tensor([0]), 0.9, math.nan), ("t2", "nan")),
        (lambda: bi_tempered_loss(torch.zeros(1, 2), torch.tensor([2])), ("0 to 1", "2")),
        (lambda: bi_tempered_loss(torch.zeros(1, 2), torch.ones(1, 2)), ("sum to 1", "2")),
        (lambda: bi_tempered_loss(torch.zeros(1, 2), torch.ones(1)), ("(1, 2)", "(1,)")),
        (lambda: bi_tempered_loss(torch.zeros(1, 2), torch.tensor([0]), reduction="avg"), ("reduction", "'avg'")),
    ],
)
def test_bad_arguments_are_refused(call, fragments, unchecked):
    assert_refused(call, *fragments)


@pytest.mark.parametrize("t", TEMPERATURES)
def test_newtons_method_is_there_in_a_dozen_steps(t, monkeypatch):
    # with a wrong slope it still arrives, but slowly
    monkeypatch.setattr("pwlact.matching.tempered._STEPS", 12)
    a = torch.randn(200, 6, dtype=torch.float64) * 5
    assert_close(tempered_softmax(a, t).sum(-1), torch.ones(200, dtype=torch.float64), rtol=1e-12)
