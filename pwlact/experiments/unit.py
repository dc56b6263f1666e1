"""One unit, one activation: derive the piecewise-linear f that the correlation objective asks for.

pwlact unit --classes 20 --sigma 1.0        beta 2.50, x0 0.27, R^2 0.9946, R 0.12368; 5 ms + start
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pwlact import checks
from pwlact.correlation import (
    OBJECTIVES,
    GradientOptions,
    HatStatistics,
    Objective,
    Problem,
    Sampler,
    Solution,
    hat_gram,
    solve_analytic,
    solve_eigen,
    solve_sample,
)
from pwlact.environment import environment
from pwlact.moments import GaussianMixture
from pwlact.pwl import Knots
from pwlact.swish import fit_swish
from pwlact.theory import ClassDensities, certify, solve_posterior

SOLVERS = ("eigen", "analytic", "sample", "posterior")
EXACT = ("eigen", "posterior")
# relative difference of rewards below which two optima are the same
_TOLERANCE = 1e-9

Progress = Callable[[int, int], None]
DEGENERATE = (
    "two classes under the signed objective: rho_1 = -rho_2 for every f, so R is 0 for every f and there is "
    "nothing to learn; the initial ReLU is returned untouched. The objective `energy` has an optimum here, "
    "the class posterior (a sigmoid)"
)


@dataclass(frozen=True)
class UnitConfig:
    """Settings of the experiment.

    Attributes:
        classes: number K of evenly spaced, equally likely classes, at least 2.
        sigma: standard deviation of the noise; in units of the class means' own standard deviation, or in the
            units of `means` where `raw`.
        solver: "eigen" (exact on the knots), "analytic" (Adam on the closed form), "sample" (Adam on fresh samples)
            or "posterior" (the best of all functions, shown at the knots).
        objective: "signed" or "energy".
        knots: number of knots.
        low: position of the first knot, in units of the standardised input (of x itself where `raw`).
        high: position of the last knot.
        raw: leave x as it is; otherwise it is standardised, as a batch norm does.
        means: lowest and highest class mean, with `raw` only; (-3, 3) unless given.
        steps: Adam steps.
        lr: Adam rate.
        samples: samples a step, for `sample`.
        smoothness: weight of the sum of squared second differences over Var f.
        certify: prove by enumeration that the optimum is global, or find the better one.
        seed: of the samples.

    Raises:
        InputError: a value outside its range, `means` without `raw`, or a penalty where none is possible.
    """

    classes: int = 20
    sigma: float = 1.0
    solver: str = "eigen"
    objective: Objective = "signed"
    knots: int = 33
    low: float = -3.0
    high: float = 3.0
    raw: bool = False
    means: tuple[float, float] | None = None
    steps: int = 500
    lr: float = 1e-2
    samples: int = 10_000
    smoothness: float = 0.0
    certify: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        checks.choice("solver", self.solver, SOLVERS)
        if self.means is not None and not self.raw:
            raise checks.InputError("means places the classes in raw coordinates: give --raw with --means")
        checks.choice("objective", self.objective, OBJECTIVES)
        checks.not_negative("smoothness", self.smoothness)
        if self.smoothness and (self.certify or self.solver == "posterior"):
            what = "certify" if self.certify else "solver posterior"
            raise checks.InputError(f"{what} knows no roughness penalty: leave smoothness at 0, got {self.smoothness}")
        # what these refuse should be refused before anything is computed or written
        _ = self.grid, self.options, self.mixture()

    @property
    def grid(self) -> Knots:
        """The knots."""
        return Knots(self.knots, self.low, self.high)

    @property
    def options(self) -> GradientOptions:
        """Settings of the gradient solvers."""
        return GradientOptions(self.steps, self.lr, self.samples, self.seed)

    def mixture(self) -> GaussianMixture:
        """The class densities in the units of the knots."""
        if not self.raw:
            return GaussianMixture.standardised(self.classes, self.sigma)
        return GaussianMixture.even(self.classes, self.sigma, *(self.means or (-3.0, 3.0)))


@dataclass(frozen=True)
class _Input:
    """What the experiment is run on, in the units of the knots."""

    statistics: HatStatistics
    sampler: Sampler
    densities: Callable[[], ClassDensities]
    means: list[float]
    sigmas: list[float]
    record: dict[str, Any]


def run(config: UnitConfig, progress: Progress | None = None) -> dict[str, Any]:
    """Derive the activation for evenly spaced Gaussian classes.

    Args:
        config: the settings.
        progress: called with (steps done, steps in all) by the gradient solvers.

    Returns:
        JSON-able record: classes, sigma, solver, objective, reward, rho (K,), means (K,), knots (N,) and values
        (N,) in the units of the (standardised) input, swish, degenerate, certified (None: not asked for), steps,
        seconds; and certificate, noise (K,), note, history, config, environment.

    Raises:
        InputError: a setting outside its range.
    """
    return _run(config, _mixture_input(config), progress)


def time_solver(config: UnitConfig, repeats: int) -> list[float]:
    """Seconds of `repeats` solutions in a row, each of a problem made anew (which is not timed)."""
    seconds = []
    for _ in range(repeats):
        given = _mixture_input(config)
        problem = _problem(config, given)
        start = perf_counter()
        _solve(config, problem, given, None)
        seconds.append(perf_counter() - start)
    return seconds


def _mixture_input(config: UnitConfig) -> _Input:
    mixture = config.mixture()
    return _Input(
        HatStatistics.from_mixture(mixture, config.grid),
        mixture.sample,
        lambda: ClassDensities.from_mixture(mixture),
        mixture.means.tolist(),
        mixture.sigmas.tolist(),
        {"classes": config.classes, "sigma": config.sigma},
    )


def run_on_samples(
    config: UnitConfig,
    x: Float[Tensor, " samples"],
    labels: Int[Tensor, " samples"],
    class_names: tuple[str, ...],
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Derive the activation for a user's own samples of a scalar input, float64, with labels 0..K-1.

    Unless `config.raw`, x is standardised to mean 0 and variance 1. `classes` and `sigma` of the config are not
    used: the record holds the number of classes found, and as sigma the standard deviation within classes over
    that of the class means, which is what `sigma` means in the default experiment.

    Returns:
        the record of `run`, with class_names and n (samples).

    Raises:
        InputError: x is constant, or fewer than two classes.
    """
    classes = checks.at_least("classes", len(class_names), 2, "a correlation with the label needs two classes")
    deviation = x.std(correction=0)
    if not bool(deviation > 0):
        raise checks.InputError(f"x is constant ({x[0].item():g}): there is nothing to derive from it")
    if not config.raw:
        x = (x - x.mean()) / deviation
    means = torch.stack([x[labels == k].mean() for k in range(classes)])
    variances = torch.stack([x[labels == k].var(correction=0) for k in range(classes)])
    priors = labels.bincount(minlength=classes) / len(labels)
    between = (priors * (means - x.mean()).square()).sum()
    sigma = ((priors * variances).sum() / between).sqrt().item()

    def draw(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        chosen = torch.randint(len(x), (count,), generator=generator)
        return x[chosen], labels[chosen]

    given = _Input(
        HatStatistics.from_samples(x, labels, classes, config.grid),
        draw,
        lambda: ClassDensities.from_samples(x.numpy(), labels.numpy()),
        means.tolist(),
        variances.sqrt().tolist(),
        {"classes": classes, "sigma": sigma, "class_names": list(class_names), "n": len(x)},
    )
    return _run(config, given, progress)


def _run(config: UnitConfig, given: _Input, progress: Progress | None) -> dict[str, Any]:
    problem = _problem(config, given)
    start = perf_counter()
    solution, gram = _solve(config, problem, given, progress)
    seconds = perf_counter() - start
    certificate = None
    if config.certify:
        solution, certificate = _certify(problem, solution, gram, config.solver, progress)
    positions = config.grid.positions()
    return {
        **given.record,
        "solver": config.solver,
        "objective": config.objective,
        "reward": solution.reward.item(),
        "rho": solution.rho.tolist(),
        "means": given.means,
        "noise": given.sigmas,
        "knots": positions.tolist(),
        "values": solution.values.tolist(),
        "swish": fit_swish(positions, solution.values).to_dict(),
        "degenerate": solution.degenerate,
        "certified": None if certificate is None else certificate["certified"],
        "certificate": certificate,
        "note": DEGENERATE if solution.degenerate else "",
        "steps": solution.steps,
        "seconds": seconds,
        "history": [
            {"step": snapshot.step, "score": snapshot.score, "values": snapshot.values.tolist()}
            for snapshot in solution.history
        ],
        "config": asdict(config),
        "environment": environment(),
    }


def _problem(config: UnitConfig, given: _Input) -> Problem:
    return Problem(given.statistics, config.grid, config.objective, config.smoothness)


def _solve(
    config: UnitConfig, problem: Problem, given: _Input, progress: Progress | None
) -> tuple[Solution, Tensor | None]:
    """The solution, and the Gram matrix of the function space it is the optimum of, where that is not the hats'."""
    if problem.degenerate:
        return Solution.degenerate_at_start(problem), None
    if config.solver == "eigen":
        return solve_eigen(problem), None
    if config.solver == "analytic":
        return solve_analytic(problem, config.options, progress), None
    if config.solver == "sample":
        return solve_sample(problem, given.sampler, config.options, progress), None
    return _solve_posterior(problem, given.densities())


def _solve_posterior(problem: Problem, densities: ClassDensities) -> tuple[Solution, Tensor]:
    optimum = solve_posterior(densities, problem.objective)
    values = torch.from_numpy(optimum(problem.knots.positions().numpy()))
    rho, reward = torch.from_numpy(optimum.rho), torch.tensor(optimum.reward, dtype=torch.float64)
    return Solution(values - values[0], rho, reward, 1), torch.from_numpy(optimum.gram)


def _certify(
    problem: Problem, solution: Solution, gram: Tensor | None, solver: str, progress: Progress | None
) -> tuple[Solution, dict[str, Any]]:
    """The certificate, and the better solution where the enumeration found one for the exact solver."""
    start = perf_counter()
    if problem.degenerate or problem.objective == "energy":
        # nothing to enumerate: every f has R = 0, or R is one Rayleigh quotient with one top
        top, patterns, consistent = solution.reward.item(), 1, 1
        if solver not in EXACT and not problem.degenerate:
            top = solve_eigen(problem).reward.item()
    else:
        matrix, responses = hat_gram(problem.statistics) if gram is None else (gram, None)
        found = certify(matrix, progress)
        top, patterns, consistent = found.reward, found.patterns, found.consistent
        if solver == "eigen" and responses is not None and top > solution.reward.item() * (1 + _TOLERANCE):
            values = responses @ (found.pattern * found.rho)
            solution = Solution.of(problem, values, solution.steps, solution.path)
    reward = solution.reward.item()
    return solution, {
        "certified": reward >= top * (1 - _TOLERANCE),
        "global_reward": top,
        "gap": top - reward,
        "patterns": patterns,
        "local_optima": consistent,
        "seconds": perf_counter() - start,
    }
