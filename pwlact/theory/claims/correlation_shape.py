"""Claims of the correlation paper about the shape of the optimum."""

from functools import cache

import numpy as np
import torch

from pwlact.correlation import hat_gram, reward
from pwlact.pwl import Knots
from pwlact.swish import swish
from pwlact.theory.certificate import certify
from pwlact.theory.claims.drafts import CORRELATION
from pwlact.theory.claims.ledger import Claim, Measurement, above, below, near, weigh
from pwlact.theory.claims.optima import Array, optimum, read_out, share_explained
from pwlact.theory.densities import ClassDensities
from pwlact.theory.optimum import FunctionOptimum, solve_posterior
from pwlact.theory.tails import bulk_eigenvalue, fit_tail, integral_agreement, predict_tail, straightness

_UNIT = "pwlact unit --classes 20 --sigma"
_RAW = "pwlact unit --classes 20 --sigma 1.0 --raw --means -3 3"


@cache
def _function_optimum() -> FunctionOptimum:
    """The best of all functions for 20 classes with means on [-3, 3], sigma 1."""
    return solve_posterior(ClassDensities.from_mixture(optimum(raw=True).mixture))


def swish_fit() -> Measurement:
    """The Swish fit of the headline experiment."""
    fit = read_out(1.0)
    return weigh(
        near("beta", fit.beta, 2.5, 0.05),
        above("R^2, n = 33 knots", fit.r2, 0.99),
        near("x0", fit.x0, 0.0, 0.05, core=False),
    )


def swish_formula() -> Measurement:
    """x sigmoid(2.5 x), free only in height and level, against the optimum."""
    found, fit = optimum(), read_out(1.0)
    return weigh(
        above(f"R^2 with x0 = {fit.x0:.2f}, up to scale and level", fit.r2, 0.99),
        above("R^2 of x sigmoid(2.5 x) itself", share_explained(found.y, swish(found.x, 2.5)), 0.99, core=False),
    )


def swish_mid_range() -> Measurement:
    """R^2 of the Swish fit over middling noise, and where it ends."""
    middle = {sigma: read_out(sigma).r2 for sigma in (0.7, 0.85, 1.0, 1.25)}
    ends = {sigma: read_out(sigma).r2 for sigma in (0.2, 0.4, 1.5)}
    return weigh(
        above("least R^2 for sigma 0.7, 0.85, 1 and 1.25", min(middle.values()), 0.99),
        note=", ".join(f"{r2:.3f} at sigma {sigma}" for sigma, r2 in ends.items()),
    )


def swish_is_optimal() -> Measurement:
    """The reward of the best Swish of all against the optimum's."""
    found = optimum()
    curves = [swish(found.x, beta, x0) for beta in np.geomspace(0.3, 30, 40) for x0 in np.linspace(-2, 2, 41)]
    rewards = reward(found.problem.statistics.correlations(torch.from_numpy(np.stack(curves))))
    return weigh(
        above("reward of the best of 1,640 Swishes over the optimum's", rewards.max() / found.reward, 0.95),
        near("R^2 of the Swish fit", read_out(1.0).r2, 1.0, 1e-4, core=False),
        note="close to the optimum, never it: that is a mean of |rho_k| over the class posterior",
    )


def small_sigma() -> Measurement:
    """beta at sigma 0.6 against sigma 1."""
    small, mid = read_out(0.6), read_out(1.0)
    return weigh(
        above("beta at sigma 0.6 less beta at sigma 1", small.beta - mid.beta, 0.1),
        note=f"{small.beta:.2f} +- {small.stderr['beta']:.1f} and {mid.beta:.2f} +- {mid.stderr['beta']:.1f}; "
        f"R^2 {small.r2:.4f} at 0.6",
    )


def small_sigma_trend() -> Measurement:
    """beta over ever smaller sigma."""
    sigmas = (1.0, 0.8, 0.6, 0.4, 0.2)
    betas = [read_out(sigma).beta for sigma in sigmas]
    rises = np.diff(betas)
    return weigh(
        above("change of beta from sigma 1 to 0.8", rises[0], 0.0),
        above("least change of beta along sigma 1, 0.8, 0.6, 0.4, 0.2", rises.min(), 0.0, core=False),
        note=f"beta is largest, {max(betas):.2f}, at sigma {sigmas[int(np.argmax(betas))]}",
    )


def large_sigma_linear() -> Measurement:
    """A straight line through the optimum at sigma 10, and how far its left arm rises."""
    found = optimum(20, 10.0)
    bottom = found.y.min()
    return weigh(
        above("R^2 of a straight line at sigma 10, n = 33 knots", share_explained(found.y, found.x), 0.95),
        below(
            "rise to the left of the bottom over rise to its right",
            (found.y[0] - bottom) / (found.y[-1] - bottom),
            0.05,
        ),
        note="it is a broad bowl",
    )


def large_sigma_beta() -> Measurement:
    """beta at sigma 10, and whether the fit means anything."""
    large = read_out(10.0)
    return weigh(
        below("beta at sigma 10 less beta at sigma 1", large.beta - read_out(1.0).beta, -0.1),
        below("parameters at a bound of the search", len(large.at_bound), 0, core=False),
        note=f"{' and '.join(large.at_bound)} at the bound: beta {large.beta:.3g} alone means nothing",
    )


def relu_start_linear() -> Measurement:
    """A straight line through the ReLU that training starts from."""
    x = optimum().x
    return weigh(
        above("R^2 of a straight line through the ReLU start, n = 33 knots", straightness(x, np.maximum(x, 0)), 0.95)
    )


def knots_suffice() -> Measurement:
    """33 knots against all functions."""
    best, knots = _function_optimum().reward, optimum(raw=True).reward
    return weigh(
        above("reward of 33 knots over that of the best of all functions", knots / best, 0.999),
        note=f"{knots:.6f} and {best:.6f}, means on [-3, 3], sigma 1",
    )


def integral() -> Measurement:
    """R^2 of f against the running integral of rho."""
    x = np.linspace(-3, 3, 601)
    found = _function_optimum()
    r2 = integral_agreement(x, found(x), optimum(raw=True).means, found.rho)
    return weigh(
        above("R^2 of the integral of rho against f between the outermost means, K = 20, sigma 1", r2, 0.9),
        note="rho is negative on the left, so its integral falls where f is flat",
    )


def _left_of_bend() -> tuple[Array, Array]:
    means, rho = optimum(raw=True).means, _function_optimum().rho
    bend = int(np.argmax(rho > 0))
    return means[:bend], rho[:bend]


def negative_tail() -> Measurement:
    """An exponential, and a decaying oscillation, through the negative side of rho."""
    means, rho = _left_of_bend()
    found = _function_optimum()
    fit = fit_tail(means, rho, predict_tail(bulk_eigenvalue(found.reward, found.priors), 1.0))
    return weigh(
        above(f"R^2 of an exponential approach to a plateau, n = {fit.n} classes", fit.r2_exponential, 0.95),
        near("the plateau over the largest negative rho", fit.plateau / np.abs(rho).max(), 0.0, 0.05, core=False),
        note=f"it decays to a plateau, not to 0, and oscillates: with exp(b x) cos(a x + c) R^2 is {fit.r2:.4f}",
    )


def positive_ramp() -> Measurement:
    """Straight lines through the positive side of rho and of f."""
    means, rho = optimum(raw=True).means, _function_optimum().rho
    x = np.linspace(means[rho > 0][0], means[-1], 201)
    return weigh(
        above(
            f"R^2 of a line through rho, n = {(rho > 0).sum()} classes",
            straightness(means[rho > 0], rho[rho > 0]),
            0.99,
        ),
        above("of a line through f there", straightness(x, _function_optimum()(x)), 0.99),
    )


def well_separated() -> Measurement:
    """Eight classes 9 sigma apart: the best of all sign patterns, and what the ReLU start leads to."""
    found = optimum(8, 0.05, Knots(129, -3.0, 3.0))
    best = certify(hat_gram(found.problem.statistics)[0])
    positive = best.rho.clamp(min=0).square()
    return weigh(
        above(
            "share of the best class in sum of rho^2 over positive rho, K = 8, sigma 0.05",
            positive.max() / positive.sum(),
            0.95,
        ),
        near(
            "reward of the solver that starts from a ReLU over the spike's",
            found.reward / best.reward,
            1.0,
            1e-6,
            core=False,
        ),
    )


def linear_scaling() -> Measurement:
    """The slope of f* on its ramp, and beyond the outermost mean."""
    means, found = optimum(raw=True).means, _function_optimum()
    inside, beyond = np.linspace(2.0, means[-1], 51), np.array([6.0, 8.0])
    ramp = np.diff(found(inside)) / np.diff(inside)
    slope = np.diff(found(beyond))[0] / 2 / ramp.mean()
    return weigh(
        above("least slope of f between x = 2 and the outermost mean, 3", ramp.min(), 0.0),
        above("slope between x = 6 and 8 over that on the ramp", slope, 0.5, core=False),
        note="f saturates beyond the outermost mean",
    )


_claim = CORRELATION.claim
_TAILS = "pwlact theory tails"
# the rows about shapes
SHAPE_CLAIMS: tuple[Claim, ...] = (
    _claim("swish-k20", "20 classes, sigma 1: beta about 2.5, x0 about 0, R^2 > 0.99", swish_fit, f"{_UNIT} 1.0"),
    _claim("swish-formula", "there f(x) is about x sigmoid(2.5 x)", swish_formula, f"{_UNIT} 1.0"),
    _claim(
        "swish-mid-range",
        "middling class separation gives Swish-like optima",
        swish_mid_range,
        "pwlact sweep --classes 20 --sigma 0.3:10:50",
    ),
    _claim("swish-optimal", "Swish is optimal: it emerges as the solution", swish_is_optimal, f"{_UNIT} 1.0"),
    _claim("small-sigma-sharper", "sigma 0.6: sharper than sigma 1, a larger beta", small_sigma, f"{_UNIT} 0.6"),
    _claim(
        "small-sigma-trend",
        "the smaller sigma, the larger beta",
        small_sigma_trend,
        "pwlact sweep --classes 20 --sigma 0.2:1:5",
    ),
    _claim(
        "large-sigma-linear",
        "sigma 10: broad, nearly linear with a smooth threshold",
        large_sigma_linear,
        f"{_UNIT} 10",
    ),
    _claim("large-sigma-smoother", "large sigma: smaller beta", large_sigma_beta, f"{_UNIT} 10"),
    _claim(
        "relu-start-linear",
        "early in training activations are near-linear (initialised as ReLU)",
        relu_start_linear,
    ),
    _claim(
        "knots-33",
        "33 piecewise-linear knots represent the optimum",
        knots_suffice,
        f"{_RAW} --solver posterior",
    ),
    _claim("integral", "f(x) is the integral of rho up to x", integral, _TAILS),
    _claim("negative-tail", "on the negative side rho decays exponentially", negative_tail, _TAILS),
    _claim("positive-ramp", "on the positive side, middling separation: a linear ramp", positive_ramp, _TAILS),
    _claim("well-separated-spike", "well-separated classes: a spike", well_separated, "pwlact theory regimes"),
    _claim(
        "linear-scaling",
        "higher x gives higher output, linearly",
        linear_scaling,
        f"{_RAW} --solver posterior",
    ),
)
