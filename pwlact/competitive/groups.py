"""Competition within groups of neighbouring units: grouped softmax, and local winner-take-all."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pwlact import checks
from pwlact.competitive.facts import Facts
from pwlact.competitive.rows import competing_dim
from pwlact.competitive.softmax import softmax, softmax_jacobian

GROUPED_SOFTMAX_FACTS = Facts(shift_invariant=True, monotone=True, gradient_field=True)
LWTA_FACTS = Facts(homogeneous=True, gradient_field=True, keeps_magnitude=True, sparse=True, continuous=False)


def grouped_softmax(z: Float[Tensor, "*shape"], groups: int, dim: int = -1) -> Float[Tensor, "*shape"]:
    """Softmax within each of G groups of K / G neighbouring units, none across.

    Groups of one unit give 1 whatever z is, not independent units. -inf, +inf and NaN as in `softmax`, a group a row.

    Args:
        z: floating-point tensor with K units in `dim`.
        groups: their number G, a divisor of K.
        dim: dimension along which the units compete.

    Returns:
        shares that sum to 1 in each group, in the shape and type of z.

    Raises:
        InputError: G does not divide K, z is not a dense floating-point tensor, or has no dimension `dim`.

    Examples:
        >>> grouped_softmax(torch.zeros(4), groups=2)
        tensor([0.5000, 0.5000, 0.5000, 0.5000])
    """
    z, dim = _split(z, groups, dim)
    return softmax(z, dim).flatten(dim - 1, dim)


def grouped_softmax_jacobian(z: Float[Tensor, "*rows K"], groups: int) -> Float[Tensor, "*rows K K"]:
    """Block diagonal: softmax's Jacobian in each block."""
    blocks = softmax_jacobian(_split(z, groups, -1)[0])
    return _block_diagonal(blocks)


class GroupedSoftmax(nn.Module):
    """`grouped_softmax` along `dim`.

    Raises:
        InputError: `groups` is no whole number of at least 1.
    """

    def __init__(self, groups: int, dim: int = -1) -> None:
        super().__init__()
        self.groups, self.dim = checks.at_least("groups", groups, 1), dim

    def forward(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Softmax within groups."""
        return grouped_softmax(z, self.groups, self.dim)

    def extra_repr(self) -> str:
        """The number of groups and the dimension."""
        return f"groups={self.groups}, dim={self.dim}"


def lwta(z: Float[Tensor, "*shape"], groups: int, dim: int = -1) -> Float[Tensor, "*shape"]:
    """Local winner-take-all: in each of G groups the largest unit passes, the others give 0.

    Units that tie for the largest all pass. Losers get no gradient. A group of nothing but -inf gives zeros, a NaN
    makes its group NaN.

    Args:
        z: floating-point tensor with K units in `dim`.
        groups: their number G, a divisor of K.
        dim: dimension along which the units compete.

    Returns:
        z or 0, in the shape and type of z.

    Raises:
        InputError: G does not divide K, z is not a dense floating-point tensor, or has no dimension `dim`.

    References:
        Srivastava et al., "Compete to compute", 2013; there the first of tied units wins.

    Examples:
        >>> lwta(torch.tensor([1.0, 2.0, -3.0, -4.0]), groups=2)
        tensor([ 0.,  2., -3.,  0.])
    """
    z, dim = _split(z, groups, dim)
    winners = _winners(z, dim)
    # a group without a winner is all -inf, or holds a NaN
    lost = torch.where(z.isnan().any(dim, keepdim=True), torch.nan, 0.0)
    return torch.where(winners, z, lost).to(z.dtype).flatten(dim - 1, dim)


def lwta_jacobian(z: Float[Tensor, "*rows K"], groups: int) -> Float[Tensor, "*rows K K"]:
    """diag([i wins its group]), along the last dimension."""
    grouped, dim = _split(z, groups, -1)
    return torch.diag_embed(_winners(grouped, dim).to(z.dtype).flatten(-2))


class LWTA(nn.Module):
    """`lwta` along `dim`.

    Raises:
        InputError: `groups` is no whole number of at least 1.
    """

    def __init__(self, groups: int, dim: int = -1) -> None:
        super().__init__()
        self.groups, self.dim = checks.at_least("groups", groups, 1), dim

    def forward(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """The winners of z."""
        return lwta(z, self.groups, self.dim)

    def extra_repr(self) -> str:
        """The number of groups and the dimension."""
        return f"groups={self.groups}, dim={self.dim}"


def _split(z: Tensor, groups: int, dim: int) -> tuple[Tensor, int]:
    """(..., K, ...) as (..., G, K / G, ...), and the dimension of the units in a group."""
    dim = competing_dim(z, dim)
    z = z[None] if z.ndim == 0 else z
    size = z.shape[dim]
    if size % checks.at_least("groups", groups, 1):
        raise checks.InputError(f"groups must divide the {size} units in dimension {dim}, got {groups}")
    return z.unflatten(dim, (groups, size // groups)), dim


def _winners(z: Tensor, dim: int) -> Tensor:
    if not z.numel():
        return z > 0
    return (z == z.detach().amax(dim, keepdim=True)) & (z > -torch.inf)


def _block_diagonal(blocks: Tensor) -> Tensor:
    """(..., G, n, n) as (..., G n, G n)."""
    groups, size = blocks.shape[-3], blocks.shape[-1]
    eye = torch.eye(groups, dtype=blocks.dtype, device=blocks.device)
    spread = blocks[..., :, :, None, :] * eye[:, None, :, None]
    return spread.reshape(*blocks.shape[:-3], groups * size, groups * size)
