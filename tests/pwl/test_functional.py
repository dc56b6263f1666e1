"""The fused piecewise-linear operation against its readable twin, and where the twin has no answer."""

import math

import pytest
import torch
from asserts import RTOL, assert_close, assert_same_layout
from cases import DTYPES, GRIDS, LAYOUTS, NOT_DENSE, SHAPES, grid_id, inputs

from pwlact.pwl import Knots, pwl, pwl_reference

pytestmark = pytest.mark.usefixtures("backend")

INF, NAN = math.inf, math.nan


def random_values(*shape, dtype=torch.float64, requires_grad=False):
    return torch.randn(*shape, dtype=dtype).requires_grad_(requires_grad)


def an_element(values, x, channel_dim):
    """Per-channel values as `pwl_reference` takes them: one function an element of x."""
    shape = [1] * x.ndim
    shape[channel_dim] = -1
    return values.reshape(*shape, values.shape[-1]).expand(*x.shape, -1)


def assert_value_and_gradients_equal_reference(x, values, low, high, channel_dim=1):
    """pwl == pwl_reference in value and in the gradients with respect to x and values."""
    results = []
    for function in ("fast", "reference"):
        a, y = x.detach().clone().requires_grad_(), values.detach().clone().requires_grad_()
        if function == "fast":
            out = pwl(a, y, low, high, channel_dim)
        else:
            out = pwl_reference(a, an_element(y, a, channel_dim) if y.ndim == 2 else y, low, high)
        upstream = torch.linspace(-1, 2, out.numel(), dtype=out.dtype).reshape(out.shape)
        results.append((out, *torch.autograd.grad(out, (a, y), upstream)))
    for fast, slow in zip(*results, strict=True):
        scale = slow.abs().max().item() if slow.numel() else 0.0
        assert_close(fast, slow, rtol=1e-10, atol=1e-13 * scale)


@pytest.mark.parametrize("knots", GRIDS, ids=grid_id)
def test_equals_reference_at_every_scale(knots):
    x = inputs(knots)
    assert_value_and_gradients_equal_reference(x, random_values(knots.count), knots.low, knots.high)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_equals_reference_in_every_shape(shape):
    x = torch.randn(shape, dtype=torch.float64) * 3
    assert_value_and_gradients_equal_reference(x, random_values(9), -2.0, 3.0)


@pytest.mark.parametrize("channel_dim", [0, 1, 2, -1, -3])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_channel_has_its_function_in_every_layout(layout, channel_dim):
    x = LAYOUTS[layout](torch.randn(2, 3, 4, 5, dtype=torch.float64) * 2)
    values = random_values(x.shape[channel_dim], 7)
    out = pwl(x, values, -2.0, 2.0, channel_dim)
    assert_close(out, pwl_reference(x, an_element(values, x, channel_dim), -2.0, 2.0))
    assert_value_and_gradients_equal_reference(x, values, -2.0, 2.0, channel_dim)


@pytest.mark.parametrize("shape", [(3,), (3, 0), (0, 3), (2, 3, 5), (2, 3, 1, 1, 4)], ids=str)
def test_each_channel_has_its_function_in_every_rank(shape):
    x = torch.randn(shape, dtype=torch.float64)
    dim = shape.index(3)
    assert_value_and_gradients_equal_reference(x, random_values(3, 5), -2.0, 2.0, dim)


@pytest.mark.parametrize("per_channel", [False, True], ids=["shared", "per_channel"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layout_and_type_of_the_result_are_those_of_x(layout, dtype, per_channel):
    x = LAYOUTS[layout](torch.randn(2, 3, 4, 5).to(dtype)).detach().requires_grad_()
    values = torch.randn(3, 9) if per_channel else torch.randn(9)
    out = pwl(x, values.to(torch.promote_types(dtype, torch.float32)), -2.0, 2.0)
    assert out.dtype == dtype
    if layout not in NOT_DENSE:
        assert_same_layout(out, x)
        (grad,) = torch.autograd.grad(out.sum(), x)
        assert_same_layout(grad, x)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_type_is_as_good_as_one_rounding_of_float64(dtype):
    x = (torch.randn(500) * 3).to(dtype)
    values = torch.randn(33).to(dtype)
    exact = pwl_reference(x.double(), values.double(), -3.0, 3.0)
    scale = (x.double().abs() + values.double().abs().max()).max().item()
    assert_close(pwl(x, values), exact.to(dtype), atol=RTOL[dtype] * scale / 10)


def test_knot_gradients_of_sixteen_bit_inputs_are_summed_in_float32():
    # 4096 * 0.5 in bfloat16 would stop growing at 256 * 0.5
    x, values = torch.full((4096,), 0.25, dtype=torch.bfloat16), torch.zeros(2, requires_grad=True)
    pwl(x, values, 0.0, 0.5).sum().backward()
    assert_close(values.grad, torch.full((2,), 2048.0))
    assert values.grad.dtype == torch.float32


def test_sixteen_bit_positions_are_computed_in_float32():
    # 33 knots on [-3, 3]: a position in bfloat16 (u up to 32, step 1/8) would be off by up to 1/16 of a segment
    x = torch.linspace(2.0, 2.9, 50).bfloat16()
    zigzag = (torch.arange(33) % 2).float()
    exact = pwl_reference(x.double(), zigzag.double(), -3.0, 3.0)
    assert (pwl(x, zigzag).double() - exact).abs().max() < 2**-8


@pytest.mark.parametrize("shape", [(7,), (2, 3, 4)], ids=str)
def test_nan_gives_nan_and_only_there(shape):
    x = torch.randn(shape, dtype=torch.float64)
    where = torch.rand(shape) < 0.4
    where.reshape(-1)[0] = True
    out = pwl(x.masked_fill(where, NAN), random_values(5))
    assert torch.equal(out.isnan(), where)


def test_nan_in_one_element_leaves_the_gradients_of_the_others():
    x = torch.tensor([0.5, NAN, -0.5], dtype=torch.float64, requires_grad=True)
    y = random_values(5, requires_grad=True)
    clean = torch.tensor([0.5, -0.5], dtype=torch.float64, requires_grad=True)
    (pwl(x, y) * torch.tensor([1.0, 0.0, 1.0])).nansum().backward()
    (expected,) = torch.autograd.grad(pwl(clean, y).sum(), clean)
    assert_close(x.grad[[0, 2]], expected)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(
    ("values", "left", "right"),
    [
        ([0.0, 1.0, 3.0], -INF, INF),
        ([2.0, 1.0, 0.0], INF, -INF),
        ([5.0, 5.0, -2.0], 5.0, -INF),
        ([5.0, -2.0, -2.0], INF, -2.0),
        ([1.5, 0.0, 1.5], INF, INF),
        ([0.0, 0.0, 0.0], 0.0, 0.0),
    ],
    ids=str,
)
def test_infinity_follows_its_tail(values, left, right, dtype):
    x = torch.tensor([-INF, INF], dtype=dtype)
    expected = torch.tensor([left, right], dtype=dtype)
    assert torch.equal(pwl(x, torch.tensor(values)), expected)


def test_infinity_follows_the_tail_of_its_own_channel():
    values = torch.tensor([[0.0, 1.0, 1.0], [7.0, 7.0, 0.0], [2.0, 1.0, 1.5]])
    x = torch.tensor([[-INF, -INF, -INF], [INF, INF, INF]])
    expected = torch.tensor([[-INF, 7.0, INF], [1.0, -INF, INF]])
    assert torch.equal(pwl(x, values), expected)
    assert torch.equal(pwl(x.T.contiguous(), values, channel_dim=0), expected.T)


@pytest.mark.parametrize("size", [1e15, 1e-15, 1e-300], ids=str)
def test_extreme_sizes_keep_their_accuracy(size):
    # on values that equal the knots f(x) = x, to one rounding of x or of the position in the grid, 32 eps h
    x = torch.tensor([size, -size], dtype=torch.float64)
    values = Knots(33).positions()
    torch.testing.assert_close(pwl(x, values), x, rtol=1e-15, atol=2e-15)


@pytest.mark.parametrize("per_channel", [False, True], ids=["shared", "per_channel"])
def test_a_knot_has_its_value_and_the_slope_to_its_right(per_channel):
    knots = Knots(9, -4.0, 4.0)
    x = knots.positions().requires_grad_()
    y = random_values(9)
    values = torch.stack([y + 1, y]) if per_channel else y
    a = torch.stack([x, x], 1) if per_channel else x[:, None]
    out = pwl(a, values, -4.0, 4.0)[:, -1]
    slopes = y.diff() / knots.spacing
    assert_close(out, y)
    (grad,) = torch.autograd.grad(out.sum(), x)
    assert_close(grad, torch.cat([slopes, slopes[-1:]]))


@pytest.mark.parametrize("shape", [(9,), (3, 9)], ids=["shared", "per_channel"])
def test_first_and_second_derivatives(shape):
    # irrational multiples keep every point 1e-3 or more off the knots (spacing 0.5)
    x = (torch.arange(12, dtype=torch.float64).reshape(2, 3, 2) * math.sqrt(0.37) - 3.05).requires_grad_()
    values = random_values(*shape, requires_grad=True)
    offset = ((x + 2) / 0.5).detach()
    assert ((offset - offset.round()).abs() > 1e-3).all()
    assert torch.autograd.gradcheck(lambda a, b: pwl(a, b, -2.0, 2.0), (x, values))
    assert torch.autograd.gradgradcheck(lambda a, b: pwl(a, b, -2.0, 2.0), (x, values))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_upstream_gradients_of_any_layout(layout):
    x = (torch.randn(2, 3, 4, 5, dtype=torch.float64) * 2).requires_grad_()
    values = random_values(3, 7, requires_grad=True)
    upstream = LAYOUTS[layout](torch.randn(2, 3, 4, 5, dtype=torch.float64))
    slow = torch.autograd.grad(pwl_reference(x, an_element(values, x, 1), -3.0, 3.0), (x, values), upstream)
    fast = torch.autograd.grad(pwl(x, values), (x, values), upstream)
    for a, b in zip(fast, slow, strict=True):
        assert_close(a, b)


@pytest.mark.parametrize("wanted", ["x", "values"])
def test_only_the_gradient_that_is_wanted(wanted):
    x = torch.randn(20, dtype=torch.float64, requires_grad=wanted == "x")
    values = random_values(5, requires_grad=wanted == "values")
    pwl(x, values).sum().backward()
    assert (x.grad is not None) == (wanted == "x")
    assert (values.grad is not None) == (wanted == "values")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_only_x_and_values_are_saved_for_backward(dtype):
    saved = []

    def pack(tensor):
        saved.append(tensor.numel() * tensor.element_size())
        return tensor

    x = torch.randn(2, 3, 50, 50).to(dtype).requires_grad_()
    values = torch.randn(3, 33, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        out = pwl(x, values)
    assert sum(saved) == x.numel() * x.element_size() + values.numel() * 4
    out.sum().backward()


def test_x_is_left_as_it_was():
    x = torch.tensor([-INF, -5.0, 0.3, INF, NAN], dtype=torch.float64)
    before = x.clone()
    pwl(x, random_values(5))
    assert torch.equal(x.nan_to_num(), before.nan_to_num())


def test_under_autocast():
    x = torch.randn(4, 3, requires_grad=True)
    weight, values = torch.randn(3, 3), torch.randn(3, 9, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        hidden = x @ weight
        out = pwl(hidden, values)
    assert out.dtype == hidden.dtype == torch.bfloat16
    out.float().sum().backward()
    assert values.grad.dtype == torch.float32
    assert x.grad.isfinite().all()
    exact = pwl_reference(hidden.double(), an_element(values.double(), hidden, 1), -3.0, 3.0)
    assert_close(out.detach(), exact.detach().bfloat16())
