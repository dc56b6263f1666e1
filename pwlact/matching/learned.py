"""The transfer function of a monotone `PiecewiseLinearActivation`, whose F and F* are piecewise quadratic."""

import copy
import math

import torch
from torch import Tensor

from pwlact import checks
from pwlact.matching.transfer import TransferFunction, product
from pwlact.pwl import Knots, PiecewiseLinearActivation
from pwlact.pwl.calculus import antiderivative
from pwlact.pwl.functional import pwl
from pwlact.pwl.projections import limit_rises


class PiecewiseLinear(TransferFunction):
    """f of a rising piecewise-linear activation, with F(0) = 0; knot values are read at every call, as constants.

    With b = f*(y) in segment j and a in segment i > j, slopes and values of f at the ends being known,

        loss(a, y) = int_b^a (f(z) - y) dz = (t_{j+1} - b)(y_{j+1} - y)/2
                     + sum_{j<s<i} h ((y_s + y_{s+1})/2 - y) + (a - t_i)((y_i + f(a))/2 - y):

    no squares of a are subtracted, however far out a lies. The tails go on with the slope of their edge
    segments; a flat tail ends the range. Computed in float64 where the device has it. On a flat stretch
    f*(y) is the point nearest 0 that f takes to y, and F is not strictly convex there.

    Args:
        activation: the module; it may go on learning as long as it rises.
        channel_dim: dimension of a with the channels, where it is not the module's own.

    Attributes:
        activation: the module.

    Raises:
        InputError: f falls somewhere; `isotonic` gives the nearest activation that does not.
    """

    name = "piecewise_linear"

    def __init__(self, activation: PiecewiseLinearActivation, channel_dim: int | None = None) -> None:
        self.activation = activation
        self.channel_dim = activation.channel_dim if channel_dim is None else channel_dim
        check_rising(activation)

    @property
    def strict(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether f rises in every segment of every function."""
        return bool((self._rises() > 0).all())

    @property
    def low(self) -> float:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Lowest output of any of the functions."""
        return float(self._ends()[0].min())

    @property
    def high(self) -> float:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Highest output of any of the functions."""
        return float(self._ends()[1].max())

    @property
    def lipschitz(self) -> float:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Largest slope of any of the functions."""
        return float(self._rises().max()) / self.activation.knots.spacing

    def __call__(self, a: Tensor) -> Tensor:
        """f(a)."""
        knots = self.activation.knots
        return pwl(a, self.activation.values.detach(), knots.low, knots.high, self.channel_dim)

    def check_targets(self, y: Tensor) -> None:
        """Whether all targets lie in the range of their own function, and f still rises.

        Raises:
            InputError: one does not, or f no longer rises.
        """
        check_rising(self.activation)
        low, high = self._bounds(y)
        self._refuse((y < low) | (y > high), y)

    def clip(self, y: Tensor) -> Tensor:
        """The nearest targets in the closed range of their own function."""
        low, high = self._bounds(y)
        return torch.minimum(torch.maximum(y, low), high)

    def _table(self, like: Tensor) -> Tensor:
        """Knot values, shape (rows, N), in the type of computation."""
        values = self.activation.values.detach().to(_computing(like))
        return values.reshape(-1, self.activation.knots.count)

    def _rises(self) -> Tensor:
        return self.activation.values.detach().double().diff(dim=-1)

    def _ends(self) -> tuple[Tensor, Tensor]:
        """Ends of the range of each function, shape () or (G,)."""
        values, rises = self.activation.values.detach(), self._rises()
        low = torch.where(rises[..., 0] > 0, -math.inf, values[..., 0])
        return low, torch.where(rises[..., -1] > 0, math.inf, values[..., -1])

    def _bounds(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Ends of the range, broadcast against y and in its type."""
        low, high = (end.to(y.dtype) for end in self._ends())
        if low.ndim == 0:
            return low, high
        shape = [1] * y.ndim
        shape[self.channel_dim] = -1
        each = y.shape[self.channel_dim] // len(low)
        return low.repeat_interleave(each).reshape(shape), high.repeat_interleave(each).reshape(shape)

    def _look(self, table: Tensor, index: Tensor) -> Tensor:
        """Entries of a table (rows, M) at each element's own row and this index."""
        if len(table) > 1:
            shape = [1] * index.ndim
            shape[self.channel_dim] = -1
            channels = index.shape[self.channel_dim]
            row = torch.arange(channels, device=index.device) // (channels // len(table))
            index = index + row.reshape(shape) * table.shape[-1]
        return table.flatten()[index]

    def _first(self, y: Tensor, table: Tensor, right: bool) -> Tensor:
        """Number of knots of each element's function that lie below y, or not above it."""
        if len(table) == 1:
            return torch.searchsorted(table[0], y.contiguous(), right=right)
        rows = y.movedim(self.channel_dim, 0)
        found = torch.searchsorted(table, rows.reshape(len(table), -1).contiguous(), right=right)
        return found.reshape(rows.shape).movedim(0, self.channel_dim)

    def _end(self, y: Tensor, table: Tensor, right: bool) -> tuple[Tensor, Tensor]:
        """Lower or upper end of {x: f(x) = y}, in knots from the first, and the segment that it lies in."""
        s = (self._first(y, table, right) - 1).clamp(0, self.activation.knots.count - 2)
        below = self._look(table, s)
        way = (y - below) / (self._look(table, s + 1) - below)
        endless = torch.inf if right else -torch.inf
        return torch.where(way.isnan() & ~y.isnan(), endless, s + way), s  # 0/0: a flat tail

    def _inverse(self, y: Tensor) -> Tensor:
        knots: Knots = self.activation.knots
        # targets that were rounded may lie a little outside
        at, table = self.clip(y.to(_computing(y))), self._table(y)
        with torch.no_grad():
            lower, s = self._end(at, table, right=False)
            upper, _ = self._end(at, table, right=True)
            ends = knots.low + knots.spacing * lower, knots.low + knots.spacing * upper
            nearest = torch.maximum(ends[0], ends[1].clamp(max=0))
            below, single = self._look(table, s), lower == upper
            rise = torch.where(single, self._look(table, s + 1) - below, 1.0)
        # where f* has one value, once more with a gradient
        found = knots.low + knots.spacing * (s + (at - below) / rise)
        return torch.where(single & at.isfinite(), found, nearest).to(y.dtype)

    def _potential(self, a: Tensor) -> Tensor:
        values = self.activation.values.detach()
        return antiderivative(a.to(_computing(a)), values, self.activation.knots, self.channel_dim).to(a.dtype)

    def _dual(self, y: Tensor) -> Tensor:
        at = self.clip(y.to(_computing(y)))
        b = self._inverse(at)
        value = product(at, b) - self._potential(b)
        return torch.where(at.isinf(), torch.inf, value).to(y.dtype)

    def _divergence(self, hat: Tensor, a: Tensor) -> Tensor:
        return self._loss(hat, self(a.to(_computing(a))))  # f(a) not rounded to the type of a

    def _loss(self, a: Tensor, y: Tensor) -> Tensor:
        knots, table = self.activation.knots, self._table(a)
        at, target = a.to(table.dtype), self.clip(y.to(table.dtype))
        b = self._inverse(target)
        left, right = torch.minimum(at, b), torch.maximum(at, b)
        (i, _), (j, _) = knots.locate(left), knots.locate(right)
        steps = knots.spacing * (table[:, 1:] + table[:, :-1]) / 2
        whole = torch.nn.functional.pad(steps.cumsum(-1), (1, 0))

        def excess(x: Tensor) -> Tensor:
            return torch.where(x == b, 0.0, self(x) - target)

        # in the type of computation: a whole-number tensor times a float is float32
        begin = knots.low + knots.spacing * (i + 1).to(table.dtype)
        end = knots.low + knots.spacing * j.to(table.dtype)
        first = product(excess(left) + self._look(table, i + 1) - target, begin - left) / 2
        last = product(self._look(table, j) - target + excess(right), right - end) / 2
        middle = self._look(whole, j) - self._look(whole, i + 1) - target * (end - begin)
        across = first + middle + last
        within = product(excess(left) + excess(right), right - left) / 2
        value = torch.where(i == j, within, across) * torch.where(at < b, -1.0, 1.0)
        return torch.where(at == b, 0.0, torch.where(at.isinf() & value.isnan(), torch.inf, value)).to(a.dtype)


def isotonic(activation: PiecewiseLinearActivation, *, least_slope: float = 0.0) -> PiecewiseLinearActivation:
    """A copy of the activation with the nearest knot values, in the L2 norm, that rise.

    Args:
        activation: left as it is.
        least_slope: smallest slope of the copy, in y per x; above 0 its potential is strictly convex.

    Returns:
        the copy; of an activation that has the slope already, an equal one.

    Raises:
        InputError: `least_slope` is negative or not finite, or a value is not finite.
    """
    checks.not_negative("least_slope", least_slope)
    values = activation.values.detach().double()
    if not values.isfinite().all():
        raise checks.InputError("the activation has knot values that are not finite: there is no nearest rising one")
    result = copy.deepcopy(activation)
    least = torch.full_like(values[..., :1], least_slope * activation.knots.spacing)
    # between the extremes no rise exceeds their distance by more than the least rises need: as good as no bound
    most = values.amax(-1, keepdim=True) - values.amin(-1, keepdim=True) + 2 * activation.knots.count * least
    # an activation that is being trained rises after most steps: the search would cost more than the step
    if not bool((values.diff(dim=-1) >= least).all()):
        with torch.no_grad():
            result.values.copy_(limit_rises(values, least, most))
    return result


def check_rising(activation: PiecewiseLinearActivation) -> None:
    """Whether the activation never falls.

    Raises:
        InputError: it falls, or a value is NaN; the message says where, and what to do.
    """
    values, knots = activation.values.detach().reshape(-1, activation.knots.count), activation.knots
    wrong = ~(values.diff(dim=-1) >= 0)
    if not wrong.any():
        return
    row, s = (int(place) for place in wrong.nonzero()[0])
    which = f"function {row} of the activation" if len(values) > 1 else "the activation"
    raise checks.InputError(
        f"{which} has no matching loss, because it does not rise everywhere: from x={knots.low + s * knots.spacing:g} "
        f"to {knots.low + (s + 1) * knots.spacing:g} it goes from {values[row, s]:g} to {values[row, s + 1]:g}; "
        "pwlact.matching.isotonic(activation) gives the nearest one that rises"
    )


def _computing(x: Tensor) -> torch.dtype:
    return torch.float32 if x.device.type == "mps" else torch.float64
