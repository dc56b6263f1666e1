"""Norm times softmax of the direction: competition in the direction, the magnitude kept."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pwlact import checks
from pwlact.competitive.facts import Facts
from pwlact.competitive.rows import competing_dim, wide
from pwlact.competitive.softmax import softmax

NORM_DIRECTION_SOFTMAX_FACTS = Facts(homogeneous=True, order_preserving=True, keeps_magnitude=True)


def norm_direction_softmax(
    z: Float[Tensor, "*shape"], dim: int = -1, *, temperature: float | None = None
) -> Float[Tensor, "*shape"]:
    """a = ||z|| softmax(z / (tau ||z||)), tau = 1 / sqrt(K) unless given.

    At tau = 1 the shares of a wide layer are nearly uniform, as the entries of a direction are of size 1 / sqrt(K).
    Units at -inf give 0 and count neither in the norm nor in K; a zero row gives zeros with gradient 0; a unit at +inf
    makes its row +inf with gradient NaN; the norm neither over- nor underflows.

    Args:
        z: floating-point tensor of any rank and layout.
        dim: dimension along which the units compete.
        temperature: tau, above 0.

    Returns:
        a, in the shape and type of z.

    Raises:
        InputError: z is not a dense floating-point tensor, has no dimension `dim`, or tau is not above 0.

    Examples:
        >>> norm_direction_softmax(torch.tensor([3.0, 3.0, -torch.inf]))
        tensor([2.1213, 2.1213, 0.0000])
    """
    dim = competing_dim(z, dim)
    if temperature is not None:
        checks.positive("temperature", temperature)
    if not z.numel():
        return z.clone()
    if z.ndim == 0:
        return norm_direction_softmax(z[None], -1, temperature=temperature)[0]
    size, length, direction = _polar(wide(z), dim)
    shares = softmax(direction * _sharpness(z, dim, temperature), dim)
    # the size last, so that gradients of tiny rows do not overflow on the way back
    return torch.where(shares == 0, 0.0, size * (length * shares)).to(z.dtype)


def norm_direction_softmax_jacobian(
    z: Float[Tensor, "*rows K"], *, temperature: float | None = None
) -> Float[Tensor, "*rows K K"]:
    """J = r d' + (1/tau) (diag(r) - r r') (I - d d'), d = z / ||z||, r = softmax(d / tau); 0 at z = 0."""
    size, _, direction = _polar(wide(z), -1)
    sharpness = _sharpness(z, -1, temperature)
    r = softmax(direction * sharpness)
    d = torch.where(z == -torch.inf, 0.0, direction)
    inner = torch.diag_embed(r) - r[..., :, None] * r[..., None, :]
    moved = inner - (inner @ d[..., None]) * d[..., None, :]
    j = r[..., :, None] * d[..., None, :] + sharpness[..., None] * moved
    return torch.where(size[..., None] == 0, 0.0, j).to(z.dtype)


class NormDirectionSoftmax(nn.Module):
    """`norm_direction_softmax` along `dim`.

    Raises:
        InputError: the temperature is not above 0.
    """

    def __init__(self, dim: int = -1, *, temperature: float | None = None) -> None:
        super().__init__()
        self.dim = dim
        self.temperature = None if temperature is None else checks.positive("temperature", temperature)

    def forward(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """||z|| softmax(z / (tau ||z||))."""
        return norm_direction_softmax(z, self.dim, temperature=self.temperature)

    def extra_repr(self) -> str:
        """The dimension and the temperature."""
        return f"dim={self.dim}, temperature={'1/sqrt(K)' if self.temperature is None else self.temperature}"


def _polar(z: Tensor, dim: int) -> tuple[Tensor, Tensor, Tensor]:
    """||z|| as size times length, and z / ||z||, over the units above -inf; these keep -inf as their direction.

    The size is the largest |z_i|, which the norm is homogeneous in, hence a constant for gradients.
    """
    masked = z == -torch.inf
    kept = torch.where(masked, 0.0, z)
    size = kept.detach().abs().amax(dim, keepdim=True)
    infinite = size == torch.inf
    unit = torch.where(infinite, (kept == torch.inf).to(z.dtype), kept / torch.where(size == 0, 1.0, size))
    # a zero row stays clear of the infinite slope of the root at 0
    unit = torch.where(size == 0, 1.0, unit)
    length = unit.square().sum(dim, keepdim=True).sqrt()
    return size, length, torch.where(masked, -torch.inf, torch.where(size == 0, 0.0, unit / length))


def _sharpness(z: Tensor, dim: int, temperature: float | None) -> Tensor:
    """1 / tau, one a row."""
    if temperature is not None:
        return torch.full_like(wide(z.detach()).narrow(dim, 0, 1), 1 / temperature)
    return (z != -torch.inf).sum(dim, keepdim=True).clamp(min=1).to(wide(z).dtype).sqrt()
