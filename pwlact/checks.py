"""Argument checks: bad input raises `InputError`, one line that names value, expectation and way out."""

import math
from collections.abc import Collection


class InputError(ValueError):
    """An argument, file or setting that the user can mend; its message is one line."""


def finite(name: str, value: float) -> float:
    """Return `value` if it is a finite number.

    Raises:
        InputError: it is NaN, infinite or not a number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InputError(f"{name} must be a finite number, got {value!r}")
    return value


def positive(name: str, value: float) -> float:
    """Return `value` if it is a finite number above zero.

    Raises:
        InputError: it is zero, negative, NaN or infinite.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise InputError(f"{name} must be a finite number above 0, got {value!r}")
    return value


def not_negative(name: str, value: float) -> float:
    """Return `value` if it is a finite number, zero or above.

    Raises:
        InputError: it is negative, NaN or infinite.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise InputError(f"{name} must be a finite number, 0 or above, got {value!r}")
    return value


def share(name: str, value: float) -> float:
    """Return `value` if it is at least 0 and below 1.

    Raises:
        InputError: it is negative, 1 or above, NaN, or not a number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise InputError(f"{name} must be at least 0 and below 1, got {value!r}")
    return value


def at_least(name: str, value: int, least: int, why: str = "") -> int:
    """Return `value` if it is a whole number of `least` or more; `why` ends the message.

    Raises:
        InputError: it is smaller, or no whole number.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        reason = f": {why}" if why else ""
        raise InputError(f"{name} must be a whole number of at least {least}, got {value!r}{reason}")
    return value


def choice(name: str, value: str, choices: Collection[str]) -> str:
    """Return `value` if it is one of `choices`.

    Raises:
        InputError: it is none of them.
    """
    if value not in choices:
        raise InputError(f"{name} must be one of {', '.join(choices)}; got {value!r}")
    return value


def interval(low: float, high: float, names: tuple[str, str] = ("low", "high")) -> tuple[float, float]:
    """Return `(low, high)` if both are finite and low < high.

    Raises:
        InputError: one is not finite, or low >= high.
    """
    finite(names[0], low)
    finite(names[1], high)
    if not low < high:
        raise InputError(f"{names[0]} must be below {names[1]}, got {names[0]}={low!r}, {names[1]}={high!r}")
    return low, high
