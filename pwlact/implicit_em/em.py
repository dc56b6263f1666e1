"""EM for Gaussian mixtures, and the rates at which a gradient step is its M-step.

L = sum_i L_i with energies d_j - log|P_j| / 2; P_j is the precision, Sigma_j its inverse. At the parameters of the
step, N_j = sum_i r_ij, and S_j = sum_i r_ij (x_i - mu_j)(x_i - mu_j)' / N_j is the scatter. Then:

- means: dL/dmu_j = -P_j sum_i r_ij (x_i - mu_j), so mu_j - Sigma_j (dL/dmu_j) / N_j is the M-step. For P_j = I the
  rate 1 / N_j alone does it; no single rate for all components can.
- covariances: dL/dSigma_j = N_j (P_j - P_j S_j P_j) / 2, so Sigma_j - (2 / N_j) Sigma_j (dL/dSigma_j) Sigma_j = S_j.
  That is the M-step where mu_j is the new mean already; with the old one, S_j is larger by the square
  (mu_new - mu_old)(mu_new - mu_old)'.
- weights pi = softmax(a): dL/da_j = n pi_j - N_j, so pi_j - (dL/da_j) / n is the M-step: the gradient is taken in a,
  the step in pi.

References:
    L. Xu, M. I. Jordan, "On convergence properties of the EM algorithm for Gaussian mixtures", Neural Computation 8,
    1996, theorem 1.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from pwlact.checks import InputError
from pwlact.implicit_em.numbers import table, wide


class MStep(NamedTuple):
    """Parameters of a Gaussian mixture; a component without any share has zeros."""

    weights: Float[Tensor, "*copies K"]
    means: Float[Tensor, "*copies K D"]
    covariances: Float[Tensor, "*copies K D D"]


def m_step_rates(r: Float[Tensor, "*copies n K"]) -> Float[Tensor, "*copies K"]:
    """eta_j = 1 / N_j, N_j = sum_i r_ij: mu_j - eta_j dL/dmu_j is the M-step for unit precision and L = sum_i L_i.

    For the mean of the losses, multiply by n; for other precisions, covariances and weights see this module.

    Args:
        r: responsibilities.

    Returns:
        rates; 0 for a component that answers for nothing, which EM cannot move either.

    Raises:
        InputError: no samples or components.

    Examples:
        >>> m_step_rates(torch.tensor([[0.75, 0.25, 0.0], [0.75, 0.25, 0.0]]))
        tensor([0.6667, 2.0000, 0.0000])
    """
    count = table("r", r).sum(-2)
    # below the least normal number 1 / N_j overflows
    some = ~(count < torch.finfo(count.dtype).tiny)
    return torch.where(some, 1 / torch.where(some, count, 1.0), 0.0)


def m_step(x: Float[Tensor, "*copies n D"], r: Float[Tensor, "*copies n K"]) -> MStep:
    """pi_j = N_j / n, mu_j = sum_i r_ij x_i / N_j, Sigma_j = sum_i r_ij (x_i - mu_j)(x_i - mu_j)' / N_j.

    Args:
        x: samples.
        r: responsibilities.

    Returns:
        weights, means and covariances.

    Raises:
        InputError: no samples or components, or another number of samples in r than in x.
    """
    x, r = wide(table("x", x), table("r", r))
    if x.shape[-2] != r.shape[-2]:
        raise InputError(f"r must have a row for each of {x.shape[-2]} samples, got shape {tuple(r.shape)}")
    # shares of the samples in each component, columns that sum to 1
    shares = r * m_step_rates(r)[..., None, :]
    means = shares.mT @ x
    apart = x[..., :, None, :] - means[..., None, :, :]
    covariances = torch.einsum("...nk,...nkd,...nke->...kde", shares, apart, apart)
    return MStep(r.mean(-2), means, covariances)
