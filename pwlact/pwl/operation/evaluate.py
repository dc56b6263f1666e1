"""f and its gradients on tensors of any layout, without derivatives: the ground that `autograd` stands on."""

from functools import lru_cache

import torch
from torch import Tensor

from pwlact.pwl.kernels import backends
from pwlact.pwl.knots import Knots
from pwlact.pwl.operation.memory import Memory

Grid = tuple[float, float, int]
"""low, high and channel_dim, as every function here takes them."""


known_grid = lru_cache(maxsize=1024)(Knots)
"""Knots(count, low, high), or InputError, without checking again what was checked."""


def evaluate(x: Tensor, values: Tensor, low: float, high: float, channel_dim: int) -> Tensor:
    """f(x) for values (N,) or (G, N), G a divisor of the size of `channel_dim`, by the kernel in use."""
    known_grid(values.shape[-1], low, high)
    memory = Memory(x, values, channel_dim)
    kernel, name = backends.module(x.device.type)
    return memory.restore(kernel.forward(memory.read(x), memory.table, low, high, memory.inner, name), x.dtype)


def gradient(
    grad: Tensor,
    x: Tensor,
    values: Tensor,
    low: float,
    high: float,
    channel_dim: int,
    need_x: bool,
    need_values: bool,
) -> tuple[Tensor, Tensor]:
    """Gradients of sum(grad f(x)) with respect to x and values; an empty tensor for one that is not needed."""
    memory = Memory(x, values, channel_dim)
    kernel, name = backends.module(x.device.type)
    grad_x, grad_values = kernel.backward(
        memory.read(x), memory.read(grad), memory.table, low, high, memory.inner, need_x, need_values, name
    )
    return (
        x.new_empty(0) if grad_x is None else memory.restore(grad_x, x.dtype),
        values.new_empty(0) if grad_values is None else grad_values.view(values.shape).to(values.dtype),
    )


def slope_gradient(weights: Tensor, x: Tensor, values: Tensor, low: float, high: float, channel_dim: int) -> Tensor:
    """Gradient of sum(weights f'(x)) with respect to values: -1 / h at each left knot, 1 / h at each right.

    Needed for second derivatives only, so it is written in differentiable operations of torch.
    """
    dtype = torch.promote_types(torch.promote_types(x.dtype, values.dtype), torch.float32)
    count = values.shape[-1]
    functions = values.numel() // count
    spacing = (high - low) / (count - 1)
    index = ((x.to(dtype) - low) / spacing).floor().nan_to_num(0.0).clamp(0, count - 2).long()
    if functions > 1:
        shape = [1] * x.ndim
        shape[channel_dim] = -1
        channels = torch.arange(x.shape[channel_dim], device=x.device)
        index = index + (channels // (x.shape[channel_dim] // functions) * count).reshape(shape)
    sums = torch.zeros(functions * count, dtype=dtype, device=x.device)
    sums = sums.index_add(0, index.reshape(-1), weights.reshape(-1).to(dtype)).reshape(functions, count)
    right = torch.nn.functional.pad(sums, (1, 0))[:, :-1]
    return ((right - sums) / spacing).reshape(values.shape).to(values.dtype)
