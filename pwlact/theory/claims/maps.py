"""Small maps of a vector of pre-activations, and their Jacobians by automatic differentiation, for the claims.

Written for reading, in float64, from the definitions in the drafts.
"""

from collections.abc import Callable
from itertools import combinations, product

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.functional import jacobian as _jacobian

Map = Callable[[Tensor], Tensor]
DRAWS, UNITS = 200, 6


def draws(count: int = DRAWS, units: int = UNITS, scale: float = 2.0, seed: int = 0) -> Float[Tensor, "n units"]:
    """Normal pre-activations z, float64."""
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(count, units, generator=generator, dtype=torch.float64)


def jacobian(function: Map, z: Float[Tensor, "n units"]) -> Float[Tensor, "n out units"]:
    """d function_i / d z_j of each row."""
    # rows do not mix, so the Jacobian of the sum over rows holds that of every row
    return torch.as_tensor(_jacobian(lambda rows: function(rows).sum(0), z)).movedim(0, 1)


def largest(difference: Tensor) -> float:
    """Largest absolute entry."""
    return difference.abs().max().item()


def softmax(z: Tensor) -> Tensor:
    """exp(z_i) / sum_k exp(z_k)."""
    return z.softmax(-1)


def sparsemax(z: Float[Tensor, "n units"]) -> Float[Tensor, "n units"]:
    """max(0, z - tau) with tau such that the sum is 1.

    References:
        Martins and Astudillo, "From softmax to sparsemax", 2016, algorithm 1.
    """
    ordered = z.sort(-1, descending=True).values
    rank = torch.arange(1, z.shape[-1] + 1, dtype=z.dtype)
    excess = ordered.cumsum(-1) - 1
    size = (rank * ordered > excess).sum(-1, keepdim=True)
    return (z - excess.gather(-1, size - 1) / size).clamp(min=0)


def relumax(z: Tensor, b: float | Tensor = 1.0) -> Tensor:
    """relu(z_i - max z + b) / sum_j relu(z_j - max z + b)."""
    part = (z - z.amax(-1, keepdim=True) + b).clamp(min=0)
    return part / part.sum(-1, keepdim=True)


def diagonal(v: Tensor) -> Tensor:
    """diag(v) of each row."""
    return torch.diag_embed(v)


def outer(a: Tensor, b: Tensor) -> Tensor:
    """a b' of each row."""
    return a[..., :, None] * b[..., None, :]


def off_diagonal(matrix: Tensor) -> Tensor:
    """The entries off the diagonal, in one dimension a row."""
    size = matrix.shape[-1]
    return matrix[..., ~torch.eye(size, dtype=torch.bool)]


def count_regions(units: int, dimensions: int) -> int:
    """Linear regions that random ReLU units cut R^d into, d <= K: the activation patterns next to all vertices.

    Hyperplanes in general position leave no region without a vertex, a point where d of them meet; the regions
    about it are those that have any of the 2^d signs on these d.
    """
    weights, biases = draws(units, dimensions), draws(1, units, seed=1)[0]
    sides = torch.tensor(list(product((-1e-6, 1e-6), repeat=dimensions)), dtype=torch.float64)
    codes: list[Tensor] = []
    for chosen in combinations(range(units), dimensions):
        index = list(chosen)
        x = torch.linalg.solve(weights[index], (sides - biases[index]).T).T
        codes.append(((x @ weights.T + biases > 0) * 2 ** torch.arange(units)).sum(-1))
    return int(torch.cat(codes).unique().numel())
