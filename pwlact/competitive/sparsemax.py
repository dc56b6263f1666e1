"""Sparsemax: the point of the simplex that is nearest to z."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pwlact.competitive import simplex
from pwlact.competitive.blocks import project, stripe_maxima
from pwlact.competitive.facts import Facts
from pwlact.competitive.rows import competing_dim

SPARSEMAX_FACTS = Facts(
    shift_invariant=True, monotone=True, order_preserving=True, gradient_field=True, simplex=True, sparse=True
)


def sparsemax(z: Float[Tensor, "*shape"], dim: int = -1) -> Float[Tensor, "*shape"]:
    """p = argmin_{p in simplex} ||p - z||^2 = relu(z - tau), tau such that sum p = 1.

    -inf, +inf and NaN as in `softmax`: masked units get p = 0 and gradient 0.

    Args:
        z: floating-point tensor of any rank and layout; 16-bit types are computed in float32.
        dim: dimension along which the units compete.

    Returns:
        p, in the shape, type and layout of z; differentiable wherever no unit stands exactly at tau (there, as if
        it were outside); only p is kept for backward.

    Raises:
        InputError: z is not a dense floating-point tensor, or has no dimension `dim`.

    References:
        Martins and Astudillo, "From softmax to sparsemax", 2016. tau by Michelot, "A finite algorithm for finding
        the projection of a point onto the canonical simplex of R^n", 1986.

    Examples:
        >>> sparsemax(torch.tensor([1.0, 0.5, -1.0]))
        tensor([0.7500, 0.2500, 0.0000])
    """
    return _sparsemax(z, None, competing_dim(z, dim))


def sparsemax_jacobian(z: Float[Tensor, "*rows K"]) -> Float[Tensor, "*rows K K"]:
    """J = diag(s) - s s' / |S|, s the indicator of the support S: constant as long as the support is."""
    return simplex.jacobian(simplex.support(sparsemax(z)))


class Sparsemax(nn.Module):
    """`sparsemax` along `dim`."""

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """sparsemax(z)."""
        return sparsemax(z, self.dim)

    def extra_repr(self) -> str:
        """The dimension."""
        return f"dim={self.dim}"


def _solve(v: Tensor, theta: Tensor | None, buffer: Tensor, p: Tensor) -> None:
    """p = relu(v - tau)."""
    maxima = stripe_maxima(v)
    tau = torch.full_like(v[:, :1], -1.0)
    if maxima is not None:
        # less a rounding, to stay below the tau of all
        tau = _threshold(maxima, tau, torch.empty_like(maxima)) - torch.finfo(v.dtype).eps
    torch.sub(v, _threshold(v, tau, buffer), out=p).clamp_(0, 1)


def _threshold(v: Tensor, tau: Tensor, buffer: Tensor) -> Tensor:
    """Newton's method from below: tau of the units above the last tau, till these stay the same.

    The support only shrinks, so this ends, and with the exact tau of its support.
    """
    before = torch.full_like(tau, torch.inf)
    while True:
        x = torch.sub(v, tau, out=buffer).clamp_(min=0)
        excess = x.sum(-1, keepdim=True) - 1
        size = x.sign_().sum(-1, keepdim=True)
        tau = tau + excess / size
        if (size >= before).all():
            return tau
        before = torch.minimum(size, before)


def _forward(z: Tensor, theta: Tensor | None, dim: int) -> Tensor:
    return project(z, None, dim, _solve, "sparsemax")


_sparsemax = simplex.simplex_map("competitive_sparsemax", _forward, simplex.support, "sparsemax")
