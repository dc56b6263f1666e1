"""Timing side by side: every candidate once a round, in an order drawn anew each round, in one process."""

import random
from collections.abc import Callable, Mapping
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple

import torch

# milliseconds under which a turn is repeated: what ran before it has left nothing of its data in the caches
SHORT_MS = 20.0
REPEATS_IF_SHORT = 4


class Lap(NamedTuple):
    """Time of one forward and backward pass, in milliseconds."""

    forward: float
    backward: float

    @property
    def total(self) -> float:
        """Forward and backward together."""
        return self.forward + self.backward


class Stopwatch:
    """Marks moments in the work of a device: CUDA events there, else the clock after the device is done.

    Args:
        device: where the work is done.
        clock: seconds, for what is no CUDA device.
    """

    def __init__(self, device: torch.device, clock: Callable[[], float] = perf_counter) -> None:
        self.device = device
        self._clock = clock

    def mark(self) -> Any:
        """This moment in the device's work."""
        if self.device.type == "cuda":
            event = torch.cuda.Event(enable_timing=True)
            event.record()
            return event
        if self.device.type == "mps":
            torch.mps.synchronize()
        return self._clock()

    def milliseconds(self, start: Any, end: Any) -> float:
        """Time from one mark to a later one; waits for the work before `end`."""
        if self.device.type == "cuda":
            end.synchronize()
            return start.elapsed_time(end)
        return 1e3 * (end - start)


def turn(run: Callable[[], Lap]) -> Lap:
    """One turn of a candidate: a run, or where that is short the median of four more, the first left out."""
    first = run()
    if first.total >= SHORT_MS:
        return first
    laps = [run() for _ in range(REPEATS_IF_SHORT)]
    return Lap(median(lap.forward for lap in laps), median(lap.backward for lap in laps))


def alternate(
    runs: Mapping[str, Callable[[], Lap]],
    repeats: int,
    seed: int = 0,
    after: Callable[[], None] = lambda: None,
) -> dict[str, list[Lap]]:
    """Time all candidates in `repeats` rounds.

    What slows the machine down for a while slows the whole round: ratios within a round stand it, ratios of
    medians do not. The order changes from round to round so that no candidate always follows the same one.

    Args:
        runs: name -> a function that does the work once and times it.
        repeats: number of rounds.
        seed: of the orders.
        after: called after each turn, for progress.

    Returns:
        name -> one lap a round.
    """
    laps: dict[str, list[Lap]] = {name: [] for name in runs}
    for number in range(repeats):
        order = list(runs)
        random.Random(f"{seed}, round {number}").shuffle(order)
        for name in order:
            laps[name].append(turn(runs[name]))
            after()
    return laps
