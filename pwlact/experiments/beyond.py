"""Beyond equal Gaussian classes: is the optimum still Swish-like?

pwlact theory beyond       20 classes, sigma 1, ten draws a family: R^2 of the Swish fit with spread
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from pwlact import checks
from pwlact.environment import environment
from pwlact.pwl import Knots
from pwlact.swish import fit_swish
from pwlact.theory.densities import ClassDensities, Density
from pwlact.theory.optimum import solve_posterior

Array = NDArray[np.float64]
Draw = Callable[[np.random.Generator, Array, float], tuple[list[Density], Array]]

# half the interval of integration, in sigma beyond the means: a Student t of 3 degrees of freedom has long tails
_REACH = {"heavy tails": 1000.0}


def _equal(means: Array) -> Array:
    return np.full(len(means), 1 / len(means))


def _normal(mean: float, sigma: float) -> Density:
    return lambda x: stats.norm.pdf(x, mean, sigma)


def _student(freedom: float, mean: float, scale: float) -> Density:
    return lambda x: stats.t.pdf(x, freedom, mean, scale)


def _skew_normal(shape: float, mean: float, scale: float) -> Density:
    return lambda x: stats.skewnorm.pdf(x, shape, mean, scale)


def _gaussian(_: np.random.Generator, means: Array, sigma: float) -> tuple[list[Density], Array]:
    return [_normal(mean, sigma) for mean in means], _equal(means)


def _unequal_priors(rng: np.random.Generator, means: Array, sigma: float) -> tuple[list[Density], Array]:
    return [_normal(mean, sigma) for mean in means], rng.dirichlet(np.full(len(means), 3.0))


def _unequal_sigmas(rng: np.random.Generator, means: Array, sigma: float) -> tuple[list[Density], Array]:
    factors = np.exp(rng.normal(0, 0.4, len(means)))
    return [_normal(mean, sigma * factor) for mean, factor in zip(means, factors, strict=True)], _equal(means)


def _random_means(rng: np.random.Generator, means: Array, sigma: float) -> tuple[list[Density], Array]:
    drawn = np.sort(rng.normal(0, 1, len(means)))
    drawn = (drawn - drawn.mean()) / drawn.std()
    return [_normal(mean, sigma) for mean in drawn], _equal(means)


def _heavy(rng: np.random.Generator, means: Array, sigma: float) -> tuple[list[Density], Array]:
    freedom = rng.uniform(3, 8, len(means))
    # scaled so that every class has variance sigma^2
    scales = sigma * np.sqrt((freedom - 2) / freedom)
    return [_student(*each) for each in zip(freedom, means, scales, strict=True)], _equal(means)


def _skewed(rng: np.random.Generator, means: Array, sigma: float) -> tuple[list[Density], Array]:
    densities = []
    for mean, shape in zip(means, rng.normal(0, 4, len(means)), strict=True):
        # mean and deviation of the standard skew normal
        tilt = shape / np.hypot(1, shape) * np.sqrt(2 / np.pi)
        spread, centre = np.sqrt(1 - tilt**2), tilt
        densities.append(_skew_normal(shape, mean - sigma * centre / spread, sigma / spread))
    return densities, _equal(means)


def _bimodal(rng: np.random.Generator, means: Array, sigma: float) -> tuple[list[Density], Array]:
    densities = []
    for mean, half in zip(means, rng.uniform(0.5, 0.95, len(means)) * sigma, strict=True):
        width = np.sqrt(sigma**2 - half**2)
        left, right = _normal(mean - half, width), _normal(mean + half, width)
        densities.append(lambda x, left=left, right=right: (left(x) + right(x)) / 2)
    return densities, _equal(means)


FAMILIES: dict[str, Draw] = {
    "equal Gaussians": _gaussian,
    "unequal priors": _unequal_priors,
    "unequal variances": _unequal_sigmas,
    "random means": _random_means,
    "heavy tails": _heavy,
    "skewed": _skewed,
    "bimodal": _bimodal,
}


def run(
    classes: int = 20,
    sigma: float = 1.0,
    draws: int = 10,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Function-space optimum and Swish fit for families of class densities, all with class variance sigma^2.

    Args:
        classes: number of classes, at least 3; means evenly spaced with variance 1 (but where they are drawn).
        sigma: standard deviation within classes.
        draws: draws of the random parameters in each family (the first family has none and gets one).
        seed: of the draws.
        progress: called with (optima solved, in all).

    Returns:
        JSON-able: rows [{family, n, r2_mean, r2_sd, r2_min, beta_median, reward_mean, draws [{r2, beta, x0,
        reward}]}], the fit unweighted over 33 knots on [-3, 3] in units of the mixture's standard deviation.

    Raises:
        InputError: a number outside its range.
    """
    checks.at_least("classes", classes, 3, "two classes are degenerate")
    checks.positive("sigma", sigma)
    checks.at_least("draws", draws, 1)
    edge = np.sqrt(3 * (classes - 1) / (classes + 1))
    means = np.linspace(-edge, edge, classes)
    counts = {name: 1 if draw is _gaussian else draws for name, draw in FAMILIES.items()}
    rows, done = [], 0
    for name, draw in FAMILIES.items():
        rng = np.random.default_rng([seed, len(rows)])
        found = []
        for _ in range(counts[name]):
            found.append(_solve(*draw(rng, means, sigma), sigma, _REACH.get(name, 8.0)))
            done += 1
            if progress is not None:
                progress(done, sum(counts.values()))
        rows.append(_summary(name, found))
    return {"classes": classes, "sigma": sigma, "seed": seed, "rows": rows, "environment": environment()}


def _solve(densities: list[Density], priors: Array, sigma: float, tails: float) -> dict[str, Any]:
    scale = float(np.hypot(1, sigma))
    reach = 4 * scale + tails * sigma
    breaks = np.linspace(-4 * scale, 4 * scale, 33).tolist()
    optimum = solve_posterior(ClassDensities.from_callables(densities, priors, -reach, reach, breaks))
    t = Knots().positions().numpy()
    fit = fit_swish(t, optimum(t * scale))
    return {"r2": fit.r2, "beta": fit.beta, "x0": fit.x0, "reward": optimum.reward, "at_bound": list(fit.at_bound)}


def _summary(name: str, draws: list[dict[str, Any]]) -> dict[str, Any]:
    r2 = np.array([draw["r2"] for draw in draws])
    return {
        "family": name,
        "n": len(draws),
        "r2_mean": float(r2.mean()),
        "r2_sd": float(r2.std(ddof=1)) if len(r2) > 1 else None,
        "r2_min": float(r2.min()),
        "beta_median": float(np.median([draw["beta"] for draw in draws])),
        "reward_mean": float(np.mean([draw["reward"] for draw in draws])),
        "draws": draws,
    }
