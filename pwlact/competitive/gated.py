"""A gate between ReLU and softmax: how much to compete, given or learnt."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pwlact import checks
from pwlact.competitive.facts import Facts
from pwlact.competitive.rows import competing_dim
from pwlact.competitive.softmax import softmax, softmax_jacobian

# of one gate for all units; with one a unit, order and symmetry are lost
GATED_RELU_SOFTMAX_FACTS = Facts(monotone=True, order_preserving=True, gradient_field=True, keeps_magnitude=True)


def gated_relu_softmax(
    z: Float[Tensor, "*shape"], gate: float | Tensor = 0.5, dim: int = -1
) -> Float[Tensor, "*shape"]:
    """a = (1 - g) relu(z) + g softmax(z).

    -inf and NaN as in both paths; a unit at +inf gives +inf, NaN at g = 1.

    Args:
        z: floating-point tensor of any rank and layout.
        gate: g from 0 (ReLU) to 1 (softmax); a number, or a tensor that broadcasts to z, with gradient.
        dim: dimension along which the units compete.

    Returns:
        a, in the shape and type of z.

    Raises:
        InputError: g is a number outside [0, 1], z is not a dense floating-point tensor, or has no dimension `dim`.

    Examples:
        >>> gated_relu_softmax(torch.tensor([2.0, 2.0, -torch.inf]), gate=0.5)
        tensor([1.2500, 1.2500, 0.0000])
    """
    dim = competing_dim(z, dim)
    if not isinstance(gate, Tensor) and not 0 <= gate <= 1:
        raise checks.InputError(f"gate must be a number from 0 to 1, got {gate!r}")
    return ((1 - gate) * z.relu() + gate * softmax(z, dim)).to(z.dtype)


def gated_relu_softmax_jacobian(z: Float[Tensor, "*rows K"], gate: float | Tensor = 0.5) -> Float[Tensor, "*rows K K"]:
    """(1 - g_i) delta_ij [z_i > 0] + g_i r_i (delta_ij - r_j), along the last dimension."""
    g = torch.as_tensor(gate, dtype=z.dtype, device=z.device).expand(z.shape)
    return torch.diag_embed((1 - g) * (z > 0)) + g[..., :, None] * softmax_jacobian(z)


class GatedReLUSoftmax(nn.Module):
    """`gated_relu_softmax` along `dim`, g = sigmoid(logit) learnt.

    Args:
        units: one gate a unit, for so many units in `dim`; one for all unless given.
        gate: where g starts, between 0 and 1.
        dim: dimension along which the units compete.

    Raises:
        InputError: `units` is no whole number of at least 1, or `gate` not between 0 and 1.
    """

    def __init__(self, units: int | None = None, *, gate: float = 0.5, dim: int = -1) -> None:
        super().__init__()
        if not 0 < gate < 1:
            raise checks.InputError(f"gate must be between 0 and 1, where it can be learnt; got {gate!r}")
        shape = () if units is None else (checks.at_least("units", units, 1),)
        self.logit = nn.Parameter(torch.full(shape, torch.logit(torch.tensor(gate)).item()))
        self.dim = dim

    def forward(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """(1 - g) relu(z) + g softmax(z)."""
        dim = competing_dim(z, self.dim)
        if self.logit.ndim and z.shape[dim] != len(self.logit):
            raise checks.InputError(
                f"gates of {len(self.logit)} units need z with that size in dimension {self.dim}, "
                f"got z of shape {tuple(z.shape)}"
            )
        gate = self.logit.sigmoid()
        return gated_relu_softmax(z, gate if not gate.ndim else gate.reshape(-1, *[1] * (-1 - dim)), dim)

    def extra_repr(self) -> str:
        """The number of gates and the dimension."""
        return f"gates={self.logit.numel()}, dim={self.dim}"
