"""Matching losses against torch's own, what is refused, the learned transfer, divergences and the dilogarithm."""

import math

import mpmath
import pytest
import torch
from asserts import assert_close, assert_refused
from matching.transfers import activation
from torch import nn
from torch.nn import functional

from pwlact.matching import (
    TRANSFERS,
    LeakyRelu,
    MatchingLoss,
    PiecewiseLinear,
    Sigmoid,
    Softmax,
    Tanh,
    isotonic,
    matching_loss,
    relative_entropy,
    squared_euclidean,
    transfer_of,
)
from pwlact.matching.dilogarithm import debye, deficit, negative
from pwlact.pwl import Knots, PiecewiseLinearActivation


def test_sigmoid_is_binary_cross_entropy():
    a = (torch.randn(50, dtype=torch.float64) * 5).requires_grad_()
    hard = (torch.rand(50) < 0.5).double()
    for reduction in ("mean", "sum", "none"):
        expected = functional.binary_cross_entropy_with_logits(a, hard, reduction=reduction)
        assert_close(matching_loss("sigmoid", a, hard, reduction=reduction), expected, rtol=1e-13)
    soft = torch.rand(50, dtype=torch.float64)
    entropy = -(soft * soft.log() + (1 - soft) * (1 - soft).log()).mean()
    expected = functional.binary_cross_entropy_with_logits(a, soft)
    found = matching_loss("sigmoid", a, soft)
    assert_close(found, expected - entropy, rtol=1e-13)
    assert_close(torch.autograd.grad(found, a)[0], torch.autograd.grad(expected, a)[0], rtol=1e-13)


def test_softmax_is_cross_entropy():
    a = (torch.randn(30, 7, 4, dtype=torch.float64) * 5).requires_grad_()
    labels = torch.randint(7, (30, 4))
    loss = MatchingLoss(Softmax(1))
    expected = functional.cross_entropy(a, labels)
    assert_close(loss(a, labels), expected, rtol=1e-13)
    assert_close(torch.autograd.grad(loss(a, labels), a)[0], torch.autograd.grad(expected, a)[0], rtol=1e-12)
    soft = torch.rand(30, 7, 4, dtype=torch.float64).softmax(1)
    entropy = -(soft * soft.log()).sum(1).mean()
    assert_close(loss(a, soft), functional.cross_entropy(a, soft) - entropy, rtol=1e-12)


def test_linear_is_half_the_squared_error():
    a, y = torch.randn(2, 9, dtype=torch.float64)
    assert_close(matching_loss("linear", a, y), functional.mse_loss(a, y) / 2)
    assert_close(squared_euclidean(a, y), (a - y).square() / 2)


def test_step_with_hard_targets_is_the_perceptrons_loss():
    a = torch.tensor([2.0, -3.0, 0.5, -0.25])
    y = torch.tensor([True, True, False, False])
    assert matching_loss("step", a, y, reduction="none").tolist() == [0.0, 3.0, 0.5, 0.0]


@pytest.mark.parametrize(
    "sharing", [{}, {"channels": 6}, {"channels": 6, "groups": 2}, {"channels": 6, "channel_dim": -1}]
)
def test_a_learned_function_of_each_channel_is_that_of_the_channel_alone(sharing):
    shape = (4, 3, 6) if sharing.get("channel_dim") == -1 else (4, 6, 3)
    rows = sharing.get("groups", sharing.get("channels"))
    values = torch.rand((rows, 5) if rows else (5,), dtype=torch.float64).cumsum(-1)
    module = activation(values, **sharing)
    f = PiecewiseLinear(module)
    a, hat = torch.randn(2, *shape, dtype=torch.float64) * 3
    y = module(a).detach()
    assert_close(f.inverse(y), a, rtol=1e-9)
    found, dim = f.loss(hat, y), sharing.get("channel_dim", 1)
    for c in range(6):
        row = values if not rows else values[c // (6 // rows)]
        alone = PiecewiseLinear(activation(row))
        part = [x.select(dim, c) for x in (hat, y, found)]
        assert_close(alone.loss(part[0], part[1]), part[2])


def test_channels_have_ranges_of_their_own():
    f = PiecewiseLinear(activation([[0.0, 0.0, 1.0], [-5.0, -5.0, 1.0]], channels=2))
    assert (f.low, f.high) == (-5.0, math.inf)
    low = torch.tensor([[-1.0, -1.0]], dtype=torch.float64)
    assert_refused(lambda: f.inverse(low), "piecewise_linear", "-1", "1 of 2")
    assert f.clip(low).tolist() == [[0.0, -1.0]]


def test_a_learned_function_may_go_on_learning():
    module = activation([0.0, 1.0, 2.0])
    loss = MatchingLoss(module)
    assert list(loss.parameters()) == []
    a, y = torch.tensor([3.0], dtype=torch.float64), torch.tensor([0.5], dtype=torch.float64)
    before = loss(a, y)
    with torch.no_grad():
        module.values.mul_(2)
    assert loss(a, y) > before
    with torch.no_grad():
        module.values[0] = 9.0
    assert_refused(lambda: loss(a, y), "from x=-3 to 0 it goes from 9 to 2", "isotonic")


@pytest.mark.parametrize(
    ("name", "y", "fragments"),
    [
        ("tanh", 1.2, ("tanh", "-1 to 1", "1.2", "clip")),
        ("sigmoid", -0.1, ("0 to 1", "-0.1")),
        ("relu", -1.0, ("relu", "0 to inf")),
        ("softplus", -1e-3, ("softplus",)),
        ("elu", -1.01, ("elu", "-1.01")),
        ("arctan", 1.6, ("arctan",)),
        ("step", 2.0, ("step",)),
        ("tanh", math.inf, ("tanh", "inf")),
    ],
)
def test_targets_outside_the_range_are_refused_and_clipped(name, y, fragments):
    f = transfer_of(name)
    targets = torch.tensor([0.5, y, 0.25])
    zero = torch.zeros(3)
    calls = [
        lambda: f.loss(zero, targets),
        lambda: f.inverse(targets),
        lambda: f.dual_potential(targets),
        lambda: f.dual_divergence(targets, zero + 0.5),
        lambda: matching_loss(name, zero, targets),
        lambda: MatchingLoss(name)(zero, targets),
    ]
    for call in calls:
        assert_refused(call, *fragments, "1 of 3")
    f.check_targets(f.clip(targets))
    assert torch.equal(f.clip(targets)[[0, 2]], targets[[0, 2]])
    a = zero.clone().requires_grad_()
    matching_loss(name, a, targets, reduction="sum", check=False).backward()
    assert torch.equal(a.grad, f(zero) - targets)


@pytest.mark.parametrize(
    ("call", "fragments"),
    [
        (lambda: transfer_of("swish"), ("transfer", "tanh", "'swish'")),
        (lambda: transfer_of(nn.SiLU()), ("SiLU()", "Tanh")),
        (lambda: transfer_of(nn.Softplus(2.0)), ("Softplus", "beta=1")),
        (lambda: transfer_of(nn.LeakyReLU(-0.1)), ("beta", "-0.1")),
        (lambda: TRANSFERS["elu"](beta=0.0), ("beta",)),
        (lambda: LeakyRelu(math.nan), ("beta", "nan")),
        (lambda: MatchingLoss("tanh", reduction="median"), ("reduction", "'median'")),
        (lambda: matching_loss("tanh", torch.zeros(3), torch.zeros(3, 1)), ("(3,)", "(3, 1)")),
        (lambda: matching_loss("tanh", torch.zeros(3).long(), torch.zeros(3)), ("int64", "float")),
        (lambda: Tanh().divergence(torch.zeros(3), torch.zeros(1)), ("(3,)", "(1,)")),
        (lambda: matching_loss("softmax", torch.zeros(2, 3), torch.full((2, 3), 0.5)), ("sum to 1", "1.5")),
        (lambda: matching_loss("softmax", torch.zeros(2, 2), torch.tensor([[1.5, -0.5]] * 2)), ("-0.5",)),
        (lambda: matching_loss("softmax", torch.zeros(2, 3), torch.tensor([0, 3])), ("0 to 2", "3")),
        (lambda: transfer_of(PiecewiseLinearActivation(start="silu")), ("from x=-3", "isotonic(activation)")),
        (lambda: transfer_of(activation([[0.0, 1.0], [1.0, math.nan]], channels=2)), ("function 1", "nan")),
        (lambda: isotonic(activation([0.0, math.inf])), ("not finite",)),
        (lambda: isotonic(activation([0.0, 1.0]), least_slope=-1.0), ("least_slope", "-1.0")),
        (lambda: relative_entropy(torch.tensor([-1.0]), torch.tensor([1.0])), ("hat", "-1")),
        (lambda: relative_entropy(torch.tensor([1.0]), torch.tensor([-2.0])), ("a must", "-2")),
        (lambda: relative_entropy(torch.ones(2), torch.ones(3)), ("(2,)", "(3,)")),
    ],
)
def test_bad_arguments_are_refused(call, fragments, unchecked):
    assert_refused(call, *fragments)


def test_modules_of_torch_compute_their_transfer_function():
    a = torch.randn(5, 4, dtype=torch.float64) * 3
    learned = activation([0.0, 0.5, 2.0])
    modules = [
        nn.Identity(), nn.ReLU(), nn.LeakyReLU(0.2), nn.Sigmoid(), nn.Tanh(), nn.ELU(0.7), nn.Softplus(),
        nn.Softmax(0), learned,
    ]  # fmt: skip
    for module in modules:
        assert_close(transfer_of(module)(a), module(a).detach(), rtol=1e-8)


def test_lipschitz_is_the_largest_slope():
    a = torch.linspace(-6, 6, 20_001, dtype=torch.float64)
    for name in TRANSFERS:
        if name not in ("softmax", "step"):
            f = transfer_of(name)
            largest = (f(a).diff() / a.diff()).max().item()
            assert f.lipschitz * 0.99 < largest <= f.lipschitz * (1 + 1e-9)
    module = activation([0.0, 1.0, 5.0], -1.0, 1.0)
    assert transfer_of(module).lipschitz == 4.0
    random = torch.randn(200, 5, dtype=torch.float64)
    jacobians = torch.func.vmap(torch.func.jacrev(Softmax()))(random)
    assert torch.linalg.matrix_norm(jacobians, 2).max() <= Softmax().lipschitz


def test_isotonic_is_the_nearest_rising_activation():
    module = PiecewiseLinearActivation(start="silu").double()
    before = module.values.detach().clone()
    nearest = isotonic(module)
    assert torch.equal(module.values, before)
    assert (nearest.values.diff() >= 0).all()
    # against any other rising values, by the projection's variational inequality
    gap = before - nearest.values.detach()
    for _ in range(50):
        other = torch.rand(33, dtype=torch.float64).cumsum(0) - 5
        assert (gap * (other - nearest.values.detach())).sum() <= 1e-9
    already = activation([0.0, 0.0, 3.0])
    assert torch.equal(isotonic(already).values, already.values)
    assert isotonic(module)._version == module._version


@pytest.mark.parametrize("least", [0.01, 0.5, 20.0])
def test_isotonic_with_a_least_slope_is_strict(least):
    module = PiecewiseLinearActivation(Knots(9, -1.0, 3.0), channels=2, start="silu").double()
    with torch.no_grad():
        module.values[1].neg_()
    result = isotonic(module, least_slope=least)
    assert (result.values.diff(dim=-1) / 0.5 >= least * (1 - 1e-9)).all()
    assert transfer_of(result).strict
    # the same as a rising fit to what is left after the slope
    line = least * module.knots.positions()
    flat = isotonic(activation(module.values.detach() - line, -1.0, 3.0, channels=2))
    assert_close(result.values.detach(), flat.values.detach() + line, rtol=1e-10)


def test_relative_entropy():
    hat, a = torch.rand(2, 40, dtype=torch.float64) * 3
    hat[0], a[1] = 0.0, hat[1]
    expected = torch.special.xlogy(hat, hat / a) - hat + a
    assert_close(relative_entropy(hat, a), expected)
    assert (relative_entropy(hat, a) >= -1e-15).all()
    zero = torch.zeros(2)
    assert relative_entropy(zero, torch.tensor([0.0, 2.0])).tolist() == [0.0, 2.0]
    assert relative_entropy(torch.ones(1), torch.zeros(1)).item() == math.inf
    hat, a = hat[2:].requires_grad_(), a[2:].requires_grad_()
    assert torch.autograd.gradcheck(relative_entropy, (hat, a))
    assert torch.autograd.gradgradcheck(relative_entropy, (hat, a))


def test_divergence_in_a_space_keeps_its_digits_where_f_saturates():
    # 1 - sigmoid(20) is 2e-9, which float32 cannot tell from 0
    hat, a = torch.tensor([1e4, -1e4, 1e4]), torch.tensor([20.0, -20.0, -20.0])
    found = Sigmoid().divergence(hat, a)
    with mpmath.workdps(40):
        F = lambda x: mpmath.log(1 + mpmath.exp(x))
        exact = [
            float(F(h) - F(b) - (h - b) / (1 + mpmath.exp(-mpmath.mpf(b))))
            for h, b in zip(hat.tolist(), a.tolist(), strict=True)
        ]
    assert found.tolist() == pytest.approx(exact, rel=1e-5)
    assert Tanh().divergence(hat / 2, a / 2).tolist() == pytest.approx(exact, rel=1e-5)


def test_dilogarithm_against_fifty_digits():
    u = torch.linspace(-math.log(2), math.log(2), 15, dtype=torch.float64)
    y = torch.tensor([0.0, 1e-12, 1e-3, 0.3, math.log(2), 0.7, 1.0, 5.0, 40.0, 1e3], dtype=torch.float64)
    a = torch.tensor([0.0, 1e-9, -0.2, 0.6, -3.0, 30.0, -800.0], dtype=torch.float64)
    with mpmath.workdps(50):
        li = lambda z: mpmath.polylog(2, z).real
        exact = [float(li(1 - mpmath.exp(-mpmath.mpf(x)))) for x in u.tolist()]
        assert debye(u).tolist() == pytest.approx(exact, rel=1e-15, abs=1e-17)
        exact = [float(mpmath.pi**2 / 6 - li(mpmath.exp(-mpmath.mpf(x)))) for x in y.tolist()]
        assert deficit(y).tolist() == pytest.approx(exact, rel=4e-15)
        exact = [float(-li(-mpmath.exp(-abs(mpmath.mpf(x))))) for x in a.tolist()]
        assert negative(a).tolist() == pytest.approx(exact, rel=2e-15, abs=1e-300)
