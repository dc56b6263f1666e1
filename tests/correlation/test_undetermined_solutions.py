"""Problems that do not determine their solution: two classes, knots without samples or mass, gaps between."""

import pytest
import torch
from cases import MIXTURES
from solver_problems import KNOTS, SOLVERS, mixture, problem

from pwlact.correlation import HatStatistics, Problem, is_degenerate, solve_eigen, solve_sample
from pwlact.moments import GaussianMixture
from pwlact.pwl import Knots


@pytest.mark.parametrize("start", ["relu", "own"])
@pytest.mark.parametrize("solver", [*SOLVERS, "sample"])
def test_two_classes_signed_return_the_start_bit_for_bit(solver, start):
    made = mixture(MIXTURES["two_classes"])
    first = None if start == "relu" else torch.randn(9, dtype=torch.float64)
    posed = problem(made, start=first)
    assert posed.degenerate
    solution = solve_sample(posed, made.sample) if solver == "sample" else SOLVERS[solver](posed)
    assert solution.degenerate
    assert torch.equal(solution.values, KNOTS.positions().relu() if first is None else first)
    assert solution.reward.item() == 0.0
    assert (solution.steps, solution.history) == (0, [])


def test_which_problems_are_degenerate():
    assert [is_degenerate(k, "signed") for k in (2, 3, 20)] == [True, False, False]
    assert not is_degenerate(2, "energy")


def assert_straight(values, places):
    """No bend at the knots of these places, relative to the largest bend."""
    bends = values.diff(n=2, dim=-1).abs()
    assert values.isfinite().all()
    assert bends[..., places].max() <= 1e-6 * bends.max()


@pytest.mark.parametrize("smoothness", [0.0, 1e-3], ids=["free", "smooth"])
def test_knots_that_no_sample_reaches_continue_the_line(smoothness):
    labels = torch.arange(900) % 3
    x = torch.rand(900, dtype=torch.float64) * 0.5 + labels * 0.3  # from 0 to 1.1
    posed = Problem(HatStatistics.from_samples(x, labels, 3, Knots()), Knots(), smoothness=smoothness)
    solution = solve_eigen(posed)
    # bend s sits at knot s + 1; segments 16 ([0, 0.1875]) to 21 hold all samples, so knots 16 to 22 matter
    assert_straight(solution.values, [*range(0, 15), *range(22, 31)])
    assert posed.statistics.variance(solution.values).item() == pytest.approx(1, rel=1e-6)


def test_gaps_between_samples_are_bridged():
    labels = torch.arange(600) % 3
    x = torch.tensor([-2.0, 0.5, 2.2], dtype=torch.float64)[labels] + torch.rand(600, dtype=torch.float64) * 0.1
    solution = solve_eigen(Problem(HatStatistics.from_samples(x, labels, 3, Knots()), Knots()))
    assert solution.values.isfinite().all()
    # classes are told apart exactly: one class against the rest has R = 1 - 2 (1/2)^2 = 1/2
    assert solution.reward.item() == pytest.approx(0.5, abs=1e-3)
    assert solution.values.abs().max() < 100


@pytest.mark.parametrize("sigma", [1e-3, 1e-6], ids=str)
def test_tiny_noise_far_from_the_knots(sigma):
    solution = solve_eigen(problem(GaussianMixture.even(3, sigma, -1.01, 1.02), Knots()))
    assert solution.values.isfinite().all()
    assert solution.reward.item() == pytest.approx(0.5, abs=1e-4)
    assert_straight(solution.values, [*range(0, 9), *range(22, 31)])


def test_knots_that_hold_no_mass_stay_in_range():
    solution = solve_eigen(problem(GaussianMixture.even(4, 0.05, -1.01, 1.02), Knots()))
    assert solution.values.abs().max() < 100
