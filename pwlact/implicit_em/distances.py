"""Distances d_j of a sample x to K prototypes: signed linear, ReLU of it, and Mahalanobis with its volume.

All take leading dimensions: so many independent layers side by side. 16-bit types are computed, and returned, in
float32.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from pwlact.implicit_em.numbers import wide


def linear_distances(
    x: Float[Tensor, "*copies n D"], weight: Float[Tensor, "*copies K D"], bias: Float[Tensor, "*copies K"]
) -> Float[Tensor, "*copies n K"]:
    """d_j = w_j'x + b_j: signed, without a least value.

    Args:
        x: samples.
        weight: normals w_j of the K hyperplanes.
        bias: b_j.

    Returns:
        d.
    """
    x, weight, bias = wide(x, weight, bias)
    return x @ weight.mT + bias[..., None, :]


def relu_linear_distances(
    x: Float[Tensor, "*copies n D"], weight: Float[Tensor, "*copies K D"], bias: Float[Tensor, "*copies K"]
) -> Float[Tensor, "*copies n K"]:
    """d_j = max(w_j'x + b_j, 0): how far x lies beyond hyperplane j, in units of 1/||w_j||; 0 behind it.

    Args:
        x: samples.
        weight: normals w_j of the K hyperplanes.
        bias: b_j.

    Returns:
        d, 0 or above.
    """
    return linear_distances(x, weight, bias).relu()


def diagonal_distances(
    x: Float[Tensor, "*copies n D"], means: Float[Tensor, "*copies K D"], scale: Float[Tensor, "*copies K D"]
) -> Float[Tensor, "*copies n K"]:
    """d_j = sum_i s_ji^2 (x_i - mu_ji)^2 / 2: half a squared Mahalanobis distance, precision diag(s_j^2).

    The differences are formed one by one, n K D of them: the expanded square would cancel far from the origin.

    Args:
        x: samples.
        means: mu_j.
        scale: s_j, roots of the precisions.

    Returns:
        d, 0 or above.
    """
    x, means, scale = wide(x, means, scale)
    apart = x[..., :, None, :] - means[..., None, :, :]
    return (apart * scale[..., None, :, :]).square().sum(-1) / 2


def full_distances(
    x: Float[Tensor, "*copies n D"], means: Float[Tensor, "*copies K D"], factor: Float[Tensor, "*copies K D D"]
) -> Float[Tensor, "*copies n K"]:
    """d_j = ||L_j'(x - mu_j)||^2 / 2: precision P_j = L_j L_j'.

    Args:
        x: samples.
        means: mu_j.
        factor: L_j, lower triangular (`cholesky_factor`).

    Returns:
        d, 0 or above.
    """
    x, means, factor = wide(x, means, factor)
    apart = x[..., :, None, :] - means[..., None, :, :]
    # (..., K, n, D) @ (..., K, D, D): row i of the product is L_j'(x_i - mu_j)
    return (apart.transpose(-3, -2) @ factor).square().sum(-1).mT / 2


def cholesky_factor(
    lower: Float[Tensor, "*copies K D D"], log_diagonal: Float[Tensor, "*copies K D"]
) -> Float[Tensor, "*copies K D D"]:
    """L_j: the part of `lower` below its diagonal, and exp(log_diagonal) on it, so that every value is allowed.

    Args:
        lower: entries on and above the diagonal are ignored.
        log_diagonal: logarithms of the diagonal; log|L_j| is their sum, half the log-determinant of P_j = L_j L_j'.

    Returns:
        lower-triangular factors of positive definite precisions.
    """
    return lower.tril(-1) + torch.diag_embed(log_diagonal.exp())
