"""`pwlact::pwl` and `pwlact::pwl_gradient`: the operators through which torch reaches the kernels.

Being operators, they are seen by whatever stands between Python and memory: fake and meta tensors, tracers, tensor
subclasses, lazy views. `autograd` gives them their derivatives.
"""

import torch
from torch import Tensor

from pwlact.pwl.operation.evaluate import evaluate, gradient

_library = torch.library.Library("pwlact", "DEF")
_library.define("pwl(Tensor x, Tensor values, float low, float high, int channel_dim) -> Tensor")
_library.define(
    "pwl_gradient(Tensor grad, Tensor x, Tensor values, float low, float high, int channel_dim, "
    "bool need_x, bool need_values) -> (Tensor, Tensor)"
)
# any device: the kernels are chosen by that of x
_library.impl("pwl", evaluate, "CompositeExplicitAutograd")
_library.impl("pwl_gradient", gradient, "CompositeExplicitAutograd")

pwl = torch.ops.pwlact.pwl.default
pwl_gradient = torch.ops.pwlact.pwl_gradient.default


@torch.library.register_fake("pwlact::pwl")
def _(x: Tensor, values: Tensor, low: float, high: float, channel_dim: int) -> Tensor:
    return torch.empty_like(x)


@torch.library.register_fake("pwlact::pwl_gradient")
def _(
    grad: Tensor,
    x: Tensor,
    values: Tensor,
    low: float,
    high: float,
    channel_dim: int,
    need_x: bool,
    need_values: bool,
) -> tuple[Tensor, Tensor]:
    return (
        torch.empty_like(x) if need_x else x.new_empty(0),
        torch.empty_like(values, memory_format=torch.contiguous_format) if need_values else values.new_empty(0),
    )
