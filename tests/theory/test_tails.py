"""Tails: the dispersion relation in complex numbers, fits of what is known, and the measured decay."""

import cmath
import math

import numpy as np
import pytest
from asserts import assert_refused

from pwlact.moments import GaussianMixture
from pwlact.theory import ClassDensities, solve_posterior
from pwlact.theory.tails import (
    TailPrediction,
    bulk_eigenvalue,
    fit_tail,
    integral_agreement,
    predict_tail,
    straightness,
)


@pytest.mark.parametrize("sigma", [0.1, 1.0, 30.0], ids=str)
@pytest.mark.parametrize("eigenvalue", [1e-6, 0.1, 0.5, 0.95, 1 - 1e-9], ids=str)
def test_prediction_solves_the_dispersion_relation(eigenvalue, sigma):
    """A Gaussian of deviation sqrt2 sigma takes e^(wx) to exp(sigma^2 w^2) e^(wx); here w = b + ia."""
    tail = predict_tail(eigenvalue, sigma)
    assert cmath.exp(-((sigma * complex(tail.a, -tail.b)) ** 2)) == pytest.approx(-eigenvalue, rel=1e-12)
    assert tail.a > 0
    assert tail.b > 0
    # of the solutions, exp(i pi (2n + 1)) = -1, the slowest decay
    others = [cmath.sqrt(-(math.log(eigenvalue) + 1j * math.pi * (2 * n + 1))) / sigma for n in range(-4, 4)]
    assert tail.b == pytest.approx(min(abs(w.imag) for w in others), rel=1e-12)


def test_prediction_by_quadrature():
    """-lambda e = G * e for e = exp(b x) cos(a x + c), the convolution as a sum over a fine grid."""
    eigenvalue, sigma = 0.4, 0.7
    tail = predict_tail(eigenvalue, sigma)
    shift = np.linspace(-12, 12, 24_001)
    kernel = np.exp(-(shift**2) / 4 / sigma**2)
    kernel /= kernel.sum()
    for x in (-2.0, 0.0, 0.3, 1.0):
        wave = lambda at: np.exp(tail.b * at) * np.cos(tail.a * at + 0.5)
        assert kernel @ wave(x - shift) == pytest.approx(-eigenvalue * wave(x), abs=1e-10)


@pytest.mark.parametrize(
    ("eigenvalue", "sigma", "named"),
    [
        (0.0, 1.0, "between 0 and 1, got 0.0"),
        (1.0, 1.0, "between 0 and 1"),
        (-0.1, 1.0, "-0.1"),
        (math.nan, 1.0, "nan"),
        (0.5, 0.0, "sigma"),
        (0.5, math.inf, "sigma"),
    ],
)
def test_bad_predictions_are_refused(eigenvalue, sigma, named):
    assert_refused(lambda: predict_tail(eigenvalue, sigma), named)


def test_bulk_eigenvalue_is_in_units_of_the_row_sums():
    """Rows of the uncentred K x K problem hold mass 1 / (1 - p): sum_l E[p_k p_l] / sqrt(...) = p / (p (1 - p))."""
    posteriors = np.array([np.roll([0.5, 0.3, 0.1, 0.06, 0.04], k) for k in range(5)])
    p = posteriors.mean(0)
    rows = (posteriors.T @ posteriors / 5 / np.sqrt(np.outer(p * (1 - p), p * (1 - p)))).sum(-1)
    np.testing.assert_allclose(rows, 1.25, rtol=1e-12)
    assert bulk_eigenvalue(0.3, p) == pytest.approx(0.3 / 1.25, rel=1e-12)


# --- fits -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("amplitude", [1e-3, 1e-6], ids=str)
def test_fit_does_not_depend_on_the_unit_of_rho(amplitude):
    x = np.linspace(-7.0, -0.5, 60)
    y = amplitude * (-0.2 + np.exp(0.9 * (x - x[-1])) * np.cos(1.5 * x + 0.4))
    fit = fit_tail(x, y, TailPrediction(1.5, 0.9))
    assert (fit.b, fit.a) == pytest.approx((0.9, 1.5), rel=1e-6)


@pytest.mark.parametrize("off", [0.6, 1.0, 1.7], ids=str)
@pytest.mark.parametrize(("b", "a"), [(0.9, 1.5), (0.3, 2.5), (2.0, 1.8)], ids=str)
def test_fit_recovers_a_decaying_oscillation(b, a, off):
    x = np.linspace(-7.0, -0.5, 60)
    y = -0.2 + 0.35 * np.exp(b * (x - x[-1])) * np.cos(a * x + 0.4)
    fit = fit_tail(x, y, TailPrediction(b * off, a / off))
    # exact data: least squares stops at a relative change of 1e-8
    assert (fit.b, fit.a, fit.plateau) == pytest.approx((b, a, -0.2), rel=1e-6)
    assert fit.r2 > 1 - 1e-12
    assert fit.r2_exponential < fit.r2
    assert fit.n == 60


def test_fit_of_a_plain_exponential():
    x = np.linspace(-5.0, 0.0, 40)
    fit = fit_tail(x, 0.1 - 0.5 * np.exp(1.2 * x), TailPrediction(1.0, 1.0))
    assert fit.r2_exponential > 1 - 1e-12
    assert fit.r2 >= fit.r2_exponential - 1e-6


def test_fit_with_noise_has_the_share_of_the_signal_as_r2():
    rng, x = np.random.default_rng(0), np.linspace(-6.0, 0.0, 400)
    signal = np.exp(0.8 * x) * np.cos(1.6 * x)
    y = signal + rng.normal(0, signal.std(), 400)
    fit = fit_tail(x, y, TailPrediction(1.0, 1.5))
    # half of the variance is noise: its share has a standard error of about 0.035 at n = 400
    assert fit.r2 == pytest.approx(0.5, abs=4 * 0.035)


@pytest.mark.parametrize("count", [0, 7])
def test_too_few_classes_are_refused(count):
    assert_refused(lambda: fit_tail(np.arange(count), np.ones(count), TailPrediction(1, 1)), "8", str(count))


@pytest.mark.parametrize("seed", range(5))
def test_straightness_is_the_squared_correlation(seed):
    x, y = np.random.default_rng(seed).standard_normal((2, 30))
    assert straightness(x, y) == pytest.approx(np.corrcoef(x, y)[0, 1] ** 2, rel=1e-10)
    assert straightness(x, 3 - 2 * x) == pytest.approx(1, abs=1e-14)


# --- "f = integral of rho" --------------------------------------------------------------------------------------


def test_integral_of_a_straight_rho_is_a_parabola():
    """Interpolated linearly, rho at uneven means on a line is that line; the trapezoid rule errs by 1e-7 at most."""
    means = np.array([-2.0, -1.7, -0.3, 0.4, 1.9, 2.0])
    x = np.linspace(-2, 2, 301)
    assert integral_agreement(x, 5 + 7 * (x + 0.5) ** 2, means, 0.3 * (means + 0.5)) == pytest.approx(1, abs=1e-9)
    # neither shift nor scale matter, whatever its sign
    assert integral_agreement(x, 1 - 0.1 * (x + 0.5) ** 2, means, means + 0.5) == pytest.approx(1, abs=1e-9)


def test_points_outside_the_means_do_not_count():
    means, x = np.linspace(-1, 1, 9), np.linspace(-3, 3, 601)
    f = np.where(abs(x) <= 1, x**2, 50 * np.sin(x))
    assert integral_agreement(x, f, means, means) == pytest.approx(1, abs=1e-9)


def test_agreement_is_the_squared_correlation_with_the_integral():
    means = np.linspace(-1.5, 1.5, 200)
    x = np.linspace(-1.4, 1.4, 100)
    expected = np.corrcoef(np.sin(2 * x) / 2, x)[0, 1] ** 2
    assert expected < 0.9
    # cos between 200 means is a chord: 1e-4 off
    assert integral_agreement(x, x, means, np.cos(2 * means)) == pytest.approx(expected, abs=1e-4)


# --- measured ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("classes", "sigma", "half"), [(80, 1.0, 6.0), (160, 0.5, 6.0)], ids=str)
def test_rho_decays_as_predicted_away_from_the_bend(classes, sigma, half):
    """From 2 sigma left of the bend on, where faster modes are gone: b within 1 %, a within 2 %."""
    mixture = GaussianMixture.even(classes, sigma, -half, half)
    optimum, means = solve_posterior(ClassDensities.from_mixture(mixture)), mixture.means.numpy()
    bend = means[np.argmax(optimum.rho > 0)]
    left = (means > -half + 2.5 * sigma) & (means < bend - 2 * sigma)
    predicted = predict_tail(bulk_eigenvalue(optimum.reward, optimum.priors), sigma)
    # scaled to order 1, and from a start that is 30 % off, so that agreement is found and not assumed
    y = optimum.rho[left] - optimum.rho[left].mean()
    fit = fit_tail(means[left], y / y.std(), TailPrediction(1.3 * predicted.b, 1.3 * predicted.a))
    assert fit.r2 > 0.9999
    assert fit.b == pytest.approx(predicted.b, rel=0.01)
    assert fit.a == pytest.approx(predicted.a, rel=0.02)
