"""What every measure asks of its input: finite samples of at least one unit, in double precision."""

import torch
from torch import Tensor

from pwlact.checks import InputError


def checked(name: str, x: Tensor) -> Tensor:
    """`x` in float64 if it is a floating-point tensor (..., n, units) with n, units >= 1 and finite values.

    Raises:
        InputError: it is anything else.
    """
    if not torch.is_floating_point(x):
        raise InputError(f"{name} must be a floating-point tensor, got {x.dtype}; convert it with {name}.float()")
    if x.ndim < 2 or 0 in x.shape:
        raise InputError(f"{name} must have shape (..., samples, units), at least one of each, got {tuple(x.shape)}")
    x = x.detach().double()
    if not bool(x.isfinite().all()):
        count = int((~x.isfinite()).sum())
        raise InputError(f"{name} must be finite, got {count} of {x.numel()} values NaN or infinite: leave them out")
    return x


def rounding(x: Tensor) -> float:
    """Relative size below which a difference between values of x's own type is rounding, not signal."""
    return 8 * torch.finfo(x.dtype).eps if torch.is_floating_point(x) else 0.0


def constant(x: Tensor, rounding: float) -> Tensor:
    """Which columns of x (..., n, units) vary by no more than `rounding` times their largest entry."""
    return x.amax(-2) - x.amin(-2) <= rounding * x.abs().amax(-2)


def spread(x: Tensor, rounding: float) -> Tensor:
    """Columns of x (..., n, units) minus their means, each scaled so that its largest entry is 1; constant ones 0.

    The scale keeps squares of very large and very small columns from overflow.
    """
    scaled = _over(x, x.abs().amax(-2, keepdim=True))
    centred = scaled - scaled.mean(-2, keepdim=True)
    reach = torch.where(constant(x, rounding)[..., None, :], 0.0, centred.abs().amax(-2, keepdim=True))
    return _over(centred, reach)


def whole_size(x: Tensor) -> Tensor:
    """x (..., n, units) over its largest entry; 0 stays 0."""
    return _over(x, x.abs().amax((-2, -1), keepdim=True))


def _over(x: Tensor, size: Tensor) -> Tensor:
    return torch.where(size > 0, x / torch.where(size > 0, size, 1.0), 0.0)
