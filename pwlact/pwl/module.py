"""`PiecewiseLinearActivation`: a learnable piecewise-linear function as a PyTorch module."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pwlact import checks
from pwlact.pwl import calculus, penalties, projections, saved_knots
from pwlact.pwl.description import describe
from pwlact.pwl.functional import pwl
from pwlact.pwl.histogram import InputHistogram
from pwlact.pwl.knots import Knots
from pwlact.pwl.projections import Direction, Normalise, Symmetry
from pwlact.pwl.pruning import PrunedFunction, prune
from pwlact.pwl.regrid import distance, regrid
from pwlact.pwl.start import start_values


class PiecewiseLinearActivation(nn.Module):
    """Learnable f(x) = sum_s y_s phi_s(x): N uniform knots t_s, hat functions phi_s, linear tails.

    The state dict holds the values and, as extra state, the knots: a module that loads it takes on its
    number and interval. Extra state and not a buffer, because a buffer would be rounded by `.half()`, sent
    by DDP in every forward pass and exported as an input; the parameters are the values alone.

    Args:
        knots: the number of knots and their interval; 33 on [-3, 3] unless given.
        channels: None for one function shared by the whole layer, C for C channels.
        groups: number G of functions for the C channels, each for C / G consecutive ones; C unless given.
        channel_dim: the dimension of x that holds the channels.
        start: name in `STARTS`, or a function of the knot positions, that gives the first values.

    Attributes:
        values: the knot values y, a parameter of shape (N,), or (G, N) with channels.
        knots: the knots; changed by `regrid`, `resize`, `set_range`, `realign` and by loading a state.

    Raises:
        InputError: the name is unknown, `channels` or `groups` is not a whole number of at least 1, or
            `groups` does not divide `channels`.

    References:
        Agostinelli et al., "Learning activation functions to improve deep neural networks", 2014, learn sums
        of hinges; uniform knots with linear tails are the same functions in a better-conditioned basis.

    Examples:
        >>> activation = PiecewiseLinearActivation(start="silu")
        >>> activation(torch.zeros(2, 3)).shape
        torch.Size([2, 3])
    """

    _version = 2  # 2: the knots are part of the state
    values: nn.Parameter

    def __init__(
        self,
        knots: Knots | None = None,
        *,
        channels: int | None = None,
        groups: int | None = None,
        channel_dim: int = 1,
        start: str | Callable[[Tensor], Tensor] = "relu",
    ) -> None:
        super().__init__()
        self.knots = knots or Knots()
        self.channels = None if channels is None else checks.at_least("channels", channels, 1)
        self.groups = self.channels if groups is None else _groups(groups, self.channels)
        self.channel_dim = channel_dim
        values = start_values(start, self.knots.positions()).to(torch.get_default_dtype())
        self.values = nn.Parameter(values if self.groups is None else values.repeat(self.groups, 1))

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """f(x), in the shape, type and memory layout of x.

        Raises:
            InputError: x is not floating point, or does not have the module's channels.
        """
        self._check_channels(x)
        return pwl(x, self.values, self.knots.low, self.knots.high, self.channel_dim)

    def derivative(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """f'(x), to the right of x at a knot; see `calculus.derivative`."""
        self._check_channels(x)
        return calculus.derivative(x, self.values, self.knots, self.channel_dim)

    def antiderivative(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """F(x) = int_0^x f(u) du; see `calculus.antiderivative`."""
        self._check_channels(x)
        return calculus.antiderivative(x, self.values, self.knots, self.channel_dim)

    def inverse(self, y: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """The x with f(x) = y, where f strictly rises or strictly falls; see `calculus.inverse`."""
        self._check_channels(y)
        return calculus.inverse(y, self.values, self.knots, self.channel_dim)

    @torch.no_grad()
    def project_(
        self,
        *,
        anchor: bool = True,
        normalise: Normalise | None = None,
        target: float = 1.0,
        monotone: Direction | None = None,
        lipschitz: float | None = None,
        symmetry: Symmetry | None = None,
    ) -> "PiecewiseLinearActivation":
        """Bring the values back, after an optimiser's step, to functions with the properties asked for.

        In this order: symmetry, direction and slope bound (together the exact L2 projection of the values),
        anchor, scale. All that are asked for hold together afterwards, to the rounding of the values; those
        that exclude each other are refused: odd with the anchor, even with a direction, a scale with a
        slope bound.

        Args:
            anchor: shift each function so that its leftmost knot is zero.
            normalise: "l2" scales each function to the L2 norm `target` of its values; "variance" to the
                variance `target` of f(x) with x ~ N(0, 1), as behind a batch norm, weighted at the knots.
                A function that is zero (l2) or constant (variance) stays as it is.
            target: norm or variance to scale to, above zero.
            monotone: "increasing" or "decreasing", not strictly.
            lipschitz: bound on |f'(x)|, tails included.
            symmetry: "odd" or "even" about the middle of the interval, which is 0 for [-a, a].

        Returns:
            the module itself.

        Raises:
            InputError: an unknown name, `target` or `lipschitz` not above zero, or properties that exclude
                each other; the values are then as they were.
        """
        checks.positive("target", target)
        shape = projections.Shape(monotone, lipschitz, symmetry)
        shape.check_compatible(anchor, normalise)
        if shape != projections.ANY:
            # in double until the anchor is off, so that bounds are met to the rounding of what is stored
            values = projections.constrain(self.values.double(), self.knots, shape)
            self.values.copy_(values - values[..., :1] if anchor else values)
        elif anchor:
            self.values.sub_(self.values[..., :1].clone())
        if normalise is not None:
            size = projections.sizes(self.values, self.knots, normalise)
            wanted = target if normalise == "l2" else target**0.5
            self.values.mul_(torch.where(size > 0, wanted / size, 1.0))
        return self

    def total_variation(self) -> Float[Tensor, "*functions"]:
        """TV2: the sum of all changes of slope, one number a function; see `penalties.total_variation`."""
        return penalties.total_variation(self.values, self.knots)

    def roughness(self) -> Float[Tensor, "*functions"]:
        """Sum of squared second differences of the values, one number a function."""
        return penalties.roughness(self.values)

    @torch.no_grad()
    def prune(self, tolerance: float, *, write: bool = False) -> PrunedFunction | tuple[PrunedFunction, ...]:
        """The functions with fewest breakpoints within `tolerance` of these; see `pruning.prune`.

        Args:
            tolerance: largest distance allowed, on the whole real line.
            write: also put them in the place of the present ones, on the same knots, rounded to their type.

        Returns:
            one function where it is shared, else one for each row of the values.

        Raises:
            InputError: `tolerance` is negative or not finite, or a value is not finite.
        """
        pruned = tuple(prune(row, self.knots, tolerance) for row in self.values.reshape(-1, self.knots.count))
        if write:
            t = self.knots.positions()
            self.values.copy_(torch.stack([function(t) for function in pruned]).reshape(self.values.shape))
        return pruned if self.groups is not None else pruned[0]

    @torch.no_grad()
    def regrid(self, knots: Knots) -> float:
        """Keep the functions, on other knots; see `regrid.regrid` for where that is exact.

        The parameter stays the same object, so no optimiser goes stale unseen; its gradient is dropped,
        because it belongs to the old knots. Where the number of knots changes, build the optimiser (and DDP)
        anew: what an optimiser with a memory stores has the old shape, and its next step will say so.

        Args:
            knots: the knots to go over to.

        Returns:
            the largest error over all functions and the union of both intervals.
        """
        if knots == self.knots:
            return 0.0
        values = regrid(self.values, self.knots, knots).to(self.values.dtype)
        error = float(distance(self.values, self.knots, values, knots))
        self._take(values, knots)
        return error

    def resize(self, count: int) -> float:
        """Keep the functions and the interval, with `count` knots; returns the largest error, as `regrid`."""
        return self.regrid(Knots(count, self.knots.low, self.knots.high))

    def set_range(self, low: float, high: float, *, count: int | None = None) -> float:
        """Keep the functions on `count` knots on [low, high]; returns the largest error, as `regrid`.

        Raises:
            InputError: not low < high, or fewer than two knots.
        """
        return self.regrid(Knots(self.knots.count if count is None else count, low, high))

    def realign(self, seen: InputHistogram, *, coverage: float = 0.999) -> float:
        """Set the range to the central interval that holds `coverage` of the inputs seen; keep the functions.

        Where 0 is inside, the interval grows by up to a step so that a knot lies there; see `Knots.covering`.

        Args:
            seen: what `record_inputs` counted for this module.
            coverage: share of the inputs, above 0 and at most 1.

        Returns:
            the largest error over the union of both intervals.

        Raises:
            InputError: `coverage` is outside its range, nothing was seen, or the inputs hardly vary.

        References:
            Zhou et al., "Learning specialized activation functions with the piecewise linear unit", 2021,
            section 3.2; quantiles in the place of mean +- 3 deviations, which one outlier would move.
        """
        return self.regrid(Knots.covering(*seen.interval(coverage), self.knots.count))

    def extra_repr(self) -> str:
        """Knots, interval, sharing, direction and tail slopes, for `print(model)`."""
        sharing = "shared" if self.channels is None else f"channels={self.channels}"
        if self.groups != self.channels:
            sharing += f", groups={self.groups}"
        looks = describe(self.values, self.knots)
        grid = f"knots={self.knots.count}, low={self.knots.low:g}, high={self.knots.high:g}, {sharing}"
        return f"{grid}, {looks}" if looks else grid

    def get_extra_state(self) -> Tensor:
        """The knots as [count, low, high], which `state_dict` stores beside the values."""
        return saved_knots.pack(self.knots)

    def set_extra_state(self, state: Any) -> None:
        """Take on stored knots; `load_state_dict` has by then fitted the values to them."""
        self.knots = saved_knots.unpack(state, self.values.shape[-1])

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        name, extra = f"{prefix}values", f"{prefix}_extra_state"
        if name in state_dict:
            values = state_dict[name]
            knots, reason = saved_knots.fit(state_dict.get(extra), values, self.values, self.knots, name)
            if reason:
                error_msgs.append(reason)
                return
            if knots.count != self.knots.count:
                self._take(self.values.detach().new_empty(values.shape), knots)
        rest = strict, missing_keys, unexpected_keys, error_msgs
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)
        if extra in missing_keys and local_metadata.get("version", 1) < 2:
            missing_keys.remove(extra)  # version 1 stored the values alone

    @torch.no_grad()
    def _take(self, values: Tensor, knots: Knots) -> None:
        """Put values on new knots into the same parameter."""
        if values.shape == self.values.shape:
            self.values.copy_(values)  # in place, so that a backward pass still pending is told
        else:
            self.values.data = values
        self.values.grad = None
        self.knots = knots

    def _check_channels(self, x: Tensor) -> None:
        if self.channels is None:
            return
        dim = self.channel_dim
        if not -x.ndim <= dim < x.ndim or x.shape[dim] != self.channels:
            raise checks.InputError(
                f"an activation of {self.channels} channels needs x with that size in dimension {dim}, "
                f"got x of shape {tuple(x.shape)}"
            )


def _groups(groups: int, channels: int | None) -> int:
    checks.at_least("groups", groups, 1)
    if channels is None:
        raise checks.InputError(f"groups={groups} needs the number of channels that they share: give channels too")
    if channels % groups:
        raise checks.InputError(f"groups must divide channels={channels}, got {groups}")
    return groups
