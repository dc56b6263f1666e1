"""Knots that an input determines, straight lines through the others, and the posterior form of the eigenvector."""

import numpy as np
import pytest
import scipy.linalg
import torch
from cases import MIXTURES
from oracles import hats, mixture_statistics, rayleigh_parts

from pwlact.correlation import HatStatistics, Problem, hat_gram, solve_eigen
from pwlact.correlation.determined import determined, roughness_matrix
from pwlact.moments import GaussianMixture
from pwlact.pwl import Knots

KNOTS = Knots(9, -4.0, 4.0)  # 1 apart


def from_samples(x, knots=KNOTS):
    """Statistics of samples in three classes; `determined` looks at no class."""
    labels = torch.arange(len(x)) % 3
    return HatStatistics.from_samples(torch.tensor(x, dtype=torch.float64), labels, 3, knots)


def second_moments(x, knots=KNOTS):
    phi = hats(x, knots.positions().numpy())
    return phi.T @ phi / len(x)


# samples by the knots (0..8) that they reach; a sample between two knots reaches both
SEEN = {
    "all": (list(np.arange(-3.5, 4)), range(9)),
    "left end unseen": ([-0.5, 0.5, 1.5, 2.5, 3.5], range(3, 9)),
    "right end unseen": ([-3.5, -2.5, -1.5], range(4)),
    "both ends unseen": ([-0.5, 0.5, 1.5], range(3, 7)),
    "gap inside": ([-3.5, -2.5, 2.5, 3.5], [0, 1, 2, 6, 7, 8]),
    "two gaps": ([-3.5, 0.5, 3.5], [0, 1, 4, 5, 7, 8]),
    "gap and ends": ([-2.5, 1.5], [1, 2, 5, 6]),
    "on knots": ([-3.0, 0.0, 2.0], [1, 4, 6]),
}


def straight_through(seen, z):
    """Values at all 9 knots: z at the seen ones, numpy's interpolation and lines through the outer two elsewhere."""
    places = np.array(list(seen), float)
    s = np.arange(9.0)
    y = np.interp(s, places, z)
    left, right = s < places[0], s > places[-1]
    y[left] = z[0] + (s[left] - places[0]) * (z[1] - z[0]) / (places[1] - places[0])
    y[right] = z[-1] + (s[right] - places[-1]) * (z[-1] - z[-2]) / (places[-1] - places[-2])
    return y


@pytest.mark.parametrize("name", SEEN)
def test_unseen_knots_lie_on_the_line_through_the_nearest_seen_ones(name):
    x, seen = SEEN[name]
    seen = list(seen)
    extension = determined(from_samples(x))[1].numpy()
    for seed in range(3):
        rng = np.random.default_rng(seed)
        z = rng.standard_normal(9)  # what stands at unseen knots must not matter
        np.testing.assert_allclose(extension @ z, straight_through(seen, z[seen]), atol=1e-13)
    # straight lines stay what they are
    np.testing.assert_allclose(extension @ np.arange(9.0), np.arange(9.0), atol=1e-13)
    np.testing.assert_allclose(extension.sum(-1), 1, atol=1e-14)


@pytest.mark.parametrize("name", SEEN)
def test_matrix_is_that_of_the_extended_functions(name):
    x, seen = SEEN[name]
    seen = list(seen)
    many = list(np.repeat(x, 40) + np.linspace(-0.3, 0.3, 40 * len(x))) if name != "on knots" else x
    matrix, extension = (part.numpy() for part in determined(from_samples(many)))
    g, e = second_moments(many), extension
    block = np.ix_(seen, seen)
    np.testing.assert_allclose(matrix[block], (e.T @ g @ e)[block], rtol=1e-9, atol=1e-12)
    unseen = np.setdiff1d(np.arange(9), seen)
    np.testing.assert_allclose(matrix[np.ix_(unseen, seen)], 0, atol=1e-9)
    assert np.linalg.eigvalsh(matrix)[0] > 0


def test_all_seen_is_the_identity():
    x = np.random.default_rng(0).uniform(-4.5, 4.5, 500)
    matrix, extension = determined(from_samples(x))
    assert torch.equal(extension, torch.eye(9, dtype=torch.float64))
    np.testing.assert_allclose(matrix, second_moments(x), rtol=1e-12, atol=1e-15)


def test_all_seen_in_a_batch():
    x = torch.from_numpy(np.random.default_rng(0).uniform(-4.5, 4.5, (3, 500)))
    matrix, extension = determined(HatStatistics.from_samples(x, torch.arange(500) % 3, 3, KNOTS))
    assert matrix.shape == extension.shape == (3, 9, 9)
    for i in range(3):
        np.testing.assert_allclose(matrix[i], second_moments(x[i].numpy()), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    "x",
    [[-3.5, -2.5, -0.5, 0.5, 1.5, 3.5], [-3.3, 3.3], [0.5, 0.5, 0.5], [-0.25, 0.25], [0.1]],
    ids=["fewer than knots", "two", "one three times", "two by a knot", "one"],
)
def test_singular_samples_give_a_positive_definite_matrix(x):
    statistics = from_samples(x)
    matrix, extension = determined(statistics)
    assert torch.linalg.cholesky_ex(matrix)[1].item() == 0
    e, g = extension.numpy(), second_moments(x)
    seen = np.diagonal(g) > 0
    block = np.ix_(seen, seen)
    # what decides the undetermined is 1e-10 of the rest, times the norm 16 of L'L
    assert np.abs(matrix.numpy()[block] - (e.T @ g @ e)[block]).max() < 2e-9
    assert np.isfinite(hat_gram(statistics)[0].numpy()).all()


def test_undetermined_values_have_the_least_second_difference():
    """Six samples in eight segments, told apart exactly: of all f that do so, the smoothest."""
    x = np.array([-3.5, -2.5, -0.5, 0.5, 1.5, 3.5])
    statistics = from_samples(x)
    solution = solve_eigen(Problem(statistics, KNOTS))
    phi, y = hats(x, KNOTS.positions().numpy()), solution.values.numpy()
    second = np.diff(np.eye(9), n=2, axis=0)
    null = scipy.linalg.null_space(phi)
    assert null.shape[1] == 3
    # no way along what the samples do not see makes it smoother
    slope = null.T @ second.T @ second @ y
    # the tie has the weight 1e-10: its own solution is found to 1e-16 / 1e-10
    assert np.abs(slope).max() < 1e-4 * np.abs(second @ y).max()


def test_roughness_matrix():
    y = np.random.default_rng(0).standard_normal(12)
    expected = sum((y[s - 1] - 2 * y[s] + y[s + 1]) ** 2 for s in range(1, 11))
    assert y @ roughness_matrix(12).numpy() @ y == pytest.approx(expected, rel=1e-13)


def test_batch_equals_one_by_one():
    x = [np.resize(case, 8) for case, _ in SEEN.values()]
    labels = torch.arange(8) % 3
    whole = determined(HatStatistics.from_samples(torch.tensor(np.stack(x)), labels, 3, KNOTS))
    for i, one in enumerate(x):
        for together, alone in zip(whole, determined(from_samples(one)), strict=True):
            np.testing.assert_allclose(together[i], alone, rtol=1e-13, atol=1e-15)


# --- the posterior form -----------------------------------------------------------------------------------------

FORMS = {
    "20 even classes": (np.linspace(-3, 3, 20), np.ones(20), np.full(20, 0.05), Knots()),
    "unequal priors": (*map(np.array, MIXTURES["unequal_priors"]), Knots(9, -3.0, 3.0)),
    "unequal sigmas": (*map(np.array, MIXTURES["unequal_sigmas"]), Knots(17, -3.0, 3.0)),
    "off the grid": (*map(np.array, MIXTURES["off_the_grid"]), Knots(21, -6.0, 7.0)),
}


@pytest.mark.parametrize("name", FORMS)
def test_posterior_form_is_the_eigenvector(name):
    """y = G^{-1} D' S rho / lambda = top generalised eigenvector of (A_s, B), by scipy on quadrature's c and G."""
    means, sigmas, priors, knots = FORMS[name]
    made = GaussianMixture(*map(torch.tensor, (means, sigmas, priors)))
    solution = solve_eigen(Problem(HatStatistics.from_mixture(made, knots), knots))
    c, m, g = mixture_statistics(means, sigmas, priors, knots.positions().numpy())
    assert np.linalg.cond(g) < 1e8  # the case is well-conditioned: every knot is determined
    rho = solution.rho.numpy()
    s = np.sign(rho)

    d, b = rayleigh_parts(c, m, g, priors)
    values, vectors = scipy.linalg.eigh((d.T * s) @ d, b)
    eigenvector = np.concatenate([[0.0], vectors[:, -1]])
    eigenvector *= np.sign(eigenvector @ solution.values.numpy())
    assert solution.reward.item() == pytest.approx(values[-1], rel=1e-10)

    full = np.sqrt(priors / (1 - priors))[:, None] * (c - m)
    posterior_form = np.linalg.solve(g, full.T @ (s * rho)) / values[-1]
    # 1e-6 of the largest value: the bound; condition 1e8 times rounding 1e-16 would allow 1e-8
    atol = 1e-6 * np.ptp(eigenvector)
    np.testing.assert_allclose(solution.values.numpy(), eigenvector, atol=atol)
    np.testing.assert_allclose(posterior_form - posterior_form[0], eigenvector, atol=atol)


def test_posterior_form_where_some_knots_are_unseen():
    """33 knots, 20 classes within reach of the middle ones: the seen block of G alone says what f is there."""
    rng = np.random.default_rng(0)
    labels = torch.arange(6000) % 4
    x = torch.from_numpy(rng.uniform(-1.0, 1.0, 6000)) * 0.6 + 0.3 * labels - 0.4
    knots = Knots()
    solution = solve_eigen(Problem(HatStatistics.from_samples(x, labels, 4, knots), knots))
    phi = hats(x.numpy(), knots.positions().numpy())
    seen = (phi**2).sum(0) > 0
    assert 5 < seen.sum() < 20
    c = np.stack([phi[labels == k].mean(0) for k in range(4)])[:, seen]
    m, g = phi.mean(0)[seen], (phi.T @ phi / 6000)[np.ix_(seen, seen)]
    d = np.sqrt(1 / 3) * (c - m)
    rho = solution.rho.numpy()
    y = np.linalg.solve(g, d.T @ abs(rho)) / solution.reward.item()
    found = solution.values.numpy()[seen]
    np.testing.assert_allclose(found - found[0], y - y[0], atol=1e-6 * np.ptp(y))


@pytest.mark.parametrize("name", FORMS)
def test_hat_gram_by_quadrature(name):
    means, sigmas, priors, knots = FORMS[name]
    made = GaussianMixture(*map(torch.tensor, (means, sigmas, priors)))
    matrix, responses = hat_gram(HatStatistics.from_mixture(made, knots))
    c, m, g = mixture_statistics(means, sigmas, priors, knots.positions().numpy())
    d = np.sqrt(priors / (1 - priors))[:, None] * (c - m)
    np.testing.assert_allclose(matrix, d @ np.linalg.solve(g, d.T), atol=1e-10)
    np.testing.assert_allclose(g @ responses.numpy(), d.T, atol=1e-10)
