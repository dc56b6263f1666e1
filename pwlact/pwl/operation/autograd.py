"""f and its gradient as functions that autograd and torch.func differentiate, in reverse and forward, and batch.

Write f(x; y) for the function, linear in its knot values y, and f'(x; y) for its slope. Then

    gradients of sum(g f(x; y)):                      x: g f'(x; y)        y: the histogram H(g, x)
    gradients of sum(v_x g f'(x; y)) + sum(v_y H):    g: v_x f'(x; y) + f(x; v_y)    x: g f'(x; v_y)

so that the second order needs nothing but f, f' and H again, with v_y in the place of y.
"""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.autograd import Function

from pwlact.pwl.operation import batching, operator
from pwlact.pwl.operation.evaluate import slope_gradient

Forward = TypeVar("Forward", bound=Callable[..., Any])


def _signed(forward: Forward) -> Forward:
    """Keep the signature, which `Function.apply` asks for at every call and Python builds anew each time."""
    forward.__signature__ = inspect.signature(forward)  # pyright: ignore[reportFunctionMemberAccess]
    return forward


class _PiecewiseLinear(Function):
    """(x, values, low, high, channel_dim) -> f(x); saves x and values."""

    @staticmethod
    @_signed
    def forward(*inputs: Any) -> Tensor:
        return operator.pwl(*inputs)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, values, *ctx.grid = inputs
        ctx.save_for_backward(x, values)
        ctx.save_for_forward(x, values)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, values = ctx.saved_tensors
        need_x, need_values, *_ = ctx.needs_input_grad
        grad_x, grad_values = _gradient(grads[0], x, values, *ctx.grid, need_x, need_values)
        return grad_x if need_x else None, grad_values if need_values else None, None, None, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Tensor:
        x, values = ctx.saved_tensors
        along_x, along_values, *_ = tangents
        parts = []
        if along_x is not None:
            parts.append(_gradient(along_x, x, values, *ctx.grid, True, False)[0])
        if along_values is not None:
            parts.append(function(x, along_values, *ctx.grid))
        return sum(parts[1:], parts[0])

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *inputs: Any) -> tuple[Tensor, int]:
        return batching.function(function, info.batch_size, in_dims, *inputs)


class _PiecewiseLinearGradient(Function):
    """(grad, x, values, low, high, channel_dim, need_x, need_values) -> gradients of sum(grad f(x))."""

    @staticmethod
    @_signed
    def forward(*inputs: Any) -> tuple[Tensor, Tensor]:
        return operator.pwl_gradient(*inputs)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        grad, x, values, *ctx.grid, ctx.need_x, ctx.need_values = inputs
        ctx.save_for_backward(grad, x, values)
        ctx.save_for_forward(grad, x, values)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        return second_order(function, _gradient, ctx, *grads)

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> tuple[Tensor, Tensor]:
        grad, x, values = ctx.saved_tensors
        along_grad, along_x, along_values, *_ = tangents
        to_x, to_values = x.new_zeros(x.shape), values.new_zeros(values.shape)
        if along_grad is not None:
            more_x, more_values = _gradient(along_grad, x, values, *ctx.grid, True, True)
            to_x, to_values = to_x + more_x, to_values + more_values
        if along_x is not None:
            to_values = to_values + slope_gradient(grad * along_x, x, values, *ctx.grid)
        if along_values is not None:
            to_x = to_x + _gradient(grad, x, along_values, *ctx.grid, True, False)[0]
        return (
            to_x if ctx.need_x else x.new_empty(0),
            to_values if ctx.need_values else values.new_empty(0),
        )

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *inputs: Any) -> tuple[tuple[Tensor, Tensor], Any]:
        return batching.gradient(_gradient, info.batch_size, in_dims, *inputs)


def second_order(function: Any, gradient: Any, ctx: Any, v_x: Tensor, v_y: Tensor) -> tuple[Tensor | None, ...]:
    """Gradients of sum(v_x grad_x) + sum(v_y grad_values) with respect to grad, x and values.

    Args:
        function: f, differentiable.
        gradient: its gradient, differentiable.
        ctx: context with grid, need_x, need_values and the saved grad, x and values.
        v_x: gradient of grad_x.
        v_y: gradient of grad_values.

    Returns:
        three gradients, then None for each argument that is no tensor.
    """
    grad, x, values = ctx.saved_tensors
    to_grad = to_x = to_values = None
    if ctx.need_x:
        to_grad = gradient(v_x, x, values, *ctx.grid, True, False)[0]
        if ctx.needs_input_grad[2]:
            to_values = slope_gradient(v_x * grad, x, values, *ctx.grid)
    if ctx.need_values:
        through_values = function(x, v_y, *ctx.grid)
        to_grad = through_values if to_grad is None else to_grad + through_values
        if ctx.needs_input_grad[1]:
            to_x = gradient(grad, x, v_y, *ctx.grid, True, False)[0]
    return to_grad, to_x, to_values, None, None, None, None, None


def function(*inputs: Any) -> Any:
    """(x, values, low, high, channel_dim) -> f(x), differentiable."""
    return _PiecewiseLinear.apply(*inputs)


def _gradient(*inputs: Any) -> Any:
    return _PiecewiseLinearGradient.apply(*inputs)


def _save(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, values, *ctx.grid = inputs
    ctx.save_for_backward(x, values)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    x, values = ctx.saved_tensors
    need_x, need_values, *_ = ctx.needs_input_grad
    grad_x, grad_values = operator.pwl_gradient(grad, x, values, *ctx.grid, need_x, need_values)
    return grad_x if need_x else None, grad_values if need_values else None, None, None, None


def _save_second(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    grad, x, values, *ctx.grid, ctx.need_x, ctx.need_values = inputs
    ctx.save_for_backward(grad, x, values)


# the same rules for the operators themselves, which is what compiled and exported programs hold
torch.library.register_autograd("pwlact::pwl", _backward, setup_context=_save)
torch.library.register_autograd(
    "pwlact::pwl_gradient",
    lambda ctx, *grads: second_order(operator.pwl, operator.pwl_gradient, ctx, *grads),
    setup_context=_save_second,
)
torch.library.register_vmap(
    "pwlact::pwl", lambda info, in_dims, *inputs: batching.function(operator.pwl, info.batch_size, in_dims, *inputs)
)
torch.library.register_vmap(
    "pwlact::pwl_gradient",
    lambda info, in_dims, *inputs: batching.gradient(operator.pwl_gradient, info.batch_size, in_dims, *inputs),
)
