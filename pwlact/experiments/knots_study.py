"""How many knots does it take? The reward of N knots over that of the best function of all.

K = 20, raw means on [-3, 3], sigma = 1: R(f*) = 0.282240; 33 knots reach 0.281975, a ratio of 0.99906.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any

from pwlact import checks
from pwlact.correlation import OBJECTIVES, HatStatistics, Objective, Problem, is_degenerate, solve_eigen
from pwlact.environment import environment
from pwlact.moments import GaussianMixture
from pwlact.pwl import Knots
from pwlact.theory import ClassDensities, solve_posterior

COUNTS = (5, 9, 17, 33, 65, 129)


@dataclass(frozen=True)
class KnotsConfig:
    """Settings of the experiment.

    Attributes:
        classes: number K of evenly spaced, equally likely classes.
        sigma: standard deviation of the noise, in units of the means (of their deviation unless `raw`).
        objective: "signed" or "energy".
        counts: numbers of knots to try, each at least 2.
        low: position of the first knot.
        high: position of the last knot.
        raw: class means evenly spaced from `means[0]` to `means[1]`; otherwise the input is standardised.
        means: lowest and highest class mean, where `raw`.

    Raises:
        InputError: a value outside its range, or two classes under `signed`, where every reward is 0.
    """

    classes: int = 20
    sigma: float = 1.0
    objective: Objective = "signed"
    counts: tuple[int, ...] = COUNTS
    low: float = -3.0
    high: float = 3.0
    raw: bool = True
    means: tuple[float, float] = (-3.0, 3.0)

    def __post_init__(self) -> None:
        checks.choice("objective", self.objective, OBJECTIVES)
        checks.at_least("counts", len(self.counts), 1)
        if is_degenerate(self.classes, self.objective):
            raise checks.InputError("two classes under the signed objective have reward 0 for every f: use energy")
        # what these refuse should be refused before anything is computed
        _ = self.mixture(), [self.grid(count) for count in self.counts]

    def grid(self, count: int) -> Knots:
        """`count` knots on the interval."""
        return Knots(count, self.low, self.high)

    def mixture(self) -> GaussianMixture:
        """The class densities in the units of the knots."""
        if not self.raw:
            return GaussianMixture.standardised(self.classes, self.sigma)
        return GaussianMixture.even(self.classes, self.sigma, *self.means)


def run(config: KnotsConfig, progress: Callable[[int, int], None] | None = None) -> dict[str, Any]:
    """Solve for each number of knots, and among all functions.

    Args:
        config: the settings.
        progress: called with (grids done, grids in all).

    Returns:
        JSON-able record: optimum, the reward R(f*) of the best of all square-integrable functions; rows of knots,
        spacing, reward and ratio = reward / optimum; seconds, config, environment.
    """
    start = perf_counter()
    mixture = config.mixture()
    optimum = solve_posterior(ClassDensities.from_mixture(mixture), config.objective).reward
    rows = []
    for done, count in enumerate(config.counts, 1):
        knots = config.grid(count)
        problem = Problem(HatStatistics.from_mixture(mixture, knots), knots, config.objective)
        reward = solve_eigen(problem).reward.item()
        rows.append({"knots": count, "spacing": knots.spacing, "reward": reward, "ratio": reward / optimum})
        if progress is not None:
            progress(done, len(config.counts))
    return {
        "optimum": optimum,
        "rows": rows,
        "seconds": perf_counter() - start,
        "config": asdict(config),
        "environment": environment(),
    }
