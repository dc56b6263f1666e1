"""What the parts ask of the numbers they get: floating-point, at least float32, at least one of each."""

import torch
from torch import Tensor

from pwlact.checks import InputError


def wide(*tensors: Tensor) -> tuple[Tensor, ...]:
    """All in the widest of their types, at least float32: distances and sums of 16-bit numbers would be rounding.

    Raises:
        InputError: one is no floating-point tensor.
    """
    dtype = torch.float32
    for tensor in tensors:
        if not tensor.is_floating_point():
            raise InputError(f"a floating-point tensor is expected, got {tensor.dtype}; convert it with .float()")
        dtype = torch.promote_types(dtype, tensor.dtype)
    return tuple(tensor.to(dtype) for tensor in tensors)


def table(name: str, values: Tensor, columns: int | None = None) -> Tensor:
    """`values` in float32 or wider if they are (..., n, columns) with n, columns >= 1.

    Args:
        name: of the values, for errors.
        values: a floating-point tensor.
        columns: how many there must be; None for any number.

    Returns:
        the values; NaN and infinities are let through, since looking for them would wait for the device.

    Raises:
        InputError: the shape or type is another one.
    """
    expected = f"(..., samples, {'components' if columns is None else columns})"
    if values.ndim < 2 or 0 in values.shape or (columns is not None and values.shape[-1] != columns):
        raise InputError(f"{name} must have shape {expected}, at least one of each, got {tuple(values.shape)}")
    return wide(values)[0]
