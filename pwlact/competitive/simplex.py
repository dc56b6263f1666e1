"""Derivatives of the maps onto the simplex whose Jacobian is J = diag(s) - s s' / sum s, s a function of p.

Softmax has s = p, sparsemax s = [p > 0], alpha-entmax s = p^(2 - alpha) on the support (and softmax is alpha = 1,
sparsemax alpha = 2). J is symmetric, so that gradients and tangents follow the same rule.

A unit at p = 0 neither gives nor takes: what comes from above to it is left out unread, so that NaN or infinity at
a masked unit (0 / 0 in a loss, say) stays there.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from pwlact.competitive.blocks import as_rows, blocks, compiled, from_rows
from pwlact.competitive.closed_form import Forward, closed_form, define
from pwlact.competitive.rows import wide
from pwlact.pwl.kernels import native

Weights = Callable[[Tensor], Tensor]


def probabilities(p: Tensor) -> Tensor:
    """s = p, for softmax."""
    return p


def support(p: Tensor) -> Tensor:
    """s = [p > 0], for sparsemax, p at most 1; NaN where p is NaN."""
    return p.ceil()


def power(p: Tensor, exponent: float | Tensor) -> Tensor:
    """s = p^exponent on the support and 0 off it, with no infinite derivative there."""
    inside = p != 0
    return torch.where(inside, torch.where(inside, p, 1.0) ** exponent, 0.0)


def root(p: Tensor) -> Tensor:
    """s = sqrt(p), for 1.5-entmax, with no infinite derivative at p = 0."""
    if not torch.is_grad_enabled():
        # the same, without a zero, on which the root is slow
        return p.ceil() * (p + torch.finfo(p.dtype).tiny).sqrt()
    inside = p != 0
    return torch.where(inside, torch.where(inside, p, 1.0).sqrt(), 0.0)


def at_support(v: Tensor, s: Tensor) -> Tensor:
    """v where s is not 0, else 0."""
    return torch.where(s == 0, 0.0, v)


def product(v: Tensor, s: Tensor, dim: int) -> Tensor:
    """J v = s (v - sum s v / sum s), differentiable in v and s."""
    v = at_support(wide(v), s)
    return s * (v - (s * v).sum(dim, keepdim=True) / _total(s, dim))


def jacobian(s: Tensor) -> Tensor:
    """J = diag(s) - s s' / sum s, along the last dimension.

    Args:
        s: shape (..., K).

    Returns:
        shape (..., K, K).
    """
    return torch.diag_embed(s) - s[..., :, None] * (s / _total(s, -1))[..., None, :]


def simplex_map(name: str, forward: Forward, weights: Weights, kernel: str) -> Forward:
    """A map onto the simplex without parameters, from its forward pass and s(p); see `closed_form`.

    Args:
        name: of the operator.
        forward: (z, None, dim) -> p.
        weights: s(p).
        kernel: name of the map in the compiled kernel.

    Returns:
        (z, None, dim) -> p, differentiable.
    """

    def quick(v: Tensor, p: Tensor | None, dim: int) -> Tensor:
        assert p is not None
        return _in_blocks(v, p, weights, kernel, dim)

    operator = define(f"{name}_product", quick)

    def along(v: Tensor, p: Tensor, dim: int) -> Tensor:
        if not torch.is_grad_enabled():
            return operator(v, p, dim)
        return product(v, weights(wide(p)), dim).to(p.dtype)

    def backward(grad: Tensor, p: Tensor, theta: Any, dim: int, need_theta: bool) -> tuple[Tensor, None]:
        return along(grad, p, dim), None

    def tangent(along_z: Tensor | None, along_theta: Any, p: Tensor, theta: Any, dim: int) -> Tensor:
        assert along_z is not None
        return along(along_z, p, dim)

    return closed_form(name, forward, backward, tangent)


def _total(s: Tensor, dim: int) -> Tensor:
    """sum s; 1 where there is no support: such a row is all zeros, and so is its Jacobian."""
    total = s.sum(dim, keepdim=True)
    return torch.where(total == 0, 1.0, total)


def _in_blocks(v: Tensor, p: Tensor, weights: Weights, kernel: str, dim: int) -> Tensor:
    """`product`, without derivatives."""
    rows, results = as_rows(v, dim), as_rows(p, dim)
    if compiled(results):
        return from_rows(native.sparse_product(results.contiguous(), rows.float().contiguous(), kernel), p, dim)
    out = torch.empty_like(results)
    for block in blocks(results):
        part, s = rows[block], weights(results[block])
        total = _total(s, -1)
        mean = torch.linalg.vecdot(s, part).unsqueeze(-1) / total
        if not mean.isfinite().all():
            part = at_support(part, s)
            mean = torch.linalg.vecdot(s, part).unsqueeze(-1) / total
        torch.sub(part, mean.to(out.dtype), out=out[block]).mul_(s)
    return from_rows(out, p, dim)
