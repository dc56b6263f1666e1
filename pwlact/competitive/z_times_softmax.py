"""Pre-activation times its softmax share: competition that keeps a magnitude."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pwlact.competitive.facts import Facts
from pwlact.competitive.softmax import softmax

Z_TIMES_SOFTMAX_FACTS = Facts(keeps_magnitude=True)


def z_times_softmax(z: Float[Tensor, "*shape"], dim: int = -1) -> Float[Tensor, "*shape"]:
    """a_i = z_i r_i, r = softmax(z).

    Competition changes sign with z_i: a unit below 0 rises where others gain. a_i falls with z_i where
    1 + z_i (1 - r_i) < 0. A unit at -inf gives 0 and is left out; one at +inf gives +inf, and then the gradient of its
    row is NaN.

    Args:
        z: floating-point tensor of any rank and layout.
        dim: dimension along which the units compete.

    Returns:
        a, in the shape and type of z.

    Raises:
        InputError: z is not a dense floating-point tensor, or has no dimension `dim`.

    Examples:
        >>> z_times_softmax(torch.tensor([2.0, 2.0, -torch.inf]))
        tensor([1., 1., 0.])
    """
    r = softmax(z, dim)
    return torch.where(r == 0, 0.0, z) * r


def z_times_softmax_jacobian(z: Float[Tensor, "*rows K"]) -> Float[Tensor, "*rows K K"]:
    """da_i / dz_j = r_i (delta_ij (1 + z_i) - z_i r_j), along the last dimension."""
    r = softmax(z)
    a = z_times_softmax(z)
    return torch.diag_embed(r + a) - a[..., :, None] * r[..., None, :]


class ZTimesSoftmax(nn.Module):
    """`z_times_softmax` along `dim`."""

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """z softmax(z)."""
        return z_times_softmax(z, self.dim)

    def extra_repr(self) -> str:
        """The dimension."""
        return f"dim={self.dim}"
