"""Activations side by side: time against GELU's, and the memory that each keeps for backward.

pwlact bench activation      every row on the shapes of a ResNet-10 at batch 128, and on (256, 64, 32, 32)
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pwlact import checks
from pwlact.environment import environment
from pwlact.experiments.contenders import PEER, Contender, contenders
from pwlact.experiments.memory import free_bytes, saved_bytes
from pwlact.experiments.stopwatch import Lap, Stopwatch, alternate
from pwlact.training import device_name, find_device

# inputs of a ResNet-10's activations at batch 128, and the size at which times settle
SHAPES = ((128, 64, 32, 32), (128, 128, 16, 16), (128, 256, 8, 8), (128, 512, 4, 4), (256, 64, 32, 32))
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
LAYOUTS = ("contiguous", "channels_last")
# all others are seen relative to these
MEASURES = ("gelu", "silu")
_LONGEST_REASON = 160

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class BenchConfig:
    """Settings of the benchmark.

    Attributes:
        shapes: shapes of x, channels second, each of two dimensions or more.
        dtype: type of x: "fp32", "bf16" or "fp16"; parameters are float32 in each.
        layout: "contiguous", or "channels_last" for four dimensions.
        device: "auto", "cuda", "mps" or "cpu".
        threads: of the CPU; as many as torch takes unless given.
        repeats: rounds; each round gives one ratio.
        compiled: time `torch.compile` too, which compiles for some seconds a shape.
        only: names of rows; all unless given. GELU and SiLU are always timed.
        seed: of x and of the order in a round.

    Raises:
        InputError: a value outside its range, or a device that is not there.
    """

    shapes: tuple[tuple[int, ...], ...] = SHAPES
    dtype: str = "fp32"
    layout: str = "contiguous"
    device: str = "auto"
    threads: int | None = None
    repeats: int = 11
    compiled: bool = True
    only: tuple[str, ...] | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.shapes:
            raise checks.InputError("shapes must hold at least one shape, got none; leave it out for a ResNet-10's")
        for shape in self.shapes:
            _check_shape(shape, self.layout)
        checks.choice("dtype", self.dtype, DTYPES)
        checks.choice("layout", self.layout, LAYOUTS)
        if self.threads is not None:
            checks.at_least("threads", self.threads, 1)
        checks.at_least("repeats", self.repeats, 1)
        names = [contender.name for contender in contenders(find_device(self.device), compiled=self.compiled)]
        for name in self.only or ():
            checks.choice("only", name, names)


def parse_shape(text: str) -> tuple[int, ...]:
    """Shape of x from "N,C,H,W".

    Raises:
        InputError: there is something else than whole numbers in it.
    """
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise checks.InputError(f"shape must be whole numbers N,C,H,W, such as 128,64,32,32; got {text!r}") from error


def run(
    config: BenchConfig, progress: Progress | None = None, say: Callable[[str], None] = lambda text: None
) -> dict[str, Any]:
    """Time all contenders on all shapes.

    Args:
        config: the settings.
        progress: called with (turns done, turns in all).
        say: called with a line on what takes long or is left out.

    Returns:
        JSON-able record: rows [{name, kind, note, shape, forward_ms, backward_ms, total_ms (medians), vs_gelu,
        vs_silu, forward_vs_gelu, backward_vs_gelu (medians of the rounds' ratios), spread (quartiles of
        vs_gelu), saved_bytes (kept for backward beyond x itself), x_bytes}], skipped [{name, shape, why}],
        dtype, layout, device, threads, repeats, config, environment, seconds.

    Raises:
        InputError: not even GELU and SiLU fit the memory, on any shape.
    """
    start = perf_counter()
    device = find_device(config.device)
    chosen = _choose(config, device)
    counter = _Counter(len(config.shapes) * len(chosen) * (config.repeats + 1), progress)
    rows: list[dict[str, Any]] = []
    skipped: list[dict[str, Any]] = []
    with _threads(config.threads):
        for shape in config.shapes:
            bench = _Bench(config, device, shape, counter, say)
            rows += bench.rows(chosen)
            skipped += bench.skipped
        record = environment(device_name(device))
    if not rows:
        raise checks.InputError(f"nothing could be timed: {skipped[0]['name']} {skipped[0]['why']}")
    return {
        "rows": rows,
        "skipped": skipped,
        **{key: getattr(config, key) for key in ("dtype", "layout", "repeats")},
        "device": device.type,
        "threads": record["threads"],
        "config": asdict(config),
        "environment": record,
        "seconds": perf_counter() - start,
    }


class _Counter:
    """Turns done, of all that there will be."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self.done, self.total, self.progress = 0, total, progress

    def add(self, turns: int = 1) -> None:
        self.done += turns
        if self.progress is not None:
            self.progress(self.done, self.total)


class _Bench:
    """The contenders on one shape."""

    def __init__(
        self,
        config: BenchConfig,
        device: torch.device,
        shape: tuple[int, ...],
        counter: _Counter,
        say: Callable[[str], None],
    ) -> None:
        self.config, self.device, self.shape, self.counter, self.say = config, device, shape, counter, say
        self.skipped: list[dict[str, Any]] = []
        self.watch = Stopwatch(device)

    def rows(self, chosen: list[Contender]) -> list[dict[str, Any]]:
        """One row a contender that can run; `skipped` says why the others cannot."""
        fitting = [contender for contender in chosen if self._fits(contender)]
        if not set(MEASURES) <= {contender.name for contender in fitting}:
            return []
        x = _input(self.config, self.shape, self.device)
        ready = [timed for contender in fitting if (timed := self._prepare(contender, x)) is not None]
        runs = {timed.contender.name: timed.run for timed in ready}
        laps = alternate(runs, self.config.repeats, self.config.seed, self.counter.add)
        return [
            {
                "name": timed.contender.name,
                "kind": timed.contender.kind,
                "note": timed.contender.note,
                "shape": list(self.shape),
                **times(laps[timed.contender.name], *(laps[name] for name in MEASURES)),
                "saved_bytes": timed.saved,
                "x_bytes": x.numel() * x.element_size(),
            }
            for timed in ready
        ]

    def _fits(self, contender: Contender) -> bool:
        free = free_bytes(self.device)
        need = contender.peak * 4 * math.prod(self.shape)
        if free is None or need <= free:
            return True
        self._skip(contender, f"needs about {need / 2**30:.3g} GiB, {free / 2**30:.3g} GiB are free")
        return False

    def _prepare(self, contender: Contender, x: Tensor) -> "_Timed | None":
        """Make it, warm it up, measure what it keeps; None where it cannot run here."""
        if contender.compiles:
            self.say(f"compiling {contender.name} for {self.shape}")
        try:
            timed = _Timed(contender, x, self.watch)
            timed.run()
        except Exception as error:
            # what is not ours may fail in any way, and the others are still worth timing
            if not (contender.kind == PEER or contender.compiles or isinstance(error, checks.InputError)):
                raise
            self._skip(contender, _reason(error))
            return None
        self.counter.add()
        return timed

    def _skip(self, contender: Contender, why: str) -> None:
        self.skipped.append({"name": contender.name, "shape": list(self.shape), "why": why})
        self.say(f"without {contender.name} on {self.shape}: {why}")
        self.counter.add(self.config.repeats + 1)


class _Timed:
    """A contender with its module, ready to be timed on x."""

    def __init__(self, contender: Contender, x: Tensor, watch: Stopwatch) -> None:
        self.contender, self.x, self.watch = contender, x, watch
        self.module: nn.Module = contender.make(x.shape[1], x.device)
        self.wanted = [x, *(parameter for parameter in self.module.parameters() if parameter.requires_grad)]
        with contender.context():
            self.saved = saved_bytes(partial(self.module, x), beyond=[x])
            # as the layer above would send it: in type and layout of the result
            self.upstream = torch.randn_like(self.module(x).detach())

    def run(self) -> Lap:
        """One forward and one backward pass; the gradients are new tensors each time."""
        with self.contender.context():
            start = self.watch.mark()
            result = self.module(self.x)
            middle = self.watch.mark()
            gradients = torch.autograd.grad(result, self.wanted, self.upstream)
            end = self.watch.mark()
        del gradients
        return Lap(self.watch.milliseconds(start, middle), self.watch.milliseconds(middle, end))


def times(laps: list[Lap], gelu: list[Lap], silu: list[Lap]) -> dict[str, Any]:
    """Median times, and medians and quartiles of the ratios to what GELU and SiLU took in the same round."""

    def ratio(part: Callable[[Lap], float], other: list[Lap]) -> list[float]:
        return [part(lap) / part(reference) for lap, reference in zip(laps, other, strict=True)]

    whole = ratio(lambda lap: lap.total, gelu)
    return {
        "forward_ms": median(lap.forward for lap in laps),
        "backward_ms": median(lap.backward for lap in laps),
        "total_ms": median(lap.total for lap in laps),
        "vs_gelu": median(whole),
        "vs_silu": median(ratio(lambda lap: lap.total, silu)),
        "forward_vs_gelu": median(ratio(lambda lap: lap.forward, gelu)),
        "backward_vs_gelu": median(ratio(lambda lap: lap.backward, gelu)),
        "spread": [float(quartile) for quartile in np.quantile(whole, [0.25, 0.75])],
    }


def _check_shape(shape: tuple[int, ...], layout: str) -> None:
    for size in shape:
        checks.at_least("each size of a shape", size, 1)
    if len(shape) < 2:
        raise checks.InputError(f"shape must have two dimensions or more, channels second, got {shape}")
    if layout == "channels_last" and len(shape) != 4:
        raise checks.InputError(f"layout channels_last needs a shape of four dimensions, got {shape}")


def _choose(config: BenchConfig, device: torch.device) -> list[Contender]:
    wanted = None if config.only is None else {*config.only, *MEASURES}
    return [row for row in contenders(device, compiled=config.compiled) if wanted is None or row.name in wanted]


def _input(config: BenchConfig, shape: tuple[int, ...], device: torch.device) -> Tensor:
    """x ~ N(0, 1), as behind a batch norm."""
    x = torch.randn(shape, generator=torch.Generator().manual_seed(config.seed)).to(device, DTYPES[config.dtype])
    x = x.to(memory_format=torch.channels_last) if config.layout == "channels_last" else x
    return x.requires_grad_()


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    """Within, torch uses so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _reason(error: Exception) -> str:
    """What went wrong in one line: the compiler's own where there is one, else the first."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [""]
    line = next((line for line in lines if " error: " in line), lines[0])
    kind = "" if isinstance(error, checks.InputError) else f"{type(error).__name__}: "
    text = (kind + line).removesuffix(": ")
    return text if len(text) <= _LONGEST_REASON else text[: _LONGEST_REASON - 3] + "..."
