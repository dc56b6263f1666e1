"""The draft's summary table, measured: competition, magnitude, expressiveness and cost of every activation.

pwlact redundancy table      a few seconds an activation
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from statistics import median, quantiles
from typing import Any

import torch
from torch import nn

from pwlact import checks
from pwlact.environment import environment
from pwlact.experiments.kept_rows import Progress, Row
from pwlact.experiments.redundancy.activations import BASE, CONTENDERS, Factory, chosen
from pwlact.experiments.redundancy.maps import crossing_share, draws, growth, is_shift_invariant, jacobian, pieces
from pwlact.experiments.stopwatch import Lap, Stopwatch, alternate
from pwlact.redundancy import effective_rank, largest_shares, most_regions

PLANE = 2


@dataclass(frozen=True)
class TableConfig:
    """Settings of the experiment.

    Attributes:
        activations: names in `CONTENDERS`; all for none.
        units: units of the layer that Jacobians and growth are measured on.
        plane_units: random hyperplanes in the plane whose pieces are counted.
        timed_rows: inputs in a timed pass.
        timed_units: units in a timed pass.
        repeats: rounds of timing, each with every activation once; 0 leaves cost out.
        seed: of upstream gradients, hyperplanes and the order of timing.

    Raises:
        InputError: a value outside its range.
    """

    activations: tuple[str, ...] = ()
    units: int = 16
    plane_units: int = 8
    timed_rows: int = 4096
    timed_units: int = 256
    repeats: int = 9
    seed: int = 0

    def __post_init__(self) -> None:
        chosen(self.activations)
        for name, least in (("units", 2), ("plane_units", 2), ("timed_rows", 1), ("timed_units", 2)):
            checks.at_least(name, getattr(self, name), least)
        checks.at_least("repeats", self.repeats, 0)
        checks.at_least("seed", self.seed, 0)


def run(config: TableConfig, progress: Progress | None = None) -> dict[str, Any]:
    """Measure every activation by itself, untrained.

    Args:
        config: the settings.
        progress: called with (things measured, in all).

    Returns:
        JSON-able: rows [{activation, outputs, parameters, shift_invariant; competition: crossing, largest_share;
        magnitude: growth; expressiveness: pieces, rank; cost: time, time_low, time_high}], bounds {pieces, patterns},
        config, environment. Of standard normal z: crossing is the Jacobian's off-diagonal share, largest_share that of
        one unit in |dL/dz| under a normal dL/da, growth the slope of ln ||a|| over ln ||z||, rank the effective rank
        over the number of units. pieces: see `maps.pieces`. time: forward and backward over relu's in the same round,
        median and quartiles.
    """
    factories = chosen(config.activations)
    total = len(factories) * (1 + config.repeats)
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    rows: list[Row] = []
    for name, factory in factories.items():
        rows.append(properties(name, factory, config))
        step()
    times = cost(factories, config, step)
    return {
        "rows": [{**row, **times.get(row["activation"], dict.fromkeys(_TIMES))} for row in rows],
        "bounds": {
            "pieces": most_regions(config.plane_units, PLANE),
            "patterns": most_regions(config.plane_units, config.plane_units),
        },
        "config": asdict(config),
        "environment": environment(),
    }


def properties(name: str, factory: Factory, config: TableConfig) -> Row:
    """What is true of an activation by itself, in float64; see `run`.

    Args:
        name: what to call it.
        factory: units -> module.
        config: the settings.
    """
    module = factory(config.units).double()
    z = draws(config.units)
    j = jacobian(module, z)
    upstream = torch.randn(*j.shape[:-1], generator=torch.Generator().manual_seed(config.seed), dtype=torch.float64)
    received = (upstream[..., None, :] @ j)[..., 0, :]
    with torch.no_grad():
        a = module(z)
    return {
        "activation": name,
        "outputs": a.shape[-1] / config.units,
        "parameters": sum(p.numel() for p in module.parameters()),
        "shift_invariant": is_shift_invariant(factory, config.units),
        "crossing": float(crossing_share(j).mean()),
        "largest_share": float(largest_shares(received)),
        "growth": growth(module, config.units),
        "pieces": pieces(factory(config.plane_units).double(), config.plane_units, seed=config.seed),
        "rank": float(effective_rank(a)) / config.units,
    }


_TIMES = ("time", "time_low", "time_high")


def cost(factories: dict[str, Factory], config: TableConfig, after: Callable[[], None]) -> dict[str, Row]:
    """Time of forward and backward over that of relu in the same round: median, lower and upper quartile.

    Args:
        factories: name -> (units -> module).
        config: the settings.
        after: called after each turn but relu's own where it is not among them.
    """
    if not config.repeats:
        return {}
    z = torch.randn(config.timed_rows, config.timed_units, generator=torch.Generator().manual_seed(config.seed))
    timed = {BASE: CONTENDERS[BASE], **factories}
    runs = {name: partial(_lap, factory(config.timed_units), z) for name, factory in timed.items()}
    if BASE not in factories:
        after = _every(len(timed), after)
    laps = alternate(runs, config.repeats, config.seed, after)
    base = [lap.total for lap in laps[BASE]]
    return {name: _ratios([lap.total / own for lap, own in zip(laps[name], base, strict=True)]) for name in factories}


def _every(size: int, after: Callable[[], None]) -> Callable[[], None]:
    """`after`, but for one turn in a round."""
    turns = 0

    def call() -> None:
        nonlocal turns
        turns += 1
        if turns % size:
            after()

    return call


def _ratios(ratios: list[float]) -> Row:
    ends = quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else ratios * 3
    return dict(zip(_TIMES, (median(ratios), ends[0], ends[2]), strict=True))


def _lap(module: nn.Module, z: torch.Tensor) -> Lap:
    watch = Stopwatch(z.device)
    leaf = z.detach().requires_grad_()
    start = watch.mark()
    a = module(leaf)
    middle = watch.mark()
    a.backward(torch.ones_like(a))
    end = watch.mark()
    for p in module.parameters():
        p.grad = None
    return Lap(watch.milliseconds(start, middle), watch.milliseconds(middle, end))
