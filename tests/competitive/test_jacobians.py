"""Closed-form Jacobians, gradients in both modes and of second order, batching and compilation."""

import pytest
import torch
from asserts import assert_close
from competitive.maps import EVERY, SIMPLEX, extremes, rows, smooth
from torch.autograd import gradcheck, gradgradcheck

from pwlact.competitive import (
    MAPS,
    entmax,
    entmax_jacobian,
    gated_relu_softmax,
    gated_relu_softmax_jacobian,
    norm_direction_softmax,
    norm_direction_softmax_jacobian,
    relumax,
    relumax_jacobian,
    temperature_softmax,
    temperature_softmax_jacobian,
)

# torch's own, when torch.func or the compiler is first used
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")


def autograd_jacobian(function, z):
    """df_i / dz_j of each row, by reverse mode."""
    return torch.func.vmap(torch.func.jacrev(function))(z)


def assert_jacobian(function, jacobian, z):
    actual, expected = jacobian(z), autograd_jacobian(function, z)
    scale = expected.abs().amax((-1, -2), keepdim=True).clamp(min=1)
    assert_close(actual / scale, expected / scale)
    forward = torch.func.vmap(torch.func.jacfwd(function))(z)
    assert_close(forward / scale, expected / scale)


@pytest.mark.parametrize("name", EVERY)
def test_closed_form_is_the_derivative(name):
    assert_jacobian(MAPS[name].function, MAPS[name].jacobian, rows())


@pytest.mark.parametrize("name", EVERY)
def test_closed_form_at_extreme_sizes(name):
    z = extremes()
    j = MAPS[name].jacobian(z)
    assert j.isfinite().all()
    assert_close(j, autograd_jacobian(MAPS[name].function, z))
    if name == "norm-direction-softmax":
        z = z[z.abs().amax(-1) > 1e-300]  # in forward mode, the direction moves by 1 / ||z||
    assert_jacobian(MAPS[name].function, MAPS[name].jacobian, z)


@pytest.mark.parametrize("name", EVERY)
def test_closed_form_agrees_with_differences(name):
    """An oracle that knows nothing of our gradients; away from the edges, where it would step over them."""
    z = smooth(name, rows())[:60]
    function, step = MAPS[name].function, 1e-6
    eye = step * torch.eye(z.shape[-1], dtype=z.dtype)
    moved = (function(z[:, None] + eye) - function(z[:, None] - eye)) / (2 * step)
    error = (moved.mT - MAPS[name].jacobian(z)).abs().amax((-1, -2))
    # a step may still cross the edge of a support: there, and only there, the two differ
    crossed = ((function(z[:, None] + eye) == 0) != (function(z[:, None] - eye) == 0)).any(-1).any(-1)
    assert (error[~crossed] < 1e-5).all()
    assert (~crossed).sum() > 20


@pytest.mark.parametrize("alpha", [1.01, 1.3, 1.5, 2.0, 2.5, 3.0])
def test_entmax_jacobian_at_each_alpha(alpha):
    z = rows()
    assert_jacobian(lambda v: entmax(v, alpha), lambda v: entmax_jacobian(v, alpha), z)


@pytest.mark.parametrize("b", [0.1, 1.0, 7.0])
def test_relumax_jacobian_at_each_b(b):
    assert_jacobian(lambda v: relumax(v, b), lambda v: relumax_jacobian(v, b), rows())


@pytest.mark.parametrize("tau", [0.1, 3.0])
def test_temperatures(tau):
    z = rows()
    assert_jacobian(lambda v: temperature_softmax(v, tau), lambda v: temperature_softmax_jacobian(v, tau), z)
    assert_jacobian(
        lambda v: norm_direction_softmax(v, temperature=tau),
        lambda v: norm_direction_softmax_jacobian(v, temperature=tau),
        z,
    )


def test_gate_a_unit():
    gate = torch.linspace(0, 1, 6, dtype=torch.float64)
    assert_jacobian(lambda v: gated_relu_softmax(v, gate), lambda v: gated_relu_softmax_jacobian(v, gate), rows())


def test_relumax_jacobian_is_that_of_the_science():
    """J = (1/D) (diag(s) - p s') (I - 1 e_k'), written out for one row."""
    z = torch.tensor([0.3, 1.0, 0.2, -2.0], dtype=torch.float64)
    part = torch.tensor([0.3, 1.0, 0.2, 0.0], dtype=torch.float64)
    p, s, d = part / 1.5, torch.tensor([1.0, 1.0, 1.0, 0.0]).double(), 1.5
    e = torch.tensor([0.0, 1.0, 0.0, 0.0]).double()
    expected = (
        (torch.diag(s) - torch.outer(p, s)) @ (torch.eye(4).double() - torch.outer(torch.ones(4).double(), e)) / d
    )
    assert_close(relumax_jacobian(z), expected)
    assert (expected - expected.T).abs().max() > 0.04


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.filterwarnings("ignore:There is a performance drop:UserWarning")
def test_gradients_of_first_and_second_order(name):
    z = smooth(name, rows(4))[::7].requires_grad_()
    function = MAPS[name].function
    assert gradcheck(function, (z,), check_forward_ad=True, check_batched_grad=True, check_batched_forward_grad=True)
    assert gradgradcheck(function, (z,), check_fwd_over_rev=True)


@pytest.mark.parametrize("function", [entmax, relumax, temperature_softmax, gated_relu_softmax])
def test_gradients_of_parameters(function):
    z = smooth("parallel-paths", torch.randn(5, 4, dtype=torch.float64)).requires_grad_()
    parameter = torch.linspace(1.2, 1.8, len(z), dtype=torch.float64)[:, None].requires_grad_()
    assert gradcheck(function, (z, parameter), check_forward_ad=True)
    assert gradgradcheck(function, (z, parameter))


def test_entmax_gradient_of_alpha_by_differences_from_far_and_near_softmax():
    z = torch.tensor([1.0, 0.3, 0.25, -3.0], dtype=torch.float64)
    for alpha in (1.001, 1.1, 1.5, 2.0, 2.6):
        a = torch.tensor(alpha, dtype=torch.float64)
        slope = torch.func.jacfwd(lambda x: entmax(z, x))(a)
        step = 1e-5 * (alpha - 1)
        assert_close(slope, (entmax(z, alpha + step) - entmax(z, alpha - step)) / (2 * step), atol=1e-5)


@pytest.mark.parametrize("name", EVERY)
def test_vmap_over_any_dimension(name):
    function = MAPS[name].function
    z = torch.randn(3, 4, 6, dtype=torch.float64)
    assert_close(torch.func.vmap(function, in_dims=1, out_dims=1)(z), function(z))
    assert_close(torch.func.vmap(lambda v: function(v, dim=0))(z.mT), function(z).mT)


def test_vmap_over_the_parameter_alone():
    z, b = torch.randn(6, dtype=torch.float64), torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64)
    assert_close(torch.func.vmap(lambda x: relumax(z, x))(b), relumax(z.expand(3, 6), b[:, None]))


@pytest.mark.parametrize("name", ["softmax", "sparsemax", "entmax15", "entmax", "relumax", "log-softmax", "lwta"])
def test_compiles_without_a_break(name, unchecked):
    z = rows().float().requires_grad_()
    function = MAPS[name].function
    compiled = torch.compile(lambda v: function(v) * 2, fullgraph=True, backend="aot_eager")
    upstream = torch.randn(function(z).shape)
    assert_close(compiled(z), function(z) * 2)
    (ours,) = torch.autograd.grad(compiled(z), z, upstream)
    (expected,) = torch.autograd.grad(function(z) * 2, z, upstream)
    assert_close(ours, expected)


@pytest.mark.parametrize("name", SIMPLEX)
def test_quick_gradient_is_the_differentiable_one(name):
    z = torch.cat([rows(), extremes()]).requires_grad_()
    p = MAPS[name].function(z)
    g = torch.randn_like(p)
    (quick,) = torch.autograd.grad(p, z, g, retain_graph=True)
    (slow,) = torch.autograd.grad(p, z, g, create_graph=True)
    assert_close(quick, slow.detach())


@pytest.mark.parametrize("name", ["softmax", "sparsemax", "entmax15"])
def test_only_the_result_is_kept(name):
    kept = []
    z = torch.randn(4, 6, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.data_ptr()) or t, lambda t: t):
        p = MAPS[name].function(z)
    assert kept == [p.data_ptr()]
