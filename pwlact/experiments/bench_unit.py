"""The solvers of the correlation objective side by side: how long they take and what they reach."""

from collections.abc import Callable
from statistics import median
from typing import Any

from pwlact import checks
from pwlact.experiments.unit import SOLVERS, UnitConfig, run

# seconds under which a run is repeated to warm the caches
_SHORT = 0.05


def compare(
    classes: int, sigma: float, repeats: int = 5, progress: Callable[[int, int], None] | None = None
) -> list[dict[str, Any]]:
    """Run every solver `repeats` times, in turn, after one run to warm up.

    A solver that takes less than 50 ms runs twice a turn and the second run counts: the solvers before it have
    left nothing of its code and data in the caches.

    Args:
        classes: number of classes.
        sigma: noise, in standard deviations of the class means.
        repeats: timed runs of each solver.
        progress: called with (runs done, runs in all).

    Returns:
        One row a solver: name, total_ms (median), vs_eigen (ratio of medians), reward, beta, x0, r2.

    Raises:
        InputError: a number outside its range.
    """
    checks.at_least("repeats", repeats, 1)
    times: dict[str, list[float]] = {name: [] for name in SOLVERS}
    records: dict[str, dict[str, Any]] = {}
    total = (repeats + 1) * len(SOLVERS)
    for done in range(total):
        name = SOLVERS[done % len(SOLVERS)]
        records[name] = run(UnitConfig(classes, sigma, name))
        if records[name]["seconds"] < _SHORT:
            records[name] = run(UnitConfig(classes, sigma, name))
        if done >= len(SOLVERS):
            times[name].append(1e3 * records[name]["seconds"])
        if progress is not None:
            progress(done + 1, total)
    fastest = median(times["eigen"])
    return [
        {
            "name": name,
            "total_ms": median(times[name]),
            "vs_eigen": median(times[name]) / fastest,
            "reward": records[name]["reward"],
            **{key: records[name]["swish"][key] for key in ("beta", "x0", "r2")},
        }
        for name in SOLVERS
    ]
