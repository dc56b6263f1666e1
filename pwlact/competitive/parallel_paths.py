"""Parallel paths: ReLU and softmax of the same units side by side, twice as wide."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pwlact.competitive.facts import Facts
from pwlact.competitive.rows import competing_dim
from pwlact.competitive.softmax import softmax, softmax_jacobian

PARALLEL_PATHS_FACTS = Facts(monotone=True, keeps_magnitude=True, sparse=True)


def parallel_paths(z: Float[Tensor, "*shape"], dim: int = -1) -> Float[Tensor, "*wider"]:
    """a = [relu(z), softmax(z)], joined along `dim`; 2 K results for K units.

    -inf and NaN as in both paths: a unit at -inf gives 0 twice, a NaN makes the softmax of its row NaN.

    Args:
        z: floating-point tensor of one dimension or more.
        dim: dimension along which the units compete.

    Returns:
        a, with twice the size in `dim`.

    Raises:
        InputError: z is not a dense floating-point tensor, or has no dimension `dim`.

    Examples:
        >>> parallel_paths(torch.tensor([2.0, 2.0]))
        tensor([2.0000, 2.0000, 0.5000, 0.5000])
    """
    dim = competing_dim(z, dim)
    return torch.cat([z.relu(), softmax(z, dim)], dim) if z.ndim else parallel_paths(z[None])


def parallel_paths_jacobian(z: Float[Tensor, "*rows K"]) -> Float[Tensor, "*rows twice_K K"]:
    """diag([z > 0]) over softmax's Jacobian, along the last dimension."""
    return torch.cat([torch.diag_embed((z > 0).to(z.dtype)), softmax_jacobian(z)], -2)


class ParallelPaths(nn.Module):
    """`parallel_paths` along `dim`; the layer behind it needs twice the width."""

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*wider"]:
        """[relu(z), softmax(z)]."""
        return parallel_paths(z, self.dim)

    def extra_repr(self) -> str:
        """The dimension."""
        return f"dim={self.dim}"
