"""fit_swish: exact curves, scipy's standard errors, and the curves that are no Swish."""

import math

import numpy as np
import pytest
from asserts import assert_refused
from golden import STARTS_AT_1, STARTS_AT_MINUS_1
from scipy.optimize import curve_fit

from pwlact.swish import PARAMETERS, fit_swish, swish

X = np.linspace(-3, 3, 33)


def formula(x, beta, x0, scale, offset):
    return scale * (x - x0) / (1 + np.exp(-beta * (x - x0))) + offset


def noisy(seed=0, size=0.05):
    return formula(X, 2.0, 0.3, 1.5, -0.2) + size * np.random.default_rng(seed).standard_normal(33)


def assert_recovers(fit, beta, x0, scale, offset):
    """Parameters to 1e-6 of the scale on which each acts, and R^2 of 1."""
    assert fit.beta == pytest.approx(beta, rel=1e-6)
    assert fit.x0 == pytest.approx(x0, abs=1e-6 * 3)
    assert fit.scale == pytest.approx(scale, rel=1e-6)
    assert fit.offset == pytest.approx(offset, abs=1e-6 * max(abs(offset), abs(scale)))
    assert fit.r2 == pytest.approx(1, abs=1e-10)
    assert fit.at_bound == ()


def test_golden_values():
    assert swish(1.0) == pytest.approx(STARTS_AT_1["silu"], rel=1e-14)
    assert swish(-1.0) == pytest.approx(STARTS_AT_MINUS_1["silu"], rel=1e-14)


@pytest.mark.filterwarnings("error")
def test_no_overflow_far_out():
    np.testing.assert_array_equal(swish([-1e5, 1e5], beta=100.0), [0.0, 1e5])


@pytest.mark.parametrize("beta", [0.7, 1.0, 2.5, 8.0, 40.0], ids=str)
@pytest.mark.parametrize("x0", [-2.5, -0.4, 0.27, 2.0], ids=str)
@pytest.mark.parametrize(("scale", "offset"), [(1.0, 0.0), (-3.0, 5.0), (1e4, -100.0)], ids=str)
def test_exact_curves_are_recovered(beta, x0, scale, offset):
    fit = fit_swish(X, formula(X, beta, x0, scale, offset))
    assert_recovers(fit, beta, x0, scale, offset)
    np.testing.assert_allclose(fit(X), formula(X, beta, x0, scale, offset), rtol=1e-6, atol=1e-6 * abs(scale))


@pytest.mark.parametrize(("beta", "x0"), [(0.5, 0.0), (1.0, 4.0)], ids=str)
def test_exact_broad_curves_are_recovered(beta, x0):
    assert_recovers(fit_swish(X, formula(X, beta, x0, 1.0, 0.0)), beta, x0, 1.0, 0.0)


@pytest.mark.parametrize(("beta", "scale"), [(8.0, 0.4), (8.0, 1e4)], ids=str)
def test_a_perfect_fit_is_identifiable(beta, scale):
    fit = fit_swish(X, swish(X, beta, 0.0, scale, 0.0 if scale < 1 else 100.0))
    assert fit.identifiable
    assert fit.stderr["beta"] < 1e-6


@pytest.mark.parametrize("unit", [1e-6, 1e6], ids=str)
def test_units_of_x_and_y_do_not_matter(unit):
    plain, scaled = fit_swish(X, noisy()), fit_swish(X * unit, noisy() * unit)
    assert scaled.beta * unit == pytest.approx(plain.beta, rel=1e-5)
    assert scaled.x0 / unit == pytest.approx(plain.x0, rel=1e-5)
    assert scaled.scale == pytest.approx(plain.scale, rel=1e-5)
    assert scaled.offset / unit == pytest.approx(plain.offset, rel=1e-4)
    assert scaled.r2 == pytest.approx(plain.r2, rel=1e-9)
    assert scaled.stderr["beta"] * unit == pytest.approx(plain.stderr["beta"], rel=1e-3)


@pytest.mark.parametrize("weighted", [False, True], ids=["even", "weighted"])
@pytest.mark.parametrize("seed", range(3))
def test_standard_errors_are_those_of_scipy(seed, weighted):
    y, weights = noisy(seed), np.exp(-(X**2) / 2) if weighted else np.ones(33)
    fit = fit_swish(X, y, weights)
    best, covariance = curve_fit(formula, X, y, [2.0, 0.3, 1.5, -0.2], sigma=1 / np.sqrt(weights), xtol=1e-12)
    assert [getattr(fit, name) for name in PARAMETERS] == pytest.approx(best.tolist(), rel=1e-5)
    assert [fit.stderr[name] for name in PARAMETERS] == pytest.approx(np.sqrt(np.diag(covariance)), rel=1e-3)
    mean = np.average(y, weights=weights)
    explained = 1 - np.average((y - formula(X, *best)) ** 2, weights=weights) / np.average(
        (y - mean) ** 2, weights=weights
    )
    assert fit.r2 == pytest.approx(explained, rel=1e-9)
    assert fit.identifiable
    assert fit.caveat == ""


def test_points_of_weight_zero_do_not_count():
    y = formula(X, 2.5, 0.3, 1.0, 0.0)
    y[:5] = 50.0
    assert_recovers(fit_swish(X, y, np.r_[np.zeros(5), np.ones(28)]), 2.5, 0.3, 1.0, 0.0)


def test_order_of_the_points_does_not_matter():
    order = np.random.default_rng(0).permutation(33)
    a, b = fit_swish(X, noisy()), fit_swish(X[order], noisy()[order])
    assert [getattr(a, name) for name in PARAMETERS] == pytest.approx(
        [getattr(b, name) for name in PARAMETERS], rel=1e-6
    )


@pytest.mark.parametrize("level", [0.0, 0.1, -1e6], ids=str)
def test_a_constant_curve_has_no_swish(level):
    fit = fit_swish(X, np.full(33, level))
    assert (fit.scale, fit.identifiable) == (0.0, False)
    assert fit.offset == pytest.approx(level)
    assert math.isnan(fit.r2)
    assert all(math.isnan(fit.stderr[name]) for name in PARAMETERS)
    np.testing.assert_allclose(fit(X), level)


@pytest.mark.parametrize("slope", [2.0, -1e-3], ids=str)
def test_a_straight_line_is_fitted_but_says_that_beta_is_open(slope):
    fit = fit_swish(X, slope * X + 1)
    assert fit.r2 == pytest.approx(1, abs=1e-9)
    assert not fit.identifiable
    assert "beta" in fit.caveat
    assert "\n" not in fit.caveat


@pytest.mark.parametrize("bend", [0.0, 0.33], ids=str)
@pytest.mark.parametrize("scale", [1.0, -2.0], ids=str)
def test_a_relu_has_beta_at_its_bound(scale, bend):
    fit = fit_swish(X, scale * (X - bend).clip(0))
    assert fit.at_bound == ("beta",)
    assert not fit.identifiable
    assert fit.beta == pytest.approx(150 / 3, rel=0.01)
    assert fit.x0 == pytest.approx(bend, abs=0.01)
    assert fit.scale == pytest.approx(scale, rel=0.01)
    assert fit.r2 > 0.9999
    assert "beta" in fit.caveat


def test_a_parabola_is_no_swish():
    fit = fit_swish(X, X**2)
    assert "x0" in fit.at_bound
    assert not fit.identifiable


def test_noise_is_no_swish():
    fit = fit_swish(X, np.random.default_rng(0).standard_normal(33))
    assert not fit.identifiable
    assert fit.r2 < 0.3
    assert "two standard errors" in fit.caveat


def test_record_of_a_fit():
    fit = fit_swish(X, X.clip(0))
    record = fit.to_dict()
    assert record["at_bound"] == ["beta"]
    assert set(record) == {*PARAMETERS, "r2", "stderr", "at_bound", "identifiable", "caveat"}
    assert [record[name] for name in PARAMETERS] == [getattr(fit, name) for name in PARAMETERS]


FIVE = [0.0, 1.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize(
    ("x", "y", "weights", "fragments"),
    [
        (FIVE, FIVE[:4], None, ("(5,)", "(4,)")),
        (FIVE, FIVE, [1.0], ("(5,)", "(1,)")),
        ([FIVE], [FIVE], None, ("1-D", "(1, 5)")),
        (FIVE[:4], FIVE[:4], None, ("5", "got 4")),
        ([], [], None, ("5", "got 0")),
        ([1.0] * 9, list(range(9)), None, ("5", "got 1")),
        (FIVE, FIVE, [1.0, 1.0, 1.0, 1.0, 0.0], ("5", "got 4")),
        ([*FIVE, math.nan], [*FIVE, 0.0], None, ("finite",)),
        ([*FIVE, 0.0], [*FIVE, math.inf], None, ("finite",)),
        (FIVE, FIVE, [1.0, 1.0, math.nan, 1.0, 1.0], ("finite",)),
        (FIVE, FIVE, [1.0, 1.0, -2.0, 1.0, 1.0], ("weights", "-2.0")),
    ],
    ids=[
        *("lengths", "weight-length", "rank", "four-points", "empty", "one-x", "four-weights", "nan-x", "inf-y"),
        *("nan-weight", "negative-weight"),
    ],
)
def test_bad_curves_are_refused(x, y, weights, fragments):
    assert_refused(lambda: fit_swish(x, y, weights), *fragments)
