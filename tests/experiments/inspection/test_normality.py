"""Statistics of normality: against scipy, under affine maps, for known densities, and for samples that are none."""

import numpy as np
import pytest
from scipy import stats

from pwlact.experiments.inspection.normality import baselines, normality, rejected, standardised, summary

STATISTICS = ("skewness", "excess_kurtosis", "w", "d", "p")


def rows(n=40, seed=0):
    rng = np.random.default_rng(seed)
    kinds = [rng.normal(size=n), rng.laplace(3, 2, n), rng.uniform(-1, 5, n), rng.exponential(size=n) * 1e-2]
    return np.stack([*kinds, 1e5 + rng.normal(size=n), rng.integers(0, 3, n).astype(float)])


@pytest.mark.parametrize("n", [8, 40, 5000])
def test_agrees_with_scipy(n):
    x = rows(n)
    found = normality(x)
    for i, row in enumerate(x):
        mean, deviation = row.mean(), row.std()
        expected = (
            stats.skew(row),
            stats.kurtosis(row),
            *stats.shapiro(row),
            stats.kstest(row, "norm", (mean, deviation)).statistic,
        )
        actual = [getattr(found, name)[i] for name in ("skewness", "excess_kurtosis", "w", "p", "d")]
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize(("scale", "offset"), [(1e-4, 0), (7, -300), (1e3, 1e5)])
def test_affine_maps_change_nothing(scale, offset):
    x = rows()
    before, after, mirrored = (normality(y) for y in (x, scale * x + offset, offset - scale * x))
    for name in STATISTICS:
        a, b, c = (getattr(part, name) for part in (before, after, mirrored))
        np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(c, -a if name == "skewness" else a, rtol=1e-4, atol=1e-6)


def test_rows_that_do_not_vary_are_left_out():
    x = rows()
    bad = np.tile(x[:1], (6, 1))
    bad[0] = 3.0
    bad[1, 5] = np.nan
    bad[2, 5] = np.inf
    bad[3] = 0.0
    bad[4] = 1000 * (1 + 1e-8 * x[0])  # rounding of float32
    bad[5, ::2] = -np.inf
    found = normality(np.concatenate([x, bad]))
    for name in STATISTICS:
        values = getattr(found, name)
        assert np.isfinite(values[: len(x)]).all()
        assert np.isnan(values[len(x) :]).all()
    record = summary([found])
    assert (record["tests"], record["left_out"]) == (6, 6)
    good = summary([normality(x)])
    assert {**record, "left_out": 0} == good


def test_nothing_but_constants():
    record = summary([normality(np.ones((3, 10)))])
    assert (record["tests"], record["left_out"]) == (0, 3)
    assert np.isnan([record["w"]["median"], record["d"]["q10"], *record["rejected"].values()]).all()


def test_summary_is_of_all_parts():
    x = rows(30)
    parts = [normality(x[:4]), normality(x[4:])]
    values = normality(x).d
    found = summary(parts)["d"]
    assert found["median"] == pytest.approx(np.median(values), rel=1e-12)
    assert found["q10"] == pytest.approx(np.percentile(values, 10), rel=1e-12)
    assert found["q90"] == pytest.approx(np.percentile(values, 90), rel=1e-12)


def test_standardised_rows():
    z, varies = standardised(rows())
    assert varies.all()
    np.testing.assert_allclose(z.mean(axis=1), 0, atol=1e-9)
    np.testing.assert_allclose(z.std(axis=1), 1, rtol=1e-12)
    assert (np.diff(z, axis=1) >= 0).all()


@pytest.mark.parametrize(
    ("p", "holm", "bh"),
    [
        ([0.04, 0.01, 0.03, 0.005], 2 / 4, 4 / 4),
        ([0.03, 0.04], 0, 1),  # the first fails its own step, the second carries it
        ([0.05], 1, 1),
        ([0.0500001], 0, 0),
        ([0.026, 0.9], 0, 0),
        ([0.001, 0.5, 0.02], 2 / 3, 2 / 3),
        ([0.001, 0.03, 0.03], 1 / 3, 1),  # Holm stops at 0.03 > 0.025, though 0.03 <= 0.05 comes after
    ],
)
def test_corrections_by_hand(p, holm, bh):
    found = rejected(np.array(p))
    assert found["uncorrected"] == pytest.approx(np.mean(np.array(p) <= 0.05))
    assert found["holm"] == pytest.approx(holm)
    assert found["benjamini_hochberg"] == pytest.approx(bh)


@pytest.mark.parametrize("m", [1, 7, 300])
def test_corrections_against_adjusted_p_values(m):
    rng = np.random.default_rng(m)
    for power in (1, 2, 5, 30):
        p = rng.uniform(size=m) ** power
        found = rejected(p, 0.1)
        assert found["benjamini_hochberg"] == pytest.approx((stats.false_discovery_control(p) <= 0.1).mean())
        order = np.sort(p)
        adjusted = np.maximum.accumulate([(m - i) * value for i, value in enumerate(order)])
        assert found["holm"] == pytest.approx((adjusted <= 0.1).mean())
        assert found["holm"] <= found["benjamini_hochberg"] <= found["uncorrected"]


def test_known_densities():
    known = baselines(200, rows=2000)
    assert list(known) == ["normal", "uniform", "laplace", "half-normal"]
    normal = known["normal"]
    assert normal["rejected"]["uncorrected"] == pytest.approx(0.05, abs=0.02)
    assert normal["rejected"]["holm"] < 0.005
    assert normal["w"]["median"] > 0.99
    assert abs(normal["skewness"]["median"]) < 0.02
    for name in ("uniform", "laplace", "half-normal"):
        assert known[name]["rejected"]["uncorrected"] > 0.95
        assert known[name]["w"]["median"] < 0.97
        assert known[name]["d"]["median"] > 1.7 * normal["d"]["median"]
    assert known["uniform"]["excess_kurtosis"]["median"] == pytest.approx(-1.2, abs=0.05)
    # of |x|, x normal: (4 - pi) sqrt(2) / (pi - 2)^(3/2)
    assert known["half-normal"]["skewness"]["median"] == pytest.approx(0.995, abs=0.06)
    assert known["laplace"]["excess_kurtosis"]["median"] > 1.5
    assert baselines(200, rows=50) == baselines(200, rows=50)
    assert baselines(200, rows=50, seed=1) != baselines(200, rows=50)


def test_w_is_an_effect_size():
    """It stays while p falls with the number of samples."""
    few, many = (normality(np.random.default_rng(0).laplace(size=(200, n))) for n in (200, 2000))
    assert np.median(many.w) == pytest.approx(np.median(few.w), abs=0.02)
    assert np.median(many.p) < 1e-6 * np.median(few.p)
