"""Claims of the correlation paper about the objective and its solvers."""

from statistics import median
from time import perf_counter

import numpy as np
import torch

from pwlact.correlation import (
    GradientOptions,
    HatStatistics,
    Problem,
    hat_gram,
    reward,
    solve_analytic,
    solve_eigen,
    solve_sample,
)
from pwlact.moments import GaussianMixture, gaussian_hat_moments
from pwlact.pwl import Knots
from pwlact.theory.certificate import certify
from pwlact.theory.claims.correlation_shape import SHAPE_CLAIMS
from pwlact.theory.claims.drafts import CORRELATION
from pwlact.theory.claims.ledger import Claim, Measurement, above, below, exact, near, weigh
from pwlact.theory.claims.networks import NETWORK_CLAIMS
from pwlact.theory.claims.optima import (
    KNOTS,
    SAMPLES,
    STEPS,
    by_closed_form,
    by_samples,
    optimum,
    share_explained,
)

_UNIT = "pwlact unit --classes 20 --sigma 1.0"
_TRIES = 1000


def _random_values(count: int = _TRIES) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, KNOTS.count, dtype=torch.float64, generator=generator)


def two_class_shape() -> Measurement:
    """R of two classes for random f: an optimum needs some f to be better than another."""
    found = optimum(2)
    rho = found.problem.statistics.correlations(_random_values())
    return weigh(
        above(f"largest |R| of {_TRIES:,} random f", reward(rho).abs().max(), 1e-6),
        note="every f has R = 0, the ReLU is the untouched start; `--objective energy` has an optimum",
    )


def two_class_no_sigmoid() -> Measurement:
    """The optimum of sum rho^2 for two classes against the class posterior, at the knots within the data."""
    found = optimum(2)
    energy = solve_eigen(Problem(found.problem.statistics, KNOTS, "energy")).values
    posterior = found.mixture.posterior(KNOTS.positions())[:, 1].numpy()
    r2 = share_explained(energy.numpy(), posterior)
    return weigh(
        below("R^2 of the class posterior (a sigmoid) against the optimum of sum rho^2, n = 33 knots", r2, 0.99),
        note="the signed objective has no optimum, and the one that has gives the sigmoid",
    )


def zero_sum() -> Measurement:
    """Sum of the correlations over random f, equal priors."""
    rho = optimum().problem.statistics.correlations(_random_values())
    return weigh(exact(f"largest |sum of rho| of {_TRIES:,} random f, equal priors", rho.sum(-1).abs().max()))


def zero_sum_unequal_priors() -> Measurement:
    """The same with priors 0.5, 0.3, 0.2; and the sum that does vanish."""
    p = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
    mixture = GaussianMixture(torch.tensor([-1.0, 0.0, 1.0]).double(), torch.ones(3).double(), p)
    rho = HatStatistics.from_mixture(mixture, KNOTS).correlations(_random_values())
    weighted = (rho * (p * (1 - p)).sqrt()).sum(-1).abs().max()
    return weigh(
        exact("priors 0.5, 0.3, 0.2: largest |sum of sqrt(p (1 - p)) rho|", weighted),
        exact(f"largest |sum of rho| of {_TRIES:,} random f", rho.sum(-1).abs().max(), core=False),
        note="the weights sqrt(p_k (1 - p_k)) belong in the sum",
    )


def budget() -> Measurement:
    """Positive and negative correlations of the optimum: what some classes gain, others lose."""
    rho = optimum().rho
    gained, lost = rho[rho > 0].sum(), rho[rho < 0].sum()
    return weigh(
        above("sum of positive rho", gained, 0.1), near("sum of negative rho over it", lost / gained, -1, 1e-9)
    )


def sign_order() -> Measurement:
    """How often the sign of rho changes from the lowest class to the highest."""
    rho = optimum().rho
    changes = int((np.diff(np.sign(rho)) != 0).sum())
    return weigh(
        near("changes of sign from the lowest of 20 classes to the highest", changes, 1, 0),
        below("rho of the lowest class", rho[0], 0),
        above("rho of the highest class", rho[-1], 0),
        note=f"{(rho < 0).sum()} negative, {(rho > 0).sum()} positive",
    )


def unit_variance() -> Measurement:
    """Var f of the optimum on fresh samples, and R under a change of scale."""
    found = optimum()
    x, _ = found.mixture.sample(100_000, torch.Generator().manual_seed(0))
    segment, w = KNOTS.locate(x)
    y = found.solution.values
    variance = (y[segment.long()] * (1 - w) + y[segment.long() + 1] * w).var()
    statistics = found.problem.statistics
    scaled = reward(statistics.correlations(7 * y)).item()
    return weigh(
        near("Var f on 100,000 samples", variance, 1, 0.02),
        exact("R of 7 f less R of f", scaled - found.reward),
    )


def same_shape() -> Measurement:
    """Closed-form and sampled training, side by side."""
    exactly, sampled = by_closed_form(), by_samples()
    r2 = share_explained(sampled.values.numpy(), exactly.values.numpy())
    label = f"{STEPS} steps, {SAMPLES:,} samples a step:"
    return weigh(
        above(f"{label} R^2 between the two curves", r2, 0.995),
        above("reward of the sampled one over that of the closed form", sampled.reward / exactly.reward, 0.995),
    )


def steps_suffice() -> Measurement:
    """What Adam at rate 1e-2 reaches in 100 steps."""
    ratio = by_closed_form().reward.item() / optimum().reward
    return weigh(above(f"reward after {STEPS} steps over the exact optimum", ratio, 0.999))


def analytic_faster() -> Measurement:
    """Time of a step, closed form against 10,000 samples, alternating."""
    found, options = optimum(), GradientOptions(5)
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(7):
        start = perf_counter()
        solve_analytic(found.problem, options)
        middle = perf_counter()
        solve_sample(found.problem, found.mixture.sample, options)
        times[0].append(middle - start)
        times[1].append(perf_counter() - middle)
    ratio = median(times[1]) / median(times[0])
    name = "time of 5 steps with 10,000 samples each over 5 in closed form, medians of 7 runs:"
    return weigh(above(name, ratio, 1.0, rough=True))


def eigen_agrees() -> Measurement:
    """The exact solver against both kinds of training."""
    found = optimum()
    closed, sampled = (share_explained(run.values.numpy(), found.y) for run in (by_closed_form(), by_samples()))
    return weigh(
        above(f"R^2 of the exact optimum with the closed form ({STEPS} steps)", closed, 0.999),
        above(f"with sampling ({STEPS} steps of {SAMPLES:,})", sampled, 0.995),
    )


def gradient_is_right() -> Measurement:
    """The gradient of the closed form against central differences of the reward."""
    problem, step = optimum().problem, 1e-5
    values = KNOTS.positions().clamp(min=0).requires_grad_()
    problem.score(values).backward()
    moves = step * torch.eye(KNOTS.count, dtype=torch.float64)
    fixed = values.detach()
    numeric = (problem.score(fixed + moves) - problem.score(fixed - moves)) / (2 * step)
    assert values.grad is not None
    error = ((values.grad - numeric).abs().max() / numeric.abs().max()).item()
    return weigh(below("largest relative error against central differences, n = 33 knots", error, 1e-6))


def closed_form_moments() -> Measurement:
    """E[phi] and E[phi^2] under N(0.4, 0.7^2) against Simpson's rule on 60,001 points."""
    from scipy.integrate import simpson

    mean, sigma = torch.tensor(0.4).double(), torch.tensor(0.7).double()
    moments = gaussian_hat_moments(mean, sigma, KNOTS)
    x = torch.linspace(-7.5, 7.5, 60_001, dtype=torch.float64)
    density = torch.exp(-((x - mean) / sigma).square() / 2) / (sigma * np.sqrt(2 * np.pi))
    segment, w = KNOTS.locate(x)
    hats = torch.zeros(len(x), KNOTS.count, dtype=torch.float64)
    hats[torch.arange(len(x)), segment.long()] = 1 - w
    hats[torch.arange(len(x)), segment.long() + 1] = w
    errors = [
        np.abs(simpson((hats**power).numpy() * density[:, None].numpy(), x=x.numpy(), axis=0) - closed.numpy()).max()
        for power, closed in ((1, moments.first), (2, moments.square))
    ]
    return weigh(below("largest error of 66 hat moments against Simpson's rule", max(errors), 1e-8))


def optimum_is_global() -> Measurement:
    """Eight classes: the solver's reward against the best of all sign patterns."""
    found = optimum(8)
    best = certify(hat_gram(found.problem.statistics)[0])
    return weigh(exact(f"R less the best of {best.patterns} sign patterns, K = 8, sigma 1", found.reward - best.reward))


def knots_interval() -> Measurement:
    """What knots beyond [-3, 3] would add, at the same spacing."""
    wide = Knots(49, -4.5, 4.5)
    gains = [optimum(knots=wide, raw=raw).reward / optimum(raw=raw).reward - 1 for raw in (False, True)]
    return weigh(
        below("relative gain of 49 knots on [-4.5, 4.5], standardised input", gains[0], 1e-3),
        below("raw input, means on [-3, 3]", gains[1], 1e-3),
    )


_claim = CORRELATION.claim
_ANALYTIC = f"{_UNIT} --solver analytic --steps {STEPS}"
_OBJECTIVE = (
    _claim(
        "two-class-shape",
        "two classes: the optimum is ReLU-like, zero below and linear above",
        two_class_shape,
        "pwlact unit --classes 2 --sigma 1.0",
    ),
    _claim(
        "two-class-no-sigmoid",
        "two classes: a threshold detector, not the expected sigmoid or Heaviside",
        two_class_no_sigmoid,
        "pwlact unit --classes 2 --sigma 1.0 --objective energy",
    ),
    _claim("zero-sum", "the class correlations sum to 0 (equal priors, as in the experiments)", zero_sum),
    _claim(
        "zero-sum-unequal-priors",
        "they sum to 0 by the definition of correlation, whatever the priors",
        zero_sum_unequal_priors,
    ),
    _claim("budget", "the zero sum is a budget that makes classes compete", budget, _UNIT),
    _claim("rho-order", "low classes have negative rho, high classes positive", sign_order, _UNIT),
    _claim("unit-variance", "Var f = 1 normalises f", unit_variance, _UNIT),
    _claim(
        "analytic-equals-sample",
        "closed-form and sampled training converge to the same shape",
        same_shape,
        f"{_UNIT} --solver sample --steps {STEPS} --samples {SAMPLES}",
    ),
    _claim("steps", "Adam at rate 1e-2 needs 100 to 500 steps", steps_suffice, _ANALYTIC),
    _claim("analytic-faster", "closed-form training is faster than sampled", analytic_faster, "pwlact bench unit"),
    _claim("eigen-equals-both", "the trained shapes are the optimum", eigen_agrees, _UNIT),
    _claim("gradient", "the agreement validates the gradient", gradient_is_right),
    _claim("closed-form", "the moments of each segment have closed forms", closed_form_moments),
    _claim(
        "optimum-global",
        "what is found is the optimum of the objective",
        optimum_is_global,
        "pwlact unit --classes 8 --sigma 1.0 --certify",
    ),
    _claim(
        "knots-interval",
        "knots on [-3, 3] suffice",
        knots_interval,
        f"{_UNIT} --knots 49 --low -4.5 --high 4.5",
    ),
)
# every row of the correlation paper
CLAIMS: tuple[Claim, ...] = (*_OBJECTIVE, *SHAPE_CLAIMS, *NETWORK_CLAIMS)
