"""Potentials, losses and divergences with exact gradients: the value by one formula, the gradient by f and f*.

A formula that is stable as a value is seldom stable as a graph (branches, 0 times infinity), and the
gradients are known anyway:

    dF/da = f(a)        dF*/dy = f*(y)        d loss/da = f(a) - y        d loss/dy = f*(y) - a.
"""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.autograd import Function

if TYPE_CHECKING:
    from pwlact.matching.transfer import TransferFunction


class Potential(Function):
    """(a, transfer) -> F(a)."""

    generate_vmap_rule = True

    @staticmethod
    def forward(a: Tensor, transfer: "TransferFunction") -> Tensor:
        """F(a), by the transfer's own formula."""
        return transfer._potential(a)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Keep a alone."""
        a, ctx.transfer = inputs
        ctx.save_for_backward(a)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """g f(a)."""
        (a,) = ctx.saved_tensors
        return ctx.transfer._spread(grads[0]) * ctx.transfer(a), None


class DualPotential(Function):
    """(y, transfer) -> F*(y)."""

    generate_vmap_rule = True

    @staticmethod
    def forward(y: Tensor, transfer: "TransferFunction") -> Tensor:
        """F*(y), by the transfer's own formula."""
        return transfer._dual(y)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Keep y alone."""
        y, ctx.transfer = inputs
        ctx.save_for_backward(y)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """g f*(y)."""
        (y,) = ctx.saved_tensors
        return ctx.transfer._spread(grads[0]) * ctx.transfer._inverse(y), None


class Loss(Function):
    """(a, y, transfer) -> F(a) + F*(y) - a'y, the matching loss."""

    generate_vmap_rule = True

    @staticmethod
    def forward(a: Tensor, y: Tensor, transfer: "TransferFunction") -> Tensor:
        """The loss, which rounding must not take below 0."""
        return transfer._loss(a, y).clamp(min=0)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Keep a and y."""
        a, y, ctx.transfer = inputs
        ctx.save_for_backward(a, y)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """g (f(a) - y) and g (f*(y) - a)."""
        a, y = ctx.saved_tensors
        transfer, g = ctx.transfer, ctx.transfer._spread(grads[0])
        to_a = g * (transfer(a) - y) if ctx.needs_input_grad[0] else None
        to_y = g * (transfer._inverse(y) - a) if ctx.needs_input_grad[1] else None
        return to_a, to_y, None


class Divergence(Function):
    """(hat, a, transfer) -> D_F(hat, a)."""

    @staticmethod
    def forward(hat: Tensor, a: Tensor, transfer: "TransferFunction") -> Tensor:
        """The divergence, which rounding must not take below 0."""
        return transfer._divergence(hat, a).clamp(min=0)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Keep both arguments."""
        hat, a, ctx.transfer = inputs
        ctx.save_for_backward(hat, a)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """g (f(hat) - f(a)), and f'(a) g (a - hat): not by way of f*(f(a)), which saturation makes infinite."""
        hat, a = ctx.saved_tensors
        transfer, g = ctx.transfer, ctx.transfer._spread(grads[0])
        to_hat = g * (transfer(hat) - transfer(a)) if ctx.needs_input_grad[0] else None
        to_a = _through(transfer, a, g * (a - hat)) if ctx.needs_input_grad[1] else None
        return to_hat, to_a, None


def _through(transfer: "TransferFunction", a: Tensor, g: Tensor) -> Tensor:
    """f'(a) g, differentiable where gradients are on."""
    on = torch.is_grad_enabled()
    with torch.enable_grad():
        at = a if on and a.requires_grad else a.detach().requires_grad_()
        (result,) = torch.autograd.grad(transfer(at), at, g, create_graph=on)
    return result
