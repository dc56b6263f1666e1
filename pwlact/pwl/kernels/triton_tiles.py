"""How the Triton kernel cuts memory into tiles and shares them among programs."""

from dataclasses import dataclass

# functions with fewer neighbouring elements than this are read across functions: a tile within one of them would
# waste most of each 32-byte sector of memory
SHORT = 16
# the narrowest tile across functions: a sector of float32
NARROWEST = 8


@dataclass(frozen=True)
class Memory:
    """Dense memory as (outer, functions, inner): element e has function (e // inner) % functions.

    Attributes:
        outer: rows, each with every function once.
        functions: functions side by side in a row.
        inner: neighbouring elements that share a function.
    """

    outer: int
    functions: int
    inner: int

    @classmethod
    def of(cls, elements: int, functions: int, inner: int) -> "Memory":
        """The geometry of `elements`, at least one; a single function makes one row of them all."""
        if functions == 1:
            return cls(1, 1, elements)
        return cls(elements // (functions * inner), functions, inner)

    @property
    def pitch(self) -> int:
        """Elements from one row to the next."""
        return self.functions * self.inner

    @property
    def mixed(self) -> bool:
        """Whether a tile lies across functions."""
        return self.functions > 1 and self.inner < SHORT


@dataclass(frozen=True)
class Cut:
    """Tiles of `lanes` elements: `columns` neighbours by lanes / columns rows, both powers of two.

    A group is the columns that one program covers: one function, or where tiles are mixed one tile's width. Its
    tiles, `across` of them side by side, are its steps; each of `chunks` programs takes `share` steps on end.
    """

    columns: int
    groups: int
    across: int
    steps: int
    share: int
    chunks: int


def cut(memory: Memory, lanes: int, widest: int, programs: int | None = None, share: int = 1) -> Cut:
    """Cut memory into tiles with the fewest lanes outside it; the widest of equals, for long reads.

    Args:
        memory: what to cut.
        lanes: elements a tile, a power of two.
        widest: the most columns of a tile that lies across functions, a power of two.
        programs: how many programs, about, to share all tiles among; None for as many as the share needs.
        share: the fewest steps a program.

    Returns:
        the cut; every element lies in exactly one step of one group.
    """
    run = memory.pitch if memory.mixed else memory.inner
    narrowest = min(NARROWEST if memory.mixed else SHORT, power_of_two(run))
    widths = _powers(narrowest, min(widest if memory.mixed else lanes, power_of_two(run)))
    columns = min(widths, key=lambda width: (_padded(memory.outer, lanes // width) * _padded(run, width), -width))
    across = -(-run // columns)
    rows = -(-memory.outer // (lanes // columns))
    groups, across = (across, 1) if memory.mixed else (memory.functions, across)
    steps = rows * across
    if programs is not None:
        share = max(share, steps // max(1, programs // groups))
    return Cut(columns, groups, across, steps, share, -(-steps // share))


def power_of_two(count: int) -> int:
    """The smallest power of two that is at least `count`."""
    return 1 << max(count - 1, 0).bit_length()


def _powers(first: int, last: int) -> list[int]:
    return [1 << e for e in range(first.bit_length() - 1, last.bit_length())]


def _padded(count: int, unit: int) -> int:
    return -(-count // unit) * unit
