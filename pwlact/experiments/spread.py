"""Spread over seeds, and differences between activations seed by seed."""

import math
from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Any

DIGITS = 6


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Mean, standard deviation (None for one value) and number of the finite values, and all values.

    Args:
        values: one a seed.
    """
    finite = [value for value in values if math.isfinite(value)]
    return {
        "mean": _rounded(fmean(finite)) if finite else None,
        "sd": _rounded(stdev(finite)) if len(finite) > 1 else None,
        "n": len(finite),
        "values": [_rounded(value) if math.isfinite(value) else None for value in values],
    }


def difference(values: Sequence[float | None], base: Sequence[float | None]) -> dict[str, Any]:
    """Mean of value - base over the seeds that have both, with its standard error (None for fewer than two).

    Args:
        values: one a seed.
        base: those of the activation compared with, for the same seeds.
    """
    pairs = [
        value - other for value, other in zip(values, base, strict=True) if value is not None and other is not None
    ]
    return {
        "mean": _rounded(fmean(pairs)) if pairs else None,
        "stderr": _rounded(stdev(pairs) / math.sqrt(len(pairs))) if len(pairs) > 1 else None,
        "n": len(pairs),
    }


def _rounded(value: float) -> float:
    """Six significant digits, more than any spread over seeds leaves meaningful."""
    return float(f"{value:.{DIGITS}g}")
