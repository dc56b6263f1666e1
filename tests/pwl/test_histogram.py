"""InputHistogram: counts, quantiles and merging, at every scale and with everything that a network can emit."""

import copy
import math

import pytest
import torch
from asserts import assert_refused
from cases import DTYPES, LAYOUTS, SHAPES

from pwlact.pwl.histogram import InputHistogram

INF, NAN = math.inf, math.nan
BUCKET = 2**-7


def seen(*tensors):
    histogram = InputHistogram()
    for x in tensors:
        histogram.update(x)
    return histogram


SCALES = [
    (dtype, scale)
    for dtype in DTYPES
    for scale in (1e-30, 1e-15, 1.0, 1e15, 1e30)
    if dtype != torch.float16 or scale == 1.0  # its range is 6e-8 to 65504
]


@pytest.mark.parametrize(("dtype", "scale"), SCALES, ids=str)
def test_quantiles_are_those_of_the_sample_to_one_bucket(dtype, scale):
    x = (torch.randn(20001, dtype=torch.float64) * scale).to(dtype)
    exact = x.double().sort().values
    histogram = seen(x)
    for share in (0.0, 0.0005, 0.1, 0.25, 0.8, 0.9995, 1.0):
        found, expected = histogram.quantile(share), exact[round(share * 20000)].item()
        # ties of the rounded sample may put neighbouring ranks one bucket apart
        assert found == pytest.approx(expected, rel=2.1 * BUCKET)


def test_smooth_quantiles_are_finer_than_a_bucket():
    histogram = seen(torch.linspace(0.0, 1.0, 1_000_001))
    for share in (0.1, 0.3, 0.555, 0.9):
        assert histogram.quantile(share) == pytest.approx(share, rel=1e-4)


def test_one_outlier_costs_no_resolution():
    x = torch.randn(100_000)
    clean, spoilt = seen(x).interval(0.99), seen(x, torch.tensor([1e15, -1e30])).interval(0.99)
    assert spoilt == pytest.approx(clean, rel=2e-3)
    assert clean == pytest.approx((-2.576, 2.576), rel=0.02)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_kind_of_number_is_counted_where_it_belongs(dtype):
    x = torch.tensor([0.0, -0.0, NAN, INF, -INF, 1.5, -1.5, NAN, INF], dtype=dtype)
    histogram = seen(x)
    assert (histogram.count, histogram.nans, histogram.infinities) == (4, 2, 3)
    assert histogram.counts.sum() == 9
    assert histogram.quantile(0.5) == 0
    low, high = histogram.interval(1.0)
    assert -1.5 * (1 + BUCKET) <= low <= -1.5
    assert 1.5 <= high <= 1.5 * (1 + BUCKET)


def test_doubles_beyond_float32_are_finite():
    histogram = seen(torch.tensor([1e300, -1e300, 1e-300, INF], dtype=torch.float64))
    assert (histogram.count, histogram.infinities) == (3, 1)
    assert histogram.quantile(1.0) == pytest.approx(3.4e38, rel=0.01)
    assert histogram.quantile(0.5) == 0


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_shape(shape):
    assert seen(torch.randn(shape)).count == math.prod(shape)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_counts_as_its_copy(layout):
    x = LAYOUTS[layout](torch.randn(2, 3, 4, 5))
    assert torch.equal(seen(x).counts, seen(x.contiguous()).counts)


def test_parts_merged_in_any_order_are_the_whole():
    parts = [torch.randn(100) * 10.0**k for k in (-20, 3, 0, 12)]
    whole = seen(torch.cat(parts))
    backwards = seen(*reversed(parts))
    merged = seen(parts[0], parts[1]).merge(seen(parts[2])).merge(seen()).merge(seen(parts[3]))
    assert torch.equal(whole.counts, backwards.counts)
    assert torch.equal(whole.counts, merged.counts)


def test_merging_leaves_the_other_alone():
    first, second = seen(torch.ones(3)), seen(torch.ones(2))
    copied = copy.deepcopy(first)
    assert first.merge(second) is first
    assert (first.count, second.count, copied.count) == (5, 2, 3)


def test_counting_leaves_no_graph_and_x_as_it_was():
    x = torch.tensor([1.0, -2.0, NAN], requires_grad=True)
    histogram = seen(x)
    assert not histogram.counts.requires_grad
    assert x.tolist()[:2] == [1.0, -2.0]


def test_memory_is_fixed():
    histogram = InputHistogram()
    before = histogram.counts.numel()
    for scale in (1e-30, 1.0, 1e30):
        histogram.update(torch.randn(1000) * scale)
    assert histogram.counts.numel() == before


def test_rebinning_counts_between_any_edges():
    x = torch.randn(50_000, dtype=torch.float64)
    edges = torch.linspace(-3, 3, 25, dtype=torch.float64)
    found = seen(x).rebin(edges)
    exact = torch.histogram(x, edges).hist
    assert (found - exact).abs().max() < 60  # an edge at 1.9 splits a bucket of 100 or so
    assert seen(x).rebin(torch.tensor([-1e6, 0.0, 1e6]).double()).sum().item() == pytest.approx(50_000)
    assert seen(x).rebin(torch.tensor([-INF, INF]).double()).item() == pytest.approx(50_000)


def test_rebinning_of_nothing_is_nothing():
    assert InputHistogram().rebin(torch.tensor([-1.0, 0.0, 1.0])).tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("call", "fragments"),
    [
        (lambda: InputHistogram().quantile(0.5), ("no finite input", "run the model")),
        (lambda: seen(torch.tensor([NAN, NAN, INF])).interval(0.9), ("no finite input", "2 NaN")),
        (lambda: seen(torch.ones(9)).interval(0.9), ("hardly vary", "1")),
        (lambda: seen(torch.zeros(9), -torch.zeros(9)).interval(0.9), ("hardly vary", "0")),
        (lambda: seen(torch.ones(2)).quantile(1.5), ("share", "1.5")),
        (lambda: seen(torch.ones(2)).quantile(-0.1), ("share", "-0.1")),
        (lambda: seen(torch.ones(2)).quantile(NAN), ("share", "nan")),
        (lambda: seen(torch.ones(2)).interval(0.0), ("coverage", "0.0")),
        (lambda: seen(torch.ones(2)).interval(1.1), ("coverage", "1.1")),
    ],
)
def test_bad_questions_are_refused(call, fragments):
    assert_refused(call, *fragments)


@pytest.mark.usefixtures("unchecked")
def test_whole_numbers_are_refused():
    assert_refused(lambda: seen(torch.arange(3)), "floating", "torch.int64")
