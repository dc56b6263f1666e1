"""Sign patterns: the one eigenproblem behind every exact optimum of the correlation objective.

Let g_k be the part of the normalised class indicator that a function space can see: D_k in hat coordinates, the
centred posterior (p(k|x) - p_k) / sqrt(p_k (1 - p_k)) among all functions. With its Gram matrix M = (E[g_k g_l])
and signs s_k = sign(rho_k), S = diag(s), the best f for that pattern is

    f = sum_k s_k rho_k g_k / lambda,        M S rho = lambda rho,        lambda = sum_k s_k rho_k^2 = R(f),

the top eigenpair, at Var f = 1. A pattern is consistent if the signs of its rho are the pattern itself; the local
optima of R are exactly the consistent patterns.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from pwlact.correlation.objective import Objective, reward, signs

# More starts from single classes than this are neighbours of each other, and each costs an eigenproblem a step.
_MOST_STARTS = 32


class Stationary(NamedTuple):
    """Best f of a sign pattern.

    Attributes:
        pattern: the signs s, shape (*batch, K).
        rho: its class correlations, oriented so that R(f) >= R(-f), shape (*batch, K).
        bound: the top eigenvalue: no f with this pattern has a higher reward, shape (*batch).
    """

    pattern: Float[Tensor, "*batch classes"]
    rho: Float[Tensor, "*batch classes"]
    bound: Float[Tensor, "*batch"]


class Gram:
    """M = E[g_k g_l] with its square root H, ready to solve for one pattern after another.

    Args:
        matrix: M, symmetric and positive semi-definite, shape (*batch, K, K).
    """

    def __init__(self, matrix: Float[Tensor, "*batch classes classes"]) -> None:
        spectrum, vectors = torch.linalg.eigh(matrix)
        self.root = (vectors * spectrum.clamp(min=0).sqrt()[..., None, :]) @ vectors.mT

    def best(self, pattern: Float[Tensor, "*batch classes"]) -> Stationary:
        """Best f of the pattern: rho = H q with q the top eigenvector of H S H."""
        values, vectors = torch.linalg.eigh(self.root * pattern[..., None, :] @ self.root)
        rho = (self.root @ vectors[..., -1:])[..., 0]
        turned = reward(rho) < 0
        return Stationary(pattern, torch.where(turned[..., None], -rho, rho), values[..., -1])

    def iterate(
        self, rho: Float[Tensor, "*batch classes"], objective: Objective, most: int = 50
    ) -> Iterator[Stationary]:
        """Pattern of rho -> its best f -> pattern of that f -> ..., until no problem of the batch changes.

        Args:
            rho: correlations of the function to start from; may have batch dimensions of its own in front.
            objective: "signed", or "energy", whose pattern is always all +1.
            most: patterns after which it ends all the same: it is in a cycle.

        Yields:
            the best f of each pattern on the way; the last one is consistent, unless it is in a cycle.
        """
        for _ in range(most):
            found = self.best(signs(rho, objective))
            yield found
            rho = found.rho
            if bool((signs(rho, objective) == found.pattern).all()):
                return

    def single_classes(self) -> list[Float[Tensor, "*batch classes"]]:
        """Starts that put one class against all others: every class, or about 32 of them where there are more."""
        classes = self.root.shape[-1]
        ones = (2 * torch.eye(classes, dtype=self.root.dtype) - 1)[:: 1 + (classes - 1) // _MOST_STARTS]
        return [one.expand(self.root.shape[:-1]) for one in ones]

    def climb(self, starts: Sequence[Float[Tensor, "*batch classes"]], objective: Objective) -> list[Stationary]:
        """Iterate from every start at once, and give the way from the one that gets highest.

        Args:
            starts: correlations to start from; the earlier wins a tie.
            objective: "signed" or "energy".

        Returns:
            The patterns on the winner's way, where it ended last; in a batch every problem has its own winner.
        """
        steps = list(self.iterate(torch.stack(list(starts)), objective))
        scores = reward(steps[-1].rho, objective)
        top = scores.amax(0)
        winner = (scores >= top - 1e-9 * top.abs()).to(torch.int8).argmax(0)[None]
        way = [
            Stationary(
                found.pattern.take_along_dim(winner[..., None], 0)[0],
                found.rho.take_along_dim(winner[..., None], 0)[0],
                found.bound.take_along_dim(winner, 0)[0],
            )
            for found in steps
        ]
        while len(way) > 1 and torch.equal(way[-1].pattern, way[-2].pattern):
            way.pop()
        return way
