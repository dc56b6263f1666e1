"""Pre-activation plus its softmax share: the gradient of ||z||^2 / 2 + log sum exp(z)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pwlact.competitive.facts import Facts
from pwlact.competitive.softmax import softmax, softmax_jacobian

Z_PLUS_SOFTMAX_FACTS = Facts(monotone=True, order_preserving=True, gradient_field=True, keeps_magnitude=True)


def z_plus_softmax(z: Float[Tensor, "*shape"], dim: int = -1) -> Float[Tensor, "*shape"]:
    """a_i = z_i + r_i, r = softmax(z).

    Competition is weak: off the diagonal the Jacobian is at most 1/4, on it at least 1. A unit at -inf stays there
    and is left out of gradients.

    Args:
        z: floating-point tensor of any rank and layout.
        dim: dimension along which the units compete.

    Returns:
        a, in the shape and type of z.

    Raises:
        InputError: z is not a dense floating-point tensor, or has no dimension `dim`.

    Examples:
        >>> z_plus_softmax(torch.tensor([2.0, 2.0]))
        tensor([2.5000, 2.5000])
    """
    return torch.where(z == -torch.inf, z.detach(), z) + softmax(z, dim)


def z_plus_softmax_jacobian(z: Float[Tensor, "*rows K"]) -> Float[Tensor, "*rows K K"]:
    """da_i / dz_j = delta_ij + r_i (delta_ij - r_j), along the last dimension; 0 for units at -inf."""
    return torch.diag_embed((z != -torch.inf).to(z.dtype)) + softmax_jacobian(z)


class ZPlusSoftmax(nn.Module):
    """`z_plus_softmax` along `dim`."""

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """z + softmax(z)."""
        return z_plus_softmax(z, self.dim)

    def extra_repr(self) -> str:
        """The dimension."""
        return f"dim={self.dim}"
