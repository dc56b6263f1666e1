"""Adaptive quadrature: known integrals, kinks, spikes, agreement with scipy, and what it refuses."""

import math

import numpy as np
import pytest
from asserts import assert_refused
from scipy.integrate import quad_vec

from pwlact.theory.quadrature import integrate

# the aim is 1e-13 absolute; the sums of a few hundred panels add some roundings of the value
ATOL = 5e-13


def normal(x):
    return np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)


@pytest.mark.parametrize("order", range(9))
def test_gaussian_moments(order):
    exact = 0 if order % 2 else math.prod(range(1, order, 2))  # (n - 1)!!
    # beyond 14 deviations is 1e-44 of the mass; the 8th moment is 105: a few hundred roundings of it
    assert integrate(lambda x: x**order * normal(x), -14.0, 15.0) == pytest.approx(exact, rel=1e-13, abs=ATOL)


KNOWN = {
    "constant": (lambda x: np.full_like(x, 3.0), -1.0, 2.5, 10.5),
    "kink": (np.abs, -1.0, 2.0, 2.5),
    "kink off every edge": (lambda x: np.abs(x - 1 / math.pi), 0.0, 1.0, (1 / math.pi**2 + (1 - 1 / math.pi) ** 2) / 2),
    "slow wave": (np.sin, 0.0, math.pi, 2.0),
    "fast wave": (lambda x: np.cos(500 * x), 0.0, 1.0, math.sin(500) / 500),
    "spike": (lambda x: np.exp(-np.abs(x - 0.3) / 1e-3) / 2e-3, -3.0, 3.0, 1.0),
    "narrow bump": (lambda x: normal((x - 0.3) / 1e-2) / 1e-2, -3.0, 3.0, 1.0),
    "root": (lambda x: np.sqrt(np.abs(x)), -1.0, 1.0, 4 / 3),
    "polynomial of degree 31": (lambda x: 32 * x**31, 0.0, 1.0, 1.0),
}  # fmt: skip


@pytest.mark.parametrize("name", KNOWN)
def test_known_integrals(name):
    function, low, high, exact = KNOWN[name]
    assert integrate(function, low, high) == pytest.approx(exact, rel=1e-13, abs=ATOL)


@pytest.mark.parametrize("shape", [(), (1,), (5,), (3, 4), (2, 1, 3)], ids=str)
def test_every_shape_agrees_with_scipy(shape):
    rng = np.random.default_rng(0)
    wave, place = rng.uniform(1, 20, shape), rng.uniform(-2, 2, shape)

    def at(x):
        return np.cos(wave * x) * np.exp(-((x - place) ** 2)) + np.abs(x - place)

    found = integrate(lambda x: at(x.reshape(-1, *[1] * len(shape))), -3.0, 2.0)
    assert found.shape == shape
    # split by scipy at every kink: it reaches 1e-13 too
    oracle, error = quad_vec(at, -3.0, 2.0, epsabs=1e-13, epsrel=0, points=np.sort(place.ravel()), norm="max")
    assert error < 1e-11
    np.testing.assert_allclose(found, oracle, rtol=1e-13, atol=1e-11)


def test_every_entry_of_a_vector_is_settled():
    """The easy entries settle at once: the hard one, however small, must not be judged by them."""
    found = integrate(lambda x: np.stack([np.full_like(x, 1e3), np.abs(x - 0.123) * 1e-3], axis=-1), 0.0, 1.0)
    assert found[0] == pytest.approx(1e3, rel=1e-13)
    # 8 roundings of the largest entry a panel are allowed for: 2e-15 * 1e3 over some 40 panels
    assert found[1] == pytest.approx((0.123**2 + 0.877**2) / 2 * 1e-3, abs=1e-11)


def test_tolerance_is_kept_and_saves_work():
    counts = {}
    for tolerance in (1e-4, 1e-13):
        points = []
        found = integrate(lambda x: points.append(len(x)) or np.sqrt(np.abs(x)), -1.0, 1.1, tolerance=tolerance)  # noqa: B023
        assert found == pytest.approx((1 + 1.1**1.5) * 2 / 3, abs=tolerance)
        counts[tolerance] = sum(points)
    assert counts[1e-4] < counts[1e-13]


def test_wide_integrands_come_in_parts():
    sizes = []
    integrate(lambda x: sizes.append(len(x)) or np.cos(3e4 * x), 0.0, 1.0)
    assert 1 << 12 < max(sizes) <= 1 << 14


@pytest.mark.parametrize(
    ("function", "place"),
    [(lambda x: 1 / x, "near 0"), (lambda x: 1 / (x - 1) ** 2, "near 1")],
    ids=["1/x", "1/(x - 1)^2"],
)
def test_divergence_is_refused_and_named(function, place):
    assert_refused(lambda: integrate(function, 0.0, 1.0), "too rough", place)


@pytest.mark.parametrize("jump", [0.1, 1 / 3, math.sqrt(0.5)], ids=str)
def test_jumps(jump):
    assert integrate(lambda x: (x > jump).astype(float), 0.0, 1.0) == pytest.approx(1 - jump, abs=1e-12)


class TooManyPoints(Exception):
    pass


@pytest.mark.parametrize("bad", [math.nan, math.inf], ids=str)
@pytest.mark.parametrize("where", [-1.0, 0.5, 0.99], ids=["everywhere", "half", "end"])
def test_values_that_are_not_finite_are_refused_soon(bad, where):
    """Halving a NaN yields two: unless they are refused at once, the panels double 40 times."""
    seen = []

    def integrand(x):
        seen.append(len(x))
        if sum(seen) > 10_000_000:
            raise TooManyPoints
        return np.where(x > where, bad, x)

    assert_refused(lambda: integrate(integrand, 0.0, 1.0), "finite")


@pytest.mark.parametrize(("low", "high"), [(1.0, 1.0), (2.0, 1.0), (0.0, math.inf), (math.nan, 1.0)], ids=str)
def test_bad_intervals_are_refused(low, high):
    assert_refused(lambda: integrate(np.cos, low, high), "low" if low != 0 else "high")
