"""Softmax: shares of one unit of mass, in proportion to exp(z)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pwlact.competitive import simplex
from pwlact.competitive.facts import Facts
from pwlact.competitive.rows import competing_dim, settled

SOFTMAX_FACTS = Facts(shift_invariant=True, monotone=True, order_preserving=True, gradient_field=True, simplex=True)


def softmax(z: Float[Tensor, "*shape"], dim: int = -1) -> Float[Tensor, "*shape"]:
    """p_i = exp(z_i) / sum_k exp(z_k).

    Where `torch.softmax` gives NaN, this gives what attention needs: a unit at -inf is left out (p = 0, gradient 0), a
    row of nothing but -inf gives zeros with gradient 0, and units at +inf share equally. A NaN makes its row NaN.

    Args:
        z: floating-point tensor of any rank and layout; 16-bit types are summed in float32.
        dim: dimension along which the units compete.

    Returns:
        p, in the shape, type and layout of z; differentiable to any order; only p is kept for backward.

    Raises:
        InputError: z is not a dense floating-point tensor, or has no dimension `dim`.

    Examples:
        >>> softmax(torch.tensor([0.0, 0.0, -torch.inf]))
        tensor([0.5000, 0.5000, 0.0000])
    """
    return _softmax(z, None, competing_dim(z, dim))


def softmax_jacobian(z: Float[Tensor, "*rows K"]) -> Float[Tensor, "*rows K K"]:
    """dp_i / dz_j = p_i (delta_ij - p_j), along the last dimension."""
    p = softmax(z)
    return torch.diag_embed(p) - p[..., :, None] * p[..., None, :]


class Softmax(nn.Module):
    """`softmax` along `dim`."""

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """softmax(z)."""
        return softmax(z, self.dim)

    def extra_repr(self) -> str:
        """The dimension."""
        return f"dim={self.dim}"


def _forward(z: Tensor, theta: Tensor | None, dim: int) -> Tensor:
    p = torch.softmax(z, dim)
    odd = p.narrow(dim, 0, 1).isnan()  # all of such a row is NaN
    return torch.where(odd, settled(z, dim), p) if odd.any() else p


_softmax = simplex.simplex_map("competitive_softmax", _forward, simplex.probabilities, "softmax")
