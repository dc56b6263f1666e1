"""Sign patterns: the one eigenproblem behind every exact optimum of the correlation objective.

Let g_k be the part of the normalised class indicator that a function space can see: D_k in hat coordinates, the
centred posterior (p(k|x) - p_k) / sqrt(p_k (1 - p_k)) among all functions. With its Gram matrix M = (E[g_k g_l])
and signs s_k = sign(rho_k), S = diag(s), the best f for that pattern is

    f = sum_k s_k rho_k g_k / lambda,        M S rho = lambda rho,        lambda = sum_k s_k rho_k^2 = R(f),

the top eigenpair, at Var f = 1. A pattern is consistent if the signs of its rho are the pattern itself; the local
optima of R are exactly the consistent patterns.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from pwlact import checks
from pwlact.correlation.objective import Objective, reward, signs

_Array = NDArray[np.float64]

# Top eigenvalue of M below which it is the rounding of class means that are the same.
_NOTHING = 1e-28
# Share of the largest eigenvalue of M below which the others are rounding.
_ROUNDING = 1e-16
# The same where it is only to be seen which start gets highest, and the difference in R that is a tie there.
_SCOUT, _TIE = 1e-6, 1e-8
# Steps after which the start that is highest is the one that ends highest.
_SCOUT_STEPS = 3
# An iteration that has not settled by then is in a cycle.
_MOST_PATTERNS = 50
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
    """M = E[g_k g_l] = F F', ready to solve for one pattern after another.

    Args:
        matrix: M, symmetric and positive semi-definite, shape (*batch, K, K).
    """

    def __init__(self, matrix: Float[Tensor, "*batch classes classes"]) -> None:
        spectrum, vectors = torch.linalg.eigh(matrix)
        if bool((spectrum[..., -1] < _NOTHING).all()):
            raise checks.InputError("the classes have the same input, up to rounding: no f correlates with any of them")
        # overlapping classes make M of low rank to rounding: F has that many columns, and so do the eigenproblems
        rank = int((spectrum > _ROUNDING * spectrum[..., -1:]).sum(-1).max().clamp(min=1))
        self.factor = (vectors * spectrum.clamp(min=0).sqrt()[..., None, :])[..., -rank:]

    def best(self, pattern: Float[Tensor, "*shape classes"]) -> Stationary:
        """Best f of each pattern; those of a batch of Gram matrices may have more dimensions in front."""
        rho, bound = _best(self.factor.numpy(), pattern.numpy())
        return Stationary(pattern, torch.from_numpy(rho), torch.from_numpy(np.asarray(bound)))

    def iterate(
        self, rho: Float[Tensor, "*shape classes"], objective: Objective, most: int = _MOST_PATTERNS
    ) -> Iterator[Stationary]:
        """Pattern of rho -> its best f -> pattern of that f -> ..., until nothing changes.

        Args:
            rho: correlations of the functions to start from, shape (*batch, K) or with more dimensions in front.
            objective: "signed", or "energy", whose pattern is always all +1.
            most: patterns after which it ends all the same: it is in a cycle.

        Returns:
            the best f of each pattern on the way, in the shape of the start; those that have settled stay as they
            are and cost nothing more. The last ones are consistent, unless they are in a cycle.
        """
        return _iterate(self.factor, rho, objective, most)

    def single_classes(self) -> Float[Tensor, "starts *batch classes"]:
        """Starts that put one class against all others: every class, or about 32 of them where there are more."""
        classes = self.factor.shape[-2]
        ones = (2 * torch.eye(classes, dtype=self.factor.dtype) - 1)[:: 1 + (classes - 1) // _MOST_STARTS]
        batch = self.factor.shape[:-2]
        return ones.reshape(-1, *[1] * len(batch), classes).expand(-1, *batch, classes)

    def climb(self, starts: Float[Tensor, "starts *batch classes"], objective: Objective) -> list[Stationary]:
        """Iterate from every start at once, and give the way from the one that gets highest.

        Args:
            starts: correlations to start from; the earlier wins a tie.
            objective: "signed" or "energy".

        Returns:
            The patterns on the winner's way, the highest last; in a batch every problem has its own winner.
        """
        scores = torch.stack([reward(found.rho, objective) for found in self._scout(starts, objective)]).amax(0)
        top = scores.amax(0)
        winner = (scores >= top - _TIE * top.abs()).to(torch.int8).argmax(0)
        way = self._better(starts[0], starts.take_along_dim(winner[None, ..., None], 0)[0], objective)
        for _ in range(_MOST_PATTERNS):
            last = way[-1]
            if bool((signs(last.rho, objective) == last.pattern).all()):
                break
            # a cycle: some ascent leads out of it, since the top of a pattern that is not its own is no optimum
            way += list(self.iterate(self._ascend(last.rho, objective), objective))
        return way

    def _better(self, first: Tensor, other: Tensor, objective: Objective) -> list[Stationary]:
        """The way from each problem's `first` start, or from its `other` where that ends really higher."""
        if torch.equal(first, other):
            return list(self.iterate(first, objective))
        steps = list(self.iterate(torch.stack([first, other]), objective))
        ends = reward(steps[-1].rho, objective)
        higher = ends[1] > ends[0] + _TIE * ends[0].abs()
        way = [
            Stationary(
                torch.where(higher[..., None], found.pattern[1], found.pattern[0]),
                torch.where(higher[..., None], found.rho[1], found.rho[0]),
                torch.where(higher, found.bound[1], found.bound[0]),
            )
            for found in steps
        ]
        while len(way) > 1 and torch.equal(way[-1].pattern, way[-2].pattern):
            way.pop()
        return way

    def _ascend(self, rho: Tensor, objective: Objective) -> Tensor:
        """Correlations after 50 steps of u <- normalise(grad R(u) / 2 + c u), |u| = 1, rho = F u.

        R + c |u|^2 is convex for c at least the top eigenvalue of M, so that no step lowers R (Journee, Nesterov,
        Richtarik and Sepulchre, "Generalized power method for sparse principal component analysis", 2010).
        """
        spectrum = self.factor.square().sum(-2)
        u = (rho[..., None, :] @ self.factor)[..., 0, :] / spectrum.clamp(min=torch.finfo(rho.dtype).tiny)
        for _ in range(50):
            slope = rho if objective == "energy" else rho.abs()
            u = (slope[..., None, :] @ self.factor)[..., 0, :] + spectrum[..., -1:] * u
            u = u / u.norm(dim=-1, keepdim=True)
            rho = (self.factor @ u[..., None])[..., 0]
        return rho

    def _scout(self, starts: Tensor, objective: Objective) -> Iterator[Stationary]:
        """`iterate` at low rank: good enough to tell which start gets highest, and several times faster."""
        spectrum = self.factor.square().sum(-2)
        rank = int((spectrum > _SCOUT * spectrum[..., -1:]).sum(-1).max())
        return _iterate(self.factor[..., -rank:], starts, objective, _SCOUT_STEPS)


def _iterate(factor: Tensor, rho: Tensor, objective: Objective, most: int) -> Iterator[Stationary]:
    """The iteration of `Gram.iterate`; in numpy, whose calls on so small arrays cost a third of torch's.

    Yields:
        the state of all starts after each pattern.
    """
    factors = factor.reshape(-1, *factor.shape[-2:]).numpy()
    at = rho.reshape(-1, rho.shape[-1]).numpy().copy()
    patterns, bounds = np.ones_like(at), np.zeros(len(at))
    problem, rows = np.arange(len(at)) % len(factors), np.arange(len(at))
    for _ in range(most):
        pattern = _signs(at[rows], objective)
        patterns[rows] = pattern
        at[rows], bounds[rows] = _best_once(factors, problem[rows], pattern)
        yield Stationary(
            torch.from_numpy(patterns.copy()).reshape(rho.shape),
            torch.from_numpy(at.copy()).reshape(rho.shape),
            torch.from_numpy(bounds.copy()).reshape(rho.shape[:-1]),
        )
        rows = rows[(_signs(at[rows], objective) != pattern).any(-1)]
        if not len(rows):
            return


def _signs(rho: _Array, objective: Objective) -> _Array:
    return np.where(rho < 0, -1.0, 1.0) if objective == "signed" else np.ones_like(rho)


def _best(factor: _Array, pattern: _Array) -> tuple[_Array, _Array]:
    """rho = F q, oriented so that R(f) >= R(-f), and its eigenvalue, q the top eigenvector of F' S F."""
    quadratic = (factor.swapaxes(-1, -2) * pattern[..., None, :]) @ factor
    # torch's eigh takes a batch of small matrices in two thirds of numpy's time
    values, vectors = torch.linalg.eigh(torch.from_numpy(quadratic))
    rho = (factor @ vectors.numpy()[..., -1:])[..., 0]
    turned = (rho * np.abs(rho)).sum(-1, keepdims=True) < 0
    return np.where(turned, -rho, rho), values.numpy()[..., -1]


def _best_once(factors: _Array, problem: NDArray[np.int64], pattern: _Array) -> tuple[_Array, _Array]:
    """Best f of each row's problem and pattern; different starts soon meet in the same pattern, solved once."""
    keys = [(p, s.tobytes()) for p, s in zip(problem.tolist(), pattern, strict=True)]
    once = {key: row for row, key in reversed(list(enumerate(keys)))}
    rows = list(once.values())
    rho, bound = _best(factors[problem[rows]], pattern[rows])
    place = {key: i for i, key in enumerate(once)}
    where = [place[key] for key in keys]
    return rho[where], bound[where]
