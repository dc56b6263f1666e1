"""Is a layer doing EM, and has it collapsed? Numbers on its responsibilities and gradients."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from pwlact import checks
from pwlact.implicit_em.numbers import table


def responsibility_entropy(r: Float[Tensor, "*copies n K"]) -> Float[Tensor, "*copies"]:
    """Mean over samples of -sum_j r_ij log r_ij, in nats: 0 for hard assignment, log K where no component differs.

    Args:
        r: responsibilities.

    Raises:
        InputError: no samples or components.
    """
    return torch.special.entr(table("r", r)).sum(-1).mean(-1)


def effective_counts(r: Float[Tensor, "*copies n K"]) -> Float[Tensor, "*copies K"]:
    """N_j = sum_i r_ij: how many of the n samples each component answers for.

    Args:
        r: responsibilities.

    Raises:
        InputError: no samples or components.
    """
    return table("r", r).sum(-2)


def effective_components(r: Float[Tensor, "*copies n K"]) -> Float[Tensor, "*copies"]:
    """exp of the entropy of the mean responsibilities: K where all are used alike, 1 where one takes everything.

    Args:
        r: responsibilities.

    Raises:
        InputError: no samples or components.
    """
    return torch.special.entr(table("r", r).mean(-2)).sum(-1).exp()


def dead_components(r: Float[Tensor, "*copies n K"], share: float = 0.01) -> Bool[Tensor, "*copies K"]:
    """Whether a component answers for less than `share` of its even part: N_j < share n / K.

    Args:
        r: responsibilities.
        share: between 0 and 1.

    Raises:
        InputError: no samples or components, or a share outside its range.
    """
    checks.interval(0.0, share, ("0", "share"))
    checks.interval(share, 1.0, ("share", "1"))
    r = table("r", r)
    return r.mean(-2) < share / r.shape[-1]


def gradient_norm(parameters: Iterable[nn.Parameter]) -> float:
    """Norm of all gradients together, in float64; 0 where there are none.

    Args:
        parameters: of a layer, after backward.
    """
    squares = [p.grad.detach().double().square().sum() for p in parameters if p.grad is not None]
    return float(torch.stack(squares).sum().sqrt()) if squares else 0.0


@dataclass(frozen=True)
class Diagnosis:
    """The state of one layer on n samples.

    Attributes:
        entropy: of the responsibilities, mean over samples, nats.
        uniformity: the entropy over its largest value log K: near 1 the components do not differ; 0 for K = 1.
        effective_components: 1 to K.
        counts: N_j, K numbers that sum to n.
        dead: numbers of the components that answer for less than 1 % of their even part.
        gradient_norm: of the layer's parameters.
    """

    entropy: float
    uniformity: float
    effective_components: float
    counts: list[float]
    dead: list[int]
    gradient_norm: float


def diagnose(r: Float[Tensor, "n K"], parameters: Iterable[nn.Parameter] = ()) -> Diagnosis:
    """All of it for one layer.

    Args:
        r: responsibilities.
        parameters: of the layer, after backward, for the gradient norm.

    Returns:
        plain numbers, for JSON.

    Raises:
        InputError: no samples or components, or several layers at once.
    """
    r = table("r", r.detach()).double()
    if r.ndim != 2:
        raise checks.InputError(f"r must be of one layer, shape (samples, components), got {tuple(r.shape)}")
    entropy = float(responsibility_entropy(r))
    largest = float(torch.tensor(float(r.shape[-1])).log())
    return Diagnosis(
        entropy=entropy,
        uniformity=entropy / largest if largest > 0 else 0.0,
        effective_components=float(effective_components(r)),
        counts=effective_counts(r).tolist(),
        dead=dead_components(r).nonzero()[:, 0].tolist(),
        gradient_norm=gradient_norm(parameters),
    )
