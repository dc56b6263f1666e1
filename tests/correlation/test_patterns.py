"""Sign patterns: the eigenproblem of one, the iteration over many, ties and batches."""

import itertools

import numpy as np
import pytest
import scipy.linalg
import scipy.stats
import torch
from asserts import assert_close

from pwlact.correlation.patterns import Gram


def random_matrix(classes, seed):
    """M of a random input with 200 values: like every one, it takes sqrt(p (1 - p)) to 0."""
    posteriors = np.random.default_rng([classes, seed]).dirichlet(np.full(classes, 0.5), 200)
    priors = posteriors.mean(0)
    scale = np.sqrt(priors * (1 - priors))
    return torch.from_numpy(np.cov(posteriors.T, bias=True) / np.outer(scale, scale))


def random_pattern(classes, seed):
    return torch.from_numpy(np.random.default_rng([9, classes, seed]).choice([-1.0, 1.0], classes))


def score(rho):
    return float((rho * abs(rho)).sum())


@pytest.mark.parametrize("classes", [3, 5, 12])
@pytest.mark.parametrize("seed", range(4))
def test_best_of_a_pattern_is_the_top_eigenpair(classes, seed):
    matrix, pattern = random_matrix(classes, seed), random_pattern(classes, seed)
    found = Gram(matrix).best(pattern)
    m, s = matrix.numpy(), np.diag(pattern.numpy())
    # M S is not symmetric: scipy's general solver
    values = scipy.linalg.eigvals(m @ s)
    assert abs(values.imag).max() < 1e-7
    # M is singular: its eigenvalue 0 is found to the root of the rounding, the others to 1e-14
    assert found.bound.item() == pytest.approx(max(values.real), abs=1e-7)
    rho = found.rho.numpy()
    # H, the root of a singular M, carries the root of the rounding in that one direction
    np.testing.assert_allclose(m @ s @ rho, found.bound.item() * rho, atol=1e-10)
    # Var f = 1: with f = sum_k s_k rho_k g_k / lambda that is rho' S M S rho = lambda^2
    assert (s @ rho) @ m @ (s @ rho) == pytest.approx(found.bound.item() ** 2, rel=1e-9)
    assert rho @ s @ rho == pytest.approx(found.bound.item(), rel=1e-9)
    assert score(rho) >= 0
    assert torch.equal(found.pattern, pattern)


@pytest.mark.parametrize("classes", [3, 5])
@pytest.mark.parametrize("seed", range(4))
def test_no_function_of_the_pattern_beats_the_bound(classes, seed):
    matrix, pattern = random_matrix(classes, seed), random_pattern(classes, seed)
    found = Gram(matrix).best(pattern)
    root = scipy.linalg.sqrtm(matrix.numpy() + 1e-15 * np.eye(classes)).real
    q = np.random.default_rng(seed).standard_normal((20_000, classes))
    rho = (q / np.linalg.norm(q, axis=1, keepdims=True)) @ root
    assert (rho**2 @ pattern.numpy()).max() <= found.bound.item() + 1e-6
    # and one has it
    top = scipy.linalg.eigh(root * pattern.numpy() @ root)[1][:, -1] @ root
    assert top**2 @ pattern.numpy() == pytest.approx(found.bound.item(), abs=1e-6)


@pytest.mark.parametrize("objective", ["signed", "energy"])
@pytest.mark.parametrize("classes", [3, 6, 12])
@pytest.mark.parametrize("seed", range(4))
def test_iterations_end_consistent(classes, seed, objective):
    gram = Gram(random_matrix(classes, seed))
    for start in gram.single_classes():
        steps = list(gram.iterate(start, objective))
        rho = steps[-1].rho.numpy()
        expected = np.where(rho < 0, -1.0, 1.0) if objective == "signed" else np.ones(classes)
        np.testing.assert_array_equal(steps[-1].pattern, expected)
        assert steps[-1].bound.item() == pytest.approx((rho**2 * expected).sum(), rel=1e-9)
        # up to 12 classes, none of 816 that start from a single class ran into a cycle
        assert len(steps) < 20


def test_some_starts_run_into_a_cycle_and_stop():
    """The top of a pattern that is not its own may have a lower R than the function before it: no climb, then."""
    gram, ends = Gram(random_matrix(4, 1)), []
    for pattern in itertools.product((-1.0, 1.0), repeat=4):
        steps = list(gram.iterate(torch.tensor(pattern, dtype=torch.float64), "signed"))
        consistent = torch.equal(torch.where(steps[-1].rho < 0, -1.0, 1.0).double(), steps[-1].pattern)
        assert consistent == (len(steps) < 50)
        ends.append(consistent)
    assert 0 < ends.count(True) < 16


def test_energy_has_one_pattern():
    gram = Gram(random_matrix(5, 0))
    steps = list(gram.iterate(-torch.ones(5, dtype=torch.float64), "energy"))
    assert len(steps) == 1
    assert steps[0].pattern.tolist() == [1.0] * 5


def test_iteration_stops_after_so_many_patterns():
    gram = Gram(random_matrix(20, 0))
    start = next(one for one in gram.single_classes() if len(list(gram.iterate(one, "signed"))) > 2)
    for most in (1, 2):
        assert len(list(gram.iterate(start, "signed", most=most))) == most


@pytest.mark.parametrize(("classes", "count"), [(3, 3), (20, 20), (32, 32), (33, 17), (100, 25)])
def test_single_classes_are_about_32_at_most(classes, count):
    starts = Gram(torch.eye(classes, dtype=torch.float64)).single_classes()
    assert len(starts) == count
    for start in starts:
        assert sorted(start.tolist()) == [-1.0] * (classes - 1) + [1.0]
    assert len({tuple(start.tolist()) for start in starts}) == count


# --- climb ------------------------------------------------------------------------------------------------------


def symmetric(classes):
    """M of evenly spaced classes on a fine grid: the same from both ends."""
    x = np.linspace(-9, 9, 4001)
    density = scipy.stats.norm(np.linspace(-2, 2, classes), 0.8).pdf(x[:, None])
    posteriors = density / density.sum(-1, keepdims=True)
    mass = density.sum(-1, keepdims=True) / density.sum()
    centred = (posteriors - 1 / classes) / np.sqrt((classes - 1) / classes**2)
    return torch.from_numpy(centred.T @ (mass * centred))


@pytest.mark.parametrize("classes", [3, 4, 7, 12])
def test_earlier_start_wins_a_tie(classes):
    """Ramps to the right and to the left end in mirror images."""
    gram = Gram(symmetric(classes))
    right = torch.linspace(-1, 1, classes, dtype=torch.float64) - 0.1
    ends = {
        side: list(gram.iterate(start, "signed"))[-1] for side, start in (("right", right), ("left", right.flip(0)))
    }
    assert score(ends["left"].rho.numpy()) == pytest.approx(score(ends["right"].rho.numpy()), rel=1e-12)
    assert not torch.equal(ends["left"].pattern, ends["right"].pattern)
    for first, starts in (("right", [right, right.flip(0)]), ("left", [right.flip(0), right])):
        found = gram.climb(torch.stack([*starts, *gram.single_classes()]), "signed")[-1]
        assert torch.equal(found.pattern, ends[first].pattern)
        assert_close(found.rho, ends[first].rho, rtol=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_climb_gives_the_way_of_the_best_start(seed):
    gram = Gram(random_matrix(8, seed))
    starts = gram.single_classes().roll(-seed, 0)
    ways = [list(gram.iterate(start, "signed")) for start in starts]
    ends = [score(way[-1].rho.numpy()) for way in ways]
    expected = ways[int(np.argmax(np.array(ends) >= max(ends) * (1 - 1e-9)))]
    found = gram.climb(starts, "signed")
    assert len(found) == len(expected)
    for step, other in zip(found, expected, strict=True):
        assert torch.equal(step.pattern, other.pattern)
        assert_close(step.rho, other.rho, rtol=1e-9)
        assert_close(step.bound, other.bound)


@pytest.mark.parametrize("objective", ["signed", "energy"])
def test_batch_equals_one_by_one(objective):
    matrices = torch.stack([random_matrix(6, seed) for seed in range(6)])
    starts = torch.stack([random_pattern(6, seed) for seed in range(6)])
    whole = Gram(matrices)
    together = whole.climb(torch.stack([starts, *whole.single_classes()]), objective)[-1]
    for i, matrix in enumerate(matrices):
        gram = Gram(matrix)
        alone = gram.climb(torch.stack([starts[i], *gram.single_classes()]), objective)[-1]
        assert torch.equal(together.pattern[i], alone.pattern)
        assert_close(together.rho[i], alone.rho, rtol=1e-9)
        assert_close(together.bound[i], alone.bound)
