"""How f and its gradient act on batches of inputs and of knot values: by one more channel dimension."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

BatchDims = tuple[int | None, ...]


def function(
    f: Callable[..., Tensor],
    size: int,
    in_dims: BatchDims,
    x: Tensor,
    values: Tensor,
    low: float,
    high: float,
    channel_dim: int,
) -> tuple[Tensor, int]:
    """f over a batch.

    Args:
        f: (x, values, low, high, channel_dim) -> f(x).
        size: size of the batch.
        in_dims: which dimension of each argument is the batch; None where there is none.
        x: input.
        values: knot values.
        low: position of the first knot.
        high: position of the last knot.
        channel_dim: dimension of x, not counting the batch, that picks the function.

    Returns:
        the results, and the dimension along which they lie.
    """
    if in_dims[1] is None:
        assert in_dims[0] is not None
        x = x.movedim(in_dims[0], 0)
        return f(x, values, low, high, channel_dim % max(x.ndim - 1, 1) + 1), 0
    x, values = _front(x, in_dims[0], size), _front(values, in_dims[1], size)
    x, table, apart = _as_channels(x, values, channel_dim)
    return apart(f(x, table, low, high, 0)), 0


def gradient(
    f: Callable[..., tuple[Tensor, Tensor]], size: int, in_dims: BatchDims, *inputs: Any
) -> tuple[tuple[Tensor, Tensor], tuple[int | None, int | None]]:
    """The gradient over a batch.

    Args:
        f: (grad, x, values, low, high, channel_dim, need_x, need_values) -> gradients of x and values.
        size: size of the batch.
        in_dims: which dimension of each argument is the batch; None where there is none.
        *inputs: arguments of f.

    Returns:
        both gradients, and the dimensions along which they lie.
    """
    grad, x, values, low, high, channel_dim, need_x, need_values = inputs
    # an example has knot gradients of its own, even where all share the knots
    grad, x, values = (_front(tensor, dim, size) for tensor, dim in zip((grad, x, values), in_dims, strict=False))
    x, table, apart = _as_channels(x, values, channel_dim)
    grad, *_ = _as_channels(grad, values, channel_dim)
    grad_x, grad_values = f(grad, x, table, low, high, 0, need_x, need_values)
    return (
        (apart(grad_x) if need_x else grad_x, grad_values.reshape(values.shape) if need_values else grad_values),
        (0 if need_x else None, 0 if need_values else None),
    )


def _front(tensor: Tensor, dim: int | None, size: int) -> Tensor:
    """The batch as dimension 0."""
    return tensor.expand(size, *tensor.shape) if dim is None else tensor.movedim(dim, 0)


def _as_channels(x: Tensor, values: Tensor, channel_dim: int) -> tuple[Tensor, Tensor, Callable[[Tensor], Tensor]]:
    """Batch and channels of (B, ...) as one dimension in front, the same for values, and the way back for x."""
    if values.ndim == 2:
        return x, values, lambda result: result
    place = channel_dim % (x.ndim - 1) + 1
    moved = x.movedim(place, 1)
    return (
        moved.flatten(0, 1),
        values.flatten(0, 1),
        lambda result: result.reshape(moved.shape).movedim(1, place),
    )
