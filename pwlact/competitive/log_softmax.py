"""Log-softmax: the logarithms of softmax's shares."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pwlact.competitive.closed_form import closed_form
from pwlact.competitive.facts import Facts
from pwlact.competitive.rows import competing_dim, settled, wide
from pwlact.competitive.softmax import softmax

LOG_SOFTMAX_FACTS = Facts(shift_invariant=True, monotone=True, order_preserving=True, keeps_magnitude=True)


def log_softmax(z: Float[Tensor, "*shape"], dim: int = -1) -> Float[Tensor, "*shape"]:
    """log p_i = z_i - log sum_k exp(z_k).

    Units at -inf give -inf and are left out of gradients (0, where `torch.log_softmax` lets them pass); a row of
    nothing but -inf stays -inf; units at +inf share equally; a NaN makes its row NaN.

    As an activation: results are at most 0, differences z_i - z_j stay, and a linear layer behind it sees one
    nonlinear number a row, log sum exp(z).

    Args:
        z: floating-point tensor of any rank and layout.
        dim: dimension along which the units compete.

    Returns:
        log p, in the shape, type and layout of z; only that is kept for backward.

    Raises:
        InputError: z is not a dense floating-point tensor, or has no dimension `dim`.

    Examples:
        >>> log_softmax(torch.tensor([0.0, -torch.inf]))
        tensor([0., -inf])
    """
    return _log_softmax(z, None, competing_dim(z, dim))


def log_softmax_jacobian(z: Float[Tensor, "*rows K"]) -> Float[Tensor, "*rows K K"]:
    """d log p_i / dz_j = delta_ij - p_j between units above -inf, 0 elsewhere; along the last dimension."""
    p = softmax(z)
    live = (z != -torch.inf).to(z.dtype)
    return torch.diag_embed(live) - live[..., :, None] * p[..., None, :]


class LogSoftmax(nn.Module):
    """`log_softmax` along `dim`."""

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """log_softmax(z)."""
        return log_softmax(z, self.dim)

    def extra_repr(self) -> str:
        """The dimension."""
        return f"dim={self.dim}"


def _forward(z: Tensor, theta: Tensor | None, dim: int) -> Tensor:
    y = torch.log_softmax(z, dim)
    odd = y.narrow(dim, 0, 1).isnan()
    return torch.where(odd, settled(z, dim).log(), y) if odd.any() else y


def _live(v: Tensor, y: Tensor) -> Tensor:
    return torch.where(y == -torch.inf, 0.0, wide(v))


def _backward(
    grad: Tensor, y: Tensor, theta: Tensor | None, dim: int, need_theta: bool
) -> tuple[Tensor, Tensor | None]:
    """J' g = g - p sum g."""
    g = _live(grad, y)
    return (g - wide(y).exp() * g.sum(dim, keepdim=True)).to(y.dtype), None


def _tangent(along_z: Tensor | None, along_theta: Tensor | None, y: Tensor, theta: Tensor | None, dim: int) -> Tensor:
    """J v = v - sum p v."""
    assert along_z is not None
    v = _live(along_z, y)
    return _live(v - (wide(y).exp() * v).sum(dim, keepdim=True), y).to(y.dtype)


_log_softmax = closed_form("competitive_log_softmax", _forward, _backward, _tangent)
