"""Two units z = (0, t), temperatures, and what is true of relumax and sparsemax where the drafts were wrong.

Values of the maps at two units, translation invariance and sparsemax as a quadratic programme: see test_simplex.py.
"""

import math

import numpy as np
import pytest
import scipy.optimize
import torch
from asserts import assert_close
from hypothesis import assume, given
from hypothesis import strategies as st

from pwlact.competitive import (
    MAPS,
    b_star,
    relumax,
    relumax_jacobian,
    softmax,
    softmax_jacobian,
    sparsemax,
    sparsemax_jacobian,
    temperature_softmax,
)

# whole numbers over a power of 2, for which differences and quotients by powers of 2 are exact
whole = st.lists(st.integers(-40, 40), min_size=2, max_size=7)


def two(t):
    return torch.stack([torch.zeros_like(t), t], -1)


def line(reach, step=1 / 64):
    return torch.arange(-reach, reach + step, step, dtype=torch.float64)


def hardmax(z):
    """Equal shares of the largest."""
    top = (z == z.amax(-1, keepdim=True)).double()
    return top / top.sum(-1, keepdim=True)


def gap_of(z):
    """max z less the largest of the others that are smaller; infinite where all are the same."""
    below = z[z < z.max()]
    return float(z.max() - below.max()) if len(below) else math.inf


# derivatives of the closed forms


def assert_slope(t, function, jacobian, expected):
    """dp_1 / dt = -dp_0 / dt, and moving both units moves nothing."""
    j = jacobian(two(t))
    assert_close(j[:, 1, 1], expected)
    assert_close(j, expected[:, None, None] * torch.tensor([[1.0, -1.0], [-1.0, 1.0]], dtype=torch.float64))
    t = t.clone().requires_grad_()
    (slope,) = torch.autograd.grad(function(two(t))[:, 1].sum(), t)
    assert_close(slope, expected)


def test_slope_of_softmax():
    t = line(6)
    s = 1 / (1 + torch.exp(-t))
    assert_slope(t, softmax, softmax_jacobian, s * (1 - s))


def test_slope_of_sparsemax():
    t = line(3)
    assert_slope(t, sparsemax, sparsemax_jacobian, torch.where(t.abs() < 1, 0.5, 0.0).double())


@pytest.mark.parametrize("b", [0.25, 1.0, 3.0])
def test_slope_of_relumax(b):
    """b / (2 b - |t|)^2 inside: 1 / (4 b) at equality, where two hyperbolas meet smoothly, and 1 / b at the edge."""
    t = line(4)
    expected = torch.where(t.abs() < b, b / (2 * b - t.abs()) ** 2, 0.0)
    assert expected.max() > 0.88 / b
    assert_slope(t, lambda z: relumax(z, b), lambda z: relumax_jacobian(z, b), expected)
    assert float(relumax_jacobian(two(torch.zeros(1).double()), b)[0, 1, 1]) == pytest.approx(1 / (4 * b))


# temperature


@given(row=whole, share=st.sampled_from([1.0, 0.5, 2**-10]))
def test_sparsemax_is_hard_at_a_finite_temperature(row, share):
    """With m units at the top, T <= m gap; with a unique one, T <= gap."""
    z = torch.tensor(row, dtype=torch.float64) / 8
    gap, m = gap_of(z), int((z == z.max()).sum())
    assume(gap < math.inf)
    limit = m * gap
    assert_close(sparsemax(z / (share * limit)), hardmax(z), rtol=0, atol=1e-14)
    # the next one is in the support above
    assert int((sparsemax(z / (1.001 * limit)) > 0).sum()) > m


@given(row=whole, share=st.sampled_from([1.0, 0.5, 2**-10]), b=st.sampled_from([0.25, 1.0, 4.0]))
def test_relumax_is_hard_at_a_finite_temperature(row, share, b):
    """T <= gap / b, however many units are at the top."""
    z = torch.tensor(row, dtype=torch.float64) / 8
    gap = gap_of(z)
    assume(gap < math.inf)
    limit = gap / b
    # a hair below, as z / T is rounded
    assert_close(relumax(z / (share * limit * (1 - 1e-12)), b), hardmax(z), rtol=0, atol=1e-15)
    assert int((relumax(z / (1.001 * limit), b) > 0).sum()) > int((z == z.max()).sum())


@given(row=whole)
def test_softmax_is_hard_in_the_limit_only(row):
    """What the others get is at most (K - m) / m exp(-gap / T), and more than 0 at every T."""
    z = torch.tensor(row, dtype=torch.float64) / 8
    gap = gap_of(z)
    assume(gap < math.inf)
    top, m = z == z.max(), int((z == z.max()).sum())
    for share in (1.0, 0.1, 0.02):
        p = temperature_softmax(z, share * gap)
        rest = float(p[~top].sum())
        assert 0 < rest <= (len(row) - m) / m * math.exp(-1 / share) * (1 + 1e-9)
        assert_close(p[top], torch.full((m,), (1 - rest) / m, dtype=torch.float64))


@pytest.mark.parametrize("function", [softmax, sparsemax, relumax])
def test_equal_units_share_at_every_temperature(function):
    """So the limit of temperature 0 is one-hot only where the largest is unique."""
    z = torch.tensor([2.0, 2.0, -1.0], dtype=torch.float64)
    for t in (1e-3, 1e-9, 1e-300):
        assert function(z / t).tolist() == [0.5, 0.5, 0]
    same = torch.full((4,), -3.0, dtype=torch.float64)
    for t in (1e9, 1.0, 1e-9):
        assert function(same / t).tolist() == [0.25] * 4


# translation


@pytest.mark.parametrize("name", ["softmax", "sparsemax", "relumax"])
def test_a_shift_moves_nothing_not_even_by_a_rounding(name):
    z = torch.tensor([[0.25, -1.5, 0.5, 0.5], [3.0, 2.75, 0.0, -8.0]], dtype=torch.float64)
    for shift in (-1.0, 2.0**20, -(2.0**40)):
        assert torch.equal(MAPS[name].function(z + shift), MAPS[name].function(z))
    assert_close(MAPS[name].jacobian(z).sum(-1), torch.zeros(2, 4, dtype=torch.float64), atol=1e-15)


# projections


def test_relu_is_the_projection_onto_what_is_not_negative():
    """argmin ||y - z||^2 over y >= 0, by the active-set method of Lawson and Hanson."""
    generator = torch.Generator().manual_seed(0)
    drawn = 3 * torch.randn(20, 6, generator=generator, dtype=torch.float64)
    for z in [*drawn.tolist(), [0.0, -0.0, 1e-300, -5.0]]:
        y, _ = scipy.optimize.nnls(np.eye(len(z)), np.array(z))
        assert torch.relu(torch.tensor(z)).tolist() == pytest.approx(y.tolist(), rel=1e-6, abs=1e-12)


@given(row=whole)
def test_sparsemax_is_relu_after_one_shift(row):
    """sum relu(z - tau) = 1 has one solution, and sparsemax is ReLU there: ReLU and one constraint more."""
    z = np.array(row) / 8
    tau = scipy.optimize.brentq(lambda tau: np.maximum(z - tau, 0).sum() - 1, z.min() - 1, z.max(), xtol=1e-14)
    assert_close(sparsemax(torch.from_numpy(z)), torch.from_numpy(np.maximum(z - tau, 0)), rtol=0, atol=1e-12)


# relumax and sparsemax


def test_largest_difference_of_relumax_at_one_and_sparsemax():
    """(3 - 2 sqrt 2) / 2 at |t| = 2 - sqrt 2 and nowhere else: relumax_b does not tend to sparsemax for b -> 1."""
    t = line(2, 1e-4)
    difference = (relumax(two(t), 1.0) - sparsemax(two(t))).abs().amax(-1)
    supremum, place = (3 - 2 * math.sqrt(2)) / 2, 2 - math.sqrt(2)
    assert float(difference.max()) == pytest.approx(supremum, abs=1e-8)
    for side in (t < 0, t > 0):
        assert float(t[side][difference[side].argmax()].abs()) == pytest.approx(place, abs=1e-4)
    assert (difference[(t.abs() - place).abs() > 0.05] < supremum - 1e-4).all()
    at = two(torch.tensor([place], dtype=torch.float64))
    for b in (1 - 1e-9, 1 + 1e-9):
        assert float((relumax(at, b) - sparsemax(at)).abs().max()) == pytest.approx(supremum, abs=1e-8)


def test_b_star_of_two_units():
    t = line(3)
    assert_close(b_star(two(t))[:, 0], ((1 + t.abs()) / 2).clamp(max=1))


@given(row=whole, b=st.floats(0.01, 5))
def test_b_star_is_unique_unless_the_support_takes_a_single_value(row, b):
    z = torch.tensor(row, dtype=torch.float64) / 8
    p, star = sparsemax(z), float(b_star(z))
    assert star == float(p.max())
    assert_close(relumax(z, star), p, atol=1e-12)
    equal = float((relumax(z, b) - p).abs().max()) < 1e-12
    if len(torch.unique(z[p > 0])) > 1:
        assume(abs(b - star) > 1e-6)
        assert not equal
    else:
        # m units share: so they do at each b that keeps the next one out
        assume(abs(b - gap_of(z)) > 1e-9)
        assert equal == (b < gap_of(z))


@given(row=whole, share=st.sampled_from([1.0, 0.5, 1e-12]))
def test_small_b_is_hardmax(row, share):
    z = torch.tensor(row, dtype=torch.float64) / 8
    gap = gap_of(z)
    b = share * min(gap, 1e6)
    assert_close(relumax(z, b), hardmax(z), rtol=0, atol=1e-15)
    if gap < math.inf:
        assert int((relumax(z, 1.001 * gap) > 0).sum()) > int((z == z.max()).sum())


@given(row=whole, factor=st.floats(1.5, 1e6))
def test_large_b_is_uniform(row, factor):
    """|p_k - 1/K| <= R / (K (b - R)) for b > R, the range of z."""
    z = torch.tensor(row, dtype=torch.float64) / 8
    span = float(z.max() - z.min())
    b = factor * max(span, 1e-3)
    error = (relumax(z, b) - 1 / len(row)).abs().max()
    assert float(error) <= span / (len(row) * (b - span)) + 1e-15
    assert (relumax(z, b) > 0).all()
