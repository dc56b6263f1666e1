"""Partial moments of the normal distribution against mpmath with 120 digits."""

import mpmath
import pytest
import torch
from golden import PHI_1, Q_1
from hypothesis import given
from hypothesis import strategies as st
from oracles import interval_moment, tail_moment

from pwlact.moments import interval_moments, tail_moments

SMALLEST = 1e-300
# three times the worst of 5,000 random cases, 1.7e-12 (K_2 and T_2 just below 5 sigma); the goal is 1e-10
LIMIT = 5e-12


def assert_relative(actual, exact, limit=LIMIT):
    """|actual - exact| <= limit |exact| wherever |exact| > 1e-300, in mpmath's precision."""
    actual = float(actual)
    if abs(exact) > SMALLEST:
        error = float(abs(mpmath.mpf(actual) - exact) / abs(exact))
        assert error <= limit, f"{actual!r} against {mpmath.nstr(exact, 17)}: relative error {error:.1e}"
    else:
        assert abs(actual) <= 2 * SMALLEST


def float64(*numbers):
    return torch.tensor(numbers, dtype=torch.float64)


def test_golden():
    k0, k1, _ = tail_moments(float64(1.0))
    assert k0.item() == pytest.approx(Q_1, rel=1e-14)
    assert k1.item() == pytest.approx(PHI_1 - Q_1, rel=1e-13)


@pytest.mark.parametrize(
    "z",
    [-1e8, -37.0, -5.0, -1.0, -1e-9, 0.0, 1e-300, 1.0, 4.9, 4.999999, 5.0, 5.000001, 5.1, 8.0, 20.0, 37.0, 38.4],
    ids=str,
)
def test_tail_moments(z):
    for n, moment in enumerate(tail_moments(float64(z))):
        assert_relative(moment, tail_moment(n, z))


@given(z=st.floats(-40, 38.5))
def test_tail_moments_anywhere(z):
    for n, moment in enumerate(tail_moments(float64(z))):
        assert_relative(moment, tail_moment(n, z))


def test_tail_moments_at_infinity():
    for n, moment in enumerate(tail_moments(float64(1e5, torch.inf))):
        assert torch.equal(moment, torch.zeros(2, dtype=torch.float64)), n


def test_tail_moments_keep_their_shape():
    assert [m.shape for m in tail_moments(torch.randn(2, 0, 3, dtype=torch.float64))] == [(2, 0, 3)] * 3


WIDTHS = [1e-8, 1e-4, 0.03, 0.39, 0.41, 1.0, 1.999, 2.0, 2.001, 3.0, 10.0, 70.0, 1e4, 1e8]
STARTS = [0.0, 0.4, 0.999, 1.0, 1.001, 3.0, 5.0, 6.0, 12.0, 25.0, 36.9]


@pytest.mark.parametrize("width", WIDTHS, ids=str)
@pytest.mark.parametrize("start", STARTS, ids=str)
def test_interval_moments(start, width):
    for j, moment in enumerate(interval_moments(float64(start), float64(width))):
        assert_relative(moment, interval_moment(j, start, width))


@pytest.mark.parametrize("width", WIDTHS, ids=str)
@pytest.mark.parametrize("part", [-0.5, -0.3, -1e-6], ids=str)
def test_interval_moments_around_the_centre(part, width):
    for j, moment in enumerate(interval_moments(float64(part * width), float64(width))):
        assert_relative(moment, interval_moment(j, part * width, width))


@given(width=st.floats(-8, 4).map(lambda p: 10**p), start=st.floats(0, 37), centred=st.booleans())
def test_interval_moments_anywhere(width, start, centred):
    start = -width * start / 74 if centred else start
    for j, moment in enumerate(interval_moments(float64(start), float64(width))):
        assert_relative(moment, interval_moment(j, start, width))
