"""Activations that have finished learning: buffers only, and plain operations where a model is exported."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from pwlact.pwl import Knots, pwl


class FrozenSwish(nn.Module):
    """f(x) = scale u sigmoid(beta u) + offset with u = x - x0: a learnt activation as a closed form.

    Args:
        beta: sharpness, shape () for one function, (C,) for one a channel; the others likewise.
        x0: position of the bend, in the units of x.
        scale: slope of the right arm.
        offset: level of the left arm.
        channel_dim: dimension of x that holds the channels.

    References:
        Ramachandran, Zoph and Le, "Searching for activation functions", 2017 (x sigmoid(beta x)).
    """

    beta: Tensor
    x0: Tensor
    scale: Tensor
    offset: Tensor

    def __init__(self, beta: Tensor, x0: Tensor, scale: Tensor, offset: Tensor, channel_dim: int = 1) -> None:
        super().__init__()
        self.channel_dim = channel_dim
        for name, value in (("beta", beta), ("x0", x0), ("scale", scale), ("offset", offset)):
            self.register_buffer(name, value)

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """f(x), in the shape and type of x."""
        shape = _broadcast(self.beta, x, self.channel_dim)
        beta, x0, scale, offset = (t.reshape(shape) for t in (self.beta, self.x0, self.scale, self.offset))
        # beta u as one product and one sum, and scale u as a multiple of it: three operations fewer
        z = x.to(torch.promote_types(x.dtype, beta.dtype)) * beta - beta * x0
        return (functional.silu(z) * (scale / beta) + offset).to(x.dtype)

    def extra_repr(self) -> str:
        """The parameters, or how many functions there are, for `print(model)`."""
        if self.beta.ndim:
            return f"channels={len(self.beta)}"
        return f"beta={self.beta:.4g}, x0={self.x0:.4g}, scale={self.scale:.4g}, offset={self.offset:.4g}"


class FrozenPiecewiseLinear(nn.Module):
    """f(x) = sum_s y_s phi_s(x) with fixed y: what a `PiecewiseLinearActivation` computes, without parameters.

    While torch.export or torch.onnx looks on, f is written in operations that every format has: with
    u = (x - low) / h and i its segment, f = a_i + b_i u, a_i = y_i - i b_i, b_i = y_{i+1} - y_i.

    Args:
        values: knot values y, shape (N,), (C, N), or (G, N) for groups of neighbouring channels.
        knots: the knots.
        channel_dim: dimension of x that holds the channels.
    """

    values: Tensor
    a: Tensor
    b: Tensor
    row: Tensor

    def __init__(self, values: Tensor, knots: Knots, channel_dim: int = 1) -> None:
        super().__init__()
        self.knots = knots
        self.channel_dim = channel_dim
        self.register_buffer("values", values)
        for name, table in _tables(values, knots).items():
            self.register_buffer(name, table, persistent=False)

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """f(x), in the shape and type of x."""
        if _exporting():
            return self._plain(x)
        return pwl(x, self.values, self.knots.low, self.knots.high, self.channel_dim)

    def _plain(self, x: Tensor) -> Tensor:
        """The function as subtract, multiply, compare, select, clip and look up."""
        u = (x.to(torch.promote_types(x.dtype, self.a.dtype)) - self.knots.low) * (1 / self.knots.spacing)
        # the comparison sends NaN to segment 0, where u makes it NaN again; converting NaN to an index is undefined
        segment = torch.where(u > 0, u, 0.0).clamp(max=self.knots.count - 2).to(torch.int64)
        if self.values.ndim == 2:
            each = x.shape[self.channel_dim] // len(self.values)
            row = self.row if each == 1 else self.row.repeat_interleave(each)
            segment = segment + row.reshape(_broadcast(row, x, self.channel_dim))
        return (self.a[segment] + self.b[segment] * u).to(x.dtype)

    def _load_from_state_dict(self, *arguments: Any, **keywords: Any) -> None:
        super()._load_from_state_dict(*arguments, **keywords)
        for name, table in _tables(self.values, self.knots).items():
            setattr(self, name, table)

    def extra_repr(self) -> str:
        """Knots, interval and sharing, for `print(model)`."""
        shared = "shared" if self.values.ndim == 1 else f"functions={len(self.values)}"
        return f"knots={self.knots.count}, low={self.knots.low:g}, high={self.knots.high:g}, {shared}"


def _exporting() -> bool:
    # is_exporting came with torch 2.7
    is_exporting: Any = getattr(torch.compiler, "is_exporting", lambda: False)
    return is_exporting() or torch.onnx.is_in_onnx_export()


def _tables(values: Tensor, knots: Knots) -> dict[str, Tensor]:
    """a and b of every segment, all functions one after the other, and where each function begins."""
    y = values.reshape(-1, knots.count).double()
    b = y.diff(dim=-1)
    a = y[:, :-1] - b * torch.arange(knots.count - 1, dtype=torch.float64, device=y.device)
    row = torch.arange(len(y), device=y.device) * (knots.count - 1)
    dtype = torch.promote_types(values.dtype, torch.float32)
    return {"a": a.flatten().to(dtype), "b": b.flatten().to(dtype), "row": row}


def _broadcast(per_channel: Tensor, x: Tensor, channel_dim: int) -> list[int]:
    """Shape in which a number a channel broadcasts over x."""
    return [-1] + [1] * (x.ndim - 1 - channel_dim % x.ndim) if per_channel.ndim else []
