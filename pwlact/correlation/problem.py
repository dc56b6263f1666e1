"""What a solver is given and what it returns."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pwlact import checks
from pwlact.correlation.objective import OBJECTIVES, Objective, is_degenerate, reward
from pwlact.correlation.statistics import HatStatistics
from pwlact.pwl import roughness
from pwlact.pwl.knots import Knots
from pwlact.pwl.start import start_values

Sampler = Callable[[int, torch.Generator], tuple[Float[Tensor, " count"], Int[Tensor, " count"]]]


@dataclass(frozen=True)
class Problem:
    """Maximise R(f) - smoothness * sum of squared second differences / Var f over the knot values of f.

    Attributes:
        statistics: exact statistics of the input; batch dimensions hold independent problems.
        knots: the grid of f.
        objective: "signed" or "energy".
        smoothness: weight of the roughness penalty, 0 or above; scale-free because f is normalised by Var f.
        start: first knot values, shape (N,); ReLU unless given.

    Raises:
        InputError: unknown objective or negative smoothness.
    """

    statistics: HatStatistics
    knots: Knots
    objective: Objective = "signed"
    smoothness: float = 0.0
    start: Float[Tensor, " knots"] | None = None

    def __post_init__(self) -> None:
        checks.choice("objective", self.objective, OBJECTIVES)
        checks.not_negative("smoothness", self.smoothness)

    @property
    def initial(self) -> Float[Tensor, " knots"]:
        """The values that every solver starts from."""
        return start_values("relu", self.knots.positions()) if self.start is None else self.start

    def double(self) -> "Problem":
        """The same problem in float64."""
        start = None if self.start is None else self.start.double()
        return replace(self, statistics=self.statistics.double(), start=start)

    @property
    def degenerate(self) -> bool:
        """Whether every f has the same reward, so that there is nothing to solve."""
        return is_degenerate(self.statistics.counts.shape[-1], self.objective)

    def score(self, values: Float[Tensor, "*functions knots"]) -> Float[Tensor, "*result"]:
        """What the solvers maximise: reward less penalty; differentiable in `values`, (N,) or (*batch, N)."""
        score = reward(self.statistics.correlations(values), self.objective)
        if self.smoothness:
            score = score - self.smoothness * roughness(values) / self.statistics.variance(values)
        return score

    def standard_form(self, values: Float[Tensor, "*batch knots"]) -> Float[Tensor, "*batch knots"]:
        """The same f with its left knot at 0 and Var f = 1 (the objective sees neither shift nor scale)."""
        deviation = self.statistics.variance(values).sqrt()
        return (values - values[..., :1]) / deviation[..., None]


@dataclass(frozen=True)
class Snapshot:
    """Where a solver was on its way.

    Attributes:
        step: gradient steps done, or sign patterns tried.
        score: reward less penalty.
        values: knot values in standard form, shape (N,).
    """

    step: int
    score: float
    values: Float[Tensor, " knots"]

    @classmethod
    def film(cls, problem: Problem, values: Tensor, steps: Iterable[int]) -> "list[Snapshot]":
        """The states with the given knot values, shape (states, N), of any scale, after so many steps."""
        values = values.detach()
        scores, shapes = problem.score(values).tolist(), problem.standard_form(values)
        return [cls(*state) for state in zip(steps, scores, shapes, strict=True)]


@dataclass(frozen=True)
class Solution:
    """Result of a solver.

    Attributes:
        values: knot values y with y_0 = 0 and Var f = 1, shape (*batch, N); for a degenerate problem the
            initial values, untouched.
        rho: class correlations, shape (*batch, K).
        reward: R without penalty, shape (*batch).
        steps: gradient steps done, or sign patterns tried by the exact solver.
        degenerate: whether every f has the same reward.
        problem: what was solved.
        path: knot values on the way, of any scale, by the step they belong to; empty for a batch of problems.
    """

    values: Float[Tensor, "*batch knots"]
    rho: Float[Tensor, "*batch classes"]
    reward: Float[Tensor, "*batch"]
    steps: int
    degenerate: bool = False
    problem: Problem | None = field(default=None, repr=False, compare=False)
    path: Mapping[int, Tensor] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def history(self) -> list[Snapshot]:
        """Snapshots on the way, start and end included; empty for a batch of problems."""
        if self.problem is None or not self.path:
            return []
        return Snapshot.film(self.problem, torch.stack(list(self.path.values())), self.path)

    @classmethod
    def of(cls, problem: Problem, values: Tensor, steps: int, path: Mapping[int, Tensor] | None = None) -> "Solution":
        """Bring `values` to standard form and evaluate them on the problem's exact statistics."""
        values = problem.standard_form(values)
        rho = problem.statistics.correlations(values)
        return cls(values, rho, reward(rho, problem.objective), steps, problem=problem, path=path or {})

    @classmethod
    def degenerate_at_start(cls, problem: Problem) -> "Solution":
        """The answer where every f has the same reward, 0: the initial values, untouched."""
        values = problem.initial.expand(problem.statistics.squares.shape)
        rho = problem.statistics.correlations(values)
        # summed up, the two terms leave 1e-16 on some processors; what is not a number stays
        zero = 0.0 * reward(rho, problem.objective).abs()
        return cls(values, rho, zero, 0, degenerate=True)
