"""fit_swish_batched: the fits of `fit_swish` over the map, and least squares on all four parameters."""

import math

import numpy as np
import pytest
from asserts import assert_refused
from scipy.optimize import least_squares

from pwlact.correlation import HatStatistics, Problem, solve_eigen
from pwlact.moments import GaussianMixture
from pwlact.pwl import Knots
from pwlact.swish import PARAMETERS, fit_swish, fit_swish_batched, swish
from pwlact.swish.batched import _Family

X = np.linspace(-3, 3, 33)
RNG = np.random.default_rng(5)


def formula(x, beta, x0, scale, offset):
    return scale * (x - x0) / (1 + np.exp(-beta * (x - x0))) + offset


def noisy(count, size=0.02):
    beta, x0 = RNG.uniform(0.9, 4, count), RNG.uniform(-1, 1, count)
    scale, offset = RNG.normal(size=(2, count))
    scale = np.sign(scale) * (0.5 + np.abs(scale))
    clean = np.stack([formula(X, *theta) for theta in zip(beta, x0, scale, offset, strict=True)])
    return clean + size * np.abs(scale)[:, None] * RNG.normal(size=clean.shape)


@pytest.fixture(scope="module")
def optima():
    """Optimal activations over the map of classes and noise, one at a time."""
    knots = Knots()
    return np.stack([
        solve_eigen(Problem(HatStatistics.from_mixture(GaussianMixture.standardised(k, s), knots), knots)).values
        for k in (3, 4, 5, 8, 13, 20)
        for s in np.geomspace(0.15, 10, 16).tolist()
    ])  # fmt: skip


def test_agrees_with_lmfit_over_the_map(optima):
    batched = fit_swish_batched(X, optima)
    single = [fit_swish(X, curve) for curve in optima]
    r2 = np.array([fit.r2 for fit in single])
    assert (batched.r2 >= r2 - 1e-6).all()
    np.testing.assert_array_equal(batched.identifiable, [fit.identifiable for fit in single])
    sure = batched.identifiable
    assert 20 <= sure.sum() <= len(optima) - 20
    np.testing.assert_allclose(batched.beta[sure], [f.beta for f in single if f.identifiable], rtol=1e-4)
    np.testing.assert_allclose(batched.x0[sure], [f.x0 for f in single if f.identifiable], atol=1e-4)
    np.testing.assert_allclose(batched.r2[sure], r2[sure], atol=1e-6)
    np.testing.assert_allclose(
        batched.beta_stderr[sure], [f.stderr["beta"] for f in single if f.identifiable], rtol=2e-3
    )


@pytest.mark.parametrize("weighted", [False, True], ids=["even", "weighted"])
def test_is_the_least_squares_optimum_of_all_four_parameters(weighted):
    curves = noisy(12, 0.01)
    weights = np.exp(-(X**2) / 4) if weighted else np.ones_like(X)
    fit = fit_swish_batched(X, curves, weights)
    assert fit.identifiable.all()
    found = np.stack([getattr(fit, name) for name in PARAMETERS], axis=1)
    for curve, ours in zip(curves, found, strict=True):
        starts = [(beta, x0, s, 0.0) for beta in (0.5, 2.0, 8.0) for x0 in (-1.5, 0.0, 1.5) for s in (-1.0, 1.0)]
        residual = lambda p, y=curve: np.sqrt(weights) * (formula(X, *p) - y)
        searches = [
            least_squares(residual, start, bounds=([0.05, -6, -99, -99], [50, 6, 99, 99]), xtol=1e-12, ftol=1e-12)
            for start in starts
        ]
        best = min(searches, key=lambda search: search.cost)
        np.testing.assert_allclose(ours, best.x, rtol=1e-4, atol=1e-5)


def test_derivatives_are_those_of_the_projected_residual():
    u, root = np.linspace(-1, 1, 33), np.sqrt(np.full(33, 1 / 33))
    family, y = _Family(u, root), RNG.normal(size=(4, 33))
    y = family.centred(y)
    theta = np.array([[1.0, 0.2], [-0.5, -1.5], [3.0, 0.9], [2.0, 1.7]])
    here = family.at(theta, y)
    for i in range(2):
        step = 1e-5 * np.eye(2)[i]
        above, below = family.at(theta + step, y), family.at(theta - step, y)
        scale = np.abs(here.gradient).max()
        np.testing.assert_allclose((above.cost - below.cost) / 4e-5, here.gradient[:, i], rtol=1e-5, atol=1e-6 * scale)
        curvature = (above.gradient - below.gradient) / 2e-5
        order = [0, 2] if i == 0 else [2, 1]
        np.testing.assert_allclose(curvature, here.hessian[:, order], rtol=1e-5, atol=1e-5 * np.abs(here.hessian).max())


@pytest.mark.parametrize("beta", [0.9, 2.5, 8.0, 40.0], ids=str)
@pytest.mark.parametrize("x0", [-2.5, 0.27, 2.0], ids=str)
def test_exact_curves_are_recovered(beta, x0):
    pairs = [(1.0, 0.0), (-3.0, 5.0), (1e4, -100.0)]
    fit = fit_swish_batched(X, [formula(X, beta, x0, scale, offset) for scale, offset in pairs])
    np.testing.assert_allclose(fit.beta, beta, rtol=1e-7)
    np.testing.assert_allclose(fit.x0, x0, atol=1e-7)
    np.testing.assert_allclose(fit.scale, [scale for scale, _ in pairs], rtol=1e-7)
    np.testing.assert_allclose(fit.offset, [offset for _, offset in pairs], rtol=1e-7, atol=1e-6)
    np.testing.assert_allclose(fit.r2, 1, atol=1e-12)
    assert fit.identifiable.all()


@pytest.mark.parametrize(("stretch", "shift"), [(1e-6, 0.0), (1e3, -7e3), (1.0, 3.0)], ids=str)
def test_moves_with_x(stretch, shift):
    curves = noisy(20)
    plain, moved = fit_swish_batched(X, curves), fit_swish_batched(stretch * X + shift, curves)
    np.testing.assert_allclose(moved.beta * stretch, plain.beta, rtol=1e-6)
    np.testing.assert_allclose((moved.x0 - shift) / stretch, plain.x0, atol=1e-6)
    np.testing.assert_allclose(moved.scale * stretch, plain.scale, rtol=1e-6)
    np.testing.assert_allclose(moved.offset, plain.offset, atol=1e-6)
    np.testing.assert_allclose(moved.r2, plain.r2, rtol=1e-9)


@pytest.mark.parametrize(("stretch", "shift"), [(1e-6, 0.0), (-1e6, 3.0), (2.0, -50.0)], ids=str)
def test_moves_with_y(stretch, shift):
    curves = noisy(20)
    plain, moved = fit_swish_batched(X, curves), fit_swish_batched(X, stretch * curves + shift)
    np.testing.assert_allclose(moved.beta, plain.beta, rtol=1e-6)
    np.testing.assert_allclose(moved.x0, plain.x0, atol=1e-6)
    np.testing.assert_allclose(moved.scale, stretch * plain.scale, rtol=1e-6)
    np.testing.assert_allclose(moved.offset, stretch * plain.offset + shift, rtol=1e-6, atol=1e-6 * abs(stretch))
    np.testing.assert_allclose(moved.r2, plain.r2, rtol=1e-9)


def test_a_curve_does_not_depend_on_its_batch(optima):
    together = fit_swish_batched(X, optima)
    for i in range(0, len(optima), 7):
        alone = fit_swish_batched(X, optima[i : i + 1])
        assert alone.r2[0] == pytest.approx(together.r2[i], abs=1e-12)
        if together.identifiable[i]:
            assert alone.beta[0] == pytest.approx(together.beta[i], rel=1e-7)


def test_points_of_weight_zero_do_not_count():
    curves = noisy(3)
    spoilt = np.concatenate([np.full((3, 5), 50.0), curves[:, 5:]], axis=1)
    weights = np.r_[np.zeros(5), np.ones(28)]
    plain, other = fit_swish_batched(X, curves, weights), fit_swish_batched(X, spoilt, weights)
    np.testing.assert_allclose(other.beta, plain.beta, rtol=1e-6)
    np.testing.assert_allclose(other.r2, plain.r2, rtol=1e-9)


@pytest.mark.parametrize(("beta", "x0"), [(0.5, 0.0), (1.0, 4.0)], ids=str)
def test_curves_that_the_best_grid_point_leads_astray_are_recovered(beta, x0):
    fit = fit_swish_batched(X, [formula(X, beta, x0, 1.0, 0.0)])
    assert fit.beta[0] == pytest.approx(beta, rel=1e-6)
    assert fit.x0[0] == pytest.approx(x0, abs=1e-6)


def test_relu_line_and_constant():
    fit = fit_swish_batched(X, [X.clip(0), 2 * X + 1, np.full(33, 0.1)])
    assert fit.beta_at_bound[0]
    assert fit.x0[0] == pytest.approx(0, abs=0.01)
    assert not fit.identifiable.any()
    assert fit.r2[1] == pytest.approx(1, abs=1e-9)
    assert (fit.scale[2], fit.beta[2], fit.x0[2]) == (0, 1, 0)
    assert fit.offset[2] == pytest.approx(0.1)
    assert math.isnan(fit.r2[2])
    assert math.isnan(fit.beta_stderr[2])
    assert not fit.at_bound[2]
    np.testing.assert_allclose(swish(X, fit.beta[0], fit.x0[0], fit.scale[0], fit.offset[0]), X.clip(0), atol=0.02)


def test_a_spike_is_fitted_without_overflow():
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        fit = fit_swish_batched(X, np.eye(33)[[0, 16, 32]])
    assert np.isfinite(fit.r2).all()
    assert not fit.identifiable.any()


def test_no_curves():
    fit = fit_swish_batched(X, np.empty((0, 33)))
    assert fit.beta.shape == fit.r2.shape == fit.at_bound.shape == (0,)


@pytest.mark.parametrize(
    ("x", "curves", "weights", "fragments"),
    [
        (X, X, None, ("(33,)",)),
        (X, np.ones((2, 32)), None, ("(33,)", "(32,)")),
        (X[:4], np.ones((2, 4)), None, ("got 4",)),
        (X, np.full((2, 33), np.nan), None, ("curves", "finite")),
        (np.full(33, np.inf), np.ones((2, 33)), None, ("finite",)),
        (X, np.ones((2, 33)), -np.ones(33), ("weights", "-1.0")),
        (X, np.ones((2, 33)), np.ones(32), ("(32,)",)),
    ],
    ids=["rank", "lengths", "points", "nan", "inf-x", "negative-weight", "weight-length"],
)
def test_bad_curves_are_refused(x, curves, weights, fragments):
    assert_refused(lambda: fit_swish_batched(x, curves, weights), *fragments)
