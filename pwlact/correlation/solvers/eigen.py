"""The exact optimum: sign pattern -> top generalised eigenvector -> sign pattern, until nothing changes.

For fixed signs s_k = sign(rho_k) the reward is a Rayleigh quotient, R = y'A y / y'B y with A = sum_k s_k D_k D_k'
and B = G - mm', so the best f for that pattern is an eigenvector. Because D_k has no component along constants
and G 1 = m, every eigenvector with lambda > 0 is

    y = G^{-1} D' S rho / lambda,    (D G^{-1} D') S rho = lambda rho,    S = diag(s):

a K x K problem and one tridiagonal solve. It is the discretised posterior mean (the function-space optimum
f* = sum_k |rho_k| (p(k|x) - p_k) / sqrt(p_k (1 - p_k)) / lambda, projected on the hats), and it stays accurate for
knots that hardly any input reaches, where cutting small eigenvalues of B would leave noise.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from pwlact.correlation.objective import signs
from pwlact.correlation.patterns import Gram
from pwlact.correlation.problem import Problem, Snapshot, Solution
from pwlact.correlation.statistics import HatStatistics

# A pattern that has not settled by then is in a cycle; the best one seen is returned.
_MAX_PATTERNS = 50
# Relative size of a pivot of G below which the samples do not determine a knot.
_UNDETERMINED = 1e-10


def solve_eigen(problem: Problem) -> Solution:
    """Maximise the objective exactly, starting from the sign pattern of the problem's initial values.

    Batch dimensions of the statistics are independent problems, solved together.

    Args:
        problem: the statistics and the objective.

    Returns:
        The best f met on the way; `steps` counts the patterns tried.
    """
    if problem.degenerate:
        return Solution.degenerate_at_start(problem)
    best = problem.initial.expand(problem.statistics.squares.shape)
    score = problem.score(best)
    history = [] if best.ndim > 1 else [Snapshot.of(problem, best, 0)]
    step = 0
    for step, values in enumerate(_smooth(problem) if problem.smoothness else _exact(problem), 1):
        values = _orient(values, problem)
        new_score = problem.score(values)
        better = new_score > score
        best = torch.where(better[..., None], values, best)
        score = torch.where(better, new_score, score)
        if values.ndim == 1:
            history.append(Snapshot.of(problem, values, step))
    return Solution.of(problem, best, step, history)


def _exact(problem: Problem) -> Iterator[Tensor]:
    """Knot values of each pattern on the way, by the K x K problem with M = D G^{-1} D'."""
    matrix, responses = hat_gram(problem.statistics)
    start = problem.statistics.correlations(problem.initial)
    for found in Gram(matrix).iterate(start, problem.objective):
        yield (responses @ (found.pattern * found.rho)[..., None])[..., 0]


def hat_gram(statistics: HatStatistics) -> tuple[Tensor, Tensor]:
    """What the hats can see of the classes.

    Returns:
        M = D G^{-1} D', shape (*batch, K, K), and G^{-1} D', shape (*batch, N, K), whose product with S rho is the best
        f of the pattern s.
    """
    contrasts = statistics.contrasts()
    responses = torch.cholesky_solve(contrasts.mT, torch.linalg.cholesky(_determined(statistics)))
    return contrasts @ responses, responses


def _smooth(problem: Problem) -> Iterator[Tensor]:
    """Knot values of each pattern on the way, by the N x N pencil (A_s - smoothness L'L, B), L second differences."""
    pencil = _SmoothPencil(problem)
    rho = problem.statistics.correlations(problem.initial)
    for _ in range(_MAX_PATTERNS):
        pattern = signs(rho, problem.objective)
        values = _orient(pencil(pattern), problem)
        yield values
        rho = problem.statistics.correlations(values)
        if bool((signs(rho, problem.objective) == pattern).all()):
            return


class _SmoothPencil:
    """Top eigenvector of (A_s - smoothness L'L, B): of full rank, so N x N."""

    def __init__(self, problem: Problem) -> None:
        statistics = problem.statistics
        self.contrasts = statistics.contrasts()
        factor = torch.linalg.cholesky(_determined(statistics))
        self.inverse = torch.linalg.inv(factor)
        # constants cost nothing and gain nothing: push them below every other direction
        constant = factor.mT.sum(-1, keepdim=True)
        self.constant = constant @ constant.mT
        self.penalty = problem.smoothness * _roughness_matrix(problem.knots.count)

    def __call__(self, pattern: Tensor) -> Tensor:
        gain = self.contrasts.mT @ (pattern[..., None] * self.contrasts) - self.penalty
        pencil = self.inverse @ gain @ self.inverse.mT
        floor = pencil.abs().sum((-2, -1), keepdim=True)
        _, vectors = torch.linalg.eigh(pencil - floor * self.constant)
        return (self.inverse.mT @ vectors[..., -1:])[..., 0]


def _determined(statistics: HatStatistics) -> Tensor:
    """G, with knots that no sample determines tied to their neighbours by the least second difference.

    A pivot of the Cholesky factorisation relative to its diagonal entry says how much a hat differs from
    those before it; closed-form moments keep it near 1 even where the density is 1e-200.
    """
    matrix = statistics.second_moments()
    diagonal = matrix.diagonal(dim1=-2, dim2=-1)
    scale = diagonal.clamp(min=torch.finfo(matrix.dtype).tiny).rsqrt()
    scaled = scale[..., None] * matrix * scale[..., None, :]
    factor, failed = torch.linalg.cholesky_ex(scaled)
    pivots = factor.diagonal(dim1=-2, dim2=-1).square()
    lacking = (failed > 0) | (pivots < _UNDETERMINED).any(-1)
    size = diagonal.amax(-1) * lacking * _UNDETERMINED
    return matrix + size[..., None, None] * _roughness_matrix(matrix.shape[-1])


def _roughness_matrix(count: int) -> Tensor:
    """L'L with L the second differences: y'L'L y is the roughness of y."""
    second = torch.eye(count, dtype=torch.float64).diff(n=2, dim=0)
    return second.mT @ second


def _orient(values: Tensor, problem: Problem) -> Tensor:
    """The better of f and -f; where they are equal (`energy`), the one that rises with x."""
    gain = problem.score(values) - problem.score(-values)
    if problem.objective == "energy":
        t = problem.knots.positions()
        statistics = problem.statistics
        mean_f = (statistics.mean * values).sum(-1)
        mean_t = (statistics.mean * t).sum(-1)
        gain = ((statistics.second_moments() @ values[..., None])[..., 0] * t).sum(-1) - mean_f * mean_t
    return torch.where((gain < 0)[..., None], -values, values)
