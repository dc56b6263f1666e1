"""The piecewise-linear function as one differentiable operation that keeps only its input for backward."""

import torch
from jaxtyping import Float
from torch import Tensor

from pwlact import checks
from pwlact.pwl.operation import autograd, operator
from pwlact.pwl.operation.evaluate import known_grid

_TYPES = {torch.float64, torch.float32, torch.bfloat16, torch.float16}


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
        values: knot values y; shape (N,) for one function; (G, N) for G functions, each of C / G
            neighbouring channels (G = C: one a channel).
        low: position of the first knot, in the units of x.
        high: position of the last knot, in the units of x.
        channel_dim: dimension of x, of size C, that picks the function when `values` has shape (G, N).

    Returns:
        f(x), differentiable twice in x and `values`.

    Raises:
        InputError: x is not floating point, not dense or on another device than `values`, `values` is not (N,) or
            (G, N) with N >= 2, the channels of x are no multiple of G, or not low < high.

    Examples:
        >>> pwl(torch.tensor([-4.0, -0.5, 2.0]), torch.tensor([0.0, 0.0, 3.0]))
        tensor([0.0000, 0.0000, 2.0000])
    """
    _check(x, values, channel_dim)
    if torch.compiler.is_compiling():
        return operator.pwl(x, values, low, high, channel_dim)  # checks the grid when it runs
    known_grid(int(values.shape[-1]), low, high)  # int: a tracer's sizes are symbols
    return autograd.function(x, values, low, high, channel_dim)


def _check(x: Tensor, values: Tensor, channel_dim: int) -> None:
    for name, tensor in (("x", x), ("values", values)):
        if tensor.dtype not in _TYPES:
            raise checks.InputError(
                f"{name} must be a floating-point tensor of 16, 32 or 64 bits, got {tensor.dtype}; "
                f"convert it with {name}.float()"
            )
    if x.layout != torch.strided or x.is_nested:
        raise checks.InputError(f"x must be a dense tensor, got layout {x.layout}; convert it with x.to_dense()")
    if x.device != values.device:
        raise checks.InputError(f"x and values must be on one device, got {x.device} and {values.device}")
    if values.ndim not in {1, 2}:
        raise checks.InputError(f"values must have shape (N,) or (G, N) for N knots, got {tuple(values.shape)}")
    if values.ndim == 1:
        return
    if not -x.ndim <= channel_dim < x.ndim or not values.shape[0] or x.shape[channel_dim] % values.shape[0]:
        raise checks.InputError(
            f"values of {values.shape[0]} functions need x with a multiple of that in dimension {channel_dim}, "
            f"got x of shape {tuple(x.shape)}"
        )
