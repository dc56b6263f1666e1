"""The segment of every x, and how far rounding may take each result, at scales where float32 is at its end."""

import math

import numpy as np
import pytest
import torch
from cases import DTYPES, GRIDS, ODD_GRIDS, around, extremes, grid_id
from pwl_oracle import assert_within, compute_type, exact, locate

from pwlact.pwl import Knots, pwl
from pwlact.pwl.kernels import use

pytestmark = pytest.mark.usefixtures("backend")


def slopes_met(x, knots, dtype=torch.float32):
    """df/dx of a function whose slopes all differ, and the slope of the segment that each x should lie in."""
    values = torch.randn(knots.count, dtype=dtype)
    slopes = values.diff().numpy() / values.numpy().dtype.type(knots.spacing)
    assert len(np.unique(slopes)) == len(slopes)
    segment, _ = locate(x, knots.count, knots.low, knots.high, dtype)
    x = x.detach().requires_grad_()
    (met,) = torch.autograd.grad(pwl(x, values, knots.low, knots.high).sum(), x)
    return met.numpy(), slopes[segment]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("knots", GRIDS + ODD_GRIDS, ids=grid_id)
def test_the_segment_is_that_of_the_rounded_quotient(knots, dtype):
    x = torch.cat([around(knots, 64, dtype), extremes(knots, dtype)])
    met, right = slopes_met(x, knots, dtype)
    np.testing.assert_array_equal(met, right)


def test_the_segment_is_that_of_the_rounded_quotient_on_random_grids():
    generator = torch.Generator().manual_seed(1)
    for _ in range(300):
        count = int(torch.randint(2, 65, (), generator=generator))
        low, width = torch.randn(2, generator=generator, dtype=torch.float64).tolist()
        scale = 10 ** torch.empty((), dtype=torch.float64).uniform_(-20, 20, generator=generator).item()
        knots = Knots(count, low * scale, (low + abs(width) + 1e-3) * scale)
        met, right = slopes_met(around(knots, 8, torch.float32), knots)
        np.testing.assert_array_equal(met, right, err_msg=str(knots))


@pytest.mark.parametrize("mantissa", [0x7FFFFF, 0x7FFFFE, 0x7FFFFD, 0, 1, 0x400001], ids=hex)
def test_the_segment_is_right_where_the_reciprocal_of_h_is_worst(mantissa):
    # 1 / h is furthest from its float32 where h has only ones; Markstein's theorem leaves these cases out
    h = float((1 << 23) + mantissa) * 2.0**-23
    knots = Knots(65, 0.0, 64 * h)
    met, right = slopes_met(around(knots, 2000, torch.float32), knots)
    np.testing.assert_array_equal(met, right)


@pytest.mark.parametrize("per_channel", [False, True], ids=["shared", "per_channel"])
@pytest.mark.parametrize("types", [(d, torch.float32) for d in DTYPES] + [(d, d) for d in DTYPES[2:]], ids=str)
@pytest.mark.parametrize("knots", GRIDS + ODD_GRIDS, ids=grid_id)
def test_results_are_within_their_bounds(knots, types, per_channel, backend):
    dtype, value_type = types
    x = torch.cat([around(knots, 2, dtype)[:4000], extremes(knots, dtype)])
    x = x.expand(2, 3, -1).permute(2, 1, 0) if per_channel else x
    values = torch.randn(*((3,) if per_channel else ()), knots.count).to(value_type)
    # beyond 1e30 a gradient of the knots may overflow and meet the opposite infinity
    grad = torch.where(x.float().abs() < 1e30, torch.randn(x.shape), 0).nan_to_num().to(dtype)
    right = exact(x, values, knots.low, knots.high, 1, grad)
    a, y = x.clone().requires_grad_(), values.requires_grad_()
    out = pwl(a, y, knots.low, knots.high)
    grad_x, grad_values = torch.autograd.grad(out, (a, y), grad)
    assert_within(out, right.out, right.out_bound, "f")
    assert_within(grad_x, right.grad_x, right.grad_x_bound, "df/dx")
    assert grad_values.dtype == value_type
    finite = np.isfinite(right.grad_values)
    assert_within(grad_values[torch.from_numpy(finite)], right.grad_values[finite],
                  right.grad_values_bound[finite], "df/dy")  # fmt: skip
    assert not grad_values[torch.from_numpy(~finite)].isfinite().any()


def test_gradients_of_x_agree_bit_for_bit_with_the_kernel_in_torch(backend):
    x, grad, values = torch.randn(5000) * 2, torch.randn(5000), torch.randn(33)
    x.requires_grad_()
    (mine,) = torch.autograd.grad(pwl(x, values), x, grad)
    with use("torch"):
        (torchs,) = torch.autograd.grad(pwl(x, values), x, grad)
    assert torch.equal(mine, torchs)


# products of 24 bits, from below the least half to both sides of where the largest ends and above all
SLOPES = [1.0, 1.0009765, -0.33333334, 3.0517578e-05, 2.9e-08, 1.7e-39, 65504.0, 65519.0, 65520.0, 3.0e38]


@pytest.mark.parametrize("slope", SLOPES, ids=str)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("size", [65536, 65531], ids=["whole_vectors", "odd_end"])
def test_all_numbers_of_sixteen_bits_convert_both_ways(dtype, slope, size):
    every = torch.arange(size, dtype=torch.int32).to(torch.int16).view(dtype)
    x = torch.zeros(size, dtype=dtype, requires_grad=True)
    values = torch.tensor([0.0, slope])
    (got,) = torch.autograd.grad(pwl(x, values, 0.0, 1.0), x, every)
    right = (every.float() * slope).to(dtype)
    torch.testing.assert_close(got, right, rtol=0, atol=0, equal_nan=True)
    assert torch.equal(got.signbit()[~right.isnan()], right.signbit()[~right.isnan()])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_inputs_of_sixteen_bits_are_used_exactly(dtype):
    x = torch.arange(65536, dtype=torch.int32).to(torch.int16).view(dtype)
    values = torch.tensor([-3.0, -1.0, 2.0, 2.5])
    right = pwl(x.float(), values)
    torch.testing.assert_close(pwl(x, values), right.to(dtype), rtol=0, atol=0, equal_nan=True)


def test_many_small_knot_gradients_behind_a_large_one_count(backend):
    # all in float32, each lane's ones would vanish beside its 2^26; sums of some 10,000 elements are kept in it
    grad = torch.ones(60_000)
    grad[:16] = 2.0**26
    values = torch.zeros(2, requires_grad=True)
    pwl(torch.zeros(60_000), values, 0.0, 1.0).backward(grad)
    lost = 2.0**30 + 59_984 - values.grad[0].item()
    assert abs(lost) <= 10_240 + 128  # 128 is the last place of the sum


@pytest.mark.parametrize("size", [3, 16, 40])
def test_infinite_distances_follow_their_tails_whatever_the_length(size):
    flat, steep = torch.tensor([2.0, 2.0, 5.0]), torch.tensor([1.0, 5.0, 5.0])
    low, high = 0.0, 1e-3
    for x in (math.inf, 3e38):  # 3e38 / h is infinite, too
        assert torch.equal(pwl(torch.full((size,), -x), flat, low, high), torch.full((size,), 2.0))
        assert torch.equal(pwl(torch.full((size,), x), flat, low, high), torch.full((size,), math.inf))
        assert torch.equal(pwl(torch.full((size,), x), steep, low, high), torch.full((size,), 5.0))
        assert torch.equal(pwl(torch.full((size,), -x), steep, low, high), torch.full((size,), -math.inf))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("size", [3, 16, 40])
def test_nan_stays_nan_in_flat_segments_and_from_values_of_any_payload(size, dtype):
    x = torch.full((size,), math.nan, dtype=dtype)
    assert pwl(x, torch.tensor([2.0, 2.0, 2.0])).isnan().all()
    # rounded to bfloat16 as a number, this NaN would carry over into -0
    values = torch.full((3,), 0x7FFFFFFF, dtype=torch.int32).view(torch.float32)
    assert pwl(torch.zeros(size, dtype=dtype), values).isnan().all()


def test_the_type_of_the_computation_is_float64_where_either_is():
    x, values = torch.linspace(-1, 1, 11), torch.randn(33, dtype=torch.float64)
    assert compute_type(x, values) == torch.float64
    assert torch.equal(pwl(x, values), pwl(x.double(), values).float())
    assert torch.equal(pwl(x.double(), values.float()), pwl(x.double(), values.float().double()))
