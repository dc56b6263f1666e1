"""Numbers as short text: five digits are more than a screen shows, and a page has to stay small."""

import base64
import math
from collections.abc import Iterable

import numpy as np
from jaxtyping import Float

_DIGITS = 5
MISSING = 65535
"""What stands for a value that is not finite in `pack_curves`."""


def shorten(values: Iterable[float]) -> list[float | None]:
    """Each value with five significant digits; None where it is not finite."""
    return [_short(float(value)) for value in values]


def pack_curves(values: Float[np.ndarray, "*shape"], low: float, high: float) -> str:
    """Values as little-endian 16-bit numbers in base64: 0 is `low`, 65534 is `high`, 65535 is missing."""
    finite = np.isfinite(values)
    share = (np.where(finite, values, low) - low) / (high - low)
    steps = np.where(finite, np.rint(share.clip(0, 1) * (MISSING - 1)), MISSING)
    return _base64(steps.astype("<u2"))


def pack_heights(values: Float[np.ndarray, "*shape"], high: float) -> str:
    """Values from 0 to `high` as bytes in base64: 255 is `high`; all 0 where `high` is."""
    share = values / high if high > 0 else np.zeros_like(values)
    return _base64(np.rint(share.clip(0, 1) * 255).astype(np.uint8))


def _short(value: float) -> float | None:
    if not math.isfinite(value):
        return None
    short = float(f"{value:.{_DIGITS}g}")
    # 3 takes fewer letters than 3.0
    return int(short) if short.is_integer() and abs(short) < 1e15 else short


def _base64(array: np.ndarray) -> str:
    return base64.b64encode(array.tobytes()).decode("ascii")
