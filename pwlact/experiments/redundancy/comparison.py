"""Rows side by side: every activation against one, seed by seed, under the same condition and over all of them."""

from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Any

from pwlact.experiments.kept_rows import Row
from pwlact.experiments.redundancy.measuring import LAYER_MEASURES
from pwlact.experiments.spread import difference, spread

Read = Callable[[Row], list[float | None]]


def _distinct(part: str) -> Read:
    """(1 - dead) (1 - duplicates among the live): the share of outputs that say something no other says."""

    def read(row: Row) -> list[float | None]:
        pairs = zip(row[part]["dead"]["values"], row[part]["duplicate_units"]["values"], strict=True)
        return [None if dead is None or again is None else (1 - dead) * (1 - again) for dead, again in pairs]

    return read


MEASURES: dict[str, Read] = {
    "accuracy": lambda row: row["accuracy"]["values"],
    "distinct": _distinct("trained"),
    "steps": lambda row: row["steps"]["values"],
    **{name: lambda row, name=name: row["trained"][name]["values"] for name in LAYER_MEASURES},
}
"""What is compared, and where a row has its values, one a seed."""


def against_base(rows: Sequence[Row], base: str, condition: Sequence[str]) -> list[Row]:
    """Every row with `against`: by measure, mean difference from the base's row of the same condition.

    Differences are taken seed by seed: a seed has the same data and the same first layer under each activation.

    Args:
        rows: rows with an `activation`.
        base: the activation compared with; without a row of it, `against` is None.
        condition: keys that two rows must share.
    """
    bases = {_key(row, condition): row for row in rows if row["activation"] == base}
    return [{**row, "against": _against(row, bases.get(_key(row, condition)))} for row in rows]


def overall(rows: Sequence[Row], base: str, condition: Sequence[str]) -> list[dict[str, Any]]:
    """One line an activation: by measure, its mean over conditions for every seed, with spread over seeds.

    Args:
        rows: rows with an `activation`.
        base: the activation compared with.
        condition: keys that set conditions apart.

    Returns:
        [{activation, conditions, reached, diverged, accuracy, ..., untrained {...}, against {...} or None}]
    """
    lines = [_line(name, rows) for name in dict.fromkeys(row["activation"] for row in rows)]
    # only what has been measured under the same conditions can be compared
    conditions = {
        line["activation"]: {_key(row, condition) for row in rows if row["activation"] == line["activation"]}
        for line in lines
    }
    found = next((line for line in lines if line["activation"] == base), None)
    for line in lines:
        same = found is not None and conditions[line["activation"]] == conditions[base]
        line["against"] = _differences(line, found) if found is not None and same else None
    return lines


def _line(name: str, rows: Sequence[Row]) -> dict[str, Any]:
    own = [row for row in rows if row["activation"] == name]
    return {
        "activation": name,
        "conditions": len(own),
        **{share: fmean(row[share] for row in own) for share in ("reached", "diverged")},
        **{measure: spread(_means([read(row) for row in own])) for measure, read in MEASURES.items()},
        "untrained": {
            "distinct": spread(_means([_distinct("untrained")(row) for row in own])),
            **{name: spread(_means([row["untrained"][name]["values"] for row in own])) for name in LAYER_MEASURES},
        },
    }


def _means(rows: Sequence[Sequence[float | None]]) -> list[float]:
    """Mean over rows for every seed; NaN where a row lacks it."""
    return [
        fmean(value for value in values if value is not None) if None not in values else float("nan")
        for values in zip(*rows, strict=True)
    ]


def _against(row: Row, base: Row | None) -> dict[str, Any] | None:
    if base is None:
        return None
    return {measure: difference(read(row), read(base)) for measure, read in MEASURES.items()}


def _differences(line: dict[str, Any], base: dict[str, Any]) -> dict[str, Any]:
    return {measure: difference(line[measure]["values"], base[measure]["values"]) for measure in MEASURES}


def _key(row: Row, condition: Sequence[str]) -> tuple[Any, ...]:
    return tuple(row[name] for name in condition)
