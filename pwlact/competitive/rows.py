"""What the maps share about their rows: which dimension competes, which types are computed in, one parameter a row."""

import torch
from torch import Tensor

from pwlact import checks

_TYPES = {torch.float64, torch.float32, torch.bfloat16, torch.float16}


def competing_dim(z: Tensor, dim: int) -> int:
    """`dim` counted from the end, so that a batch dimension in front changes nothing.

    Raises:
        InputError: z is not a dense floating-point tensor, or has no dimension `dim`.
    """
    if z.dtype not in _TYPES:
        raise checks.InputError(
            f"z must be a floating-point tensor of 16, 32 or 64 bits, got {z.dtype}; convert it with z.float()"
        )
    if z.layout != torch.strided or z.is_nested:
        raise checks.InputError(f"z must be a dense tensor, got layout {z.layout}; convert it with z.to_dense()")
    if not -max(z.ndim, 1) <= dim < max(z.ndim, 1):
        raise checks.InputError(f"dim must be a dimension of z, which has shape {tuple(z.shape)}; got {dim}")
    return dim if dim < 0 else dim - max(z.ndim, 1)


def wide(z: Tensor) -> Tensor:
    """z in the type that it is computed in: float32 for the 16-bit types."""
    return z.float() if z.dtype.itemsize < 4 else z


def row_parameter(name: str, value: float | Tensor, z: Tensor, dim: int) -> Tensor:
    """A number a row: `value` broadcast to the shape of z with size 1 in `dim`, in float32 or wider.

    Args:
        name: of the parameter, for errors.
        value: a number, or a tensor that broadcasts to the rows.
        z: the rows.
        dim: dimension that competes, below 0.

    Returns:
        a view of `value`.

    Raises:
        InputError: the shape of `value` does not fit.
    """
    shape = list(z.shape)
    if shape:
        shape[dim] = 1
    if not isinstance(value, Tensor):
        value = torch.tensor(float(value), dtype=wide(z).dtype, device=z.device)
    try:
        return wide(value).expand(shape)
    except RuntimeError as error:
        raise checks.InputError(
            f"{name} must be a number or broadcast to one number a row, shape {tuple(shape)}; "
            f"got shape {tuple(value.shape)}"
        ) from error


def above(name: str, value: float | Tensor, least: float) -> float | Tensor:
    """Return `value` if it is a tensor, or a finite number above `least`.

    The entries of a tensor are not looked at: on an accelerator that would wait for the device.

    Raises:
        InputError: it is a number outside the range.
    """
    if isinstance(value, Tensor):
        return value
    # no math.isfinite: torch.compile may hand in a symbol
    if isinstance(value, bool) or not isinstance(value, int | float) or not least < value < torch.inf:
        raise checks.InputError(f"{name} must be a finite number above {least:g}, got {value!r}")
    return value


def settled(z: Tensor, dim: int) -> Tensor:
    """p of rows whose largest entry is not finite: equal shares at +inf, zeros at -inf, NaN at NaN."""
    top = z.amax(dim, keepdim=True)
    first = (z == top).to(z.dtype)
    shares = first / first.sum(dim, keepdim=True)
    return torch.where(top == torch.inf, shares, torch.where(top == -torch.inf, 0.0, torch.nan))


def shown(value: float | Tensor) -> str:
    """A parameter for `print(module)`."""
    return f"{value.detach().item() if isinstance(value, Tensor) else value:g}"
