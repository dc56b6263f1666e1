"""Losses for maps without one of their own, relumax above all: smoothed log-likelihood, and a hinge on the support.

Relumax has no Fenchel-Young loss, because its Jacobian is not symmetric for K >= 3.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from pwlact import checks
from pwlact.competitive import targets
from pwlact.competitive.relumax import relumax
from pwlact.competitive.targets import Reduction


def smoothed_nll(
    p: Float[Tensor, "*shares"],
    target: Tensor,
    *,
    epsilon: float = 1e-3,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
) -> Tensor:
    """-log((p_y + eps) / (1 + K eps)): finite where a sparse map gives its target p_y = 0.

    There its gradient is exactly 0, because p_y = 0 around such a point: a wrong answer that is sure enough is never
    mended. Add `support_hinge`, or take the loss that belongs to the map (`sparsemax_loss`).

    Args:
        p: shares, shape (K,), (N, K) or (N, K, ...).
        target: class numbers, shape (), (N,) or (N, ...); for a distribution y, the mean of
            -log((p_i + eps) / (1 + K eps)) over y.
        epsilon: eps, above 0.
        ignore_index: class number of rows that do not count.
        reduction: "none", "sum" or "mean" over the rows that count; 0 where none does.

    Returns:
        the loss.

    Raises:
        InputError: a shape, type, class number, eps or reduction does not fit.
    """
    checks.positive("epsilon", epsilon)
    rows = targets.rows_last(p)
    read = targets.read(rows, target, None, ignore_index)
    log = ((rows + epsilon) / (1 + rows.shape[-1] * epsilon)).log()
    return targets.reduce(-(read.y * log).sum(-1), read.weight, reduction)


def support_hinge(
    z: Float[Tensor, "*scores"],
    target: Tensor,
    b: float | Tensor = 1.0,
    *,
    share: float = 0.9,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
) -> Tensor:
    """[max z - z_y - 0.9 b]_+: draws the target into relumax's support {i: z_i > max z - b}, where it has a gradient.

    Args:
        z: scores, shape (K,), (N, K) or (N, K, ...).
        target: class numbers, shape (), (N,) or (N, ...); for a distribution y, z_y is the lowest score with y > 0.
        b: width of relumax, above 0; a number or a tensor that broadcasts to the rows.
        share: of b within which the target is left alone, from 0 to 1.
        ignore_index: class number of rows that do not count.
        reduction: "none", "sum" or "mean" over the rows that count; 0 where none does.

    Returns:
        the loss; 0 where the target is well within the support.

    Raises:
        InputError: a shape, type, class number, b, share or reduction does not fit.
    """
    if not isinstance(b, Tensor):
        checks.positive("b", b)
    if not 0 <= share <= 1:
        raise checks.InputError(f"share must be a number from 0 to 1, got {share!r}")
    rows = targets.rows_last(z)
    read = targets.read(rows, target, None, ignore_index)
    own = torch.where(read.y > 0, rows, torch.inf).amin(-1)
    top = rows.amax(-1)
    gap = torch.where(own == top, 0.0, top - own)  # inf - inf
    return targets.reduce((gap - share * b).clamp(min=0), read.weight, reduction)


def relumax_loss(
    z: Float[Tensor, "*scores"],
    target: Tensor,
    b: float | Tensor = 1.0,
    *,
    epsilon: float = 1e-3,
    hinge: float = 1.0,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
) -> Tensor:
    """`smoothed_nll` of relumax_b(z), and `hinge` times `support_hinge` of z.

    With hinge = 0 the gradient is exactly 0 wherever the target is outside the support.

    Args:
        z: scores, shape (K,), (N, K) or (N, K, ...).
        target: as in `smoothed_nll`.
        b: width of relumax, a number above 0 or a tensor of one.
        epsilon: eps, above 0.
        hinge: how much the hinge counts, 0 or above.
        ignore_index: class number of rows that do not count.
        reduction: "none", "sum" or "mean" over the rows that count; 0 where none does.

    Returns:
        the loss.

    Raises:
        InputError: an argument does not fit.
    """
    checks.not_negative("hinge", hinge)
    rows = targets.rows_last(z)
    dim = min(z.ndim - 1, 1)
    smooth = smoothed_nll(
        relumax(rows, b).movedim(-1, dim), target, epsilon=epsilon, ignore_index=ignore_index, reduction=reduction
    )
    if hinge == 0:
        return smooth
    return smooth + hinge * support_hinge(z, target, b, ignore_index=ignore_index, reduction=reduction)
