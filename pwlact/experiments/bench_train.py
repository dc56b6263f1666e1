"""One step of training with fixed and with learnt activations, side by side.

On the command line: pwlact bench train --arch resnet10 --width 1
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import fmean, median
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pwlact import checks
from pwlact.environment import environment
from pwlact.experiments.bench_activation import times
from pwlact.experiments.cifar import CLASSES, CifarConfig, make_model, make_rule
from pwlact.experiments.memory import saved_bytes
from pwlact.experiments.stopwatch import Lap, Stopwatch, alternate
from pwlact.training import UpdateRule, autocast, device_name, find_device

ROWS: dict[str, dict[str, str]] = {
    "relu": {"mode": "relu"},
    "silu": {"mode": "silu"},
    "gelu": {"mode": "gelu"},
    "backprop": {"mode": "backprop"},
    "backprop, a channel": {"mode": "backprop", "sharing": "channel"},
    "local": {"mode": "local"},
    "local, at rest": {"mode": "local"},
    "local, a channel": {"mode": "local", "sharing": "channel"},
    "local, sample": {"mode": "local", "estimator": "sample"},
}
"""Settings of `pwlact cifar` that differ from row to row."""
AT_REST = "local, at rest"
"""The row whose steps are those of the end of training, where the local rule no longer learns."""


@dataclass(frozen=True)
class TrainBenchConfig:
    """Settings of a benchmark of training steps.

    Attributes:
        arch: a name in `pwlact.models.ARCHITECTURES`.
        width: factor on the channels of every layer.
        batch_size: images a step.
        device: "auto", "cuda", "mps" or "cpu".
        precision: "bf16" (autocast) or "fp32".
        repeats: number of rounds, each with one step of every row.
        seed: of the images, the models and the order within a round.

    Raises:
        InputError: a setting is outside its range.
    """

    arch: str = "resnet10"
    width: float = 1.0
    batch_size: int = 128
    device: str = "auto"
    precision: str = "bf16"
    repeats: int = 7
    seed: int = 0

    def __post_init__(self) -> None:
        checks.at_least("repeats", self.repeats, 1)
        self.settings({})

    def settings(self, row: dict[str, str]) -> CifarConfig:
        """The training run that a row stands for."""
        return CifarConfig(
            arch=self.arch,
            width=self.width,
            batch_size=self.batch_size,
            device=self.device,
            precision=self.precision,
            seed=self.seed,
            **row,  # pyright: ignore[reportArgumentType]
        )


def run(config: TrainBenchConfig, progress: Callable[[int, int], None] | None = None) -> dict[str, Any]:
    """Time a step of every row of `ROWS`, in rounds, on random images.

    Args:
        config: the settings.
        progress: called with (steps done, steps in all).

    Returns:
        JSON-able record: rows [{name, forward_ms, backward_ms (all of the step that is not forward), total_ms
        (medians), vs_gelu, vs_silu (medians of the rounds' ratios), spread (quartiles of vs_silu), saved_bytes
        (kept by the forward pass), images_per_second}], config, environment, seconds.
    """
    start = perf_counter()
    device = find_device(config.device)
    generator = torch.Generator().manual_seed(config.seed)
    images = torch.randn(config.batch_size, 3, 32, 32, generator=generator).to(device)
    images = images.to(memory_format=torch.channels_last)
    labels = torch.randint(CLASSES, (config.batch_size,), generator=generator).to(device)
    total, done = len(ROWS) * (config.repeats + 1), 0

    def after() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        steps = {name: timed_step(config, name, device, images, labels) for name in ROWS}
        for step in steps.values():
            step.run()  # warms up
            after()
        laps = alternate({name: step.run for name, step in steps.items()}, config.repeats, config.seed, after)
    rows = [_row(name, steps[name], laps, config.batch_size) for name in ROWS]
    return {
        "rows": rows,
        "config": asdict(config),
        "environment": environment(device_name(device)),
        "seconds": perf_counter() - start,
    }


def timed_step(config: TrainBenchConfig, row: str, device: torch.device, images: Tensor, labels: Tensor) -> "Step":
    """The step that a row of `ROWS` stands for."""
    return Step(config.settings(ROWS[row]), device, images, labels, done=0.99 if row == AT_REST else 0.0)


class Step:
    """A model and its rule, ready to take timed steps, those at the share `done` of a training run."""

    def __init__(self, config: CifarConfig, device: torch.device, images: Tensor, labels: Tensor, done: float) -> None:
        torch.manual_seed(config.seed)
        self.done = done
        self.images, self.labels, self.watch = images, labels, Stopwatch(device)
        self.every = config.every if config.mode == "local" else 1
        self.model: nn.Module = make_model(config, device)
        with autocast(device, config.precision):
            self.saved = saved_bytes(lambda: self.model(images), beyond=[images])
        self.rule: UpdateRule = make_rule(config, self.model)
        self.forward_done: Any = None
        self.model.register_forward_hook(self._mark)

    def run(self) -> Lap:
        """A step of the rule: the mean of so many that the learner's own step comes once."""
        laps = [self._step() for _ in range(self.every)]
        return Lap(*(fmean(part) for part in zip(*((lap.forward, lap.backward) for lap in laps), strict=True)))

    def _step(self) -> Lap:
        start = self.watch.mark()
        self.rule.step(self.images, self.labels, self.done)
        end = self.watch.mark()
        forward = self.watch.milliseconds(start, self.forward_done)
        return Lap(forward, self.watch.milliseconds(start, end) - forward)

    def _mark(self, *_: Any) -> None:
        self.forward_done = self.watch.mark()


def _row(name: str, step: Step, laps: dict[str, list[Lap]], images: int) -> dict[str, Any]:
    measured = times(laps[name], laps["gelu"], laps["silu"])
    ratios = [lap.total / other.total for lap, other in zip(laps[name], laps["silu"], strict=True)]
    return {
        "name": name,
        **{key: measured[key] for key in ("forward_ms", "backward_ms", "total_ms", "vs_gelu", "vs_silu")},
        "spread": [float(quartile) for quartile in np.quantile(ratios, [0.25, 0.75])],
        "saved_bytes": step.saved,
        "images_per_second": 1e3 * images / median(lap.total for lap in laps[name]),
    }
