"""The log-sum-exp loss and responsibilities: plain formulas, gradients, numbers at the edge of their types."""

import math

import mpmath
import pytest
import torch
from asserts import assert_close, assert_refused

from pwlact.implicit_em import lse_loss, responsibilities

F64 = torch.float64
WEIGHTS = torch.tensor([0.2, 0.5, 0.3], dtype=F64).log()


def plain(d, log_weights=None):
    """L of each row by its definition."""
    pi = 1.0 if log_weights is None else log_weights.exp()
    return -(pi * (-d).exp()).sum(-1).log()


@pytest.mark.parametrize("log_weights", [None, WEIGHTS])
def test_loss_and_gradient_are_what_the_definition_says(log_weights):
    d = torch.randn(2, 5, 3, dtype=F64).requires_grad_()
    assert_close(lse_loss(d, log_weights, "none"), plain(d, log_weights))
    assert_close(lse_loss(d, log_weights), plain(d, log_weights).mean(-1))
    assert_close(lse_loss(d, log_weights, "sum"), plain(d, log_weights).sum(-1))
    (gradient,) = torch.autograd.grad(lse_loss(d, log_weights, "sum").sum(), d)
    pi = 1.0 if log_weights is None else log_weights.exp()
    mass = pi * (-d.detach()).exp()
    assert_close(gradient, mass / mass.sum(-1, keepdim=True))  # +r, not -r
    assert_close(responsibilities(d, log_weights), gradient)


def test_derivatives_by_differences():
    d = torch.randn(4, 3, dtype=F64, requires_grad=True)
    log_weights = WEIGHTS.clone().requires_grad_()
    assert torch.autograd.gradcheck(lse_loss, (d, log_weights))
    assert torch.autograd.gradgradcheck(lse_loss, (d, log_weights))
    assert torch.autograd.gradcheck(responsibilities, (d, log_weights))


@pytest.mark.parametrize("shift", [1e15, -1e15, 1e-15, 0.0])
def test_against_fifty_digits(shift):
    d = torch.tensor([[0.25, -1.5, 8.0]], dtype=F64) + shift
    with mpmath.workdps(50):
        expected = float(-mpmath.log(sum(mpmath.exp(-mpmath.mpf(v)) for v in d[0].tolist())))
    assert_close(lse_loss(d), torch.tensor(expected, dtype=F64), rtol=1e-15)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_narrow_types_are_summed_wide(dtype):
    d = torch.randn(300, 4).to(dtype).requires_grad_()
    loss = lse_loss(d)
    assert loss.dtype == torch.float32
    assert_close(loss, plain(d.detach().double()).mean().float(), rtol=1e-6)
    loss.backward()
    assert d.grad.dtype == dtype
    assert_close(responsibilities(d), responsibilities(d.double()).float(), rtol=1e-5)


def test_rows_at_infinity_and_nan_keep_to_themselves():
    rows = [[0.0, 1.0], [torch.inf, 1.0], [torch.inf, torch.inf], [-torch.inf, 0.0], [torch.nan, 0.0], [1e38, 3e38]]
    d = torch.tensor(rows, requires_grad=True)
    losses = lse_loss(d, reduction="none")
    assert_close(losses, torch.tensor([plain(torch.tensor(rows[0])), 1.0, math.inf, -math.inf, math.nan, 1e38]))
    losses[[0, 1, 2, 3, 5]].sum().backward()
    r = [[0.7310586, 0.2689414], [0.0, 1.0], [0.0, 0.0], [0.0, 0.0], [math.nan, math.nan], [1.0, 0.0]]
    assert_close(d.grad, torch.tensor(r))
    r[3] = [1.0, 0.0]
    assert_close(responsibilities(d), torch.tensor(r))


def test_order_and_shift_of_components():
    d = torch.randn(6, 5, dtype=F64)
    order = torch.randperm(5)
    assert_close(lse_loss(d[:, order]), lse_loss(d))
    assert_close(responsibilities(d[:, order]), responsibilities(d)[:, order])
    assert_close(lse_loss(d + 7), lse_loss(d) + 7)
    assert_close(responsibilities(d + 7), responsibilities(d))


def test_one_component_is_its_distance():
    d = torch.randn(4, 1)
    assert torch.equal(lse_loss(d, reduction="none"), d[:, 0])
    assert (responsibilities(d) == 1).all()


def test_component_of_weight_zero_is_out():
    d = torch.randn(4, 3, dtype=F64)
    log_weights = torch.tensor([0.5, 0.5, 0.0], dtype=F64).log()
    assert_close(lse_loss(d, log_weights), lse_loss(d[:, :2], log_weights[:2]))
    assert (responsibilities(d, log_weights)[:, 2] == 0).all()


@pytest.mark.parametrize("call", [lse_loss, responsibilities])
def test_bad_input(call):
    for shape in ((0, 3), (3, 0), (3,), ()):
        assert_refused(lambda shape=shape: call(torch.zeros(shape)), "distances", str(shape))
    assert_refused(lambda: call(torch.zeros(2, 2, dtype=torch.int64)), "int64", ".float()")
    assert_refused(lambda: call(torch.zeros(2, 3), torch.zeros(2)), "3 components", "(2,)")


def test_unknown_reduction():
    assert_refused(lambda: lse_loss(torch.zeros(1, 1), reduction="median"), "median", "mean, sum, none")
