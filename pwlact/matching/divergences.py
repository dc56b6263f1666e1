"""The two best-known Bregman divergences, each term by term: add them up over the dimensions of a vector."""

import torch
from jaxtyping import Float
from torch import Tensor

from pwlact import checks
from pwlact.matching.transfer import product


def squared_euclidean(hat: Float[Tensor, "*shape"], a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """D_F(hat, a) = (hat - a)^2 / 2, of F(a) = a^2/2.

    Raises:
        InputError: the shapes differ.
    """
    _same_shape(hat, a)
    return (hat - a).square() / 2


def relative_entropy(hat: Float[Tensor, "*shape"], a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """D_F(hat, a) = hat log(hat/a) - hat + a, of F(a) = a log a - a; measures need not sum to 1.

    Args:
        hat: 0 or above; 0 log 0 counts as 0.
        a: 0 or above; infinite where a is 0 and hat is not.

    Returns:
        the divergence of each number, in the type of hat; differentiable twice for numbers above 0.

    Raises:
        InputError: a number is negative, or the shapes differ.
    """
    _same_shape(hat, a)
    for name, tensor in (("hat", hat), ("a", a)):
        if bool((tensor < 0).any()):
            raise checks.InputError(f"{name} must be 0 or above everywhere, got {tensor[tensor < 0][0].item():g}")
    # both 0: no divergence, and no gradient, which nothing there has
    empty = (hat == 0) & (a == 0)
    ratio = torch.where(empty, 1.0, hat) / torch.where(empty, 1.0, a)
    return product(hat, torch.where(hat == 0, 1.0, ratio).log()) + (a - hat)


def _same_shape(hat: Tensor, a: Tensor) -> None:
    if hat.shape != a.shape:
        raise checks.InputError(f"hat and a must have one shape, got {tuple(hat.shape)} and {tuple(a.shape)}")
