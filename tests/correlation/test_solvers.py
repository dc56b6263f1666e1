"""Solvers: what every solution is, invariances, batches, precision, options and their history."""

import math

import numpy as np
import pytest
import torch
from asserts import assert_close, assert_refused
from cases import MIXTURES
from oracles import best_of_patterns, reward
from solver_problems import KNOTS, float64, mixture, oracle, problem, random_mixture

from pwlact.correlation import GradientOptions, HatStatistics, Problem, solve_analytic, solve_eigen, solve_sample
from pwlact.moments import GaussianMixture
from pwlact.pwl import Knots

MANY_CLASSES = {name: case for name, case in MIXTURES.items() if len(case[0]) > 2}


# --- what every solution is -----------------------------------------------------------------------------------


@pytest.mark.parametrize("objective", ["signed", "energy"])
@pytest.mark.parametrize("smoothness", [0.0, 1e-2, 1e6], ids=["free", "smooth", "stiff"])
@pytest.mark.parametrize("name", MANY_CLASSES)
def test_standard_form_and_consistent_report(name, smoothness, objective):
    posed = problem(MANY_CLASSES[name], objective=objective, smoothness=smoothness)
    solution = solve_eigen(posed)
    assert solution.values[0].item() == 0
    assert solution.values.isfinite().all()
    assert posed.statistics.variance(solution.values).item() == pytest.approx(1, rel=1e-9)
    assert_close(solution.rho, posed.statistics.correlations(solution.values))
    power = solution.rho * solution.rho.abs() if objective == "signed" else solution.rho**2
    assert solution.reward.item() == pytest.approx(power.sum().item(), abs=1e-12)
    assert solution.steps >= 1


@pytest.mark.parametrize("smoothness", [0.0, 1e-2], ids=["free", "smooth"])
@pytest.mark.parametrize("name", MANY_CLASSES)
def test_eigen_is_never_below_its_start(name, smoothness):
    posed = problem(MANY_CLASSES[name], smoothness=smoothness)
    assert posed.score(solve_eigen(posed).values) >= posed.score(posed.initial) - 1e-12


def test_score_is_reward_less_roughness_over_variance():
    case, y = MIXTURES["unequal_priors"], np.random.default_rng(0).standard_normal(9)
    d, b = oracle(case)
    free = reward(y[1:] - y[0], d, b)
    cost = np.sum(np.diff(y, n=2) ** 2) / ((y[1:] - y[0]) @ b @ (y[1:] - y[0]))
    for smoothness in (0.0, 0.3):
        score = problem(case, smoothness=smoothness).score(float64(y)).item()
        assert score == pytest.approx(free - smoothness * cost, rel=1e-9)


@pytest.mark.parametrize("objective", ["signed", "energy"])
@pytest.mark.parametrize("smoothness", [0.0, 0.1], ids=["free", "smooth"])
@pytest.mark.parametrize("name", MANY_CLASSES)
def test_gradient_of_the_score(name, smoothness, objective):
    posed = problem(MANY_CLASSES[name], objective=objective, smoothness=smoothness)
    assert torch.autograd.gradcheck(posed.score, torch.randn(9, dtype=torch.float64, requires_grad=True))


@pytest.mark.parametrize("name", MANY_CLASSES)
def test_mirror_image(name):
    means, sigmas, priors = MANY_CLASSES[name]
    right = solve_eigen(problem((means, sigmas, priors)))
    start = KNOTS.positions().flip(0).relu()
    left = solve_eigen(problem((-np.array(means), sigmas, priors), start=start))
    assert left.reward.item() == pytest.approx(right.reward.item(), rel=1e-9)
    assert_close(left.rho, right.rho, atol=1e-9)
    image = left.values.flip(0) - left.values[-1]
    # the outermost knots may be fixed by as little as 1e-8 of the mass
    seen = slice(2, 7)
    assert_close(image[seen] - image[4], right.values[seen] - right.values[4], rtol=1e-5, atol=1e-5)


def test_energy_of_two_classes_recovers_the_posterior():
    made, knots = mixture(MIXTURES["two_classes"]), Knots()
    solution = solve_eigen(problem(made, knots, objective="energy"))
    posterior = made.posterior(knots.positions())[:, 1].numpy()
    assert np.corrcoef(posterior, solution.values.numpy())[0, 1] ** 2 > 0.99999
    assert solution.values[-1] > 0
    # function-space optimum, by quadrature: sum_k rho_k^2 = 2 Var(posterior) / (p (1 - p))
    x = np.linspace(-9, 10, 20001)
    density = made.density(float64(x)).numpy() * (x[1] - x[0])
    q = made.posterior(float64(x))[:, 1].numpy()
    exact = 2 * (density @ q**2 - (density @ q) ** 2) / (0.3 * 0.7)
    assert 0.999 * exact < solution.reward.item() <= exact + 1e-9


def test_signs_of_energy_do_not_depend_on_the_start():
    posed = problem(MIXTURES["unequal_priors"], objective="energy")
    mirrored = problem(MIXTURES["unequal_priors"], objective="energy", start=-posed.initial)
    assert_close(solve_eigen(posed).values, solve_eigen(mirrored).values)


# --- batches, precision, options ------------------------------------------------------------------------------


@pytest.mark.parametrize("objective", ["signed", "energy"])
@pytest.mark.parametrize("smoothness", [0.0, 1e-2], ids=["free", "smooth"])
def test_problems_solved_together_equal_each_alone(smoothness, objective):
    cases = [random_mixture(seed, 4) for seed in range(5)]
    together = mixture([np.stack(part) for part in zip(*cases, strict=True)])
    whole = solve_eigen(problem(together, objective=objective, smoothness=smoothness))
    assert whole.values.shape == (5, 9)
    for case, values, rho, r in zip(cases, whole.values, whole.rho, whole.reward, strict=True):
        alone = solve_eigen(problem(case, objective=objective, smoothness=smoothness))
        assert_close(r, alone.reward, rtol=1e-9)
        assert_close(rho, alone.rho, rtol=1e-8)
        assert_close(values, alone.values, rtol=1e-6)


def test_one_function_is_scored_on_every_problem_of_a_batch():
    cases = [random_mixture(seed, 4) for seed in range(2)]
    together = mixture([np.stack(part) for part in zip(*cases, strict=True)])
    y = torch.randn(9, dtype=torch.float64)
    assert_close(problem(together).score(y), torch.stack([problem(case).score(y) for case in cases]))


@pytest.mark.parametrize("count", [50, 5000])
def test_float32_statistics_are_solved(count):
    labels = torch.arange(count) % 4
    x = torch.randn(count) + labels
    rewards = [
        solve_eigen(Problem(HatStatistics.from_samples(a, labels, 4, KNOTS), KNOTS)).reward.item()
        for a in (x, x.double())
    ]
    assert rewards[0] == pytest.approx(rewards[1], rel=1e-3)


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("smoothness", [0.0, 0.1], ids=["free", "smooth"])
def test_few_knots(count, smoothness):
    knots = Knots(count, -2.0, 2.0)
    made = GaussianMixture.standardised(5, 1.0)
    posed = problem(made, knots, smoothness=smoothness)
    second = np.diff(np.eye(count), n=2, axis=0)[:, 1:]
    exact = best_of_patterns(*oracle(made, knots), roughness=smoothness * second.T @ second)
    # two knots are a straight line, whose reward is 0 by symmetry
    assert posed.score(solve_eigen(posed).values).item() == pytest.approx(exact, rel=1e-8, abs=1e-12)


def test_sample_repeats_with_its_seed():
    made = GaussianMixture.standardised(4, 1.0)
    runs = [
        solve_sample(problem(made), made.sample, GradientOptions(steps=5, samples=200, seed=seed)).values
        for seed in (1, 1, 2)
    ]
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


def test_sample_leaves_the_global_generator_alone():
    made = GaussianMixture.standardised(4, 1.0)
    before = torch.get_rng_state()
    solve_sample(problem(made), made.sample, GradientOptions(steps=2, samples=50))
    assert torch.equal(torch.get_rng_state(), before)


def test_history_and_progress():
    calls = []
    posed = problem(GaussianMixture.standardised(4, 1.0))
    solution = solve_analytic(posed, GradientOptions(steps=25), lambda *call: calls.append(call))
    assert calls == [(step, 25) for step in range(1, 26)]
    assert [shot.step for shot in solution.history] == [0, 1, 2, 5, 10, 20, 25]
    assert solution.steps == 25
    first, last = solution.history[0], solution.history[-1]
    assert_close(first.values, posed.standard_form(posed.initial))
    assert_close(last.values, solution.values)
    assert first.score < last.score == pytest.approx(solution.reward.item())


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("setting", "value"),
    [
        *(("steps", v) for v in (0, -1, 2.5)),
        *(("lr", v) for v in (0.0, -1.0, math.nan, math.inf)),
        *(("samples", v) for v in (1, 0)),
    ],
    ids=str,
)
def test_bad_options_are_refused(setting, value):
    assert_refused(lambda: GradientOptions(**{setting: value}), setting, repr(value))


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("setting", "value"),
    [("objective", "square"), ("smoothness", -1.0), ("smoothness", math.nan), ("smoothness", math.inf)],
    ids=str,
)
def test_bad_problems_are_refused(setting, value):
    assert_refused(lambda: problem(MIXTURES["even"], **{setting: value}), setting, repr(value))


def test_history_of_eigen_climbs_from_the_start_to_the_solution():
    posed = problem(GaussianMixture.standardised(4, 0.3))
    solution = solve_eigen(posed)
    shots = solution.history
    assert [shot.step for shot in shots] == list(range(solution.steps + 1))
    assert_close(shots[0].values, posed.standard_form(posed.initial))
    assert_close(shots[-1].values, solution.values)
    assert shots[0].score < shots[-1].score == pytest.approx(solution.reward.item())
