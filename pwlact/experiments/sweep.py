"""Every pair of (number of classes, noise) at once: the activation, its Swish and its reward over the whole map.

pwlact sweep --classes 2:20 --sigma 0.1:10:50        950 problems, Swish fits included: about 1 s
"""

import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from pwlact import checks
from pwlact.correlation import (
    OBJECTIVES,
    HatStatistics,
    Objective,
    Problem,
    Solution,
    hat_gram,
    is_degenerate,
    signs,
    solve_eigen,
)
from pwlact.correlation.patterns import Gram
from pwlact.environment import environment
from pwlact.moments import GaussianMixture
from pwlact.pwl import Knots
from pwlact.swish import fit_swish_batched

Progress = Callable[[int, int], None]
FITTED = ("beta", "x0", "scale", "offset", "r2")

_RANGE = re.compile(r"\s*(-?\d+)\s*:\s*(-?\d+)\s*")
# beyond, a typing error (3:2000 for 3:20) would fill the memory before it is noticed
_MOST_PROBLEMS = 100_000


@dataclass(frozen=True)
class SweepConfig:
    """Settings of the experiment.

    Attributes:
        classes: numbers K of evenly spaced, equally likely classes, each at least 2.
        sigmas: standard deviations of the noise, in units of the class means' own standard deviation.
        objective: "signed" or "energy".
        knots: number of knots, at least 5 (a Swish has four parameters).
        low: position of the first knot, in units of the standardised input.
        high: position of the last knot.
        smoothness: weight of the sum of squared second differences over Var f.

    Raises:
        InputError: a value outside its range, no pair at all, or too many.
    """

    classes: tuple[int, ...]
    sigmas: tuple[float, ...]
    objective: Objective = "signed"
    knots: int = 33
    low: float = -3.0
    high: float = 3.0
    smoothness: float = 0.0

    def __post_init__(self) -> None:
        for count in self.classes:
            checks.at_least("classes", count, 2, "a correlation with the label needs two classes")
        for sigma in self.sigmas:
            checks.positive("sigma", sigma)
        pairs = len(self.classes) * len(self.sigmas)
        if not 0 < pairs <= _MOST_PROBLEMS:
            raise checks.InputError(f"classes times sigmas must make 1 to {_MOST_PROBLEMS:,} pairs, got {pairs:,}")
        checks.choice("objective", self.objective, OBJECTIVES)
        checks.not_negative("smoothness", self.smoothness)
        checks.at_least("knots", self.knots, 5, "a Swish has four parameters")
        # what the knots refuse should be refused before anything is computed or written
        _ = self.grid

    @property
    def grid(self) -> Knots:
        """The knots."""
        return Knots(self.knots, self.low, self.high)


def standardised_mixtures(classes: int, sigmas: Float[Tensor, " problems"]) -> GaussianMixture:
    """`GaussianMixture.standardised` for one number of classes and many sigmas: a batch of shape (S, K).

    Args:
        classes: number K of classes, at least 2.
        sigmas: noise, in standard deviations of the class means, shape (S,), float64.
    """
    edge = math.sqrt(3 * (classes - 1) / (classes + 1))
    scale = torch.hypot(torch.ones_like(sigmas), sigmas)[:, None]
    means = torch.linspace(-edge, edge, classes, dtype=torch.float64) / scale
    noise = (sigmas[:, None] / scale).expand_as(means)
    return GaussianMixture(means, noise, torch.full_like(means, 1 / classes))


def run(config: SweepConfig, progress: Progress | None = None) -> dict[str, Any]:
    """Solve every pair of `classes` and `sigmas` exactly, and fit a Swish to each optimum.

    Args:
        config: the settings.
        progress: called with (problems solved, problems in all).

    Returns:
        JSON-able record: rows, one a pair, in the order of `classes` and then `sigmas`, of classes, sigma, reward,
        beta, x0, scale, offset, r2 (null where degenerate), at_bound (names of the parameters on a bound of the
        search), identifiable (whether beta means anything) and degenerate; seconds, config, environment.
    """
    with _one_thread():
        start = perf_counter()
        rows = _rows(config, progress)
        seconds = perf_counter() - start
        return {"rows": rows, "seconds": seconds, "config": asdict(config), "environment": environment()}


@contextmanager
def _one_thread() -> Iterator[None]:
    """In batches of small matrices, threads spend their time waiting for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _rows(config: SweepConfig, progress: Progress | None) -> list[dict[str, Any]]:
    sigmas = torch.tensor(config.sigmas, dtype=torch.float64)
    total = len(config.classes) * len(config.sigmas)
    rewards, curves = [], []
    for done, classes in enumerate(config.classes, 1):
        reward, values = _solve(config, classes, sigmas)
        rewards += reward.tolist()
        curves.append(values)
        if progress is not None:
            progress(done * len(config.sigmas), total)
    pairs = [(classes, sigma) for classes in config.classes for sigma in config.sigmas]
    fits = _fits(config, torch.cat(curves))
    return [_row(config, pair, reward, fit) for pair, reward, fit in zip(pairs, rewards, fits, strict=True)]


def _solve(config: SweepConfig, classes: int, sigmas: Tensor, *, thorough: bool = False) -> tuple[Tensor, Tensor]:
    """Rewards (S,) and knot values (S, N) of one number of classes; the untouched start where degenerate.

    For evenly spaced classes the ReLU's sign pattern leads to the best optimum that all starts together find, at a
    fraction of the time; where it leads to none (a cycle), all starts are tried.
    """
    statistics = HatStatistics.from_mixture(standardised_mixtures(classes, sigmas), config.grid)
    problem = Problem(statistics, config.grid, config.objective, config.smoothness)
    solution = solve_eigen(problem, thorough=thorough or config.smoothness > 0)
    reward, values = solution.reward.expand(len(sigmas)), solution.values.expand(len(sigmas), config.knots)
    if problem.degenerate or thorough or config.smoothness:
        return reward, values
    lost = ~_is_optimum(problem, solution)
    if bool(lost.any()):
        reward[lost], values[lost] = _solve(config, classes, sigmas[lost], thorough=True)
    return reward, values


def _is_optimum(problem: Problem, solution: Solution) -> Tensor:
    """Whether each solution has the highest reward of all f with its own sign pattern."""
    matrix, _ = hat_gram(problem.statistics)
    found = Gram(matrix).best(signs(solution.rho, problem.objective))
    return torch.isclose(found.bound, solution.reward, rtol=1e-9, atol=0.0)


def _fits(config: SweepConfig, curves: Tensor) -> list[dict[str, Any]]:
    fit = fit_swish_batched(config.grid.positions().numpy(), curves.numpy())
    numbers = zip(*(getattr(fit, name).tolist() for name in FITTED), strict=True)
    flags = zip(fit.beta_at_bound.tolist(), fit.x0_at_bound.tolist(), fit.identifiable.tolist(), strict=True)
    return [
        {
            **dict(zip(FITTED, values, strict=True)),
            "at_bound": [name for name, bound in (("beta", beta), ("x0", x0)) if bound],
            "identifiable": identifiable,
        }
        for values, (beta, x0, identifiable) in zip(numbers, flags, strict=True)
    ]


def _row(config: SweepConfig, pair: tuple[int, float], reward: float, fit: dict[str, Any]) -> dict[str, Any]:
    classes, sigma = pair
    degenerate = is_degenerate(classes, config.objective)
    if degenerate:
        # every f has this reward: the start that came back, and its Swish, mean nothing
        reward, fit = 0.0, {**dict.fromkeys(FITTED), "at_bound": [], "identifiable": False}
    return {"classes": classes, "sigma": sigma, "reward": reward, **fit, "degenerate": degenerate}


def parse_classes(text: str) -> tuple[int, ...]:
    """Numbers of classes from "2,8,20", a range "3:20" that includes both ends, or a list of both.

    Raises:
        InputError: no such text, a number below 2, or a range that does not rise.
    """
    counts: list[int] = []
    for part in text.split(","):
        ends = _RANGE.fullmatch(part)
        low, high = (int(end) for end in ends.groups()) if ends else (_whole(part, text),) * 2
        checks.at_least("classes", low, 2, "a correlation with the label needs two classes")
        if high < low or (ends and high == low):
            raise checks.InputError(f"--classes: a range must rise, as in 3:20; got {part.strip()!r}")
        # one more than allowed is enough to be refused
        counts += range(low, min(high, low + _MOST_PROBLEMS) + 1)
    return tuple(dict.fromkeys(counts))


def parse_sigmas(text: str) -> tuple[float, ...]:
    """Noise levels from "0.5,1,2", or from LOW:HIGH:COUNT, which are COUNT levels in geometric progression.

    Raises:
        InputError: no such text, a level not above 0, LOW not below HIGH, or COUNT below 2.
    """
    if ":" not in text:
        levels = tuple(checks.positive("sigma", _number(part, text)) for part in text.split(","))
        return tuple(dict.fromkeys(levels))
    parts = text.split(":")
    if len(parts) != 3:
        raise checks.InputError(f"--sigma: a range is LOW:HIGH:COUNT, as in 0.3:10:50; got {text!r}")
    low, high = (checks.positive("sigma", _number(part, text)) for part in parts[:2])
    checks.interval(low, high, ("lowest sigma", "highest sigma"))
    try:
        count = int(parts[2])
    except ValueError:
        raise checks.InputError(f"--sigma: the count in LOW:HIGH:COUNT must be a whole number; got {text!r}") from None
    checks.at_least("count of sigmas", count, 2, "a range has two ends")
    if count > _MOST_PROBLEMS:
        raise checks.InputError(f"count of sigmas must be at most {_MOST_PROBLEMS:,}, got {count:,}")
    ratio = (high / low) ** (1 / (count - 1))
    return (*(low * ratio**i for i in range(count - 1)), high)


def _whole(part: str, text: str) -> int:
    try:
        return int(part)
    except ValueError:
        raise checks.InputError(
            f"--classes must be whole numbers or ranges, as in 2,8,20 or 3:20; got {text!r}"
        ) from None


def _number(part: str, text: str) -> float:
    try:
        return float(part)
    except ValueError:
        raise checks.InputError(f"--sigma must be numbers, or LOW:HIGH:COUNT; got {text!r}") from None
