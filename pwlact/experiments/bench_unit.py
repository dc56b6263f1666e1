"""The solvers of the correlation objective side by side: how long they take and what they reach."""

from collections.abc import Callable
from statistics import median
from typing import Any

from pwlact import checks
from pwlact.experiments.unit import SOLVERS, UnitConfig, run, time_solver

# seconds under which a solution is repeated to warm the caches
_SHORT = 0.05


def compare(
    classes: int, sigma: float, repeats: int = 5, progress: Callable[[int, int], None] | None = None
) -> list[dict[str, Any]]:
    """Run every solver `repeats` times, in turn, after one run to warm up.

    A turn of a solver that takes less than 50 ms is five solutions in a row and counts with their median, the
    first left out: the solvers before it have left nothing of its code and data in the caches.

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
    configs = {name: UnitConfig(classes, sigma, name) for name in SOLVERS}
    times: dict[str, list[float]] = {name: [] for name in SOLVERS}
    total = (repeats + 1) * len(SOLVERS)
    for done in range(total):
        name = SOLVERS[done % len(SOLVERS)]
        first = time_solver(configs[name], 1)
        rest = time_solver(configs[name], 4) if first[0] < _SHORT else first
        if done >= len(SOLVERS):
            times[name].append(1e3 * median(rest))
        if progress is not None:
            progress(done + 1, total)
    records = {name: run(config) for name, config in configs.items()}
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
