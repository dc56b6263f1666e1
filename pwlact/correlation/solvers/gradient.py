"""Adam on the knot values: by the closed form (`analytic`) or by fresh samples a step (`sample`)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch

from pwlact import checks
from pwlact.correlation.problem import Problem, Sampler, Solution
from pwlact.correlation.statistics import HatStatistics

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class GradientOptions:
    """Settings of the gradient solvers, the seed paper's unless given.

    Attributes:
        steps: number of Adam steps.
        lr: rate of the first step; it falls to zero along a half cosine, which averages the noise away.
        samples: samples a step, for `sample` only.
        seed: seed of the sample stream.

    Raises:
        InputError: a number that is not positive.
    """

    steps: int = 500
    lr: float = 1e-2
    samples: int = 10_000
    seed: int = 0

    def __post_init__(self) -> None:
        checks.at_least("steps", self.steps, 1)
        checks.positive("lr", self.lr)
        checks.at_least("samples", self.samples, 2)


def solve_analytic(
    problem: Problem, options: GradientOptions | None = None, progress: Progress | None = None
) -> Solution:
    """Adam on the exact statistics (closed-form Gaussian integrals for a mixture)."""
    options = options or GradientOptions()
    return _adam(problem, iter(lambda: problem, None), options, progress)


def solve_sample(
    problem: Problem,
    sampler: Sampler,
    options: GradientOptions | None = None,
    progress: Progress | None = None,
) -> Solution:
    """Adam on a fresh batch of samples a step; the result is evaluated on the exact statistics."""
    options = options or GradientOptions()
    return _adam(problem, _sampled_problems(problem, sampler, options), options, progress)


def _sampled_problems(problem: Problem, sampler: Sampler, options: GradientOptions) -> Iterator[Problem]:
    generator = torch.Generator().manual_seed(options.seed)
    classes = problem.statistics.counts.shape[-1]
    while True:
        x, labels = sampler(options.samples, generator)
        yield replace(problem, statistics=HatStatistics.from_samples(x, labels, classes, problem.knots))


def _adam(
    problem: Problem, problems: Iterator[Problem], options: GradientOptions, progress: Progress | None
) -> Solution:
    if problem.statistics.squares.ndim > 1:
        raise checks.InputError("the gradient solvers take one problem at a time; solve_eigen takes batches")
    if problem.degenerate:
        return Solution.degenerate_at_start(problem)
    values = problem.initial.clone().requires_grad_()
    optimiser = torch.optim.Adam([values], lr=options.lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, options.steps)
    kept = _steps_to_keep(options.steps)
    path = {0: values.detach().clone()}
    for step in range(1, options.steps + 1):
        optimiser.zero_grad()
        (-next(problems).score(values)).backward()
        optimiser.step()
        schedule.step()
        if step in kept:
            path[step] = values.detach().clone()
        if progress is not None:
            progress(step, options.steps)
    return Solution.of(problem, values.detach(), options.steps, path)


def _steps_to_keep(steps: int) -> set[int]:
    """1, 2, 5, 10, 20, 50, ... and the last step: shapes change fast at first."""
    scale = [base * 10**power for power in range(9) for base in (1, 2, 5)]
    return {step for step in scale if step < steps} | {steps}
