"""Maps onto the simplex: optimality, independent implementations, closed forms, limits."""

import math

import entmax as peer
import numpy as np
import pytest
import torch
from asserts import assert_close
from competitive.maps import SIMPLEX, extremes, rows
from competitive.simplex_oracles import entmax_bisected, projection_by_programme, sparsemax_sorted
from hypothesis import given
from hypothesis import strategies as st

from pwlact.competitive import (
    MAPS,
    Relumax,
    TemperatureSoftmax,
    b_star,
    entmax,
    entmax15,
    relumax,
    softmax,
    sparsemax,
    temperature_softmax,
)

ALPHAS = [1.01, 1.25, 1.5, 2.0, 2.5, 4.0]
scores = st.lists(st.floats(-30, 30, width=32), min_size=1, max_size=9)


def assert_on_simplex(p):
    assert (p >= 0).all()
    assert ((p.sum(-1) - 1).abs() < 1e-12).all()


def assert_optimal(z, p, alpha):
    """KKT of max p'z + H(p): z_i - p_i^(alpha - 1) / (alpha - 1) is one number t on the support, z_i <= t off it."""
    assert_on_simplex(p)
    t = z - p ** (alpha - 1) / (alpha - 1)
    inside = p > 0
    low, high = torch.where(inside, t, torch.inf).amin(-1), torch.where(inside, t, -torch.inf).amax(-1)
    room = 1e-11 * z.abs().amax(-1).clamp(min=1)
    assert (high - low <= room).all()
    assert (torch.where(inside, -torch.inf, z).amax(-1) <= high + room).all()


def test_sparsemax_is_optimal():
    for z in (rows(), rows(11), extremes()):
        assert_optimal(z, sparsemax(z), 2.0)


def test_entmax15_is_optimal():
    for z in (rows(), rows(11), extremes()):
        assert_optimal(z, entmax15(z), 1.5)


@pytest.mark.parametrize("alpha", [1.2, 1.5, 2.0, 2.5])
def test_entmax_is_optimal(alpha):
    assert_optimal(rows(), entmax(rows(), alpha), alpha)


@pytest.mark.parametrize("width", [2, 6, 200])
def test_sparsemax_against_sorting(width):
    z = torch.cat([rows(width), 0.02 * rows(width)])
    assert_close(sparsemax(z), torch.from_numpy(np.array([sparsemax_sorted(row) for row in z.numpy()])))


@pytest.mark.parametrize("width", [2, 3, 5])
def test_sparsemax_against_a_quadratic_programme(width):
    z = rows(width)[::12]
    expected = torch.from_numpy(np.array([projection_by_programme(row) for row in z.numpy()]))
    assert_close(sparsemax(z), expected, rtol=1e-6)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_entmax_against_bisection(alpha):
    z = rows()[::5]
    expected = torch.from_numpy(np.array([entmax_bisected(row, alpha) for row in z.numpy()]))
    assert_close(entmax(z, alpha), expected, rtol=1e-10 if alpha <= 2 else 1e-7)


@pytest.mark.parametrize("scale", [1e-3, 0.1, 1.0, 10.0])
def test_against_the_entmax_package(scale):
    z = scale * torch.randn(20, 300, dtype=torch.float64)
    assert_close(sparsemax(z), peer.sparsemax(z))
    assert_close(entmax15(z), peer.entmax15(z))
    assert_close(entmax(z, 1.3), peer.entmax_bisect(z, 1.3, n_iter=80))


def test_entmax_meets_its_special_cases():
    for z in (rows(), extremes()):
        assert_close(entmax(z, 2.0), sparsemax(z))
        assert_close(entmax(z, 1.5), entmax15(z))
    assert_close(entmax(rows(), 1 + 1e-7), softmax(rows()), rtol=0, atol=1e-5)


def test_entmax_of_alpha_a_row_is_that_of_each_row():
    z = torch.randn(6, 5, dtype=torch.float64)
    alpha = torch.tensor([1.1, 1.5, 1.9, 2.0, 2.5, 4.0], dtype=torch.float64)
    expected = torch.stack([entmax(row, a.item()) for row, a in zip(z, alpha, strict=True)])
    assert_close(entmax(z, alpha[:, None]), expected, rtol=1e-9)


def test_b_star_makes_relumax_sparsemax():
    for z in (rows(), rows(2), rows(40)):
        assert_close(relumax(z, b_star(z)), sparsemax(z))


def test_b_star_along_another_dimension():
    z = torch.randn(3, 5, 4, dtype=torch.float64)
    assert b_star(z, dim=1).shape == (3, 1, 4)
    assert_close(relumax(z, b_star(z, dim=1), dim=1), sparsemax(z, dim=1))


def test_two_units():
    """z = (0, t): the logistic function, a clipped ramp, and relumax's two hyperbolas."""
    t = torch.linspace(-3, 3, 121, dtype=torch.float64)
    z = torch.stack([torch.zeros_like(t), t], -1)
    assert_close(softmax(z)[:, 1], 1 / (1 + torch.exp(-t)))
    assert_close(sparsemax(z)[:, 1], ((t + 1) / 2).clamp(0, 1))
    for b in (0.5, 1.0, 2.0):
        left, right = (t + b) / (t + 2 * b), b / (2 * b - t)
        expected = torch.where(t <= -b, 0.0, torch.where(t < 0, left, torch.where(t <= b, right, 1.0)))
        assert_close(relumax(z, b)[:, 1], expected)


def test_relumax_at_one_is_not_sparsemax():
    t = torch.tensor([2 - math.sqrt(2)], dtype=torch.float64)
    z = torch.stack([torch.zeros_like(t), t], -1)
    gap = (relumax(z, 1.0) - sparsemax(z)).abs().max().item()
    assert gap == pytest.approx((3 - 2 * math.sqrt(2)) / 2, abs=1e-12)


def test_limits_of_relumax():
    z = torch.tensor([0.3, 1.0, 0.9], dtype=torch.float64)
    assert relumax(z, 0.1).tolist() == pytest.approx([0, 1, 0])
    assert relumax(z, 0.1001)[2] > 0
    assert_close(relumax(z, 1e9), torch.full((3,), 1 / 3, dtype=torch.float64), atol=1e-8)


def test_zero_temperature_with_a_unique_maximum():
    z = torch.tensor([0.3, 1.0, 0.9], dtype=torch.float64)
    assert_close(temperature_softmax(z, 1e-3), torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64))
    gap = 0.1
    for tau in (gap, gap / 2):
        assert sparsemax(z / tau)[1] >= 1 - 1e-12
        assert relumax(z / (tau / 2), 2.0)[1] >= 1 - 1e-12
    assert sparsemax(z / (1.01 * gap))[1] < 1
    assert relumax(z / (1.01 * gap / 2), 2.0)[1] < 1


def test_zero_temperature_with_ties_shares_equally():
    assert temperature_softmax(torch.tensor([1.0, 1.0, 0.0]), 1e-4).tolist() == [0.5, 0.5, 0]
    assert_close(temperature_softmax(torch.tensor([3e38, -3e38, 3e38]), 1e-30), torch.tensor([0.5, 0.0, 0.5]))


def test_high_temperature_is_uniform():
    assert_close(temperature_softmax(torch.tensor([5.0, 1.0, 0.0]), 1e8), torch.full((3,), 1 / 3))


def test_learnt_parameters_start_where_asked_and_stay_positive():
    for module, read in ((Relumax(0.7, learn=True), "b"), (TemperatureSoftmax(0.7, learn=True), "temperature")):
        assert getattr(module, read).item() == pytest.approx(0.7)
        (parameter,) = module.parameters()
        with torch.no_grad():
            parameter -= 50
        assert 0 < getattr(module, read).item() < 1e-20


@pytest.mark.parametrize("name", SIMPLEX)
@given(row=scores, shift=st.integers(-8, 8), seed=st.integers(0, 99))
def test_properties_of_any_row(name, row, shift, seed):
    """On the simplex, in the order of z, blind to a shift, and indifferent to the order of the units."""
    function = MAPS[name].function
    z = torch.tensor(row, dtype=torch.float64)
    p = function(z)
    assert_on_simplex(p)
    order = z.argsort()
    assert (p[order].diff() >= -1e-15).all()
    assert_close(function(z + shift), p, atol=1e-10, rtol=1e-10)
    shuffled = torch.randperm(len(row), generator=torch.Generator().manual_seed(seed))
    assert_close(function(z[shuffled]), p[shuffled], atol=1e-10, rtol=1e-10)
