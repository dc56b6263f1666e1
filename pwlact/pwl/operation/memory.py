"""Tensors as the kernels read them: front to back in memory, whatever the order of their dimensions."""

import torch
from torch import Tensor


class Memory:
    """Memory of x as (outer, G, inner): element e has function (e // inner) % G.

    Args:
        x: any shape and strides.
        values: knot values, shape (N,), or (G, N) with G a divisor of the size of `channel_dim`.
        channel_dim: dimension of x that picks the function; unused where `values` is (N,).

    Attributes:
        table: the values as (G, N) in the type to compute in: float32, or float64 where x or values is.
        inner: elements next to each other that share a function.
    """

    def __init__(self, x: Tensor, values: Tensor, channel_dim: int) -> None:
        dtype = torch.promote_types(torch.promote_types(x.dtype, values.dtype), torch.float32)
        self.table = values.detach().to(dtype).reshape(-1, values.shape[-1]).contiguous()
        self.shape, self.strides = x.shape, _dense_strides(x)
        functions = self.table.shape[0]
        # in dense memory, a step along the channels is as long as what lies within one
        shared = functions == 1
        self.inner = x.numel() if shared else self.strides[channel_dim] * (x.shape[channel_dim] // max(functions, 1))

    def read(self, tensor: Tensor) -> Tensor:
        """A tensor of the shape of x as (n,), ordered as x is; a copy where its own layout is another."""
        if any(a != b and size > 1 for a, b, size in zip(tensor.stride(), self.strides, self.shape, strict=True)):
            tensor = torch.empty_strided(self.shape, self.strides, dtype=tensor.dtype, device=tensor.device).copy_(
                tensor
            )
        flat = tensor.as_strided((tensor.numel(),), (1,))
        return flat.double() if self.table.dtype == torch.float64 else flat

    def restore(self, flat: Tensor, dtype: torch.dtype) -> Tensor:
        """The result of a kernel, shape (n,), in the shape and layout of x."""
        return flat.to(dtype).as_strided(self.shape, self.strides)


def _dense_strides(x: Tensor) -> tuple[int, ...]:
    """Strides of x where it fills its memory, else those that a copy of it gets."""
    if x.is_contiguous() or (x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last)):
        return x.stride()
    return torch.empty_like(x, device="meta").stride()
