"""Derivative, antiderivative and inverse of the piecewise-linear function, each in closed form."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from pwlact import checks
from pwlact.pwl.knots import Knots
from pwlact.pwl.lookup import Lookup, check_fit, computing_type


def derivative(
    x: Float[Tensor, "*shape"], values: Float[Tensor, "*functions knots"], knots: Knots, channel_dim: int = 1
) -> Float[Tensor, "*shape"]:
    """f'(x) = (y_{i+1} - y_i) / h in the segment i of x; at a knot, the slope to its right.

    Differentiable in `values`. Constant in each segment, so x gets no gradient. A tail has its slope at
    +-inf too; NaN gives NaN.

    Args:
        x: floating-point tensor of any rank, layout and device.
        values: knot values y, shape (N,), or (G, N) for C channels in G groups.
        knots: the N knots.
        channel_dim: dimension of x that holds the channels.

    Returns:
        f'(x), in the shape, type and memory layout of x.

    Raises:
        InputError: x is not floating point, or `values` fits neither the knots nor x.
    """
    at = Lookup(x.detach(), values, knots, channel_dim)
    slope = at(at.rises() / knots.spacing)
    return torch.where(at.w.isnan(), at.w, slope).to(x.dtype)


def antiderivative(
    x: Float[Tensor, "*shape"], values: Float[Tensor, "*functions knots"], knots: Knots, channel_dim: int = 1
) -> Float[Tensor, "*shape"]:
    """F(x) = int_0^x f(u) du, that is F(0) = 0 whatever the knots; quadratic in each segment and tail.

    With x = t_i + w h: F(x) = F(t_i) + h w (y_i + w (y_{i+1} - y_i) / 2). The constant is set at 0 and not
    at the first knot, so that a change of the knots that keeps f keeps F. At +-inf it is the limit, finite
    only where the tail is 0; NaN gives NaN. Differentiable in x, with F' = f, and in `values`.

    Args:
        x: floating-point tensor of any rank, layout and device.
        values: knot values y, shape (N,), or (G, N) for C channels in G groups.
        knots: the N knots.
        channel_dim: dimension of x that holds the channels.

    Returns:
        F(x), in the shape, type and memory layout of x.

    Raises:
        InputError: x is not floating point, or `values` fits neither the knots nor x.
    """
    at = Lookup(x, values, knots, channel_dim)
    rise, w, endless = at(at.rises()), at.w, at.w.isinf()
    # nothing times an infinite way is nothing, not NaN; the slope decides the limit before the value does
    mean = at(at.y) + rise * torch.where(endless & (rise == 0), 0.0, w) / 2
    way = torch.where(endless & (mean == 0), 0.0, w)
    return (at(_integrals(at.y, knots)) + knots.spacing * way * mean).to(x.dtype)


def _integrals(y: Tensor, knots: Knots) -> Tensor:
    """F(t_s) at every knot, shape (rows, N); summed outwards from 0, where cancellation would show most."""
    origin = min(max(math.floor(-knots.low / knots.spacing), 0), knots.count - 2)
    w = -knots.low / knots.spacing - origin
    left, right = y[:, origin : origin + 1], y[:, origin + 1 : origin + 2]
    first = -knots.spacing * w * (left + w * (right - left) / 2)
    steps = knots.spacing * (y[:, 1:] + y[:, :-1]) / 2
    before = -steps[:, :origin].flip(-1).cumsum(-1).flip(-1)
    after = steps[:, origin:].cumsum(-1)
    return first + torch.cat([before, torch.zeros_like(left), after], dim=-1)


def inverse(
    y: Float[Tensor, "*shape"], values: Float[Tensor, "*functions knots"], knots: Knots, channel_dim: int = 1
) -> Float[Tensor, "*shape"]:
    """The x with f(x) = y, for functions that strictly rise or strictly fall, their tails included.

    With y between y_i and y_{i+1}: x = t_i + h (y - y_i) / (y_{i+1} - y_i). Differentiable in y and `values`;
    +-inf gives the infinite end of that tail, NaN gives NaN. Reads the values, so it waits for the device.

    Args:
        y: outputs to invert, floating-point, any rank and device.
        values: knot values, shape (N,), or (G, N) for C channels in G groups; rows may differ in direction.
        knots: the N knots.
        channel_dim: dimension of y that holds the channels.

    Returns:
        x, in the shape and type of y.

    Raises:
        InputError: a function is not strictly monotone, or the arguments do not fit each other.
    """
    check_fit(y, values, knots, channel_dim)
    table = values.to(computing_type(y, values)).reshape(-1, knots.count)
    sign = _direction(table.detach(), knots)
    own = y if values.ndim == 1 else y.movedim(channel_dim, 0)
    # upwards in every row: a falling f is inverted as -f at -y
    rows = own.to(table.dtype).reshape(len(table), y.numel() // len(table)).contiguous()
    table, wanted = table * sign, rows * sign
    segment = torch.searchsorted(table.detach(), wanted.detach(), right=True).sub_(1).clamp_(0, knots.count - 2)
    left, right = table.gather(1, segment), table.gather(1, segment + 1)
    x = (knots.low + knots.spacing * (segment + (wanted - left) / (right - left))).to(y.dtype).reshape(own.shape)
    return x if values.ndim == 1 else x.movedim(0, channel_dim)


def _direction(table: Tensor, knots: Knots) -> Tensor:
    """+1 for a row that strictly rises, -1 for one that strictly falls, shape (rows, 1)."""
    sign = torch.where(table[:, -1:] < table[:, :1], -1.0, 1.0).to(table.dtype)
    wrong = ~(table.diff(dim=-1) * sign > 0)  # so that NaN is wrong too
    if wrong.any():
        row, s = (int(place) for place in wrong.nonzero()[0])
        low, high = knots.low + s * knots.spacing, knots.low + (s + 1) * knots.spacing
        which = f"function {row}" if len(table) > 1 else "the function"
        word = "rising" if sign[row] > 0 else "falling"
        raise checks.InputError(
            f"{which} has no inverse: from x={low:g} to {high:g} it goes from {table[row, s]:g} to "
            f"{table[row, s + 1]:g}, which is not strictly {word}; add a slope there, or a small multiple of x"
        )
    return sign
