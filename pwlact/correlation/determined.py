"""Knots that an input determines, and straight lines through those that it does not."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from pwlact.correlation.statistics import HatStatistics

# Share of the largest E[phi^2] below which a knot counts as unseen, and relative size of a pivot of G below
# which samples do not tell a hat from those before it.
UNSEEN = 1e-10


def determined(
    statistics: HatStatistics,
) -> tuple[Float[Tensor, "*batch knots knots"], Float[Tensor, "*batch knots knots"]]:
    """G on the functions that are straight wherever no input comes, and the map E to their knot values.

    A knot that (almost) no input reaches is put on the line through the two nearest seen knots: between them inside,
    beyond them outside. What is optimal there would be an extrapolation of tails that no data has seen. Where samples
    leave a combination of seen knots undetermined all the same (fewer samples than knots), the least second
    difference decides.

    Returns:
        E'GE with ones on the diagonal of the unseen knots, positive definite, and E; both (*batch, N, N). A function
        is y = E z with z any values at the seen knots.
    """
    matrix = statistics.second_moments()
    size = matrix.diagonal(dim1=-2, dim2=-1)
    seen = size > UNSEEN * size.amax(-1, keepdim=True)
    if bool(seen.all()):
        identity = torch.eye(matrix.shape[-1], dtype=matrix.dtype).expand_as(matrix)
        return matrix + _tie(matrix), identity
    extension = _extension(seen).to(matrix.dtype)
    unseen = torch.diag_embed((~seen).to(matrix.dtype) * size.amax(-1, keepdim=True))
    matrix = extension.mT @ matrix @ extension + unseen
    return matrix + _tie(matrix), extension


def roughness_matrix(count: int) -> Float[Tensor, "knots knots"]:
    """L'L with L the second differences, float64: y'L'L y is the roughness of y."""
    second = torch.eye(count, dtype=torch.float64).diff(n=2, dim=0)
    return second.mT @ second


def _extension(seen: Bool[Tensor, "*batch knots"]) -> Float[Tensor, "*batch knots knots"]:
    """E: the identity at seen knots; at others the line through the seen knots a and b, y = (1 - w) y_a + w y_b."""
    count = seen.shape[-1]
    s = torch.arange(count)
    before = torch.where(seen, s, -1).cummax(-1).values
    after = torch.where(seen, s, count).flip(-1).cummin(-1).values.flip(-1)
    first, last = after[..., :1], before[..., -1:]
    second = torch.where(seen & (s > first), s, count).amin(-1, keepdim=True).clamp(max=count - 1)
    last_but_one = torch.where(seen & (s < last), s, -1).amax(-1, keepdim=True).clamp(min=0)
    a = torch.where(before < 0, first, torch.where(after >= count, last_but_one, before))
    b = torch.where(before < 0, second, torch.where(after >= count, last, after))
    w = torch.where(a == b, 0.0, (s - a) / (b - a).clamp(min=1).double())
    one_hot = torch.nn.functional.one_hot
    return (1 - w)[..., None] * one_hot(a, count) + w[..., None] * one_hot(b, count)


def _tie(matrix: Tensor) -> Tensor:
    """A little of L'L where the Cholesky factorisation of `matrix`, scaled to a unit diagonal, has a pivot near 0."""
    diagonal = matrix.diagonal(dim1=-2, dim2=-1)
    scale = diagonal.rsqrt()
    factor, failed = torch.linalg.cholesky_ex(scale[..., None] * matrix * scale[..., None, :])
    pivots = factor.diagonal(dim1=-2, dim2=-1).square()
    lacking = (failed > 0) | (pivots < UNSEEN).any(-1)
    size = diagonal.amax(-1) * lacking * UNSEEN
    return size[..., None, None] * roughness_matrix(matrix.shape[-1])
