"""Sums of hats of samples, added up by the kernel, against the plain definition; the sample estimator."""

import numpy as np
import pytest
import torch
from asserts import assert_close
from cases import GRIDS, ODD_GRIDS, around, grid_id
from oracles import hats

from pwlact.correlation import ESTIMATORS, HatStatistics
from pwlact.pwl import Knots

FIELDS = ("counts", "sums", "squares", "neighbours")
KNOTS = Knots(9, -2.0, 2.0)


def dense(x, labels, classes, knots):
    """The four sums of samples x (n,), and what rounding of x may change of each, by a dense hat matrix in float64."""
    labels = labels.numpy()
    phi = hats(x.double().numpy(), knots.positions().numpy())
    cross = phi[:, :-1] * phi[:, 1:]
    sums = np.stack([phi[labels == k].sum(0) for k in range(classes)])
    return np.bincount(labels, minlength=classes), sums, (phi**2).sum(0), cross.sum(0)


def sizes(x, classes, knots):
    """What the rounding of each field scales with: the sum over the samples of the size of its terms."""
    reach = 1 + np.abs((x.double().numpy() - knots.low) / knots.spacing)
    return [0.0, reach.sum(), (reach**2).sum(), (reach**2).sum()]


def assert_by_definition(statistics, x, labels, classes, knots):
    """All fields, of any batch shape, to a few roundings of the type of x."""
    eps = torch.finfo(x.dtype).eps
    assert statistics.sums.shape == (*x.shape[:-1], classes, knots.count)
    for place in np.ndindex(x.shape[:-1]):
        bounds = sizes(x[place], classes, knots)
        for name, expected, size in zip(FIELDS, dense(x[place], labels, classes, knots), bounds, strict=True):
            got = getattr(statistics, name)[place]
            assert got.dtype == x.dtype
            assert np.abs(got.double().numpy() - expected).max(initial=0) <= 64 * eps * size, name


def draw(*batch, count=300, classes=4, dtype=torch.float64, knots=KNOTS):
    """Samples in every segment and both tails; labels in no order."""
    x = knots.low + (torch.rand(*batch, count, dtype=torch.float64) * 1.6 - 0.3) * (knots.high - knots.low)
    return x.to(dtype), torch.randint(classes, (count,))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("batch", [(), (1,), (3,), (2, 3), (1, 1, 2)], ids=str)
def test_any_batch_shape_and_type(batch, dtype):
    x, labels = draw(*batch, dtype=dtype)
    assert_by_definition(HatStatistics.from_samples(x, labels, 4, KNOTS), x, labels, 4, KNOTS)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("knots", GRIDS + ODD_GRIDS, ids=grid_id)
def test_any_knots(knots, dtype):
    x, labels = draw(2, dtype=dtype, knots=knots)
    assert_by_definition(HatStatistics.from_samples(x, labels, 4, knots), x, labels, 4, knots)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("knots", GRIDS, ids=grid_id)
def test_on_the_knots_and_beside_them(knots, dtype):
    x = around(knots, 2, dtype)
    labels = torch.arange(len(x)) % 3
    assert_by_definition(HatStatistics.from_samples(x, labels, 3, knots), x, labels, 3, knots)


@pytest.mark.parametrize("far", [1e3, 1e8, 1e15])
def test_far_tails(far):
    x = torch.tensor([far, -far, 0.3], dtype=torch.float64)
    statistics = HatStatistics.from_samples(x, torch.tensor([0, 1, 0]), 2, KNOTS)
    expected = dense(x, torch.tensor([0, 1, 0]), 2, KNOTS)
    for name, exact in zip(FIELDS, expected, strict=True):
        assert_close(getattr(statistics, name).double(), torch.as_tensor(exact).double(), rtol=1e-12, atol=1e-3)


def layouts(x):
    """(3, n) in memory that is not contiguous, in all ways that the learner and its users meet."""
    return {
        "transposed": x.T.contiguous().T,
        "step": torch.stack([x, x], -1).flatten(-2)[..., ::2],
        "expanded": x[:1].expand(3, -1),
        "reversed rows": x.flip(0).contiguous().flip(0),
        "part of a larger one": torch.nn.functional.pad(x, (2, 3, 1, 1))[1:-1, 2:-3],
    }


@pytest.mark.parametrize("layout", ["transposed", "step", "expanded", "reversed rows", "part of a larger one"])
@pytest.mark.parametrize("classes", [1, 4])
def test_memory_layout_does_not_matter(layout, classes):
    x, labels = draw(3, classes=classes)
    view = layouts(x)[layout]
    got = HatStatistics.from_samples(view, labels, classes, KNOTS)
    expected = HatStatistics.from_samples(view.clone(memory_format=torch.contiguous_format), labels, classes, KNOTS)
    for name in FIELDS:
        assert_close(getattr(got, name), getattr(expected, name))
    assert_by_definition(got, view, labels, classes, KNOTS)


def test_inputs_are_not_changed():
    x, labels = draw(3)
    before = x.clone(), labels.clone()
    HatStatistics.from_samples(x, labels, 4, KNOTS)
    assert torch.equal(x, before[0])
    assert torch.equal(labels, before[1])


@pytest.mark.parametrize("present", [[0], [3], [1, 2], [0, 3]], ids=str)
def test_absent_classes_have_sums_of_zero(present):
    x, labels = draw(2, classes=len(present))
    labels = torch.tensor(present)[labels]
    statistics = HatStatistics.from_samples(x, labels, 4, KNOTS)
    assert_by_definition(statistics, x, labels, 4, KNOTS)
    absent = [k for k in range(4) if k not in present]
    assert torch.equal(statistics.sums[:, absent], torch.zeros(2, len(absent), 9, dtype=torch.float64))


@pytest.mark.parametrize("x", [-5.0, -2.0, -0.3, 0.0, 0.5, 1.99, 2.0, 7.5], ids=str)
def test_a_single_sample(x):
    x, labels = torch.tensor([[x]], dtype=torch.float64), torch.tensor([2])
    assert_by_definition(HatStatistics.from_samples(x, labels, 4, KNOTS), x, labels, 4, KNOTS)


def test_the_order_of_the_samples_does_not_matter():
    x, labels = draw(2)
    order = torch.randperm(300)
    one, other = (HatStatistics.from_samples(a, b, 4, KNOTS) for a, b in ((x, labels), (x[:, order], labels[order])))
    for name in FIELDS:
        assert_close(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf], ids=str)
def test_what_is_not_finite_shows_in_its_own_channel_only(bad):
    x, labels = draw(3)
    clean = HatStatistics.from_samples(x, labels, 4, KNOTS)
    x[1, 7] = bad
    spoilt = HatStatistics.from_samples(x, labels, 4, KNOTS)
    for name in FIELDS[1:]:
        assert_close(getattr(spoilt, name)[[0, 2]], getattr(clean, name)[[0, 2]])
        assert not getattr(spoilt, name)[1].isfinite().all()
    other = [k for k in range(4) if k != labels[7]]
    assert_close(spoilt.sums[1, other], clean.sums[1, other])


def test_the_sample_estimator_is_from_samples():
    x, labels = torch.randn(20, 6, 3), torch.randint(4, (20,))
    estimator = ESTIMATORS["sample"]
    statistics = estimator.statistics(estimator.summarise(x, labels, 4, KNOTS), KNOTS)
    assert_by_definition(statistics, x.flatten(0, 1).T, labels.repeat_interleave(6), 4, KNOTS)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_estimators_take_16_bit_inputs_as_the_float32_that_they_are(name):
    x, labels = torch.randn(20, 6, 3).bfloat16(), torch.randint(4, (20,))
    estimator = ESTIMATORS[name]
    low, high = (estimator.statistics(estimator.summarise(a, labels, 4, KNOTS), KNOTS) for a in (x, x.float()))
    for field in FIELDS:
        assert torch.equal(getattr(low, field), getattr(high, field))
        assert getattr(low, field).dtype == torch.float32


@pytest.mark.parametrize("name", ESTIMATORS)
def test_summaries_are_what_the_estimator_says(name):
    estimator = ESTIMATORS[name]
    summary = estimator.summarise(torch.randn(20, 6, 3), torch.randint(4, (20,)), 4, KNOTS)
    assert isinstance(summary, estimator.summary)


def test_both_estimators_agree_on_normal_samples():
    labels = torch.arange(40_000) % 4
    x = torch.randn(40_000, 1, 2) * 0.6 + labels[:, None, None] * 0.5 - 0.7
    y = KNOTS.positions(torch.float32).abs()
    rho = [e.statistics(e.summarise(x, labels, 4, KNOTS), KNOTS).correlations(y) for e in ESTIMATORS.values()]
    assert (rho[0] - rho[1]).abs().max() < 5 / 40_000**0.5
    assert rho[0].abs().max() > 0.2
