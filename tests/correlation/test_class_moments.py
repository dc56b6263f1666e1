"""Class moments against numpy by class, and their normal densities against exact mixtures in float64."""

import numpy as np
import pytest
import torch
from asserts import assert_close, assert_refused
from cases import GRIDS, grid_id

from pwlact.correlation import ClassMoments, HatStatistics
from pwlact.moments import GaussianMixture
from pwlact.pwl import Knots

FIELDS = ("counts", "sums", "squares")


def draw(images=60, positions=4, channels=3, classes=5, dtype=torch.float32):
    labels = torch.randint(classes, (images,))
    x = torch.randn(images, positions, channels) * torch.tensor([1.0, 0.3, 2.0])[:channels] + labels[:, None, None] / 3
    return x.to(dtype), labels


def by_class(x, labels, k):
    """Samples of class k, (m, C), in double."""
    return x.double().numpy()[labels.numpy() == k].reshape(-1, x.shape[-1])


def exact(x, labels, classes, knots, narrowest=0.0):
    """Statistics of the mixture with numpy's means and variances by class, in float64, over the classes present."""
    n = np.array([len(by_class(x, labels, k)) for k in range(classes)], float)
    parts = []
    for c in range(x.shape[-1]):
        samples = [by_class(x, labels, k)[:, c] for k in range(classes) if n[k]]
        means = torch.tensor([s.mean() for s in samples])
        sigmas = torch.tensor([max(s.std(), narrowest) for s in samples])
        priors = torch.from_numpy(n[n > 0] / n.sum())
        parts.append(HatStatistics.from_mixture(GaussianMixture(means, sigmas, priors), knots) * float(n.sum()))
    return [
        torch.stack([getattr(part, name) for part in parts]) for name in ("counts", "sums", "squares", "neighbours")
    ]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize("positions", [1, 4, 64])
def test_moments_are_numpys_by_class(positions, dtype):
    x, labels = draw(positions=positions, dtype=dtype)
    moments = ClassMoments.from_samples(x, labels, 5)
    assert {getattr(moments, name).dtype for name in FIELDS} == {torch.float64}
    for k in range(5):
        samples = by_class(x, labels, k)
        assert moments.counts[k] == len(samples)
        means, seconds = moments.sums[:, k] / len(samples), moments.squares[:, k] / len(samples)
        np.testing.assert_allclose(means, samples.mean(0), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(seconds - means.square(), samples.var(0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("cut", [1, 17, 59])
def test_parts_add_up_to_the_whole(cut):
    x, labels = draw()
    whole = ClassMoments.from_samples(x, labels, 5)
    parts = [ClassMoments.from_samples(x[i], labels[i], 5) for i in (slice(cut), slice(cut, None))]
    for name in FIELDS:
        assert_close(getattr(parts[0] + parts[1], name), getattr(whole, name))
    halves = ClassMoments.from_samples(x[:, :1], labels, 5) + ClassMoments.from_samples(x[:, 1:], labels, 5)
    for name in FIELDS:  # positions are added in float32
        assert_close(getattr(halves, name), getattr(whole, name), rtol=1e-5)


def test_a_factor_scales_the_sums_and_no_correlation():
    moments = ClassMoments.from_samples(*draw(), 5)
    for name in FIELDS:
        assert torch.equal(getattr(moments * 2.5, name), 2.5 * getattr(moments, name))
    y, knots = torch.randn(33), Knots()
    rho = moments.statistics(knots).correlations(y)
    for factor in (1e-6, 1e6):
        assert_close((moments * factor).statistics(knots).correlations(y), rho)


def assert_float32(actual, expected):
    """The statistics agree to a few roundings of float32 of the largest entry of each channel and field."""
    for name, one in zip(("counts", "sums", "squares", "neighbours"), expected, strict=True):
        got = getattr(actual, name)
        assert got.dtype == torch.float32
        size = one.abs().flatten(1).amax(1).reshape(-1, *[1] * (one.ndim - 1))
        assert ((got.double() - one).abs() <= 2e-5 * size).all(), name


@pytest.mark.parametrize("knots", GRIDS, ids=grid_id)
def test_statistics_are_those_of_the_mixture(knots):
    x, labels = draw(images=300)
    x = (x - 0.5) * (knots.high - knots.low) / 6 + (knots.low + knots.high) / 2
    moments = ClassMoments.from_samples(x, labels, 5)
    assert_float32(moments.statistics(knots), exact(x, labels, 5, knots))


@pytest.mark.parametrize("deviation", [1e-2, 1.0, 100.0])
def test_statistics_of_narrow_and_wide_densities(deviation):
    x, labels = draw(images=300)
    x = x * deviation
    assert_float32(ClassMoments.from_samples(x, labels, 5).statistics(Knots()), exact(x, labels, 5, Knots()))


def test_an_absent_class_counts_nothing():
    x, labels = draw(classes=3)
    with_gap = ClassMoments.from_samples(x, torch.tensor([0, 2, 4])[labels], 5).statistics(Knots())
    dense = ClassMoments.from_samples(x, labels, 3).statistics(Knots())
    assert torch.equal(with_gap.counts[:, [1, 3]], torch.zeros(3, 2))
    assert torch.equal(with_gap.sums[:, [1, 3]], torch.zeros(3, 2, 33))
    assert_close(with_gap.sums[:, [0, 2, 4]], dense.sums)
    assert_close(with_gap.squares, dense.squares, atol=1e-5)
    y = torch.randn(33)
    assert torch.equal(with_gap.correlations(y)[:, [1, 3]], torch.zeros(3, 2))
    assert_close(with_gap.correlations(y)[:, [0, 2, 4]], dense.correlations(y))


def test_one_image_a_class_is_a_narrow_density():
    x, labels = torch.tensor([-1.0, 0.3, 2.2])[:, None, None], torch.arange(3)
    knots = Knots()
    narrow = 5e-3 * knots.spacing
    statistics = ClassMoments.from_samples(x, labels, 3).statistics(knots)
    assert_float32(statistics, exact(x, labels, 3, knots, narrowest=narrow))
    # hence the correlations of the three points themselves
    points = HatStatistics.from_samples(x[:, 0].T, labels, 3, knots)
    y = torch.linspace(0, 3, 33).square()
    assert_close(statistics.correlations(y), points.correlations(y), atol=1e-2)


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_a_constant_channel_is_finite_and_not_wider_than_the_knots(scale):
    x, labels = torch.full((20, 2, 1), 0.37 * scale), torch.arange(20) % 5
    knots = Knots(33, -3 * scale, 3 * scale)
    statistics = ClassMoments.from_samples(x, labels, 5).statistics(knots)
    mass = statistics.mean[0]
    assert mass.isfinite().all()
    assert mass[17:20].sum() == pytest.approx(1, abs=1e-3)  # 0.37 lies between knots 17 and 18
    rho = statistics.correlations(knots.positions(torch.float32).relu())
    assert rho.abs().max() < 1e-2


@pytest.mark.parametrize("offset", [1.0, 10.0, 100.0])
def test_a_mean_far_off_costs_the_stated_digits_of_the_variance(offset):
    x, labels = draw(images=500, positions=16, channels=1)
    x = x + offset
    moments = ClassMoments.from_samples(x, labels, 5)
    for k in range(5):
        samples = by_class(x, labels, k)
        variance = (moments.squares[0, k] - moments.sums[0, k] ** 2 / moments.counts[k]) / moments.counts[k]
        bound = 1e-7 * (samples.mean() ** 2 + samples.var())
        assert abs(float(variance) - samples.var()) < bound


@pytest.mark.parametrize("layout", ["channels first", "step", "expanded"])
def test_memory_layout_does_not_matter(layout):
    x, labels = draw()
    views = {
        "channels first": x.permute(2, 0, 1).contiguous().permute(1, 2, 0),
        "step": torch.stack([x, x], -1).flatten(-2)[..., ::2],
        "expanded": x[..., :1].expand(x.shape),
    }
    view = views[layout]
    expected = ClassMoments.from_samples(view.clone(), labels, 5)
    for name in FIELDS:
        assert_close(getattr(ClassMoments.from_samples(view, labels, 5), name), getattr(expected, name), rtol=1e-6)


def test_a_nan_spoils_its_own_channel_and_class_only():
    x, labels = draw()
    x[0, 0, 1] = torch.nan
    moments = ClassMoments.from_samples(x, labels, 5)
    spoilt = moments.sums.isnan()
    # by a product of matrices 0 * NaN reaches every class of the channel
    assert spoilt[1, labels[0]]
    assert not spoilt[[0, 2]].any()


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("labels", [[0, 1, 3], [0, -1, 2], [0, 1], [[0, 1, 2]]], ids=["high", "low", "few", "shape"])
def test_labels_that_do_not_fit_are_refused(labels):
    x = torch.zeros(3, 2, 1)
    assert_refused(lambda: ClassMoments.from_samples(x, torch.tensor(labels), 3), "labels", "0..2", "3 images")


@pytest.mark.parametrize("shape", [(0, 2, 1), (3, 0, 1)], ids=str)
def test_no_samples_are_refused(shape):
    labels = torch.zeros(shape[0], dtype=torch.int64)
    assert_refused(lambda: ClassMoments.from_samples(torch.zeros(shape), labels, 3), "samples", "0")


def test_labels_of_any_whole_type():
    x, labels = draw()
    expected = ClassMoments.from_samples(x, labels, 5)
    for dtype in (torch.int32, torch.int16, torch.int8):
        assert torch.equal(ClassMoments.from_samples(x, labels.to(dtype), 5).sums, expected.sums)
