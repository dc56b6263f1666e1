"""Sparse maps side by side: time of forward and backward pass, against torch's softmax and the entmax package.

pwlact bench sparse      (4096, 1024) float32, some seconds a round
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pwlact import checks
from pwlact.competitive import entmax, entmax15, relumax, softmax, sparsemax
from pwlact.environment import environment
from pwlact.experiments.stopwatch import Lap, Stopwatch, alternate
from pwlact.training import device_name, find_device

# all others are seen relative to it
MEASURE = "torch softmax"
Map = Callable[[Tensor], Tensor]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class SparseBenchConfig:
    """Settings of the benchmark.

    Attributes:
        rows: number of rows.
        units: units in a row.
        scale: standard deviation of z: the larger, the fewer units have p > 0.
        device: "auto", "cuda", "mps" or "cpu".
        threads: of the CPU; as many as torch takes unless given.
        repeats: rounds; each round gives one ratio.
        slow: also time what takes seconds a round: sorting, bisection, entmax of any alpha.
        seed: of z and of the order in a round.

    Raises:
        InputError: a value outside its range, or a device that is not there.
    """

    rows: int = 4096
    units: int = 1024
    scale: float = 1.0
    device: str = "auto"
    threads: int | None = None
    repeats: int = 7
    slow: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("rows", "units", "repeats"):
            checks.at_least(name, getattr(self, name), 1)
        checks.positive("scale", self.scale)
        if self.threads is not None:
            checks.at_least("threads", self.threads, 1)
        find_device(self.device)


def contenders(*, slow: bool = False) -> dict[str, Map]:
    """The maps by name; those of the entmax package where it is installed."""
    found: dict[str, Map] = {
        MEASURE: lambda z: torch.softmax(z, -1),
        "softmax": softmax,
        "sparsemax": sparsemax,
        "entmax15": entmax15,
        "relumax": relumax,
    }
    if slow:
        found["entmax, alpha 1.3"] = lambda z: entmax(z, 1.3)
    try:
        import entmax as peer  # pyright: ignore[reportMissingImports]
    except ImportError:
        return found
    found["entmax package: sparsemax, k = 32"] = lambda z: peer.sparsemax(z, dim=-1, k=min(32, z.shape[-1]))
    found["entmax package: entmax15, k = 100"] = lambda z: peer.entmax15(z, dim=-1, k=min(100, z.shape[-1]))
    if slow:
        found["entmax package: sparsemax, sorting"] = lambda z: peer.sparsemax(z, dim=-1)
        found["entmax package: bisection, alpha 1.3"] = lambda z: peer.entmax_bisect(z, 1.3, dim=-1)
    return found


def run(config: SparseBenchConfig, progress: Progress | None = None) -> dict[str, Any]:
    """Time all maps.

    Args:
        config: the settings.
        progress: called with (turns done, turns in all).

    Returns:
        JSON-able record: rows [{name, forward_ms, backward_ms, total_ms (medians), vs_softmax (median of the rounds'
        ratios to torch's softmax), spread (quartiles of it), support (mean number of units with p > 0)}], config,
        device, threads, environment, seconds.
    """
    start = perf_counter()
    device = find_device(config.device)
    generator = torch.Generator().manual_seed(config.seed)
    z = config.scale * torch.randn(config.rows, config.units, generator=generator)
    upstream = torch.randn(config.rows, config.units, generator=generator).to(device)
    z = z.to(device).requires_grad_()
    maps, done = contenders(slow=config.slow), 0

    def after() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, len(maps) * (config.repeats + 1))

    watch = Stopwatch(device)
    runs = {name: _lap(function, z, upstream, watch) for name, function in maps.items()}
    with _threads(config.threads):
        support = {name: _warm(runs[name], function, z, after) for name, function in maps.items()}
        laps = alternate(runs, config.repeats, config.seed, after)
        record = environment(device_name(device))
    return {
        "rows": [{"name": name, **_times(laps[name], laps[MEASURE]), "support": support[name]} for name in maps],
        "config": asdict(config),
        "device": device.type,
        "threads": record["threads"],
        "environment": record,
        "seconds": perf_counter() - start,
    }


def _lap(function: Map, z: Tensor, upstream: Tensor, watch: Stopwatch) -> Callable[[], Lap]:
    def run() -> Lap:
        start = watch.mark()
        p = function(z)
        middle = watch.mark()
        torch.autograd.grad(p, z, upstream)
        end = watch.mark()
        return Lap(watch.milliseconds(start, middle), watch.milliseconds(middle, end))

    return run


def _warm(run: Callable[[], Lap], function: Map, z: Tensor, after: Callable[[], None]) -> float:
    """A first turn, which does not count; returns the mean size of the support."""
    run()
    after()
    with torch.no_grad():
        return (function(z) > 0).sum(-1).double().mean().item()


def _times(laps: list[Lap], measure: list[Lap]) -> dict[str, Any]:
    ratios = [lap.total / other.total for lap, other in zip(laps, measure, strict=True)]
    return {
        "forward_ms": median(lap.forward for lap in laps),
        "backward_ms": median(lap.backward for lap in laps),
        "total_ms": median(lap.total for lap in laps),
        "vs_softmax": median(ratios),
        "spread": [float(quartile) for quartile in np.quantile(ratios, [0.25, 0.75])],
    }


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    """Within, torch uses so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
