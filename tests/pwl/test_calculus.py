"""Derivative, antiderivative and inverse: against finite sums and integrals of the readable twin, and each other."""

import math

import pytest
import torch
from asserts import RTOL, assert_close, assert_refused, assert_same_layout
from cases import DTYPES, GRIDS, LAYOUTS, NOT_DENSE, SHAPES, grid_id, inputs

from pwlact.pwl import Knots, pwl_reference
from pwlact.pwl.calculus import antiderivative, derivative, inverse

INF, NAN = math.inf, math.nan
KNOTS = Knots(7, -2.0, 2.5)
FUNCTIONS = [derivative, antiderivative, inverse]


def random_values(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def rising(*shape):
    """Values of strictly rising functions."""
    return (torch.rand(*shape, dtype=torch.float64) + 0.1).cumsum(-1) - 1.5


def by_channel(function, x, values, knots, channel_dim):
    """`function` on each channel alone, with the row of its group."""
    size = x.shape[channel_dim] // len(values)
    parts = [function(part, values[c // size], knots) for c, part in enumerate(x.unbind(channel_dim))]
    return torch.stack(parts, channel_dim)


def simpson(x, values, knots):
    """int_0^x f by Simpson's rule between all bends, exact for a piecewise-linear f; x a number."""
    bends = [t for t in knots.positions().tolist() if min(0.0, x) < t < max(0.0, x)]
    ends = torch.tensor(sorted([0.0, x, *bends]), dtype=torch.float64)
    middle = (ends[1:] + ends[:-1]) / 2
    f = lambda t: pwl_reference(t, values, knots.low, knots.high)
    total = ((f(ends[1:]) + 4 * f(middle) + f(ends[:-1])) * ends.diff() / 6).sum()
    return total.item() if x > 0 else -total.item()


@pytest.mark.parametrize("knots", GRIDS, ids=grid_id)
def test_derivative_is_the_gradient_of_the_reference(knots):
    x = inputs(knots).requires_grad_()
    values = random_values(knots.count)
    (expected,) = torch.autograd.grad(pwl_reference(x, values, knots.low, knots.high).sum(), x)
    assert_close(derivative(x.detach(), values, knots), expected, rtol=1e-10)


def test_derivative_at_a_knot_is_the_slope_to_its_right():
    knots = Knots(9, -4.0, 4.0)
    values = random_values(9)
    slopes = values.diff()
    assert_close(derivative(knots.positions(), values, knots), torch.cat([slopes, slopes[-1:]]))


def test_derivative_of_infinity_is_the_slope_of_its_tail_and_of_nan_nan():
    slopes = derivative(torch.tensor([-INF, INF, NAN]), torch.tensor([0.0, 3.0, 1.0]), Knots(3, 0.0, 2.0))
    torch.testing.assert_close(slopes, torch.tensor([3.0, -2.0, NAN]), equal_nan=True)


@pytest.mark.parametrize("knots", [*GRIDS, Knots(5, 1.0, 3.0), Knots(5, -7.0, -2.0), Knots(4, -1.0, 2.0)], ids=grid_id)
def test_antiderivative_is_the_integral_from_zero(knots):
    values = random_values(knots.count)
    span = knots.high - knots.low
    x = torch.cat([torch.linspace(knots.low - span, knots.high + span, 41, dtype=torch.float64), knots.positions()[:9]])
    found = antiderivative(x, values, knots)
    expected = torch.tensor([simpson(t, values, knots) for t in x.tolist()], dtype=torch.float64)
    assert_close(found, expected, rtol=1e-9, atol=1e-12 * expected.abs().max().item())
    assert antiderivative(torch.zeros(1, dtype=torch.float64), values, knots).abs() <= 1e-13 * expected.abs().max()


def test_antiderivative_keeps_its_digits_near_zero():
    # summed from the first knot, F(1e-4) = 5e-9 would be rounded to steps of F(low) eps = 6e-11
    knots = Knots(2001, -1000.0, 1000.0)
    x = torch.tensor([1e-4, -1e-4], dtype=torch.float64)
    found = antiderivative(x, knots.positions(), knots)
    torch.testing.assert_close(found, x.square() / 2, rtol=1e-3, atol=0.0)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(
    ("values", "left", "right"),
    [
        ([0.0, 0.0, 1.0, 2.0], None, INF),  # None: finite, the tail is 0
        ([1.0, 1.0, 1.0, 2.0], -INF, INF),
        ([-1.0, -1.0, 3.0, 3.0], INF, INF),
        ([2.0, 1.0, -1.0, -2.0], -INF, -INF),
        ([-1e3, -1e3 + 1, -1e3, -1e3 + 1], INF, INF),  # the slope decides, however large the value against it
        ([0.0, 0.0, 0.0, 0.0], 0.0, 0.0),
    ],
    ids=str,
)
def test_antiderivative_at_infinity(values, left, right, dtype):
    knots = Knots(4, -1.0, 2.0)
    found = antiderivative(torch.tensor([-INF, INF], dtype=dtype), torch.tensor(values), knots)
    if left is None:
        left = simpson(-9.0, torch.tensor(values, dtype=torch.float64), knots)
    assert found.dtype == dtype
    assert found.tolist() == pytest.approx([left, right], rel=1e-2)


def test_nan_gives_nan_and_only_there():
    x = torch.tensor([0.3, NAN, -5.0, NAN], dtype=torch.float64)
    for function in FUNCTIONS:
        assert torch.equal(function(x, rising(7), KNOTS).isnan(), x.isnan())


def test_a_zero_function_still_learns_from_its_antiderivative():
    values = torch.zeros(5, dtype=torch.float64, requires_grad=True)
    antiderivative(torch.tensor([0.7, 3.0], dtype=torch.float64), values, Knots(5, -1.0, 1.0)).sum().backward()
    assert values.grad.abs().sum() > 1


@pytest.mark.parametrize("shape", [(7,), (3, 7)], ids=["shared", "per_channel"])
def test_gradients(shape):
    x = (torch.arange(12, dtype=torch.float64).reshape(2, 3, 2) * math.sqrt(0.37) - 3.05).requires_grad_()
    values = random_values(*shape).requires_grad_()
    steep = rising(*shape).requires_grad_()
    assert torch.autograd.gradcheck(lambda y: derivative(x.detach(), y, KNOTS), (values,))
    assert torch.autograd.gradcheck(lambda a, y: antiderivative(a, y, KNOTS), (x, values))
    assert torch.autograd.gradgradcheck(lambda a, y: antiderivative(a, y, KNOTS), (x, values))
    assert torch.autograd.gradcheck(lambda a, y: inverse(a, y, KNOTS), (x, steep))


def test_derivative_of_the_antiderivative_is_the_function():
    x = inputs(KNOTS)[:-4].requires_grad_()
    values = random_values(7)
    (slope,) = torch.autograd.grad(antiderivative(x, values, KNOTS).sum(), x)
    assert_close(slope, pwl_reference(x.detach(), values, KNOTS.low, KNOTS.high), rtol=1e-10)


@pytest.mark.parametrize("sign", [1, -1], ids=["rising", "falling"])
@pytest.mark.parametrize("knots", GRIDS, ids=grid_id)
def test_inverse_undoes_the_function(knots, sign):
    x = inputs(knots)
    values = sign * rising(knots.count)
    y = pwl_reference(x, values, knots.low, knots.high)
    back = inverse(y, values, knots)
    scale = max(abs(knots.low), abs(knots.high))
    # the slopes differ by a factor of 10, so a rounding of y becomes up to 10 of x
    assert_close(back, x, rtol=1e-13 * knots.count, atol=1e-13 * knots.count * scale)
    assert_close(inverse(values, values, knots), knots.positions(), rtol=1e-12, atol=1e-14 * scale)


def test_inverse_at_infinity():
    y = torch.tensor([-INF, INF])
    assert inverse(y, torch.tensor([0.0, 1.0, 3.0]), Knots(3)).tolist() == [-INF, INF]
    assert inverse(y, torch.tensor([3.0, 1.0, 0.0]), Knots(3)).tolist() == [INF, -INF]


@pytest.mark.parametrize(
    ("values", "fragments"),
    [
        ([0.0, 0.0, 1.0, 2.0], ("the function", "-1 to 0", "0 to 0", "rising")),
        ([0.0, 1.0, 0.5, 2.0], ("0 to 1", "1 to 0.5", "rising")),
        ([3.0, 2.0, 1.0, 1.0], ("1 to 2", "1 to 1", "falling")),
        ([0.0, 1.0, NAN, 2.0], ("0 to 1", "1 to nan")),
        ([0.0, 1.0, 1.0, 0.0], ("0 to 1", "rising")),
        ([[0.0, 1.0, 2.0, 3.0], [3.0, 1.0, 1.0, 0.0]], ("function 1", "0 to 1", "falling")),
    ],
    ids=["flat-tail", "dip", "flat-right-tail", "nan", "no-direction", "second-row"],
)
def test_no_inverse_is_refused_and_says_where(values, fragments):
    assert_refused(lambda: inverse(torch.zeros(1, 2), torch.tensor(values), Knots(4, -1.0, 2.0)), *fragments)


@pytest.mark.parametrize("groups", [1, 2, 6])
@pytest.mark.parametrize("channel_dim", [0, 1, -1])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_each_group_of_channels_has_its_function(function, channel_dim, groups):
    shape = [2, 3, 4]
    shape[channel_dim] = 6
    x = torch.randn(shape, dtype=torch.float64) * 2
    values = rising(groups, 7) * torch.tensor([1.0, -1.0] * 3, dtype=torch.float64)[:groups, None]
    found = function(x, values, KNOTS, channel_dim)
    assert_close(found, by_channel(function, x, values, KNOTS, channel_dim))


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_shape(shape, function):
    x = torch.randn(shape, dtype=torch.float64)
    values = rising(7)
    out = function(x, values, KNOTS)
    assert out.shape == x.shape
    assert_close(out.reshape(-1), function(x.reshape(-1), values, KNOTS))


@pytest.mark.parametrize("function", [derivative, antiderivative])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layout_and_type_of_the_result_are_those_of_x(layout, dtype, function):
    x = LAYOUTS[layout](torch.randn(2, 3, 4, 5).to(dtype))
    values = rising(3, 7).to(torch.promote_types(dtype, torch.float32))
    out = function(x, values, KNOTS)
    assert (out.shape, out.dtype) == (x.shape, dtype)
    assert_close(out, function(x.contiguous(), values, KNOTS))
    if layout not in NOT_DENSE:
        assert_same_layout(out, x)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_inverse_takes_every_layout(layout):
    y = LAYOUTS[layout](torch.randn(2, 3, 4, 5, dtype=torch.float64))
    values = rising(3, 7)
    assert_close(inverse(y, values, KNOTS), by_channel(inverse, y, values, KNOTS, 1))


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_type_is_as_good_as_one_rounding_of_float64(dtype, function):
    x, values = (torch.randn(300) * 2).to(dtype), rising(33).to(dtype)
    # of 16-bit values some neighbours could be equal
    values = values + torch.arange(33).to(dtype) / 4
    exact = function(x.double(), values.double(), Knots(33)).to(dtype)
    scale = exact.double().abs().max().item()
    assert_close(function(x, values, Knots(33)), exact, atol=RTOL[dtype] * scale / 10)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    ("x", "values", "more", "fragments"),
    [
        (torch.arange(3), torch.arange(7.0), {}, ("floating", "torch.int64")),
        (torch.zeros(3), torch.arange(6.0), {}, ("N=7", "(6,)")),
        (torch.zeros(3), torch.zeros(1, 2, 7), {}, ("(1, 2, 7)",)),
        (torch.zeros(2, 3), torch.zeros(2, 7), {}, ("2 functions", "dimension 1", "(2, 3)")),
        (torch.zeros(2, 3), torch.zeros(6, 7), {}, ("6 functions", "(2, 3)")),
        (torch.zeros(3), torch.zeros(3, 7), {}, ("dimension 1", "(3,)")),
        (torch.zeros(2, 0), torch.zeros(3, 7), {}, ("(2, 0)",)),
        (torch.zeros(2, 3), torch.zeros(0, 7), {}, ("0 functions",)),
        (torch.zeros(2, 3), torch.zeros(3, 7), {"channel_dim": -3}, ("dimension -3",)),
    ],
    ids=["integer", "knots", "rank", "no-divisor", "too-many", "rank-too-low", "no-channels", "no-functions", "dim"],
)
def test_bad_arguments_are_refused(function, x, values, more, fragments):
    assert_refused(lambda: function(x, values, KNOTS, **more), *fragments)
