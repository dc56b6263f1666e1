"""The log-sum-exp loss of distances, and the responsibilities that are its gradient."""

import torch
from jaxtyping import Float
from torch import Tensor

from pwlact import checks
from pwlact.competitive import softmax
from pwlact.implicit_em.numbers import table, wide

REDUCTIONS = ("mean", "sum", "none")
"""What becomes of the losses of n samples."""


def lse_loss(
    distances: Float[Tensor, "*copies n K"],
    log_weights: Float[Tensor, "*copies K"] | None = None,
    reduction: str = "mean",
) -> Float[Tensor, "*result"]:
    """L_i = -log sum_j pi_j exp(-d_ij). dL_i/dd_ij = +r_ij: descent shortens a distance by its responsibility.

    The least distance is taken out first, so that nothing overflows: a sample however far from all has a finite
    loss as long as its distances are. One at an infinite distance from all has L = inf and no gradient; a NaN makes
    its own loss NaN.

    Args:
        distances: d, of any sign.
        log_weights: log pi_j; none means pi_j = 1, which sums to K: L is then lower by log K than with equal weights.
        reduction: "mean" or "sum" over the n samples, or "none".

    Returns:
        shape (*copies) or, for "none", (*copies, n); in nats, float32 or wider; differentiable twice.

    Raises:
        InputError: no samples or components, no floating-point numbers, or an unknown reduction.

    Examples:
        >>> d = torch.tensor([[0.0, 1.0]], requires_grad=True)
        >>> lse_loss(d).backward()
        >>> d.grad
        tensor([[0.7311, 0.2689]])
    """
    checks.choice("reduction", reduction, REDUCTIONS)
    d = _weighted(distances, log_weights)
    least = d.detach().amin(-1, keepdim=True)
    edge = least.isinf()
    apart = torch.where(edge, 0.0, d - torch.where(edge, 0.0, least))
    losses = least.squeeze(-1) - (-apart).logsumexp(-1)
    if reduction == "none":
        return losses
    return losses.mean(-1) if reduction == "mean" else losses.sum(-1)


def responsibilities(
    distances: Float[Tensor, "*copies n K"], log_weights: Float[Tensor, "*copies K"] | None = None
) -> Float[Tensor, "*copies n K"]:
    """r_ij = pi_j exp(-d_ij) / sum_k pi_k exp(-d_ik), the E-step: how far component j answers for sample i.

    Args:
        distances: d, of any sign.
        log_weights: log pi_j; none means equal ones.

    Returns:
        rows that sum to 1, or zeros for a sample at an infinite distance from all; float32 or wider.

    Raises:
        InputError: no samples or components, or no floating-point numbers.

    Examples:
        >>> responsibilities(torch.tensor([[0.0, 1.0]]))
        tensor([[0.7311, 0.2689]])
    """
    return softmax(-_weighted(distances, log_weights))


def _weighted(distances: Tensor, log_weights: Tensor | None) -> Tensor:
    d = table("distances", distances)
    if log_weights is None:
        return d
    if log_weights.shape[-1:] != d.shape[-1:]:
        raise checks.InputError(
            f"log_weights must have one number for each of {d.shape[-1]} components, got {tuple(log_weights.shape)}"
        )
    d, log_weights = wide(d, log_weights)
    return d - log_weights[..., None, :]
