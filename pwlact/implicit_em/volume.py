"""What keeps a layer of prototypes from collapse: small functions of its distances, responsibilities or weights.

Two kinds. An *energy* is a number a component that is added to its distance: it changes the model and its
responsibilities. A *penalty* is added to the loss and changes the training alone. `controls` lists them all.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from pwlact import checks
from pwlact.implicit_em.numbers import table

# added to variances and squared norms: keeps the gradients at 0 finite
_LEAST = 1e-8


def log_determinant_energy(log_determinant: Float[Tensor, "*copies K"], inputs: int) -> Float[Tensor, "*copies K"]:
    """-log|L_j| + (D/2) log 2 pi: makes exp(-d_j) a normal density, so that a precision of 0 costs everything.

    Args:
        log_determinant: log|L_j|, half the log-determinant of the precision.
        inputs: D.

    Returns:
        an energy a component, in nats.
    """
    return inputs / 2 * torch.log(torch.tensor(2 * torch.pi, dtype=torch.float64)).item() - log_determinant


def temperature_energy(log_temperature: Float[Tensor, "*copies 1"], inputs: int) -> Float[Tensor, "*copies 1"]:
    """(D/2) log tau: what the volume of a normal density grows by when its distance is divided by tau.

    Args:
        log_temperature: log tau, one for all components.
        inputs: D.

    Returns:
        the energy that all components get, in nats.
    """
    return inputs / 2 * log_temperature


def ridge_energy(squared_size: Float[Tensor, "*copies K"]) -> Float[Tensor, "*copies K"]:
    """||L_j||^2 / 2 = tr(P_j) / 2: times e it is what d_j grows by, on average, under input noise of variance e.

    With the log-determinant, the M-step becomes Sigma_j + e I: no component can shrink onto a single sample, where
    the likelihood of a mixture has no bound.

    Args:
        squared_size: sum of the squared entries of L_j.

    Returns:
        an energy a component, to be multiplied by e.
    """
    return squared_size / 2


def variance_floor(distances: Float[Tensor, "*copies n K"], floor: float = 1.0) -> Float[Tensor, "*copies"]:
    """mean_j max(0, floor - sd_j), sd_j the standard deviation of d_j over the samples: no unit goes flat.

    Args:
        distances: d.
        floor: least standard deviation that costs nothing.

    Returns:
        0 to `floor`.

    Raises:
        InputError: no samples or components, or a floor that is not above 0.

    References:
        A. Bardes, J. Ponce, Y. LeCun, "VICReg", ICLR 2022, equation (1).
    """
    checks.positive("floor", floor)
    variance = table("distances", distances).var(-2, correction=0)
    return (floor - (variance + _LEAST).sqrt()).relu().mean(-1)


def decorrelation(distances: Float[Tensor, "*copies n K"]) -> Float[Tensor, "*copies"]:
    """Mean over pairs i != j of corr(d_i, d_j)^2 over the samples: no unit repeats another; 0 for one unit.

    Args:
        distances: d.

    Returns:
        0 to 1.

    Raises:
        InputError: no samples or components.

    References:
        J. Zbontar, L. Jing, I. Misra, Y. LeCun, S. Deny, "Barlow Twins", ICML 2021, equation (1), second term.
    """
    d = table("distances", distances)
    return _mean_square_cosine((d - d.mean(-2, keepdim=True)).mT)


def weight_norm(weight: Float[Tensor, "*copies K W"], size: float = 1.0) -> Float[Tensor, "*copies"]:
    """mean_j (||w_j|| - size)^2: no unit wins by its length, none vanishes.

    Args:
        weight: a row a unit.
        size: the length that costs nothing.

    Returns:
        0 or above.

    Raises:
        InputError: no units, or a size that is not above 0.

    References:
        After T. Salimans, D. P. Kingma, "Weight normalization", NIPS 2016, which fixes the length; here it is drawn.
    """
    checks.positive("size", size)
    return (torch.linalg.vector_norm(table("weight", weight), dim=-1) - size).square().mean(-1)


def orthogonality(directions: Float[Tensor, "*copies K D"]) -> Float[Tensor, "*copies"]:
    """Mean over pairs i != j of cos(v_i, v_j)^2: the directions spread; 0 for one unit.

    K > D of them cannot all be orthogonal: the least value is then (K - D) / (D (K - 1)), Welch's bound.

    Args:
        directions: v_j; their lengths do not matter.

    Returns:
        0 to 1.

    Raises:
        InputError: no units.

    References:
        N. Bansal, X. Chen, Z. Wang, "Can we gain more from orthogonality regularizations?", NeurIPS 2018, equation (1),
        without the part on lengths.
    """
    return _mean_square_cosine(table("directions", directions))


def imbalance(r: Float[Tensor, "*copies n K"]) -> Float[Tensor, "*copies"]:
    """log K - H(mean_i r_i), H the entropy: 0 where all components answer for as much, log K where one takes all.

    Args:
        r: responsibilities.

    Returns:
        nats, 0 to log K.

    Raises:
        InputError: no samples or components.

    References:
        J. S. Bridle, A. J. R. Heading, D. J. C. MacKay, "Unsupervised classifiers, mutual information and 'phantom
        targets'", NIPS 1991, whose objective is this entropy less that of each r_i.
    """
    share = table("r", r).mean(-2)
    # the derivative of p log p at 0 is infinite: take the logarithm of the least normal number there
    entropy = -(share * share.clamp(min=torch.finfo(share.dtype).tiny).log()).sum(-1)
    return torch.log(torch.tensor(share.shape[-1], dtype=share.dtype, device=share.device)) - entropy


def temperature_prior(log_temperature: Float[Tensor, "*copies 1"]) -> Float[Tensor, "*copies"]:
    """(log tau)^2 / 2: draws tau to 1, for distances without a volume.

    Args:
        log_temperature: log tau, one for all components.

    Returns:
        0 or above.
    """
    return log_temperature.square().sum(-1) / 2


def _mean_square_cosine(vectors: Tensor) -> Tensor:
    """Mean of cos^2 over ordered pairs of different rows of (..., K, m); 0 for K = 1."""
    # their size is taken out first: squares of very long vectors would overflow. It cancels, so it needs no gradient
    reach = vectors.detach().abs().amax(-1, keepdim=True).clamp(min=1.0)
    scaled = vectors / reach
    unit = scaled / (scaled.square().sum(-1, keepdim=True) + _LEAST / reach.square()).sqrt()
    squares = (unit @ unit.mT).square()
    count = vectors.shape[-2]
    own = squares.diagonal(dim1=-2, dim2=-1).sum(-1)
    return (squares.sum((-2, -1)) - own) / max(count * (count - 1), 1)
