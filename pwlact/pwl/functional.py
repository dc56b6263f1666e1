"""The piecewise-linear function as one differentiable operation that keeps only its input for backward."""

import torch
from jaxtyping import Float
from torch import Tensor

from pwlact import checks
from pwlact.pwl.knots import Knots


def pwl(
    x: Float[Tensor, "*shape"],
    values: Float[Tensor, "*channels knots"],
    low: float = -3.0,
    high: float = 3.0,
    channel_dim: int = 1,
) -> Float[Tensor, "*shape"]:
    """Piecewise-linear f(x) = y_i + w (y_{i+1} - y_i) with x = t_i + w h, knots t_s uniform on [low, high].

    The two edge segments go on to infinity: +-inf gives the limit of its tail, NaN gives NaN. Values, slopes
    and knot gradients are computed in float32 for the 16-bit types, in float64 where x or y is float64; the
    result has the type and the memory layout of x. At a knot, df/dx is the slope to its right.

    Args:
        x: floating-point tensor of any rank, layout and device.
        values: knot values y; shape (N,) for one function, (C, N) for one function a channel.
        low: position of the first knot, in the units of x.
        high: position of the last knot, in the units of x.
        channel_dim: dimension of x, of size C, that picks the function when `values` has shape (C, N).

    Returns:
        f(x), differentiable twice in x and `values`.

    Raises:
        InputError: x is not floating point, `values` is not (N,) or (C, N) with N >= 2, the channels do not
            fit x, or not low < high.

    Examples:
        >>> pwl(torch.tensor([-4.0, -0.5, 2.0]), torch.tensor([0.0, 0.0, 3.0]))
        tensor([0.0000, 0.0000, 2.0000])
    """
    knots = Knots(values.shape[-1] if values.ndim else 0, low, high)
    _check(x, values, channel_dim)
    result = _PiecewiseLinear.apply(x, values, knots, channel_dim)
    assert isinstance(result, Tensor)
    return result


def _check(x: Tensor, values: Tensor, channel_dim: int) -> None:
    if not x.is_floating_point():
        raise checks.InputError(f"x must be a floating-point tensor, got {x.dtype}; convert it with x.float()")
    if values.ndim not in {1, 2}:
        raise checks.InputError(f"values must have shape (N,) or (C, N), got {tuple(values.shape)}")
    if values.ndim == 1:
        return
    if not -x.ndim <= channel_dim < x.ndim or x.shape[channel_dim] != values.shape[0]:
        raise checks.InputError(
            f"values of {values.shape[0]} channels need x with that size in dimension {channel_dim}, "
            f"got x of shape {tuple(x.shape)}"
        )


class _PiecewiseLinear(torch.autograd.Function):
    """Saves x and y; segments and positions are cheaper to recompute than to keep (5 bytes an element)."""

    @staticmethod
    def forward(x: Tensor, values: Tensor, knots: Knots, channel_dim: int) -> Tensor:
        layout = _Layout(x, values, channel_dim)
        y = layout.table(values)
        slopes = _slopes(y)
        index, w = layout.locate(x, knots)
        # a flat tail times an infinite distance is the value at the edge, not NaN
        reach = torch.where(slopes[:, [0, -2]] == 0, 0.0, torch.inf)
        w.clamp_(layout.spread(-reach[:, 0]), layout.spread(1 + reach[:, 1]))
        result = _look_up(y, index).addcmul_(w, _look_up(slopes, index))
        return layout.restore(result)

    @staticmethod
    def setup_context(ctx, inputs: tuple[Tensor, Tensor, Knots, int], output: Tensor) -> None:  # noqa: ANN001
        x, values, ctx.knots, ctx.channel_dim = inputs
        ctx.save_for_backward(x, values)

    @staticmethod
    def backward(ctx, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:  # noqa: ANN001
        x, values = ctx.saved_tensors
        layout = _Layout(x, values, ctx.channel_dim)
        y = layout.table(values)
        index, w = layout.locate(x, ctx.knots)
        grad = layout.arrange(grads[0])
        grad_x = grad_y = None
        if ctx.needs_input_grad[0]:
            grad_x = layout.restore(grad * _look_up(_slopes(y) / ctx.knots.spacing, index))
        if ctx.needs_input_grad[1]:
            # df/dy is 1 - w at the left knot of the segment and w at its right
            total, right = _histogram(grad, index, y), _histogram(grad * w, index, y)
            grad_y = total - right + torch.nn.functional.pad(right, (1, 0))[:, :-1]
            grad_y = grad_y.reshape(values.shape).to(values.dtype)
        return grad_x, grad_y, None, None


class _Layout:
    """x with its dimensions in memory order, so that reading it front to back touches memory once."""

    def __init__(self, x: Tensor, values: Tensor, channel_dim: int) -> None:
        self.dtype = torch.promote_types(torch.promote_types(x.dtype, values.dtype), torch.float32)
        self.result_dtype = x.dtype
        self.order = sorted(range(x.ndim), key=lambda dim: -x.stride(dim))
        self.inverse = sorted(range(x.ndim), key=self.order.__getitem__)
        self.channels = values.shape[0] if values.ndim == 2 else None
        self.channel_place = self.order.index(channel_dim % x.ndim) if values.ndim == 2 else 0

    def table(self, values: Tensor) -> Tensor:
        """Knot values as (C, N) in the type of computation; one row where shared."""
        return values.to(self.dtype).reshape(-1, values.shape[-1])

    def arrange(self, tensor: Tensor) -> Tensor:
        return tensor.permute(self.order).to(self.dtype)

    def restore(self, tensor: Tensor) -> Tensor:
        return tensor.to(self.result_dtype).permute(self.inverse)

    def spread(self, per_channel: Tensor) -> Tensor:
        """A number a function, shaped to broadcast over the arranged x."""
        if self.channels is None:
            return per_channel.reshape(())
        return per_channel.reshape([-1] + [1] * (len(self.order) - 1 - self.channel_place))

    def locate(self, x: Tensor, knots: Knots) -> tuple[Tensor, Tensor]:
        """Index of each x's left knot in the flattened table, and its position w in the segment."""
        segment, w = knots.locate(self.arrange(x))
        if self.channels is not None:
            first = torch.arange(0, knots.count * self.channels, knots.count, dtype=segment.dtype, device=x.device)
            segment = segment + self.spread(first)
        return segment, w


def _slopes(y: Tensor) -> Tensor:
    """Rise y_{s+1} - y_s of each segment, padded so that it is indexed as y is; shape (C, N)."""
    return torch.nn.functional.pad(y.diff(dim=-1), (0, 1))


def _look_up(table: Tensor, index: Tensor) -> Tensor:
    """Table entry of each index, in the shape of `index`."""
    return table.flatten().index_select(0, index.reshape(-1)).reshape(index.shape)


def _histogram(weights: Tensor, index: Tensor, like: Tensor) -> Tensor:
    """Sum of `weights` a table entry, in the shape of `like`."""
    flat = torch.zeros(like.numel(), dtype=weights.dtype, device=weights.device)
    return flat.index_add(0, index.reshape(-1), weights.reshape(-1)).reshape(like.shape)
