"""A row a method: what tuning chose, losses over steps and seeds, and how far ahead of Adam it is."""

from collections.abc import Mapping, Sequence
from typing import Any

from pwlact.experiments.locoprop.kept import Record
from pwlact.experiments.locoprop.timing import BASE
from pwlact.experiments.spread import difference, spread

Row = dict[str, Any]


def row(name: str, what: str, tuned: Record, runs: Sequence[Record], timed: Record | None) -> Row:
    """A method's row.

    Args:
        name: of the method.
        what: in words.
        tuned: of `tuning.tuned`.
        runs: one a seed, of `training.train`; none where all trials diverged.
        timed: {ms, relative, low, high}, if it was timed.

    Returns:
        JSON-able: name, what, second_is, chosen, rate_at_edge, second_at_edge, tried, diverged (runs that did), train,
        test (spread of the last losses over the seeds that did not), curves {steps, train, test} (lists by seed; one
        that diverged ends early), time.
    """
    ends = {part: [_end(run, part) for run in runs] for part in ("train", "test")}
    longest = max((run["steps"] for run in runs), key=len, default=[])
    return {
        "name": name,
        "what": what,
        **tuned,
        "diverged": [run["diverged"] for run in runs if run["diverged"] is not None],
        **{part: spread(values) for part, values in ends.items()},
        "curves": {"steps": longest, **{part: [run[part] for run in runs] for part in ends}},
        "time": timed,
    }


def against_base(rows: Sequence[Row]) -> list[Row]:
    """Rows with `against`: how they stand to Adam's, None where either has no run to its end.

    {train, test: difference seed by seed {mean, stderr, n}; steps: share of the base's steps after which the mean
    training loss is at most the base's last; seconds: the same share of its time}; shares are None where the loss
    never gets there.
    """
    base = next((one for one in rows if one["name"] == BASE and one["train"]["mean"] is not None), None)
    return [{**one, "against": _against(one, base)} for one in rows]


def whole_curves(one: Mapping[str, Any], part: str) -> list[list[float]]:
    """Losses of the runs that did not diverge, by run and point.

    Args:
        one: a row.
        part: train or test.
    """
    ends = one[part]["values"]
    return [values for values, end in zip(one["curves"][part], ends, strict=True) if end is not None]


def mean_curve(one: Mapping[str, Any], part: str) -> list[float]:
    """Mean over the seeds that did not diverge, by point; empty where there is none.

    Args:
        one: a row.
        part: train or test.
    """
    whole = whole_curves(one, part)
    return [sum(point) / len(whole) for point in zip(*whole, strict=True)]


def _end(run: Record, part: str) -> float:
    return run[part][-1] if run["diverged"] is None else float("nan")


def _against(one: Row, base: Row | None) -> dict[str, Any] | None:
    if base is None or one["train"]["mean"] is None:
        return None
    goal = mean_curve(base, "train")[-1]
    curve = zip(one["curves"]["steps"], mean_curve(one, "train"), strict=True)
    reached = next((step for step, loss in curve if loss <= goal), None)
    steps = None if reached is None else reached / base["curves"]["steps"][-1]
    relative = (one["time"] or {}).get("relative")
    return {
        **{part: difference(one[part]["values"], base[part]["values"]) for part in ("train", "test")},
        "steps": steps,
        "seconds": None if steps is None or relative is None else steps * relative,
    }
