"""Maps of rows whose derivative is a closed form of their result: p = f(z; theta), J = J(p; theta).

Only the result p is kept for backward. As the rule for the gradient is itself written in differentiable
operations of p, second derivatives, forward mode and `torch.func` need no more than that rule and its mirror image.
"""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

_library = torch.library.Library("pwlact", "FRAGMENT")

Forward = Callable[[Tensor, Tensor | None, int], Tensor]
Backward = Callable[[Tensor, Tensor, Tensor | None, int, bool], tuple[Tensor, Tensor | None]]
Tangent = Callable[[Tensor | None, Tensor | None, Tensor, Tensor | None, int], Tensor]


def closed_form(name: str, forward: Forward, backward: Backward, tangent: Tangent) -> Forward:
    """Make a map that autograd, torch.func and torch.compile differentiate and batch.

    Args:
        name: of the operator `pwlact::name` that compiled and exported programs hold.
        forward: (z, theta, dim) -> p, on plain tensors, with no derivative; dim is below 0.
        backward: (grad, p, theta, dim, need_theta) -> J' grad, and the gradient of theta or None.
        tangent: (along z, along theta, p, theta, dim) -> J along z + dp/dtheta along theta; either may be None.

    Returns:
        (z, theta, dim) -> p, differentiable; theta has the shape of z with size 1 in dim, or is None.
    """
    operator = define(name, forward)
    function = _function(operator, backward, tangent)

    def apply(z: Tensor, theta: Tensor | None, dim: int) -> Tensor:
        if z.ndim == 0:
            return apply(z[None], None if theta is None else theta[None], -1)[0]
        return (operator if torch.compiler.is_compiling() else function.apply)(z, theta, dim)

    torch.library.register_autograd(f"pwlact::{name}", function.backward, setup_context=_save)
    return apply


def define(name: str, run: Forward) -> Forward:
    """Make the operator `pwlact::name`, which is seen by tracers and batched, but has no derivative.

    Args:
        name: of the operator.
        run: (z, theta, dim) -> a tensor of the shape of z.

    Returns:
        the operator; its results have type and memory layout of z.
    """
    _library.define(f"{name}(Tensor z, Tensor? theta, int dim) -> Tensor")
    _library.impl(name, _empty_or(run), "CompositeExplicitAutograd")
    operator = getattr(torch.ops.pwlact, name).default
    torch.library.register_fake(f"pwlact::{name}", lambda z, theta, dim: torch.empty_like(z))
    torch.library.register_vmap(f"pwlact::{name}", lambda info, dims, *inputs: _batch(operator, info, dims, *inputs))
    return operator


def _empty_or(forward: Forward) -> Forward:
    """`forward`, in the memory layout of z, and nothing for no elements."""

    def run(z: Tensor, theta: Tensor | None, dim: int) -> Tensor:
        out = torch.empty_like(z)
        if not z.numel():
            return out
        result = forward(z, theta, dim)
        return result if result.dtype == out.dtype and result.stride() == out.stride() else out.copy_(result)

    return run


def _save(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    _, theta, ctx.dim = inputs
    ctx.save_for_backward(output, theta)
    ctx.save_for_forward(output, theta)


def _batch(f: Callable[..., Tensor], info: Any, in_dims: tuple[int | None, ...], *inputs: Any) -> tuple[Tensor, int]:
    """dim counts from the end, so a batch goes in front of everything and the rows are rows as before."""
    z, theta = (
        tensor
        if tensor is None
        else tensor.expand(info.batch_size, *tensor.shape)
        if at is None
        else tensor.movedim(at, 0)
        for tensor, at in zip(inputs[:2], in_dims[:2], strict=True)
    )
    return f(z, theta, inputs[2]), 0


def _function(operator: Any, rule: Backward, push: Tangent) -> Any:
    class ClosedForm(Function):
        @staticmethod
        def forward(z: Tensor, theta: Tensor | None, dim: int) -> Tensor:
            return operator(z, theta, dim)

        setup_context = staticmethod(_save)

        @staticmethod
        def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
            p, theta = ctx.saved_tensors
            if not p.numel():
                return grads[0], None if theta is None else torch.zeros_like(theta), None
            grad_z, grad_theta = rule(grads[0], p, theta, ctx.dim, ctx.needs_input_grad[1])
            return grad_z if ctx.needs_input_grad[0] else None, grad_theta, None

        @staticmethod
        def jvp(ctx: Any, *tangents: Any) -> Tensor:
            p, theta = ctx.saved_tensors
            return push(tangents[0], tangents[1], p, theta, ctx.dim) if p.numel() else torch.zeros_like(p)

        @staticmethod
        def vmap(info: Any, in_dims: tuple[int | None, ...], *inputs: Any) -> tuple[Tensor, int]:
            return _batch(ClosedForm.apply, info, in_dims, *inputs)

    # apply asks for the signature at every call, and Python builds it anew each time
    ClosedForm.forward.__signature__ = inspect.signature(ClosedForm.forward)
    return ClosedForm
