"""The dilogarithm Li2, which softplus has for a potential, in operations of torch."""

import math
from fractions import Fraction

import torch
from jaxtyping import Float
from torch import Tensor

ZETA_2 = math.pi**2 / 6
"""Li2(1)."""


def _coefficients(terms: int) -> list[float]:
    """B_2k / (2k + 1)! for k = 0, 1, ..., by the recurrence sum_j C(n + 1, j) B_j = 0 of the Bernoulli numbers."""
    bernoulli = [Fraction(1)]
    for n in range(1, 2 * terms):
        bernoulli.append(-sum((math.comb(n + 1, j) * bernoulli[j] for j in range(n)), Fraction(0)) / (n + 1))
    return [float(bernoulli[2 * k] / math.factorial(2 * k + 1)) for k in range(terms)]


_SERIES = _coefficients(10)  # the first term left out is below 1e-18 of u where |u| <= log 2


def debye(u: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Li2(1 - exp(-u)) = -u^2/4 + sum_k B_2k u^(2k+1) / (2k+1)! for |u| <= log 2."""
    square, total = u * u, torch.zeros_like(u)
    for coefficient in reversed(_SERIES):
        total = total * square + coefficient
    return u * (total - u / 4)


def deficit(y: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """pi^2/6 - Li2(exp(-y)) for y >= 0, to its last digits near 0 too.

    Near 0 by Euler's reflection Li2(z) + Li2(1 - z) = pi^2/6 - log(z) log(1 - z).
    """
    small = y < math.log(2)
    near, far = torch.where(small, y, 0.1), torch.where(small, 1.0, y)
    reflected = -torch.xlogy(near, -torch.expm1(-near)) + debye(near)
    return torch.where(small, reflected, ZETA_2 - debye(-torch.log1p(-torch.exp(-far))))


def negative(a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """-Li2(-exp(-|a|)), above 0: with u = -log(1 + exp(-|a|)), Li2(1 - exp(-u))."""
    return -debye(-torch.log1p(torch.exp(-a.abs())))
