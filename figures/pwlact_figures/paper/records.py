"""The part of an experiment's record that a figure may keep: the same for the same code."""

from typing import Any

# what depends on the machine and the moment
_PASSING = ("seconds", "environment")


def lasting(record: dict[str, Any]) -> dict[str, Any]:
    """The record without running times and the machine's description."""
    return {key: value for key, value in record.items() if key not in _PASSING}
