"""GaussianMixture: constructors, density, posterior, samples, errors."""

import itertools
import math

import numpy as np
import pytest
import torch
from asserts import assert_close, assert_refused
from cases import MIXTURES
from scipy.integrate import quad
from scipy.stats import norm

from pwlact.moments import GaussianMixture


def float64(numbers):
    return torch.tensor(numbers, dtype=torch.float64)


@pytest.fixture(params=MIXTURES)
def case(request):
    return MIXTURES[request.param]


def mixture(case):
    return GaussianMixture(*map(float64, case))


def test_even():
    made = GaussianMixture.even(5, 0.5, -2.0, 6.0)
    assert_close(made.means, float64([-2, 0, 2, 4, 6]))
    assert_close(made.sigmas, float64([0.5] * 5))
    assert_close(made.priors, float64([0.2] * 5))
    assert made.classes == 5


@pytest.mark.parametrize("classes", [2, 3, 20, 100])
@pytest.mark.parametrize("sigma", [1e-3, 0.6, 1.0, 1e4], ids=str)
def test_standardised(classes, sigma):
    made = GaussianMixture.standardised(classes, sigma)
    scale = math.sqrt(1 + sigma**2)
    raw = made.means * scale
    assert raw.mean().item() == pytest.approx(0, abs=1e-12)
    assert raw.square().mean().item() == pytest.approx(1, rel=1e-12)
    assert_close(raw.diff(), torch.full_like(raw[1:], 2 * raw[-1].item() / (classes - 1)))
    assert_close(made.sigmas * scale, torch.full_like(raw, sigma))
    total = (made.priors * (made.means**2 + made.sigmas**2)).sum()
    assert total.item() == pytest.approx(1, rel=1e-12)


def test_density_is_the_sum_of_the_classes(case):
    x = np.linspace(-9, 9, 37)
    expected = sum(p * norm.pdf(x, mu, sigma) for mu, sigma, p in zip(*case, strict=True))
    np.testing.assert_allclose(mixture(case).density(float64(x.tolist())), expected, rtol=1e-11, atol=1e-300)


def test_density_integrates_to_one(case):
    made = mixture(case)
    edges = sorted({mu + s * z for mu, s in zip(*case[:2], strict=True) for z in (-12, -3, 0, 3, 12)})
    area = sum(
        quad(lambda x: made.density(float64(x)).item(), a, b, epsrel=1e-10, epsabs=1e-12)[0]
        for a, b in itertools.pairwise(edges)
    )
    assert area == pytest.approx(1, rel=1e-9)


def test_log_joint_is_log_of_prior_times_density(case):
    expected = [math.log(p) + norm.logpdf(0.3, mu, s) for mu, s, p in zip(*case, strict=True)]
    assert_close(mixture(case).log_joint(float64(0.3)), float64(expected))


@pytest.mark.parametrize("x", [0.0, 1.3, -40.0, 1e6, -1e6], ids=str)
def test_posterior_sums_to_one_and_survives_the_far_tails(case, x):
    posterior = mixture(case).posterior(float64([x, 0.0]))
    assert posterior.shape == (2, len(case[0]))
    assert_close(posterior.sum(-1), torch.ones(2, dtype=torch.float64))


def test_far_out_the_widest_class_wins_and_among_equals_the_nearest():
    wide = GaussianMixture(float64([0, 1.0]), float64([2.0, 1.0]), float64([0.01, 0.99]))
    assert_close(wide.posterior(float64(1e6)), float64([1.0, 0.0]))
    even = GaussianMixture.even(3, 1.0, -1.0, 1.0)
    assert_close(even.posterior(float64(-1e6)), float64([1.0, 0.0, 0.0]))


def test_posterior_by_bayes(case):
    parts = [p * norm.pdf(0.2, mu, s) for mu, s, p in zip(*case, strict=True)]
    assert_close(mixture(case).posterior(float64(0.2)), float64(parts) / sum(parts), rtol=1e-9)


def test_samples_follow_the_mixture(case):
    means, sigmas, priors = map(np.array, case)
    count = 50_000
    x, labels = mixture(case).sample(count, torch.Generator().manual_seed(1))
    assert (x.shape, x.dtype, labels.dtype) == ((count,), torch.float64, torch.int64)
    for k, (mu, sigma, p) in enumerate(zip(means, sigmas, priors, strict=True)):
        own = x[labels == k]
        # five standard errors: a right sampler fails one number in 2 million
        assert abs(len(own) / count - p) < 5 * math.sqrt(p * (1 - p) / count)
        assert abs(own.mean() - mu) < 5 * sigma / math.sqrt(len(own))
        assert abs(own.std() / sigma - 1) < 5 / math.sqrt(2 * len(own))


def test_samples_repeat_with_their_seed():
    made = GaussianMixture.standardised(4, 1.0)
    (a, k), (b, m), (c, _) = (made.sample(50, torch.Generator().manual_seed(s)) for s in (3, 3, 4))
    assert torch.equal(a, b)
    assert torch.equal(k, m)
    assert not torch.equal(a, c)


@pytest.mark.parametrize("build", [GaussianMixture.standardised, lambda k, s: GaussianMixture.even(k, s, -1.0, 1.0)])
@pytest.mark.parametrize(
    ("classes", "sigma", "fragments"),
    [
        (1, 1.0, ("classes", "1", "two classes")),
        (0, 1.0, ("classes", "0")),
        (-3, 1.0, ("classes", "-3")),
        (3, 0.0, ("sigma", "0.0")),
        (3, -1.0, ("sigma", "-1.0")),
        (3, math.nan, ("sigma", "nan")),
        (3, math.inf, ("sigma", "inf")),
    ],
    ids=str,
)
def test_bad_settings_are_refused(build, classes, sigma, fragments):
    assert_refused(lambda: build(classes, sigma), *fragments)


@pytest.mark.parametrize(("low", "high"), [(1.0, 1.0), (2.0, -2.0), (math.nan, 1.0), (0.0, math.inf)], ids=str)
def test_bad_means_are_refused(low, high):
    assert_refused(lambda: GaussianMixture.even(3, 1.0, low, high), "mean")


@pytest.mark.parametrize(
    ("means", "sigmas", "priors", "word"),
    [
        ([0.0], [1.0], [1.0], "classes"),
        ([0.0, math.nan], [1.0, 1.0], [0.5, 0.5], "means"),
        ([0.0, math.inf], [1.0, 1.0], [0.5, 0.5], "means"),
        ([0.0, 1.0], [1.0, 0.0], [0.5, 0.5], "sigma"),
        ([0.0, 1.0], [1.0, -1.0], [0.5, 0.5], "sigma"),
        ([0.0, 1.0], [1.0, math.nan], [0.5, 0.5], "sigma"),
        ([0.0, 1.0], [1.0, math.inf], [0.5, 0.5], "sigma"),
        ([0.0, 1.0], [1.0, 1.0], [0.5, 0.6], "priors"),
        ([0.0, 1.0], [1.0, 1.0], [1.5, -0.5], "priors"),
        ([0.0, 1.0], [1.0, 1.0], [1.0, 0.0], "priors"),
        ([0.0, 1.0], [1.0, 1.0], [math.nan, 0.5], "priors"),
    ],
    ids=str,
)
def test_bad_parameters_are_refused(means, sigmas, priors, word):
    assert_refused(lambda: GaussianMixture(float64(means), float64(sigmas), float64(priors)), word)
