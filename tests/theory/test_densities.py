"""Class densities: mixtures, callables, kernel estimates; posteriors and expectations against scipy."""

import math

import numpy as np
import pytest
import torch
from asserts import assert_refused
from cases import MIXTURES
from scipy import stats
from scipy.integrate import quad_vec

from pwlact.moments import GaussianMixture
from pwlact.theory import ClassDensities

# exp, sqrt and a product or two of numbers of order 1
ROUNDING = {"rtol": 1e-12, "atol": 1e-14}


def gaussians(case):
    return ClassDensities.from_mixture(GaussianMixture(*(torch.tensor(part, dtype=torch.float64) for part in case)))


def scipy_joint(case, x):
    means, sigmas, priors = map(np.asarray, case)
    return priors * stats.norm(means, sigmas).pdf(np.asarray(x)[..., None])


@pytest.mark.parametrize("name", MIXTURES)
def test_mixture_densities_and_posteriors(name):
    case = MIXTURES[name]
    made = gaussians(case)
    # within four deviations of some mean every number is far from underflow
    x = np.concatenate([mean + sigma * np.linspace(-4, 4, 9) for mean, sigma, _ in zip(*case, strict=True)])
    joint = scipy_joint(case, x)
    np.testing.assert_allclose(np.exp(made.log_conditional(x)) * made.priors, joint, **ROUNDING)
    posterior = made.posterior(x)
    np.testing.assert_allclose(posterior, joint / joint.sum(-1, keepdims=True), **ROUNDING)
    np.testing.assert_allclose(posterior.sum(-1), 1, rtol=1e-14)


@pytest.mark.parametrize("name", MIXTURES)
def test_mixture_interval_holds_the_mass(name):
    case = MIXTURES[name]
    made = gaussians(case)
    below = [stats.norm(m, s).cdf(made.low) + stats.norm(m, s).sf(made.high) for m, s in zip(*case[:2], strict=True)]
    assert max(below) < 1e-32  # 12 standard deviations


@pytest.mark.parametrize("name", MIXTURES)
def test_expectations_of_a_mixture(name):
    case = MIXTURES[name]
    means, sigmas, priors = map(np.asarray, case)
    made = gaussians(case)
    first, second = made.expect(lambda x, _: np.stack([x, x**2], axis=-1))
    variance = priors @ (sigmas**2 + means**2)
    assert made.expect(lambda x, _: np.ones_like(x)) == pytest.approx(1, abs=1e-12)
    # 1e-13 absolute is the aim for integrands of order 1; x^2 reaches thousands here
    assert first == pytest.approx(priors @ means, abs=1e-12 * max(1, variance))
    assert second == pytest.approx(variance, rel=1e-11)
    # E p(k | x) = p_k, whatever the densities
    np.testing.assert_allclose(made.expect(lambda _, p: p), priors, atol=1e-12)


def test_expectation_of_a_matrix_agrees_with_scipy():
    case = MIXTURES["unequal_sigmas"]
    found = gaussians(case).expect(lambda _, p: p[:, :, None] * p[:, None, :])

    def integrand(x):
        joint = scipy_joint(case, x)
        return np.outer(joint, joint) / joint.sum()

    oracle, _ = quad_vec(integrand, -18, 18, epsabs=1e-13, epsrel=0, points=case[0], norm="max", limit=2000)
    np.testing.assert_allclose(found, oracle, atol=1e-11)


NARROW = {
    "all 1e-4": ([-1.0, 0.1, 1.0], [1e-4] * 3, [0.2, 0.3, 0.5]),
    "all 1e-6": ([-1.0, 0.1, 1.0], [1e-6] * 3, [0.2, 0.3, 0.5]),
    "one among wide ones": ([-1.0, 0.1, 1.0], [1.0, 1e-4, 1.0], [0.2, 0.3, 0.5]),
}


@pytest.mark.parametrize("name", NARROW)
def test_no_narrow_class_falls_between_the_nodes(name):
    case = NARROW[name]
    np.testing.assert_allclose(gaussians(case).expect(lambda _, p: p), case[2], atol=1e-9)


def mixed():
    """A heavy tail, a skew and a bimodal class."""
    left, right = stats.norm(-1, 0.3).pdf, stats.norm(1, 0.4).pdf
    densities = [stats.t(5, -0.5).pdf, stats.skewnorm(4, 0.2, 0.8).pdf, lambda x: 0.3 * left(x) + 0.7 * right(x)]
    return densities, np.array([0.5, 0.2, 0.3])


def test_callables():
    densities, priors = mixed()
    made = ClassDensities.from_callables(densities, priors, -400, 400)
    x = np.linspace(-5, 5, 41)
    joint = priors * np.stack([density(x) for density in densities], axis=-1)
    np.testing.assert_allclose(made.posterior(x), joint / joint.sum(-1, keepdims=True), **ROUNDING)
    # a t of 5 degrees of freedom keeps 1e-12 of its mass beyond 400
    np.testing.assert_allclose(made.expect(lambda _, p: p), priors, atol=2e-12)


@pytest.mark.parametrize(
    "density", [stats.expon(-1.1).pdf, stats.uniform(-0.9, 1.7).pdf], ids=["exponential", "uniform"]
)
def test_densities_with_a_jump(density):
    made = ClassDensities.from_callables([density, stats.norm(0.2).pdf], [0.4, 0.6], -12.0, 45.0)
    # exp(-46) of the exponential is left out
    np.testing.assert_allclose(made.expect(lambda _, p: p), [0.4, 0.6], atol=1e-11)


def kernel_estimate(group, x):
    """Scott's rule in one dimension: Gaussians of deviation s n^(-1/5) on the samples."""
    width = group.std(ddof=1) * len(group) ** -0.2
    return stats.norm(group, width).pdf(x[:, None]).mean(-1)


def test_kernel_estimates():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [60, 30, 10])
    x = rng.normal(labels, 0.5 + labels)
    made = ClassDensities.from_samples(x, labels)
    points = np.linspace(-3, 6, 50)
    oracle = np.stack([kernel_estimate(x[labels == k], points) for k in range(3)], axis=-1)
    np.testing.assert_allclose(np.exp(made.log_conditional(points)), oracle, **ROUNDING)
    np.testing.assert_allclose(made.priors, [0.6, 0.3, 0.1], rtol=1e-15)
    np.testing.assert_allclose(made.expect(lambda _, p: p), made.priors, atol=1e-11)
    # a kernel is centred on its sample: the estimate keeps the sample mean
    assert made.expect(lambda x, _: x) == pytest.approx(x.mean(), abs=1e-11)


def test_far_out_a_mixture_keeps_its_exact_posterior():
    """Two classes of one sigma: the log odds are a straight line, also where both densities underflow."""
    made = gaussians(([-1.0, 1.0], [0.5, 0.5], [0.5, 0.5]))
    x = np.array([-1000.0, -60.0, 0.05, 60.0])
    odds = 1 / (1 + np.exp(np.clip(-2 * x / 0.25, -700, 700)))
    np.testing.assert_allclose(made.posterior(x)[:, 1], odds, rtol=1e-12, atol=1e-300)


def test_far_out_points_take_the_posterior_of_the_nearest_point_seen():
    densities = [stats.norm(mean, 0.1).pdf for mean in (-3.0, 0.0, 3.0)]
    made = ClassDensities.from_callables(densities, np.full(3, 1 / 3), -4.2, 4.2)
    posterior = made.posterior([-1000.0, -3.1, 3.1, 1000.0])
    np.testing.assert_allclose(posterior[:, [0, 2]], [[1, 0], [1, 0], [0, 1], [0, 1]], atol=1e-12)
    np.testing.assert_array_equal(made.posterior([1000.0]), posterior[3:])


BAD = {
    "one class": (lambda: ClassDensities.from_callables([np.cos], [1.0], 0, 1), "two classes"),
    "priors of another number": (
        lambda: ClassDensities.from_callables(mixed()[0], [0.5, 0.5], 0, 1), "one number a class (3)",
    ),
    "priors in a matrix": (lambda: ClassDensities.from_callables(mixed()[0], np.eye(3), 0, 1), "one number a class"),
    "priors not summing to 1": (lambda: ClassDensities.from_callables(mixed()[0], [0.5, 0.5, 0.5], 0, 1), "sum to 1"),
    "a prior of 0": (lambda: ClassDensities.from_callables(mixed()[0], [0.5, 0.5, 0.0], 0, 1), "above 0"),
    "a negative prior": (lambda: ClassDensities.from_callables(mixed()[0], [0.7, 0.5, -0.2], 0, 1), "above 0"),
    "a prior that is NaN": (lambda: ClassDensities.from_callables(mixed()[0], [math.nan, 0.5, 0.5], 0, 1), "above 0"),
    "low above high": (lambda: ClassDensities.from_callables(*mixed(), 2, 1), "low must be below high"),
    "an endless interval": (lambda: ClassDensities.from_callables(*mixed(), 0, math.inf), "high"),
    "samples in two dimensions": (lambda: ClassDensities.from_samples(np.eye(2), [0, 1]), "one dimension"),
    "no samples": (lambda: ClassDensities.from_samples([], []), "one dimension"),
    "labels that do not fit": (lambda: ClassDensities.from_samples([1, 2, 3], [0, 1]), "one label each"),
    "a sample that is NaN": (lambda: ClassDensities.from_samples([1, math.nan, 2, 3], [0, 0, 1, 1]), "finite"),
    "a constant class": (lambda: ClassDensities.from_samples([1, 2, 5, 5], [0, 0, 1, 1]), "class 1"),
    "a class without samples": (lambda: ClassDensities.from_samples([1, 2, 5, 6], [0, 0, 2, 2]), "class 1"),
    "one class of samples": (lambda: ClassDensities.from_samples([1, 2, 5, 6], [0, 0, 0, 0]), "two classes"),
    "nothing but underflow": (
        lambda: ClassDensities.from_callables([np.zeros_like] * 2, [0.5, 0.5], 0, 1).posterior([0.5]),
        "every density is 0",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_densities_are_refused(name):
    call, named = BAD[name]
    assert_refused(call, named)


def test_negative_labels_are_refused():
    assert_refused(lambda: ClassDensities.from_samples([1, 2, 5, 6.0], [-1, -1, -1, -1]), "label")
