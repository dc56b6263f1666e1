"""`InputHistogram`: how the inputs of an activation are distributed, in fixed memory, whatever their scale."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pwlact import checks

_CODES = 1 << 16
_FIRST, _END = 0x0080, 0xFF80
"""The finite buckets; those outside hold infinities and NaN."""


class InputHistogram:
    """Counts by the leading 16 bits of each number as float32: sign, exponent and 7 bits of its fraction.

    The buckets, 128 an octave from 1e-38 to 3e38 on either side of 0, are fixed: no range to choose or to
    outgrow, one outlier of 1e15 costs no resolution, counting in parts and merging is exact in any order,
    and merging is adding `counts` (an all-reduce will do). A quantile is known to 1 part in 128; that is
    coarse only for inputs whose spread is small against their mean. 512 KiB.

    Attributes:
        counts: how often each bucket was met, ascending by value, shape (65536,), on the device of the first x.

    Examples:
        >>> seen = InputHistogram()
        >>> seen.update(torch.linspace(-1.0, 3.0, 1001))
        >>> round(seen.quantile(0.5), 2)
        1.0
    """

    counts: Int[Tensor, " codes"]

    def __init__(self) -> None:
        self.counts = torch.zeros(_CODES, dtype=torch.int64)

    @torch.no_grad()
    def update(self, x: Float[Tensor, "*shape"]) -> None:
        """Count the elements of x, of any shape, type, layout and device; does not wait for the device.

        Raises:
            InputError: x is not floating point.
        """
        if not x.is_floating_point():
            raise checks.InputError(f"x must be a floating-point tensor, got {x.dtype}; convert it with x.float()")
        if self.counts.device != x.device:
            self.counts = self.counts.to(x.device)
        code = _as_float32(x).view(torch.int32) >> 16  # keeps the sign
        # the codes of negative numbers grow as the numbers fall; turned over, all ascend by value
        place = torch.where(code < 0, -1 - code, code + _CODES // 2)
        place = place.reshape(-1).long()
        self.counts.scatter_add_(0, place, place.new_ones(()).expand_as(place))

    def merge(self, other: "InputHistogram") -> "InputHistogram":
        """Add what another histogram has seen; returns this one."""
        self.counts = self.counts + other.counts.to(self.counts.device)
        return self

    @property
    def count(self) -> int:
        """Number of finite elements seen."""
        return int(self.counts[_FIRST:_END].sum())

    @property
    def infinities(self) -> int:
        """Number of infinite elements seen."""
        return int(self.counts[_FIRST - 1] + self.counts[_END])

    @property
    def nans(self) -> int:
        """Number of NaN seen."""
        return int(self.counts.sum()) - self.count - self.infinities

    def quantile(self, share: float) -> float:
        """The x below which `share` of the finite inputs lie; linear within a bucket.

        Args:
            share: between 0 and 1.

        Raises:
            InputError: `share` is outside [0, 1], or no finite input was seen.
        """
        if not 0 <= checks.finite("share", share) <= 1:
            raise checks.InputError(f"share must lie between 0 and 1, got {share!r}")
        counts = self.counts[_FIRST:_END].cpu()
        up_to = counts.cumsum(0)
        total = int(up_to[-1])
        if not total:
            raise checks.InputError(f"no finite input was seen ({self.nans} NaN): run the model on data first")
        wanted = share * total
        bucket = min(int(torch.searchsorted(up_to, max(wanted, 0.5))), len(counts) - 1)
        edges = _edges()
        low, high = float(edges[bucket]), float(edges[bucket + 1])
        inside = (wanted - int(up_to[bucket] - counts[bucket])) / int(counts[bucket])
        x = low + min(max(inside, 0.0), 1.0) * (high - low)
        return x if abs(x) >= torch.finfo(torch.float32).tiny else 0.0

    def interval(self, coverage: float) -> tuple[float, float]:
        """The central interval that holds `coverage` of the finite inputs: quantiles (1 -+ coverage) / 2.

        Raises:
            InputError: `coverage` is not in (0, 1], no finite input was seen, or the inputs are all alike.
        """
        if not 0 < checks.finite("coverage", coverage) <= 1:
            raise checks.InputError(f"coverage must lie above 0 and be at most 1, got {coverage!r}")
        low, high = self.quantile((1 - coverage) / 2), self.quantile((1 + coverage) / 2)
        if high - low <= 2**-7 * max(abs(low), abs(high)):
            raise checks.InputError(
                f"the inputs hardly vary, {coverage:g} of them lie about {low:g}: record more data, or set the range"
            )
        return low, high

    def rebin(self, edges: Float[Tensor, " edges"]) -> Float[Tensor, " bins"]:
        """Number of inputs between neighbouring edges, as a histogram of uniform bins shows them.

        Args:
            edges: ascending, shape (B + 1,).

        Returns:
            counts, shape (B,), float64; not whole where an edge splits a bucket.
        """
        counts, known = self.counts[_FIRST:_END].cpu().double(), _edges()
        up_to = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
        e = edges.double().cpu().contiguous()
        bucket = (torch.searchsorted(known, e, right=True) - 1).clamp(0, len(counts) - 1)
        inside = ((e - known[bucket]) / (known[bucket + 1] - known[bucket])).clamp(0, 1)
        return (up_to[bucket] + inside * counts[bucket]).diff()


def _as_float32(x: Tensor) -> Tensor:
    """x in float32; finite numbers that are too large for it become its largest, not infinite."""
    if x.dtype == torch.float64:
        largest = torch.finfo(torch.float32).max
        x = torch.where(x.isfinite(), x.clamp(-largest, largest), x)
    return x.detach().float()


def _edges() -> Tensor:
    """Edges of the finite buckets, ascending, shape (65281,), float64."""
    steps = (torch.arange(0x7F81, dtype=torch.int32) << 16).view(torch.float32)  # 0 to infinity
    steps = steps.clamp(max=torch.finfo(torch.float32).max).double()
    return torch.cat([-steps[1:].flip(0), steps])
