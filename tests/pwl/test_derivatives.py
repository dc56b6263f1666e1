"""First, second and forward derivatives, by themselves and against finite differences; x stays off the knots."""

import pytest
import torch
from asserts import assert_close
from torch.autograd import gradcheck, gradgradcheck
from torch.utils.checkpoint import checkpoint

from pwlact.pwl import pwl, pwl_reference

from .conftest import KERNELS

pytestmark = [
    # float64 is the same code on every compiled kernel
    pytest.mark.parametrize("backend", dict.fromkeys([KERNELS[0], "torch"]), indirect=True),
    pytest.mark.usefixtures("backend"),
    # torch's own forward mode compiles its decompositions so
    pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning"),
]

# name -> shape of x, shape of values, channel_dim; 7 knots on [-2, 2]
CASES = {
    "shared": ((3, 4), (7,), 1),
    "scalar": ((), (7,), 1),
    "empty": ((2, 0), (7,), 1),
    "a_channel": ((2, 3, 2), (3, 7), 1),
    "last_channels": ((2, 3), (3, 7), -1),
    "groups": ((2, 6, 2), (3, 7), -2),
    "two_knots": ((5,), (2,), 1),
    "one_channel": ((4, 1), (1, 7), 1),
}


# of x and of the values
TYPES = [
    (torch.bfloat16, torch.float32),
    (torch.float16, torch.float32),
    (torch.float32, torch.float64),
    (torch.bfloat16, torch.bfloat16),
]


def arguments(name, dtype=torch.float64):
    """x in all segments and both tails, 1e-3 or more off the knots, and values."""
    shape, size, channel_dim = CASES[name]
    segments = size[-1] - 1
    u = torch.randint(-1, segments + 1, shape) + 0.1 + 0.8 * torch.rand(shape, dtype=dtype)
    x = (-2 + u * 4 / segments).requires_grad_()
    return x, torch.randn(*size, dtype=dtype, requires_grad=True), channel_dim


@pytest.mark.parametrize("name", CASES)
def test_first_derivatives_in_both_directions(name):
    x, values, dim = arguments(name)
    function = lambda a, y: pwl(a, y, -2.0, 2.0, dim)
    assert gradcheck(function, (x, values), check_forward_ad=True, check_batched_forward_grad=False)


@pytest.mark.parametrize("name", CASES)
def test_second_derivatives_in_both_directions(name):
    x, values, dim = arguments(name)
    function = lambda a, y: pwl(a, y, -2.0, 2.0, dim)
    assert gradgradcheck(function, (x, values), check_fwd_over_rev=True, check_rev_over_rev=True)


@pytest.mark.parametrize("wanted", ["x", "values"])
@pytest.mark.parametrize("name", ["shared", "groups"])
def test_second_derivatives_where_one_argument_is_constant(name, wanted):
    x, values, dim = arguments(name)
    if wanted == "x":
        assert gradgradcheck(lambda a: pwl(a, values.detach(), -2.0, 2.0, dim) ** 2, (x,), check_fwd_over_rev=True)
    else:
        assert gradgradcheck(lambda y: pwl(x.detach(), y, -2.0, 2.0, dim) ** 2, (values,), check_fwd_over_rev=True)


def test_batches_of_gradients():
    x, values, _ = arguments("a_channel")
    out = pwl(x, values, -2.0, 2.0).square()
    grads = torch.randn(4, *out.shape, dtype=torch.float64)
    together = torch.autograd.grad(out, (x, values), grads, is_grads_batched=True, retain_graph=True)
    each = [torch.autograd.grad(out, (x, values), grad, retain_graph=True) for grad in grads]
    for got, parts in zip(together, zip(*each, strict=True), strict=True):
        assert_close(got, torch.stack(parts))


@pytest.mark.parametrize("strategy", ["reverse-mode", "forward-mode"])
def test_vectorised_jacobians(strategy):
    x, values, _ = arguments("shared")
    function = lambda a, y: pwl(a, y, -2.0, 2.0).square()
    fast = torch.autograd.functional.jacobian(function, (x, values), vectorize=True, strategy=strategy)
    slow = torch.autograd.functional.jacobian(function, (x, values))
    for got, right in zip(fast, slow, strict=True):
        assert_close(got, right)


@pytest.mark.parametrize("name", ["shared", "groups"])
def test_forward_and_reverse_mode_give_the_same_matrices(name):
    x, values, dim = arguments(name)
    function = lambda a, y: pwl(a, y, -2.0, 2.0, dim).square()
    for argument in (0, 1):
        forward = torch.func.jacfwd(function, argument)(x, values)
        assert_close(forward, torch.func.jacrev(function, argument)(x, values))
        assert forward.abs().sum() > 0
    total = lambda a, y: function(a, y).sum()
    hessian = torch.func.hessian(total, (0, 1))(x, values)
    reverse = torch.func.jacrev(torch.func.jacrev(total, (0, 1)), (0, 1))(x, values)
    for row, other in zip(hessian, reverse, strict=True):
        for block, again in zip(row, other, strict=True):
            assert_close(block, again)
            assert block.abs().sum() > 0


def test_hessian_equals_that_of_the_reference():
    x, values, _ = arguments("shared")
    fast = torch.func.hessian(lambda a, y: pwl(a, y, -2.0, 2.0).pow(3).sum(), (0, 1))(x, values)
    slow = torch.func.hessian(lambda a, y: pwl_reference(a, y, -2.0, 2.0).pow(3).sum(), (0, 1))(x, values)
    for row, other in zip(fast, slow, strict=True):
        for block, again in zip(row, other, strict=True):
            assert_close(block, again, rtol=1e-9)


@pytest.mark.parametrize("types", TYPES, ids=str)
def test_derivatives_of_every_order_have_the_types_of_their_arguments(types):
    x = torch.randn(2, 3, 4).to(types[0]).requires_grad_()
    values = torch.randn(3, 7).to(types[1]).requires_grad_()
    first = torch.autograd.grad(pwl(x, values).square().sum(), (x, values), create_graph=True)
    assert [t.dtype for t in first] == list(types)
    second = torch.autograd.grad(sum(t.float().square().sum() for t in first), (x, values))
    assert [t.dtype for t in second] == list(types)
    assert all(t.isfinite().all() and t.any() for t in second)
    out, along = torch.func.jvp(pwl, (x, values), (torch.ones_like(x), torch.ones_like(values)))
    assert out.dtype == along.dtype == types[0]


def test_tangents_of_one_argument_alone():
    x, values, _ = arguments("a_channel")
    a, y = torch.randn_like(x), torch.randn_like(values)
    function = lambda p, q: pwl(p, q, -2.0, 2.0)
    both = torch.func.jvp(function, (x, values), (a, y))[1]
    of_x = torch.func.jvp(lambda p: function(p, values), (x,), (a,))[1]
    of_values = torch.func.jvp(lambda q: function(x, q), (values,), (y,))[1]
    assert_close(both, of_x + of_values)
    assert_close(of_values, function(x, y))


def test_third_derivatives_in_the_values_follow_from_the_chain_alone():
    # f is linear in y: d3/dy3 of f^3 is 6 f'_y^3, with f'_y the hats
    x = torch.tensor([0.3], dtype=torch.float64)
    values = torch.randn(5, dtype=torch.float64)
    cube = lambda y: pwl(x, y, -2.0, 2.0).sum() ** 3
    third = torch.func.jacrev(torch.func.jacrev(torch.func.jacrev(cube)))(values)
    hats = torch.tensor([0, 0, 0.7, 0.3, 0], dtype=torch.float64)
    assert_close(third, 6 * torch.einsum("i,j,k->ijk", hats, hats, hats))


@pytest.mark.parametrize("reentrant", [False, True])
def test_checkpointed_gradients_are_the_same(reentrant):
    x, values, dim = arguments("a_channel")
    plain = torch.autograd.grad(pwl(x, values, -2.0, 2.0, dim).square().sum(), (x, values))
    out = checkpoint(pwl, x, values, -2.0, 2.0, dim, use_reentrant=reentrant)
    out.square().sum().backward()
    assert torch.equal(x.grad, plain[0])
    assert torch.equal(values.grad, plain[1])


def test_deterministic_algorithms_are_enough():
    x, values, dim = arguments("groups")
    torch.use_deterministic_algorithms(True)
    try:
        first = torch.autograd.grad(pwl(x, values, -2.0, 2.0, dim).square().sum(), (x, values), create_graph=True)
        torch.autograd.grad(sum(t.square().sum() for t in first), (x, values))
    finally:
        torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_autocast_leaves_the_type_of_x(dtype):
    x = torch.randn(4, 3, requires_grad=True)
    weight, values = torch.randn(3, 3), torch.randn(3, 9, requires_grad=True)
    with torch.autocast("cpu", dtype):
        hidden = x @ weight
        out, of_float32 = pwl(hidden, values), pwl(x, values)
    assert hidden.dtype == out.dtype == dtype
    assert of_float32.dtype == torch.float32
    out.float().sum().backward()
    assert values.grad.dtype == torch.float32
    assert x.grad.isfinite().all()
