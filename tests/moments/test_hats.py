"""Hat moments under a normal density against mpmath with 120 digits, and the identities that tie them."""

import mpmath
import pytest
import torch
from asserts import assert_close
from hypothesis import given
from hypothesis import strategies as st
from oracles import hat_moments

from pwlact.moments import gaussian_hat_moments
from pwlact.pwl import Knots

SMALLEST = 1e-300
LIMIT = 1e-10
# sigma in spacings; 0.35 to 2 crosses from tails to quadrature
SIGMAS = [1e-6, 1e-3, 0.1, 0.35, 0.5, 1.0, 2.0, 30.0, 1e4]


def moments(mean, sigma, knots):
    both = (torch.tensor(number, dtype=torch.float64) for number in (mean, sigma))
    return gaussian_hat_moments(*both, knots)


def assert_equals_mpmath(mean, sigma, knots):
    """Every moment within 1e-10 of its size; at the edges, whose tails are negative, of the size of its parts."""
    last = knots.count - 1
    edges = {"first": {0, 1, last - 1, last}, "square": set(), "neighbour": {0, last - 1}}
    exact = dict(zip(("first", "square", "neighbour"), hat_moments(mean, sigma, knots.positions()), strict=True))
    for name, actual in moments(mean, sigma, knots)._asdict().items():
        for place, (value, parts) in enumerate(zip(actual.tolist(), exact[name], strict=True)):
            total = mpmath.fsum(parts)
            size = mpmath.fsum(map(abs, parts)) if place in edges[name] else abs(total)
            if size <= SMALLEST:
                assert abs(value) <= 2 * SMALLEST
                continue
            error = float(abs(value - total) / size)
            assert error <= LIMIT, f"{name}[{place}] = {value!r}, exact {mpmath.nstr(total, 17)}, error {error:.1e}"


@pytest.mark.parametrize("spacings", SIGMAS, ids=str)
@pytest.mark.parametrize("place", [0.0, 0.5, 3.37, 8.0], ids=str)
def test_inside_the_grid(place, spacings):
    # a spacing of 0.25 is exact in binary, so positions and means are those of the oracle
    assert_equals_mpmath(-1.0 + 0.25 * place, 0.25 * spacings, Knots(9, -1.0, 1.0))


@pytest.mark.parametrize("spacings", SIGMAS, ids=str)
@pytest.mark.parametrize("distance", [1.0, 10.0, 37.0], ids=lambda d: f"{d:g}-sigma")
@pytest.mark.parametrize("side", [-1, 1], ids=["left", "right"])
def test_means_far_outside(side, distance, spacings):
    sigma = 0.25 * spacings
    assert_equals_mpmath(side * (1.0 + distance * sigma), sigma, Knots(9, -1.0, 1.0))


@pytest.mark.parametrize("count", [2, 3, 4, 33, 129])
@pytest.mark.parametrize(("mean", "sigma"), [(0.0, 1.0), (1.3, 0.05), (-7.0, 0.3), (2.0, 100.0)], ids=str)
def test_any_number_of_knots(mean, sigma, count):
    assert_equals_mpmath(mean, sigma, Knots(count, -3.0, 3.0))


@given(
    mean=st.floats(-12, 12),
    sigma=st.floats(-3, 2).map(lambda p: 10**p),
    count=st.integers(2, 12),
    low=st.floats(-5, 0),
    width=st.floats(0.5, 10),
)
def test_random_densities_and_grids(mean, sigma, count, low, width):
    assert_equals_mpmath(mean, sigma, Knots(count, low, low + width))


@given(mean=st.floats(-20, 20), sigma=st.floats(-6, 4).map(lambda p: 10**p), count=st.integers(2, 129))
def test_hats_are_a_partition_of_unity(mean, sigma, count):
    first, square, neighbour = moments(mean, sigma, Knots(count, -3.0, 3.0))
    pad = torch.nn.functional.pad
    ones, rows = first.sum(), square + pad(neighbour, (0, 1)) + pad(neighbour, (1, 0))
    assert_close(ones, torch.ones_like(ones), atol=1e-12 * first.abs().sum().item())
    assert_close(rows, first, atol=1e-12 * square.abs().max().item())
    # and the hats carry every straight line: sum_s t_s phi_s(x) = x
    t = Knots(count, -3.0, 3.0).positions()
    assert (first * t).sum().item() == pytest.approx(mean, rel=1e-11, abs=1e-11 * (first * t).abs().sum().item())


def test_mirror_image():
    knots = Knots(17, -2.0, 2.0)
    right, left = moments(0.7, 0.3, knots), moments(-0.7, 0.3, knots)
    for a, b in zip(right, left, strict=True):
        torch.testing.assert_close(a.flip(-1), b, rtol=1e-12, atol=0.0)


@pytest.mark.parametrize("batch", [(), (4,), (2, 3), (0,)], ids=str)
def test_batches_are_solved_each_on_its_own(batch):
    mean, sigma = torch.randn(batch, dtype=torch.float64), torch.rand(batch, dtype=torch.float64) + 0.1
    knots = Knots(7)
    whole = gaussian_hat_moments(mean, sigma, knots)
    assert [m.shape for m in whole] == [(*batch, 7), (*batch, 7), (*batch, 6)]
    flat = [m.reshape(mean.numel(), -1) if mean.numel() else m for m in whole]
    for i, (mu, s) in enumerate(zip(mean.flatten(), sigma.flatten(), strict=True)):
        for a, b in zip(flat, gaussian_hat_moments(mu, s, knots), strict=True):
            assert torch.equal(a[i], b)
