"""How far samples are from normal: moments, Shapiro-Wilk W, Kolmogorov distance, and the share of tests rejected."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy import special, stats

LEVEL = 0.05
"""Level of the tests."""
FEWEST, MOST = 8, 5000
"""Samples that a row needs for four moments to mean anything, and that W's p-value is known up to."""

_KINDS: dict[str, Callable[[np.random.Generator, tuple[int, int]], np.ndarray]] = {
    "normal": lambda rng, size: rng.standard_normal(size),
    "uniform": lambda rng, size: rng.uniform(size=size),
    "laplace": lambda rng, size: rng.laplace(size=size),
    "half-normal": lambda rng, size: np.abs(rng.standard_normal(size)),
}


@dataclass(frozen=True)
class Normality:
    """Statistics of rows of independent samples, each of shape (rows,); NaN for a row that does not vary.

    Attributes:
        skewness: m_3 / m_2^(3/2), 0 for a normal.
        excess_kurtosis: m_4 / m_2^2 - 3, 0 for a normal.
        w: Shapiro and Wilk's W, the squared correlation of the sorted samples with those expected of a normal; 1
            for a normal. It is an effect size: it does not fall as the number of samples grows, as p does.
        d: Kolmogorov's distance max |F_n - Phi| to the normal of the same mean and deviation, from 0 to 1.
        p: p-value of W.
    """

    skewness: Float[np.ndarray, " rows"]
    excess_kurtosis: Float[np.ndarray, " rows"]
    w: Float[np.ndarray, " rows"]
    d: Float[np.ndarray, " rows"]
    p: Float[np.ndarray, " rows"]


def normality(x: Float[np.ndarray, "rows samples"]) -> Normality:
    """Statistics of each row of x, of `FEWEST` to `MOST` samples.

    References:
        Shapiro and Wilk, "An analysis of variance test for normality", 1965; p by Royston, 1995 (scipy).
        Lilliefors, "On the Kolmogorov-Smirnov test for normality with mean and variance unknown", 1967 (D).
    """
    z, varies = standardised(x)
    m3, m4 = (z**3).mean(axis=1), (z**4).mean(axis=1)
    w, p = (np.full(len(z), np.nan) for _ in range(2))
    if varies.any():
        shapiro: Any = stats.shapiro  # its stub does not know `axis`
        w[varies], p[varies] = shapiro(z[varies], axis=1)
    return Normality(m3, m4 - 3, w, _kolmogorov(z), p)


def standardised(x: Float[np.ndarray, "rows samples"]) -> tuple[np.ndarray, np.ndarray]:
    """(x - mean) / deviation of each row, sorted, and which rows vary; NaN in those that do not.

    What varies by no more than rounding in float32 does not vary.
    """
    x = np.sort(np.asarray(x, dtype=np.float64), axis=1)
    x[~np.isfinite(x).all(axis=1)] = 0.0  # a row with NaN or infinities has no moments
    centred = x - x.mean(axis=1, keepdims=True)
    deviation = np.sqrt((centred**2).mean(axis=1))
    varies = deviation > 1e-6 * np.abs(x).max(axis=1)
    deviation[~varies] = np.nan
    return centred / deviation[:, None], varies


def summary(parts: list[Normality]) -> dict[str, Any]:
    """Median, 10 % and 90 % quantile of each statistic over all rows, and the shares rejected.

    Returns:
        JSON-able: tests (their number), left_out (rows that do not vary), skewness, excess_kurtosis, w and d {median,
        q10, q90}, rejected {uncorrected, holm, benjamini_hochberg}: shares of the tests.
    """
    p = np.concatenate([part.p for part in parts])
    tested = ~np.isnan(p)
    record: dict[str, Any] = {"tests": int(tested.sum()), "left_out": int((~tested).sum())}
    for name in ("skewness", "excess_kurtosis", "w", "d"):
        values = np.concatenate([getattr(part, name) for part in parts])[tested]
        q10, median, q90 = np.quantile(values, [0.1, 0.5, 0.9]) if len(values) else (np.nan,) * 3
        record[name] = {"median": float(median), "q10": float(q10), "q90": float(q90)}
    return record | {"rejected": rejected(p[tested])}


def rejected(p: Float[np.ndarray, " tests"], level: float = LEVEL) -> dict[str, float]:
    """Share of hypotheses rejected at `level`: as they stand, after Holm, after Benjamini and Hochberg.

    Holm rejects the i-th smallest of m p-values, i = 0, 1, ..., while p_i <= level / (m - i): at most a share `level`
    of such families has a wrong rejection. Benjamini and Hochberg reject up to the largest i with p_i <= (i + 1) level
    / m: of the rejections a share `level` is expected to be wrong.

    References:
        Holm, "A simple sequentially rejective multiple test procedure", 1979.
        Benjamini and Hochberg, "Controlling the false discovery rate", 1995.
    """
    m = len(p)
    if not m:
        return dict.fromkeys(("uncorrected", "holm", "benjamini_hochberg"), float("nan"))
    p = np.sort(p)
    rank = np.arange(m)
    holm = np.logical_and.accumulate(p <= level / (m - rank))
    reached = np.flatnonzero(p <= (rank + 1) * level / m)
    return {
        "uncorrected": float((p <= level).mean()),
        "holm": float(holm.mean()),
        "benjamini_hochberg": float(reached[-1] + 1) / m if len(reached) else 0.0,
    }


def baselines(samples: int, rows: int = 1000, seed: int = 0) -> dict[str, dict[str, Any]]:
    """`summary` of rows of so many independent draws from known densities, by their names."""
    rng = np.random.default_rng(seed)
    return {kind: summary([normality(draw(rng, (rows, samples)))]) for kind, draw in _KINDS.items()}


def _kolmogorov(z: Float[np.ndarray, "rows samples"]) -> Float[np.ndarray, " rows"]:
    """max_i max(i / n - Phi(z_i), Phi(z_i) - (i - 1) / n) of sorted z, i = 1 ... n."""
    n = z.shape[1]
    i = np.arange(1, n + 1)
    normal = special.ndtr(z)
    return np.maximum(i / n - normal, normal - (i - 1) / n).max(axis=1)
