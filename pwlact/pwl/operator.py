"""`pwlact::pwl` and `pwlact::pwl_gradient`: the operators that torch's compiler and exporter see.

Outside them `autograd` calls the kernels itself: the operators' machinery costs several times what a small
input does.
"""

from typing import Any

import torch
from torch import Tensor

from pwlact.pwl import batching
from pwlact.pwl.autograd import second_order
from pwlact.pwl.evaluate import evaluate, gradient

pwl = torch.library.custom_op("pwlact::pwl", evaluate, mutates_args=())
pwl_gradient = torch.library.custom_op("pwlact::pwl_gradient", gradient, mutates_args=())


@pwl.register_fake
def _(x: Tensor, values: Tensor, *grid: Any) -> Tensor:
    return torch.empty_like(x)


@pwl_gradient.register_fake
def _(grad: Tensor, x: Tensor, values: Tensor, *rest: Any) -> tuple[Tensor, Tensor]:
    need_x, need_values = rest[-2:]
    return (
        torch.empty_like(x) if need_x else x.new_empty(0),
        torch.empty_like(values, memory_format=torch.contiguous_format) if need_values else values.new_empty(0),
    )


def _save(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, values, *ctx.grid = inputs
    ctx.save_for_backward(x, values)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    x, values = ctx.saved_tensors
    need_x, need_values, *_ = ctx.needs_input_grad
    grad_x, grad_values = pwl_gradient(grad, x, values, *ctx.grid, need_x, need_values)
    return grad_x if need_x else None, grad_values if need_values else None, None, None, None


def _save_second(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    grad, x, values, *ctx.grid, ctx.need_x, ctx.need_values = inputs
    ctx.save_for_backward(grad, x, values)


pwl.register_autograd(_backward, setup_context=_save)
pwl_gradient.register_autograd(
    lambda ctx, *grads: second_order(pwl, pwl_gradient, ctx, *grads), setup_context=_save_second
)
pwl.register_vmap(lambda info, in_dims, *inputs: batching.function(pwl, info.batch_size, in_dims, *inputs))
pwl_gradient.register_vmap(
    lambda info, in_dims, *inputs: batching.gradient(pwl_gradient, info.batch_size, in_dims, *inputs)
)
