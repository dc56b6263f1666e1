"""The function-space optimum: golden rewards, stationarity, no better function, other forms of the same input."""

import functools
import itertools
import math

import numpy as np
import pytest
import torch
from asserts import assert_refused
from cases import MIXTURES
from golden import REWARD_RAW
from scipy import stats
from scipy.special import expit, roots_legendre

from pwlact.correlation import HatStatistics, Problem, solve_eigen
from pwlact.moments import GaussianMixture
from pwlact.pwl import Knots
from pwlact.theory import ClassDensities, solve_from_posteriors, solve_posterior

# SCIENCE.md section 1, fact 6: K = 20, means on [-3, 3], sigma = 1, raw
REWARD_OF_ALL_FUNCTIONS = 0.282240

EVEN = (np.linspace(-3, 3, 20), np.ones(20), np.full(20, 1 / 20))
CASES = {name: MIXTURES[name] for name in ("even", "unequal_priors", "unequal_sigmas", "off_the_grid")} | {"20": EVEN}
SYMMETRIC = {"even", "20"}


def gaussians(case):
    return GaussianMixture(*(torch.tensor(np.asarray(part), dtype=torch.float64) for part in case))


def solve(case, *more):
    return solve_posterior(ClassDensities.from_mixture(gaussians(case)), *more)


@functools.cache
def solved(name, objective="signed"):
    return solve(CASES[name], objective)


class Grid:
    """Means over a mixture by Gauss-Legendre on 400 pieces between 13 deviations beyond the means: exact to 1e-14."""

    def __init__(self, case):
        means, sigmas, self.priors = map(np.asarray, case)
        edges = np.linspace((means - 13 * sigmas).min(), (means + 13 * sigmas).max(), 401)
        node, weight = roots_legendre(12)
        half = np.diff(edges)[:, None] / 2
        self.x = ((edges[:-1, None] + half) + half * node).ravel()
        # column k: probability of node and class k together
        self.joint = self.priors * stats.norm(means, sigmas).pdf(self.x[:, None]) * (half * weight).ravel()[:, None]
        self.mass = self.joint.sum(-1)

    def correlations(self, f):
        f = f - self.mass @ f
        deviation = math.sqrt(self.mass @ f**2)
        return f @ self.joint / deviation / np.sqrt(self.priors * (1 - self.priors))

    def reward(self, f):
        rho = self.correlations(f)
        return float((rho * abs(rho)).sum())

    def gram(self):
        """M_kl = Cov(p(k|x), p(l|x)) / sqrt(p_k (1 - p_k) p_l (1 - p_l))."""
        posterior = self.joint / np.maximum(self.mass, 1e-300)[:, None] - self.priors
        posterior /= np.sqrt(self.priors * (1 - self.priors))
        return (posterior.T * self.mass) @ posterior


@functools.cache
def grid_of(name):
    return Grid(CASES[name])


@functools.cache
def on_grid(name, objective="signed"):
    return solved(name, objective)(grid_of(name).x)


def enumerated(matrix):
    """Highest R of the tops of all sign patterns, by numpy: rho = H q over the unit q."""
    spectrum, vectors = np.linalg.eigh(matrix)
    root = (vectors * np.sqrt(spectrum.clip(0))) @ vectors.T
    best = 0.0
    for signs in itertools.product((-1, 1), repeat=len(matrix)):
        rho = root @ np.linalg.eigh(root * np.array(signs) @ root)[1][:, -1]
        best = max(best, abs((rho * abs(rho)).sum()))
    return best


# --- the two golden rewards -----------------------------------------------------------------------------------


def test_rewards_of_all_functions_and_of_33_knots():
    optimum = solve(EVEN)
    knots = Knots(33, -3.0, 3.0)
    on_knots = solve_eigen(Problem(HatStatistics.from_mixture(gaussians(EVEN), knots), knots)).reward.item()
    # the tolerance that the targets are stated with
    assert optimum.reward == pytest.approx(REWARD_OF_ALL_FUNCTIONS, abs=2e-6)
    assert on_knots == pytest.approx(REWARD_RAW, abs=2e-6)
    assert on_knots / optimum.reward >= 0.999


# --- what f* is -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("objective", ["signed", "energy"])
@pytest.mark.parametrize("name", CASES)
def test_standard_form_and_correlations(name, objective):
    optimum, grid = solved(name, objective), grid_of(name)
    assert optimum.residual <= 1e-10
    f = on_grid(name, objective)
    # two quadratures that each claim 1e-13, amplified by the weights 1 / lambda sqrt(p_k (1 - p_k)) of f* (up to 80)
    assert grid.mass @ f == pytest.approx(0, abs=1e-10)
    assert grid.mass @ f**2 == pytest.approx(1, abs=1e-10)
    np.testing.assert_allclose(grid.correlations(f), optimum.rho, atol=1e-10)
    power = optimum.rho * abs(optimum.rho) if objective == "signed" else optimum.rho**2
    assert optimum.reward == pytest.approx(power.sum(), rel=1e-13)
    np.testing.assert_allclose(optimum.gram, grid_of(name).gram(), atol=1e-11)
    # E of all normalised indicators times their deviations: the indicators sum to 1
    assert np.sqrt(grid.priors * (1 - grid.priors)) @ optimum.rho == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_f_is_the_posterior_mean_of_the_absolute_correlations(name):
    """The theorem with R and rho taken from f's values by quadrature, not from the solver."""
    grid, f = grid_of(name), on_grid(name)
    rho, top = grid.correlations(f), grid.reward(f)
    posterior = grid.joint / np.maximum(grid.mass, 1e-300)[:, None]
    exact = (posterior - grid.priors) / np.sqrt(grid.priors * (1 - grid.priors)) @ abs(rho) / top
    seen = grid.mass > 1e-30
    np.testing.assert_allclose(f[seen], exact[seen], atol=1e-8)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", CASES)
def test_no_perturbation_raises_the_reward(name, seed):
    grid, f = grid_of(name), on_grid(name)
    rng = np.random.default_rng(seed)
    scale = np.sqrt(grid.mass @ grid.x**2)
    g = sum(a * np.sin(w * grid.x / scale + c) for a, w, c in rng.uniform(0.2, 3, (6, 3)))
    g = g - grid.mass @ g
    g = g / np.sqrt(grid.mass @ g**2)
    best = grid.reward(f)
    fall = {eps: best - grid.reward(f + eps * g) for eps in (-3.0, -0.3, -2e-3, -1e-3, 1e-3, 2e-3, 0.3, 3.0)}
    # rewards are sums of 5,000 products: 1e-14
    assert min(fall.values()) > -1e-13
    assert min(fall[0.3], fall[-0.3], fall[3.0], fall[-3.0]) > 1e-5
    # stationary: what is lost is of second order, so twice the step costs 4 times as much, whatever the direction;
    # the third order is 1e-3 of that times the ratio of the derivatives
    for side in (1, -1):
        assert fall[side * 2e-3] / fall[side * 1e-3] == pytest.approx(4, rel=0.05)


@pytest.mark.parametrize("name", [name for name in CASES if name != "20"])
def test_global_by_enumeration(name):
    assert solved(name).reward == pytest.approx(enumerated(grid_of(name).gram()), rel=1e-10)


@pytest.mark.parametrize("seed", range(10))
def test_global_for_lopsided_classes(seed):
    rng = np.random.default_rng(seed)
    classes = 3 + seed % 5
    case = rng.uniform(-3, 3, classes), rng.uniform(0.3, 1.5, classes), rng.dirichlet(np.full(classes, 5.0))
    assert solve(case).reward == pytest.approx(enumerated(Grid(case).gram()), rel=1e-10)


@pytest.mark.parametrize("name", sorted(SYMMETRIC))
def test_start_decides_between_mirror_images(name):
    means = np.asarray(CASES[name][0])
    right, left = (solve(CASES[name], "signed", start) for start in (means, -means))
    assert right.reward == pytest.approx(left.reward, rel=1e-12)
    np.testing.assert_allclose(right.rho, left.rho[::-1], atol=1e-10)
    assert right.rho[-1] > 0 > right.rho[0]
    # the default start is a ReLU: it rises to the right
    np.testing.assert_allclose(solved(name).rho, right.rho, atol=1e-12)


# --- the same through piecewise-linear functions ----------------------------------------------------------------


@pytest.mark.parametrize("name", ["even", "unequal_priors", "20"])
def test_ever_more_knots_converge_from_below(name):
    made, optimum = gaussians(CASES[name]), solved(name)
    edge = 12.0
    gaps = []
    for count in (49, 97, 193, 385):
        knots = Knots(count, -edge, edge)
        found = solve_eigen(Problem(HatStatistics.from_mixture(made, knots), knots)).reward.item()
        gaps.append(1 - found / optimum.reward)
    assert min(gaps) > 0
    # linear interpolation errs by h^2 f''/8, and R is stationary: h^4, so halving h divides the gap by 16
    ratios = np.divide(gaps[:-1], gaps[1:])
    assert (ratios > 10).all()
    assert ratios[-1] == pytest.approx(16, rel=0.1)


@pytest.mark.parametrize("name", ["even", "unequal_priors", "off_the_grid"])
def test_fine_knots_agree_where_the_density_is_high(name):
    made, optimum = gaussians(CASES[name]), solved(name)
    knots = Knots(481, -12.0, 12.0)
    solution = solve_eigen(Problem(HatStatistics.from_mixture(made, knots), knots))
    t = knots.positions()
    seen = (made.density(t) > 1e-3).numpy()
    f = optimum(t.numpy())
    difference = (solution.values.numpy() - f)[seen]
    # up to the constant; a chord errs by an 8th of f's second difference, to either side
    assert np.ptp(difference) < 2 / 8 * abs(np.diff(f, n=2)).max()
    assert np.ptp(difference) < 1e-2


# --- energy -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("priors", [(0.5, 0.5), (0.3, 0.7)], ids=str)
def test_two_classes_under_energy_give_the_posterior(priors):
    case = ([-0.5, 1.0], [0.8, 0.8], priors)
    optimum, grid = solve(case, "energy"), Grid(case)
    # log odds of two normals with one sigma: linear in x
    posterior = expit(1.5 / 0.64 * (grid.x - 0.25) + math.log(priors[1] / priors[0]))
    mean = grid.mass @ posterior
    variance = grid.mass @ (posterior - mean) ** 2
    standard = (posterior - mean) / math.sqrt(variance)
    f = optimum(grid.x)
    seen = grid.mass > 1e-30
    sign = np.sign(f[-1])
    np.testing.assert_allclose(sign * f[seen], standard[seen], atol=1e-9)
    # rho_1^2 + rho_2^2, each the squared correlation of posterior and indicator
    assert optimum.reward == pytest.approx(2 * variance / (priors[0] * priors[1]), rel=1e-11)


@pytest.mark.parametrize("name", CASES)
def test_energy_is_the_top_eigenvalue(name):
    assert solved(name, "energy").reward == pytest.approx(np.linalg.eigvalsh(grid_of(name).gram())[-1])


# --- any dimension ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("objective", ["signed", "energy"])
@pytest.mark.parametrize("seed", range(4))
def test_posteriors_on_samples(seed, objective):
    rng = np.random.default_rng(seed)
    posteriors = rng.dirichlet(rng.uniform(0.2, 2, 5), 400)
    optimum = solve_from_posteriors(posteriors, objective)
    priors = posteriors.mean(0)
    f = optimum.at_posterior(posteriors)
    assert f.mean() == pytest.approx(0, abs=1e-12)
    assert f.var() == pytest.approx(1, rel=1e-12)
    rho = f @ posteriors / 400 / np.sqrt(priors * (1 - priors))
    np.testing.assert_allclose(optimum.rho, rho, atol=1e-12)
    assert optimum.residual <= 1e-10
    np.testing.assert_allclose(optimum.priors, priors, rtol=1e-15)
    matrix = np.cov(posteriors.T, bias=True) / np.sqrt(np.outer(priors * (1 - priors), priors * (1 - priors)))
    exact = enumerated(matrix) if objective == "signed" else np.linalg.eigvalsh(matrix)[-1]
    assert optimum.reward == pytest.approx(exact, rel=1e-10)


@pytest.mark.parametrize("order", [[4, 2, 0, 1, 3], [1, 0, 3, 2, 4]], ids=str)
def test_order_of_the_classes_does_not_matter(order):
    posteriors = np.random.default_rng(0).dirichlet(np.full(5, 0.5), 300)
    optimum, permuted = solve_from_posteriors(posteriors), solve_from_posteriors(posteriors[:, order])
    np.testing.assert_allclose(permuted.rho, optimum.rho[order], atol=1e-12)


def test_two_dimensional_inputs_that_are_one_dimensional_in_truth():
    """Classes along a line in the plane: the noise across it says nothing, so f* is that of the line.

    M is a mean over n samples. Its effect on R has the standard error of 20 rewards, each over a 20th of the samples,
    divided by sqrt(20); 4 of them hold with 99.9 % (t, 19 degrees of freedom). The bias of a maximum is of
    order K / n = 2.5e-5 and below one of them.
    """
    classes, parts, n = 5, 20, 200_000
    case = np.linspace(-2, 2, classes), np.full(classes, 0.8), np.array([0.1, 0.2, 0.2, 0.2, 0.3])
    exact = solve(case)
    rng = np.random.default_rng(0)
    direction = np.array([0.6, -0.8])
    labels = rng.choice(classes, n, p=case[2])
    x = case[0][labels, None] * direction + 0.8 * rng.normal(size=(n, 2))
    centres = case[0][:, None] * direction
    logits = -((x[:, None] - centres) ** 2).sum(-1) / 2 / 0.64 + np.log(case[2])
    posteriors = np.exp(logits - logits.max(-1, keepdims=True))
    posteriors /= posteriors.sum(-1, keepdims=True)
    optimum = solve_from_posteriors(posteriors, start=exact.rho)
    spread = np.std(
        [solve_from_posteriors(part, start=exact.rho).reward for part in np.split(posteriors, parts)], ddof=1
    )
    error = spread / math.sqrt(parts)
    assert error < 4e-3 * exact.reward
    assert optimum.reward == pytest.approx(exact.reward, abs=4 * error)
    # at points of the plane: f* of the coordinate along the line; its weights |rho_k| / lambda err as R does
    f = exact(x[:1000] @ direction)
    atol = 4 * error / exact.reward * abs(f).max()
    np.testing.assert_allclose(optimum.at_posterior(posteriors[:1000]), f, rtol=0, atol=atol)


def test_evaluation_keeps_the_shape():
    posteriors = np.random.default_rng(0).dirichlet(np.ones(4), (3, 7, 5))
    optimum = solve_from_posteriors(posteriors.reshape(-1, 4))
    assert optimum.at_posterior(posteriors).shape == (3, 7, 5)
    assert optimum.at_posterior(posteriors[0, 0, 0]) == pytest.approx(optimum.at_posterior(posteriors)[0, 0, 0])
    assert solve(EVEN)(0.5).shape == (1,)


def test_far_from_all_classes_f_is_flat():
    optimum = solve(EVEN)
    # 40 is 37 deviations off, just before underflow; the outermost class has odds of exp(37 * 6 / 19) = 1e5 there
    for x, k in ((-40.0, 0), (40.0, -1)):
        expected = (abs(optimum.rho[k]) - abs(optimum.rho).mean()) * 20 / math.sqrt(19) / optimum.reward
        assert optimum([x]) == pytest.approx(expected, rel=1e-4)


# --- refusals ---------------------------------------------------------------------------------------------------

EVEN_THREE = np.full((6, 3), 1 / 3)
BAD = {
    "two classes": (lambda: solve(MIXTURES["two_classes"]), "energy"),
    "two columns": (lambda: solve_from_posteriors(np.full((5, 2), 0.5)), "energy"),
    "one column": (lambda: solve_from_posteriors(np.ones((5, 1))), "two classes"),
    "a vector": (lambda: solve_from_posteriors(np.ones(5)), "(5,)"),
    "nothing": (lambda: solve_from_posteriors(np.ones((0, 3))), "(0, 3)"),
    "rows summing to 0.9": (lambda: solve_from_posteriors(EVEN_THREE * 0.9), "summing to 1"),
    "negative": (lambda: solve_from_posteriors([[1.2, -0.1, -0.1], [0.2, 0.4, 0.4]]), "0 or above"),
    "not a number": (lambda: solve_from_posteriors([[math.nan, 0.5, 0.5], [0.2, 0.4, 0.4]]), "0 or above"),
    "class that never occurs": (lambda: solve_from_posteriors([[0.5, 0.5, 0], [0.9, 0.1, 0]]), "every class"),
    "points without densities": (lambda: solve_from_posteriors(np.eye(3) * 0.4 + 0.2)(0.0), "at_posterior"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused(name):
    call, named = BAD[name]
    assert_refused(call, named)


def test_wrong_start_is_refused():
    assert_refused(lambda: solve(EVEN, "signed", [1.0, -1.0]), "start", "20")


def test_posteriors_that_say_nothing_are_refused():
    assert_refused(lambda: solve_from_posteriors(EVEN_THREE), "same")


@pytest.mark.parametrize(("classes", "seed"), [(30, 21), (40, 0)], ids=str)
def test_many_classes_are_stationary_too(classes, seed):
    posteriors = np.random.default_rng([classes, seed]).dirichlet(np.full(classes, 0.5), 200)
    assert solve_from_posteriors(posteriors).residual <= 1e-10


def test_f_at_a_point_does_not_depend_on_the_other_points():
    optimum = solve((np.linspace(-3, 3, 5), np.full(5, 0.1), np.full(5, 0.2)))
    # beyond 38 deviations densities underflow; the outermost class is certain there
    assert optimum([0.0, 100.0])[1] == pytest.approx(optimum([3.0, 100.0])[1])
