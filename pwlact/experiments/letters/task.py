"""A row still to be computed, and about how much work it is."""

from collections.abc import Callable
from dataclasses import dataclass

from pwlact.experiments.kept_rows import Row

Tick = Callable[[float], None]
"""Called with the work that has been done since the last call, in the unit of `Task.work`."""


@dataclass(frozen=True)
class Task:
    """A row to be computed.

    Attributes:
        compute: (tick) -> the row.
        work: about how many seconds it takes on one core.
    """

    compute: Callable[[Tick], Row]
    work: float
