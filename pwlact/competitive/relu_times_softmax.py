"""ReLU times softmax, with competition among all units or among the active ones only."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pwlact.competitive.facts import Facts
from pwlact.competitive.softmax import softmax

RELU_TIMES_SOFTMAX_FACTS = Facts(monotone=True, order_preserving=True, keeps_magnitude=True, sparse=True)
MASKED_RELU_TIMES_SOFTMAX_FACTS = Facts(
    monotone=True, order_preserving=True, keeps_magnitude=True, sparse=True, continuous=False
)


def relu_times_softmax(z: Float[Tensor, "*shape"], dim: int = -1, *, masked: bool = False) -> Float[Tensor, "*shape"]:
    """a_i = relu(z_i) r_i, r = softmax(z), or with `masked` the softmax among the units above 0 only.

    Without `masked`, units at or below 0 take part in the competition and get gradient -z_i r_i r_j from each active
    unit, so that dead units can revive. With it they do not, and the others jump where a unit becomes active. A row
    without active units gives zeros; -inf is never active; a unit at +inf gives +inf, and then the gradient of its row
    is NaN.

    Args:
        z: floating-point tensor of any rank and layout.
        dim: dimension along which the units compete.
        masked: only units above 0 compete.

    Returns:
        a, in the shape and type of z.

    Raises:
        InputError: z is not a dense floating-point tensor, or has no dimension `dim`.

    Examples:
        >>> relu_times_softmax(torch.tensor([2.0, 2.0, -1.0]), masked=True)
        tensor([1., 1., 0.])
    """
    r = _shares(z, dim, masked)
    return torch.where(r == 0, 0.0, z.relu()) * r


def relu_times_softmax_jacobian(z: Float[Tensor, "*rows K"], *, masked: bool = False) -> Float[Tensor, "*rows K K"]:
    """da_i / dz_j = [z_i > 0] r_i (delta_ij (1 + z_i) - z_i r_j), along the last dimension."""
    r = _shares(z, -1, masked)
    a = relu_times_softmax(z, masked=masked)
    return torch.diag_embed(torch.where(z > 0, r + a, 0.0)) - a[..., :, None] * r[..., None, :]


class ReLUTimesSoftmax(nn.Module):
    """`relu_times_softmax` along `dim`."""

    def __init__(self, dim: int = -1, *, masked: bool = False) -> None:
        super().__init__()
        self.dim, self.masked = dim, masked

    def forward(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """relu(z) softmax(z)."""
        return relu_times_softmax(z, self.dim, masked=self.masked)

    def extra_repr(self) -> str:
        """The dimension, and among which units the softmax is."""
        return f"dim={self.dim}, masked={self.masked}"


def _shares(z: Tensor, dim: int, masked: bool) -> Tensor:
    return softmax(torch.where(z <= 0, -torch.inf, z) if masked else z, dim)
