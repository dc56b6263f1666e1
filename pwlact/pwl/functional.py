"""The piecewise-linear function as one differentiable operation that keeps only its input for backward."""

from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from pwlact import checks
from pwlact.pwl import autograd, operator
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
        values: knot values y; shape (N,) for one function; (G, N) for G functions, each of C / G
            neighbouring channels (G = C: one a channel).
        low: position of the first knot, in the units of x.
        high: position of the last knot, in the units of x.
        channel_dim: dimension of x, of size C, that picks the function when `values` has shape (G, N).

    Returns:
        f(x), differentiable twice in x and `values`.

    Raises:
        InputError: x is not floating point, `values` is not (N,) or (G, N) with N >= 2, the channels of x are no
            multiple of G, or not low < high.

    Examples:
        >>> pwl(torch.tensor([-4.0, -0.5, 2.0]), torch.tensor([0.0, 0.0, 3.0]))
        tensor([0.0000, 0.0000, 2.0000])
    """
    compiling = torch.compiler.is_compiling()
    # the compiler runs this once, and warns of caches
    (Knots if compiling else _known_grid)(values.shape[-1] if values.ndim else 0, low, high)
    _check(x, values, channel_dim)
    if compiling:
        return operator.pwl(x, values, low, high, channel_dim)
    return autograd.function(x, values, low, high, channel_dim)


_known_grid = lru_cache(maxsize=1024)(Knots)


def _check(x: Tensor, values: Tensor, channel_dim: int) -> None:
    if not x.is_floating_point():
        raise checks.InputError(f"x must be a floating-point tensor, got {x.dtype}; convert it with x.float()")
    if values.ndim not in {1, 2}:
        raise checks.InputError(f"values must have shape (N,) or (G, N), got {tuple(values.shape)}")
    if values.ndim == 1:
        return
    if not -x.ndim <= channel_dim < x.ndim or not values.shape[0] or x.shape[channel_dim] % values.shape[0]:
        raise checks.InputError(
            f"values of {values.shape[0]} functions need x with a multiple of that in dimension {channel_dim}, "
            f"got x of shape {tuple(x.shape)}"
        )
