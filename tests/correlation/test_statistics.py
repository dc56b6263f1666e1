"""HatStatistics against quadrature, dense hat matrices and numpy's correlations; the facts about rho."""

import itertools
import math

import numpy as np
import pytest
import torch
from asserts import assert_close, assert_refused
from cases import MIXTURES
from hypothesis import given
from hypothesis import strategies as st
from oracles import hats, mixture_statistics
from scipy.integrate import quad
from scipy.stats import norm

from pwlact.correlation import HatStatistics, reward
from pwlact.moments import GaussianMixture
from pwlact.pwl import Knots

KNOTS = Knots(9, -2.0, 2.0)
T = np.linspace(-2, 2, 9)
FIELDS = ("counts", "sums", "squares", "neighbours")


def float64(numbers):
    return torch.tensor(np.asarray(numbers), dtype=torch.float64)


def of_mixture(case, knots=KNOTS):
    return HatStatistics.from_mixture(GaussianMixture(*map(float64, case)), knots)


@pytest.fixture(params=MIXTURES)
def case(request):
    return MIXTURES[request.param]


def draw(count=400, classes=4, *batch, dtype=torch.float64):
    """Inputs that fall into every segment and both tails, and labels that hold every class."""
    labels = torch.arange(count) % classes
    return (torch.randn(*batch, count, dtype=torch.float64) * 1.5 + labels * 0.3).to(dtype), labels


def dense(x, labels, classes):
    """The four sums by a dense hat matrix."""
    phi = hats(x.numpy(), T)
    sums = np.stack([phi[labels.numpy() == k].sum(0) for k in range(classes)])
    counts = np.bincount(labels.numpy(), minlength=classes)
    return counts, sums, (phi**2).sum(0), (phi[:, :-1] * phi[:, 1:]).sum(0)


def assert_same_statistics(actual, expected, rtol=1e-12):
    for name, exact in zip(FIELDS, expected, strict=True):
        exact = float64(exact)
        assert_close(getattr(actual, name).double(), exact, rtol=rtol, atol=rtol * exact.abs().max().item())


# --- sums -----------------------------------------------------------------------------------------------------


def test_mixture_against_panelled_quadrature(case):
    c, m, g = mixture_statistics(*case, T)
    statistics = of_mixture(case)
    size = np.abs(g).max()
    assert_close(statistics.priors, float64(case[2]))
    assert_close(statistics.mean, float64(m), rtol=1e-10, atol=1e-11 * size)
    assert_close(statistics.second_moments(), float64(g), rtol=1e-10, atol=1e-11 * size)
    p = np.array(case[2])
    contrasts = np.sqrt(p / (1 - p))[:, None] * (c - m)
    assert_close(statistics.contrasts, float64(contrasts), rtol=1e-9, atol=1e-11 * np.abs(c).max())


@pytest.mark.parametrize("s", [0, 1, 4, 8], ids=lambda s: f"hat-{s}")
def test_mixture_against_adaptive_quadrature(s):
    means, sigmas, priors = MIXTURES["unequal_sigmas"]
    statistics = of_mixture(MIXTURES["unequal_sigmas"])
    unit = np.eye(9)[s]
    hat = lambda x: float(hats([x], T)[0] @ unit)
    # pieces end at the knots, where the hats have kinks; the tails beyond 15 hold less than 1e-20
    edges = [-15.0, *T, 15.0]
    for k, (mu, sigma, p) in enumerate(zip(means, sigmas, priors, strict=True)):
        expected = sum(
            quad(lambda x, mu=mu, sigma=sigma: hat(x) * norm.pdf(x, mu, sigma), a, b, epsabs=1e-13)[0]
            for a, b in itertools.pairwise(edges)
        )
        assert statistics.sums[k, s].item() == pytest.approx(p * expected, rel=1e-9, abs=1e-12)


def test_samples_against_a_dense_hat_matrix():
    x, labels = draw()
    assert_same_statistics(HatStatistics.from_samples(x, labels, 4, KNOTS), dense(x, labels, 4))


@pytest.mark.parametrize("batch", [(3,), (2, 3), (1, 1, 2)], ids=str)
def test_each_batch_entry_has_its_own_sums(batch):
    x, labels = draw(100, 4, *batch)
    whole = HatStatistics.from_samples(x, labels, 4, KNOTS)
    assert whole.counts.shape == (*batch, 4)
    assert whole.second_moments().shape == (*batch, 9, 9)
    for place in np.ndindex(batch):
        entry = [getattr(whole, name)[place] for name in FIELDS]
        assert_same_statistics(HatStatistics(*entry), dense(x[place], labels, 4))


@pytest.mark.parametrize("x", [-2.0, 0.5, 2.0, -7.0, 9.0], ids=str)
def test_a_single_sample(x):
    one = HatStatistics.from_samples(float64([x]), torch.tensor([1]), 3, KNOTS)
    assert_same_statistics(one, dense(float64([x]), torch.tensor([1]), 3))


def test_parts_add_up_to_the_whole():
    x, labels = draw()
    whole = HatStatistics.from_samples(x, labels, 4, KNOTS)
    parts = [HatStatistics.from_samples(x[i], labels[i], 4, KNOTS) for i in (slice(100), slice(100, 400))]
    assert_same_statistics(parts[0] + parts[1], [getattr(whole, name) for name in FIELDS])


def test_a_factor_scales_every_sum_and_no_correlation():
    x, labels = draw()
    one = HatStatistics.from_samples(x, labels, 4, KNOTS)
    assert_same_statistics(one * 2.5, [2.5 * getattr(one, name) for name in FIELDS])
    y = torch.randn(9, dtype=torch.float64)
    assert_close((one * 1e-6).correlations(y), one.correlations(y))
    assert_close((one * 1e6).variance(y), one.variance(y))


def test_many_samples_come_near_the_mixture():
    case = MIXTURES["unequal_priors"]
    x, labels = GaussianMixture(*map(float64, case)).sample(100_000, torch.Generator().manual_seed(0))
    sampled, exact = HatStatistics.from_samples(x, labels, 3, KNOTS), of_mixture(case)
    # a hat lies in [0, 1] but for rare tail samples: standard errors below 0.5 / sqrt(1e5) = 0.0016
    assert (sampled.mean - exact.mean).abs().max() < 5 * 0.0016
    y = torch.randn(9, dtype=torch.float64)
    assert (sampled.correlations(y) - exact.correlations(y)).abs().max() < 5 / math.sqrt(1e5)


@pytest.mark.parametrize("statistics", ["mixture", "samples"])
def test_rows_of_the_second_moments_sum_to_the_mean(statistics):
    made = of_mixture(MIXTURES["even"]) if statistics == "mixture" else HatStatistics.from_samples(*draw(), 4, KNOTS)
    assert_close(made.second_moments().sum(-1), made.mean, atol=1e-12)
    assert made.mean.sum().item() == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("labels", [[0, 1, 3], [0, -1, 2], [0, 1], [[0, 1, 2]]], ids=["high", "low", "few", "shape"])
@pytest.mark.usefixtures("unchecked")
def test_labels_that_do_not_fit_are_refused(labels):
    x = torch.zeros(3)
    assert_refused(lambda: HatStatistics.from_samples(x, torch.tensor(labels), 3, KNOTS), "labels", "0..2")


def test_no_samples_are_refused():
    none = torch.zeros(0, dtype=torch.int64)
    assert_refused(lambda: HatStatistics.from_samples(torch.zeros(0), none, 3, KNOTS), "samples", "0")


# --- correlations ---------------------------------------------------------------------------------------------


def test_correlations_are_those_of_numpy():
    x, labels = draw()
    y = np.random.default_rng(0).standard_normal(9)
    f = hats(x.numpy(), T) @ y
    expected = [np.corrcoef(f, labels.numpy() == k)[0, 1] for k in range(4)]
    statistics = HatStatistics.from_samples(x, labels, 4, KNOTS)
    assert_close(statistics.correlations(float64(y)), float64(expected), rtol=1e-11)
    assert statistics.variance(float64(y)).item() == pytest.approx(f.var(), rel=1e-11)


def test_float32_sums_of_many_samples():
    count = 100_000
    labels = torch.arange(count) % 10
    x = torch.randn(count) + labels * 0.2 - 1
    statistics = HatStatistics.from_samples(x, labels, 10, Knots())
    y = torch.nn.functional.silu(Knots().positions()).float()
    f = hats(x.double().numpy(), np.linspace(-3, 3, 33)) @ y.double().numpy()
    expected = float64([np.corrcoef(f, labels.numpy() == k)[0, 1] for k in range(10)])
    assert (statistics.correlations(y).double() - expected).abs().max() < 1e-4


def random_mixture(seed, classes=None):
    rng = np.random.default_rng(seed)
    classes = classes or int(rng.integers(2, 9))
    return rng.uniform(-3, 3, classes), rng.uniform(0.2, 3, classes), rng.dirichlet(np.full(classes, 2.0))


@given(seed=st.integers(0, 2**32 - 1))
def test_weighted_correlations_sum_to_zero(seed):
    case = random_mixture(seed)
    y = float64(np.random.default_rng(seed).standard_normal(9))
    p = float64(case[2])
    rho = of_mixture(case).correlations(y)
    assert rho.abs().max() > 1e-6
    assert (p * (1 - p)).sqrt().dot(rho).abs() < 1e-12


@given(seed=st.integers(0, 2**32 - 1))
def test_two_classes_have_opposite_correlations_and_no_signed_reward(seed):
    y = float64(np.random.default_rng(seed).standard_normal(9))
    rho = of_mixture(random_mixture(seed, 2)).correlations(y)
    assert_close(rho[0], -rho[1])
    assert abs(reward(rho).item()) < 1e-12
    assert reward(rho, "energy").item() == pytest.approx(2 * rho[0].item() ** 2)


@given(seed=st.integers(0, 2**32 - 1), scale=st.floats(-6, 6).map(lambda p: 10**p), shift=st.floats(-100, 100))
def test_correlations_see_neither_shift_nor_scale(seed, scale, shift):
    statistics = of_mixture(random_mixture(seed))
    y = float64(np.random.default_rng(seed).standard_normal(9))
    rho = statistics.correlations(y)
    # the shift costs digits of y, so it is measured in scales
    assert_close(statistics.correlations(scale * (y + shift)), rho, rtol=1e-9, atol=1e-10)


def test_signed_reward_is_odd_and_energy_even(case):
    statistics = of_mixture(case)
    y = torch.randn(9, dtype=torch.float64)
    plus, minus = statistics.correlations(y), statistics.correlations(-y)
    assert torch.equal(reward(plus), -reward(minus))
    assert torch.equal(reward(plus, "energy"), reward(minus, "energy"))


def test_reward_by_hand():
    rho = float64([[0.5, -0.25, 0.0], [-1.0, 0.1, 0.2]])
    assert_close(reward(rho), float64([0.25 - 0.0625, -1 + 0.01 + 0.04]))
    assert_close(reward(rho, "energy"), float64([0.3125, 1.05]))


@pytest.mark.usefixtures("unchecked")
def test_unknown_objective_is_refused():
    assert_refused(lambda: reward(torch.zeros(3), "square"), "objective", "'square'", "signed", "energy")


@pytest.mark.parametrize("level", [0.0, 1.0, 0.1, -1e6, 1e-200], ids=str)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_a_constant_function_has_no_correlation(level, dtype):
    y = torch.full((9,), level, dtype=dtype)
    samples = HatStatistics.from_samples(*draw(dtype=dtype), 4, KNOTS)
    assert torch.equal(samples.correlations(y), torch.zeros(4, dtype=dtype))


@pytest.mark.parametrize("level", [0.0, 1.0, 0.1, -1e6, 1e-200], ids=str)
def test_a_constant_function_of_a_mixture_has_no_correlation(level, case):
    y = torch.full((9,), level, dtype=torch.float64)
    assert of_mixture(case).correlations(y).abs().max() < 1e-12


def test_an_absent_class_has_no_correlation_and_disturbs_none():
    x, labels = draw(300, 3)
    y = torch.randn(9, dtype=torch.float64)
    with_gap = HatStatistics.from_samples(x, torch.tensor([0, 2, 4])[labels], 5, KNOTS)
    rho = with_gap.correlations(y)
    assert torch.equal(rho[[1, 3]], torch.zeros(2, dtype=torch.float64))
    assert_close(rho[[0, 2, 4]], HatStatistics.from_samples(x, labels, 3, KNOTS).correlations(y))


def test_a_single_present_class_gives_zero():
    x, _ = draw(50)
    only = HatStatistics.from_samples(x, torch.ones(50, dtype=torch.int64), 3, KNOTS)
    assert torch.equal(only.correlations(torch.randn(9, dtype=torch.float64)), torch.zeros(3, dtype=torch.float64))


def test_one_function_over_a_batch_of_statistics():
    x, labels = draw(100, 4, 3)
    y = torch.randn(9, dtype=torch.float64)
    whole = HatStatistics.from_samples(x, labels, 4, KNOTS)
    expected = [HatStatistics.from_samples(row, labels, 4, KNOTS).correlations(y) for row in x]
    assert_close(whole.correlations(y), torch.stack(expected))


def test_gradient_of_the_correlations(case):
    statistics = of_mixture(case)
    y = torch.randn(9, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(statistics.correlations, y)
