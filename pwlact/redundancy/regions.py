"""How many regions the hyperplanes of one layer cut a rectangle of the plane into, in exact arithmetic.

Lines cut an open convex set into 1 + (number of lines that meet it) + sum over the points inside where lines meet of
(lines through the point - 1) regions. Floating-point numbers are dyadic fractions, so all of this is done in integers:
lines are counted as one only if they are one.
"""

from collections.abc import Iterable
from fractions import Fraction
from itertools import combinations
from math import comb, gcd, lcm

import torch
from jaxtyping import Float
from torch import Tensor

from pwlact import checks
from pwlact.redundancy.samples import checked

Line = tuple[int, int, int]


def count_regions(
    weight: Float[Tensor, "units 2"],
    bias: Float[Tensor, " units"],
    low: tuple[float, float] = (-1.0, -1.0),
    high: tuple[float, float] = (1.0, 1.0),
) -> int:
    """Regions of the open rectangle low < x < high that the lines w_i x + b_i = 0 make; the sign patterns of z there.

    Args:
        weight: w, one row a unit.
        bias: b.
        low: lower left corner.
        high: upper right corner.

    Returns:
        number of regions, at least 1 and at most `most_regions(units, 2)`.

    Raises:
        InputError: another shape, a number that is not finite, or an empty rectangle.
    """
    if weight.ndim != 2 or weight.shape[1] != 2 or bias.shape != weight.shape[:1]:
        found = f"{tuple(weight.shape)} and {tuple(bias.shape)}"
        raise checks.InputError(f"weight and bias must have shapes (units, 2) and (units,), got {found}")
    rows = torch.cat([checked("weight", weight), checked("bias", bias[:, None])], 1)
    for axis in range(2):
        checks.interval(low[axis], high[axis], (f"low[{axis}]", f"high[{axis}]"))
    box = tuple((Fraction(low[axis]), Fraction(high[axis])) for axis in range(2))
    lines = {_integers(row) for row in rows.tolist()}
    crossing = [line for line in lines if _meets(line, box)]
    return 1 + len(crossing) + sum(len(through) - 1 for through in _meetings(crossing, box).values())


def most_regions(units: int, dimensions: int) -> int:
    """sum_{i <= d} C(K, i): the most regions that K hyperplanes make in d dimensions.

    Raises:
        InputError: a negative number.

    References:
        L. Schläfli (1901); T. Zaslavsky, "Facing up to arrangements", 1975.
    """
    checks.at_least("units", units, 0)
    checks.at_least("dimensions", dimensions, 0)
    return sum(comb(units, i) for i in range(dimensions + 1))


def _integers(row: Iterable[float]) -> Line:
    """The one triple of whole numbers without common factor, first entry other than 0 positive, on the row's ray."""
    parts = [Fraction(value) for value in row]
    scale = lcm(*(part.denominator for part in parts))
    whole = [int(part * scale) for part in parts]
    factor = gcd(*whole) or 1
    if next((value for value in whole if value), 1) < 0:
        factor = -factor
    a, b, c = (value // factor for value in whole)
    return a, b, c


def _meets(line: Line, box: tuple[tuple[Fraction, Fraction], ...]) -> bool:
    """Whether a line meets the open rectangle: corners strictly on both sides."""
    a, b, c = line
    sides = [a * x + b * y + c for x in box[0] for y in box[1]]
    return min(sides) < 0 < max(sides)


def _meetings(
    lines: list[Line], box: tuple[tuple[Fraction, Fraction], ...]
) -> dict[tuple[Fraction, Fraction], set[Line]]:
    """Points inside the rectangle where lines meet, with the lines through each."""
    points: dict[tuple[Fraction, Fraction], set[Line]] = {}
    for first, second in combinations(lines, 2):
        point = _intersection(first, second)
        if point and all(low < x < high for x, (low, high) in zip(point, box, strict=True)):
            points.setdefault(point, set()).update((first, second))
    return points


def _intersection(first: Line, second: Line) -> tuple[Fraction, Fraction] | None:
    (a, b, c), (d, e, f) = first, second
    determinant = a * e - b * d
    if not determinant:
        return None
    return Fraction(b * f - c * e, determinant), Fraction(c * d - a * f, determinant)
