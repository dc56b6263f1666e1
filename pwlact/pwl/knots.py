"""Uniform knots on an interval: the grid that every piecewise-linear function here lives on."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pwlact import checks


@dataclass(frozen=True)
class Knots:
    """N uniform knots t_s = low + s h, s = 0..N-1, with spacing h = (high - low) / (N - 1).

    Attributes:
        count: the number N of knots, at least 2.
        low: position of the first knot, in the units of the input x.
        high: position of the last knot, in the units of x.

    Raises:
        InputError: fewer than two knots, or not low < high.

    Examples:
        >>> Knots(5, -2.0, 2.0).positions()
        tensor([-2., -1.,  0.,  1.,  2.], dtype=torch.float64)
    """

    count: int = 33
    low: float = -3.0
    high: float = 3.0

    def __post_init__(self) -> None:
        checks.at_least("knots", self.count, 2, "one segment needs two knots")
        checks.interval(self.low, self.high)
        if (
            not math.isfinite(self.spacing)
            or self.low + self.spacing == self.low
            or self.high - self.spacing == self.high
        ):
            raise checks.InputError(f"{self.count} knots on [{self.low}, {self.high}] cannot be told apart in double")

    @classmethod
    def covering(cls, low: float, high: float, count: int) -> "Knots":
        """The finest `count` knots that cover [low, high] and, where it lies inside, have one at 0.

        Most activations bend at 0; without a knot there the bend is cut off. Covering costs at most one step.

        Examples:
            >>> Knots.covering(-1.0, 2.1, 4).positions()
            tensor([-1.0500,  0.0000,  1.0500,  2.1000], dtype=torch.float64)
        """
        knots = cls(count, low, high)
        if not low < 0 < high or count < 3:
            return knots
        segments = count - 1
        steps = {max(-low / left, high / (segments - left)): left for left in range(1, segments)}
        step = min(steps)
        return cls(count, -steps[step] * step, (segments - steps[step]) * step)

    @property
    def spacing(self) -> float:
        """Distance h between neighbouring knots."""
        return (self.high - self.low) / (self.count - 1)

    def positions(
        self, dtype: torch.dtype = torch.float64, device: torch.device | str | None = None
    ) -> Float[Tensor, " knots"]:
        """Positions t_s of the knots, shape (N,)."""
        return torch.linspace(self.low, self.high, self.count, dtype=dtype, device=device)

    def locate(self, x: Float[Tensor, "*shape"]) -> tuple[Tensor, Float[Tensor, "*shape"]]:
        """Segment i of each x, and the position w of x within it, so that x = t_i + w h.

        Segments are half-open, [t_i, t_{i+1}); the two outermost reach to infinity, so w is below 0 left of
        the first knot and above 1 right of the last. A NaN lies in segment 0 with w = NaN.

        Returns:
            i as int32 (fastest to make and to look up) and w in the dtype of x, both in the shape of x.
        """
        u = (x - self.low) / self.spacing
        segment = u.floor().nan_to_num_(0.0).clamp_(0, self.count - 2)
        return segment.to(torch.int32), u - segment
