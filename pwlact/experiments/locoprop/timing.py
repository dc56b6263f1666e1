"""Time of a step of each method: blocks of steps in one process, in turns, against Adam's in the same round."""

import math
from collections.abc import Callable, Mapping
from functools import partial
from statistics import median, quantiles
from typing import Any

from pwlact.experiments.locoprop.methods import Method
from pwlact.experiments.locoprop.pictures import Pictures
from pwlact.experiments.locoprop.training import DIVERGED, Job, Trainee
from pwlact.experiments.locoprop.tuning import Settings
from pwlact.experiments.stopwatch import Lap, Stopwatch, alternate

BASE = "adam"
BLOCK = 10
"""Steps a turn: with one renewal of what a second-order method renews every tenth step."""


def time_steps(
    methods: Mapping[str, tuple[Method, Settings]],
    pictures: Pictures,
    job: Job,
    rounds: int,
    after: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Time steps of every method; batches, passes and updates count, measuring losses does not.

    Args:
        methods: by name, each with its settings.
        pictures: on their device.
        job: sizes and batch.
        rounds: number of rounds.
        after: called after each turn.

    Returns:
        JSON-able: base, block, rounds, methods {name: {ms, relative, low, high}}: median milliseconds a step; its
        median ratio to the base's step of the same round, with quartiles (None without the base).
    """
    watch = Stopwatch(pictures.train.device)
    turns = {name: partial(_lap, *one, pictures, job, watch) for name, one in methods.items()}
    laps = alternate(turns, rounds, after=after)
    times = {name: [lap.total / BLOCK for lap in found] for name, found in laps.items()}
    found = {name: {"ms": _median(own), **_ratio(own, times.get(BASE))} for name, own in times.items()}
    return {"base": BASE, "block": BLOCK, "rounds": rounds, "methods": found}


def _lap(method: Method, settings: Settings, pictures: Pictures, job: Job, watch: Stopwatch) -> Lap:
    """A block of steps of a new model, whose first step sets up what lasts; NaN where it diverges so soon."""
    trainee = Trainee(method, settings, pictures, job)
    try:
        trainee.step()
        start = watch.mark()
        for _ in range(BLOCK):
            trainee.step()
    except DIVERGED:
        return Lap(math.nan, 0.0)
    return Lap(watch.milliseconds(start, watch.mark()), 0.0)


def _median(values: list[float]) -> float | None:
    return None if any(map(math.isnan, values)) else median(values)


def _ratio(own: list[float], base: list[float] | None) -> dict[str, float | None]:
    ratios = [] if base is None else [one / other for one, other in zip(own, base, strict=True)]
    if not ratios or any(map(math.isnan, ratios)):
        return {"relative": None, "low": None, "high": None}
    low, _, high = quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else ratios * 3
    return {"relative": median(ratios), "low": low, "high": high}
