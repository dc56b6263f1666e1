"""From pairs to the whole layer: how large should the groups be that units compete in?

pwlact redundancy groups      32 units on three shapes, groups of 2 to 32, ten seeds, relu for comparison
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from pwlact import checks
from pwlact.competitive import LWTA, GroupedSoftmax
from pwlact.environment import environment
from pwlact.experiments.kept_rows import Progress, Row, compute
from pwlact.experiments.redundancy.activations import BASE, CONTENDERS
from pwlact.experiments.redundancy.comparison import against_base, overall
from pwlact.experiments.redundancy.planar import SHAPES
from pwlact.experiments.redundancy.toy import ToyConfig, row
from pwlact.experiments.redundancy.tuning import Tuning

KINDS: dict[str, Callable[[int], nn.Module]] = {"grouped-softmax": GroupedSoftmax, "lwta": LWTA}
"""Name -> (number of groups -> module)."""


@dataclass(frozen=True)
class GroupsConfig:
    """Settings of the experiment.

    Attributes:
        kinds: names in `KINDS`.
        sizes: units in a group; each divides `units`.
        data: shapes, names in `SHAPES`.
        units: number of hidden units.
        points: training points of a seed.
        tuning: seeds, learning rates and steps.

    Raises:
        InputError: a value outside its range, or nothing to do.
    """

    kinds: tuple[str, ...] = tuple(KINDS)
    sizes: tuple[int, ...] = (2, 4, 8, 16, 32)
    data: tuple[str, ...] = tuple(SHAPES)
    units: int = 32
    points: int = 200
    tuning: Tuning = field(default_factory=Tuning)

    def __post_init__(self) -> None:
        for name, given in (("kinds", self.kinds), ("sizes", self.sizes)):
            if not given:
                raise checks.InputError(f"{name} must name at least one, got none")
        for kind in self.kinds:
            checks.choice("kinds", kind, KINDS)
        _ = self.toy
        for size in self.sizes:
            checks.at_least("sizes", size, 2, "a softmax of one unit is 1 whatever it receives")
            if self.units % size:
                raise checks.InputError(f"sizes must divide units={self.units}, got {size}")

    @property
    def toy(self) -> ToyConfig:
        """The experiment that every row is one of."""
        return ToyConfig(self.data, (self.units,), (BASE,), self.points, self.tuning)


def run(config: GroupsConfig, folder: Path | None = None, progress: Progress | None = None) -> dict[str, Any]:
    """Train every kind with every group size on every shape, and relu; measure redundancy.

    Args:
        config: the settings.
        folder: keeps every finished row, so that a killed run goes on where it was.
        progress: called with (rows done, rows in all).

    Returns:
        JSON-able: rows as of `toy.run`, with kind and size (1 for relu), overall, config, environment.
    """
    contenders = [(BASE, 1)] + [(kind, size) for kind in config.kinds for size in config.sizes]
    tasks = {
        f"{shape}, {kind}, groups of {size}": partial(_row, shape, kind, size, config)
        for shape in config.data
        for kind, size in contenders
    }
    rows = compute(tasks, folder, progress)
    lines = overall(rows, BASE, ("data",))
    named = {_name(kind, size): {"kind": kind, "size": size} for kind, size in contenders}
    return {
        "rows": against_base(rows, BASE, ("data",)),
        "overall": [{**named[line["activation"]], **line} for line in lines],
        "config": asdict(config),
        "environment": environment(),
    }


def _row(shape: str, kind: str, size: int, config: GroupsConfig) -> Row:
    factory = CONTENDERS[BASE] if kind == BASE else lambda units: KINDS[kind](units // size)
    found = row(shape, config.units, _name(kind, size), factory, config.toy)
    return {"kind": kind, "size": size, **found}


def _name(kind: str, size: int) -> str:
    return kind if kind == BASE else f"{kind}, groups of {size}"
