"""Fewest breakpoints for a function: a shortest path over the knots, within a tolerance, tails kept."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pwlact import checks
from pwlact.pwl.knots import Knots


@dataclass(frozen=True, eq=False)
class PrunedFunction:
    """A piecewise-linear function given by its breakpoints and the slopes of its two tails.

    Attributes:
        positions: breakpoints, ascending, shape (M,), float64 on the CPU.
        values: the function there, shape (M,).
        left_slope: slope left of the first breakpoint.
        right_slope: slope right of the last one.
        max_error: largest distance to the function that was pruned, over all of the real line.
    """

    positions: Float[Tensor, " breakpoints"]
    values: Float[Tensor, " breakpoints"]
    left_slope: float
    right_slope: float
    max_error: float

    def __call__(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """The function at x, in its shape, type and device."""
        dtype = torch.promote_types(x.dtype, torch.float32)
        positions, values = self.positions.to(x.device, dtype), self.values.to(x.device, dtype)
        ends = values.new_tensor([self.left_slope]), values.new_tensor([self.right_slope])
        slopes = torch.cat([ends[0], (self.values.diff() / self.positions.diff()).to(values), ends[1]])
        piece = torch.searchsorted(positions, x.detach().to(dtype).contiguous(), right=True)
        start, slope = (piece - 1).clamp(min=0), slopes[piece]
        way = x.to(dtype) - positions[start]
        way = torch.where(way.isinf() & (slope == 0), 0.0, way)  # a flat tail times an infinite way
        return (values[start] + slope * way).to(x.dtype)

    def __len__(self) -> int:
        """Number of breakpoints."""
        return len(self.positions)


def prune(values: Float[Tensor, " knots"], knots: Knots, tolerance: float) -> PrunedFunction:
    """The function with fewest breakpoints that stays within `tolerance` of f everywhere, tails included.

    Its breakpoints are knots where it equals f; its tails have the slopes of f exactly, so beyond the knots
    the distance stays what it is at the edge. Among all such functions none has fewer breakpoints: the
    feasible steps from knot to knot make a graph, and the breakpoints are a shortest path through it. (A
    greedy walk would not do: a chord may fail and a longer one fit.) Nor has any function with breakpoints
    on the knots, any values there and the same tail slopes, that stays within tolerance / 2: interpolating
    f at its breakpoints moves it by at most another tolerance / 2.

    Args:
        values: knot values y, shape (N,), finite.
        knots: the N knots.
        tolerance: largest distance allowed, in the units of y; 0 or above.

    Returns:
        the function, with 1 to max(N - 2, 1) breakpoints; a line has 1. Time and memory O(N^2).

    Raises:
        InputError: `tolerance` is negative or not finite, or a value is not finite.

    References:
        Imai and Iri, "Computational-geometric methods for polygonal approximations of a curve", 1986: the
        shortest path over feasible chords.
    """
    checks.not_negative("tolerance", tolerance)
    y = values.detach().double().cpu()
    if not y.isfinite().all():
        raise checks.InputError("values must be finite to be pruned; mend the knots that are NaN or infinite")
    path = _shortest_path(y, tolerance)
    h, places = knots.spacing, torch.tensor(path)
    left, right = float(y[1] - y[0]) / h, float(y[-1] - y[-2]) / h
    t = knots.positions()
    pruned = PrunedFunction(t[places], y[places], left, right, 0.0)
    return PrunedFunction(t[places], y[places], left, right, float((pruned(t) - y).abs().max()))


def _shortest_path(y: Tensor, tolerance: float) -> list[int]:
    """Fewest knots from the left tail to the right one, each step within `tolerance` of y."""
    count = len(y)
    # the edge knots cannot bend: that would change a tail as soon as the result is on the knots again
    first, last = (1, count - 2) if count > 2 else (0, 0)
    starts, ends = _rays(y, tolerance), _rays(y.flip(0), tolerance).flip(0)
    chords = _chords(y, tolerance)
    starts[first] = ends[last] = True  # the tails themselves, whatever the rounding
    length = torch.full((count,), torch.inf)
    before = torch.full((count,), -1)
    for j in range(first, last + 1):
        if starts[j]:
            length[j] = 1
            continue
        reached = torch.where(chords[:j, j], length[:j], torch.inf)
        before[j] = reached.argmin()
        length[j] = reached.min() + 1
    j = int(torch.where(ends, length, torch.inf).argmin())
    path = [j]
    while before[j] >= 0:
        j = int(before[j])
        path.append(j)
    return path[::-1]


def _rays(y: Tensor, tolerance: float) -> Tensor:
    """Whether the ray with the left tail's slope that ends in y_j passes every knot before j, shape (N,)."""
    steps = torch.arange(len(y), dtype=y.dtype)
    flat = y - steps * (y[1] - y[0])  # f without its tail: the ray is now level
    # nearest and farthest of the knots up to j tell whether all of them are near enough
    return (flat.cummax(0).values - flat <= tolerance) & (flat - flat.cummin(0).values <= tolerance)


def _chords(y: Tensor, tolerance: float) -> Tensor:
    """Whether the chord from knot i to knot j > i passes every knot between within `tolerance`, shape (N, N).

    It does if its slope lies in the cones that i sees of the tubes around all knots between.
    """
    s = torch.arange(len(y), dtype=y.dtype)
    run, rise = s - s[:, None], y - y[:, None]
    after = run > 0
    lowest = torch.where(after, (rise - tolerance) / run, -torch.inf).cummax(-1).values
    highest = torch.where(after, (rise + tolerance) / run, torch.inf).cummin(-1).values
    slope = rise / run
    return after & (lowest <= slope) & (slope <= highest)
