"""Proof that an optimum is global: all sign patterns, enumerated.

Every local maximum of R is the top eigenvector of its own sign pattern: R is locally a Rayleigh quotient, and where
some rho_k = 0 it lies below the quotient with s_k = +1. So the best consistent pattern is the global optimum, and 2^K
patterns can be tried. R is odd, hence the pattern -s is the pattern s upside down: its top is the other's bottom,
and half of the patterns suffice.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pwlact import checks

MOST_CLASSES = 22
_BATCH = 1 << 14
# Correlations this small, relative to the largest, count as zero: they fit either sign.
_ZERO = 1e-9


@dataclass(frozen=True)
class Certificate:
    """Outcome of the enumeration.

    Attributes:
        reward: the highest reward of any function.
        rho: correlations of the function that has it, shape (K,).
        pattern: its signs, shape (K,).
        patterns: number of sign patterns covered, 2^K.
        consistent: number of local maxima found among them.
    """

    reward: float
    rho: Float[Tensor, " classes"]
    pattern: Float[Tensor, " classes"]
    patterns: int
    consistent: int


def certify(gram: Float[Tensor, "classes classes"], progress: Callable[[int, int], None] | None = None) -> Certificate:
    """The global optimum of the signed objective with Gram matrix M, by enumeration.

    Args:
        gram: M_kl = E[g_k g_l], float64: D G^{-1} D' for a grid of knots, or that of the function space.
        progress: called with (patterns done, patterns in all).

    Returns:
        The best of all local maxima.

    Raises:
        InputError: two classes, classes that no f tells apart, or more than 22, for which the patterns are too many.
    """
    classes = gram.shape[-1]
    if classes > MOST_CLASSES:
        raise checks.InputError(
            f"certifying takes 2^K sign patterns: {classes} classes would take "
            f"{2.0 ** (classes - 20):,.0f} minutes and more; at most {MOST_CLASSES} are tried"
        )
    checks.at_least("classes", classes, 3, "two classes have reward 0 under the signed objective, whatever f is")
    factor = _low_rank_factor(gram)
    half = 1 << (classes - 1)
    best, consistent = _Best(), 0
    for first in range(0, half, _BATCH):
        codes = torch.arange(first, min(first + _BATCH, half))
        pattern = 1.0 - 2.0 * ((codes[:, None] >> torch.arange(classes)) & 1).to(gram.dtype)
        consistent += best.update(factor, pattern)
        if progress is not None:
            progress(min(first + _BATCH, half), half)
    return Certificate(float(best.value), best.rho, best.pattern, 2 * half, consistent)


class _Best:
    """The best consistent pattern so far."""

    def __init__(self) -> None:
        self.value = torch.tensor(-1.0, dtype=torch.float64)
        self.rho = self.pattern = torch.empty(0)

    def update(self, factor: Tensor, pattern: Tensor) -> int:
        """Take in patterns s, and -s with them; returns how many are consistent."""
        values, vectors = torch.linalg.eigh((factor.mT * pattern[:, None, :]) @ factor)
        found = 0
        for sign, end in ((1.0, -1), (-1.0, 0)):
            # the bottom of A_s is minus the top of A_{-s}
            rho, signs, value = vectors[..., end] @ factor.mT, sign * pattern, sign * values[..., end]
            fits = _consistent(rho, signs) & (value > 0)
            found += int(fits.sum())
            place = torch.where(fits, value, -1.0).argmax()
            if bool(fits[place]) and bool(value[place] > self.value):
                self.value, self.pattern = value[place], signs[place]
                turned = (rho[place] * signs[place]).sum() < 0
                self.rho = -rho[place] if bool(turned) else rho[place]
        return found


def _consistent(rho: Tensor, signs: Tensor) -> Tensor:
    """Whether the signs of rho, or of -rho, are the pattern; zeros fit the sign +1."""
    zero = _ZERO * rho.abs().amax(-1, keepdim=True)
    fits = [
        ((signed > zero) | ((signed.abs() <= zero) & (signs > 0))).all(-1) for signed in (rho * signs, -rho * signs)
    ]
    return fits[0] | fits[1]


def _low_rank_factor(gram: Tensor) -> Tensor:
    """F with F F' = M to rounding, shape (K, r): overlapping classes make M of low numerical rank."""
    values, vectors = torch.linalg.eigh(gram)
    if values[-1] <= 0:
        raise checks.InputError("no function tells one class from another: there is nothing to certify")
    kept = values > 1e-15 * values[-1]
    return vectors[:, kept] * values[kept].sqrt()
