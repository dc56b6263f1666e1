"""Where each element of x lies on the knots, and what its own function's tables hold there."""

import torch
from torch import Tensor
from torch.nn import functional

from pwlact import checks
from pwlact.pwl.knots import Knots


class Lookup:
    """The segment i and position w of each x, to read tables of shape (rows, M) by: one row a function.

    Rows are for values (N,) one shared function, for values (G, N) of C channels groups of C / G
    consecutive channels. Everything computed is float32 for the 16-bit types, float64 where x or y is.

    Args:
        x: floating-point tensor of any rank and layout.
        values: knot values y, shape (N,) or (G, N).
        knots: the N knots.
        channel_dim: dimension of x that holds the channels; unused where the function is shared.

    Attributes:
        y: the values in the type of computation, shape (rows, N).
        w: position of each x in its segment, in the shape and layout of x.

    Raises:
        InputError: x is not floating point, or `values` fits neither the knots nor the channels of x.
    """

    def __init__(self, x: Tensor, values: Tensor, knots: Knots, channel_dim: int) -> None:
        check_fit(x, values, knots, channel_dim)
        dtype = computing_type(x, values)
        self.y = values.to(dtype).reshape(-1, knots.count)
        self.segment, self.w = knots.locate(x.to(dtype))
        self.row = None if values.ndim == 1 else _rows(x, values.shape[0], channel_dim)

    def __call__(self, table: Tensor) -> Tensor:
        """Entry of each x's segment in a table of shape (rows, M), in the shape and layout of x."""
        index = self.segment if self.row is None else self.segment + self.row * table.shape[-1]
        return table.flatten()[index]  # unlike index_select, keeps the order of the dimensions in memory

    def rises(self) -> Tensor:
        """Rise y_{s+1} - y_s of each segment, padded so that it is indexed as y is; shape (rows, N)."""
        return functional.pad(self.y.diff(dim=-1), (0, 1))


def computing_type(x: Tensor, values: Tensor) -> torch.dtype:
    """Type that positions and values are computed in: at least float32."""
    return torch.promote_types(torch.promote_types(x.dtype, values.dtype), torch.float32)


def check_fit(x: Tensor, values: Tensor, knots: Knots, channel_dim: int) -> None:
    """Whether x, values and knots belong together.

    Raises:
        InputError: they do not.
    """
    if not x.is_floating_point():
        raise checks.InputError(f"x must be a floating-point tensor, got {x.dtype}; convert it with x.float()")
    if values.ndim not in {1, 2} or values.shape[-1] != knots.count:
        raise checks.InputError(
            f"values must have shape (N,) or (G, N) with N={knots.count} knots, got {tuple(values.shape)}"
        )
    if values.ndim == 1:
        return
    groups = values.shape[0]
    size = x.shape[channel_dim] if -x.ndim <= channel_dim < x.ndim else 0
    if not groups or not size or size % groups:
        raise checks.InputError(
            f"values of {groups} functions need x with a multiple of that size in dimension {channel_dim}, "
            f"got x of shape {tuple(x.shape)}"
        )


def _rows(x: Tensor, groups: int, channel_dim: int) -> Tensor:
    """Row of each channel, shaped to broadcast over x."""
    channels = x.shape[channel_dim]
    row = torch.arange(channels, dtype=torch.int32, device=x.device) // (channels // groups)
    return row.reshape([-1] + [1] * (x.ndim - 1 - channel_dim % x.ndim))
