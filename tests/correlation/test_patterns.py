"""Sign patterns: the eigenproblem of one, the iteration over many, ties and batches."""

import numpy as np
import pytest
import scipy.linalg
import torch
from asserts import assert_close

from pwlact.correlation.patterns import Gram


def random_matrix(classes, seed):
    """M of a random input: like every one, it takes sqrt(p (1 - p)) to 0."""
    rng = np.random.default_rng([classes, seed])
    posteriors = rng.dirichlet(np.full(classes, 0.5), 50)
    return torch.from_numpy(np.corrcoef(posteriors.T) * rng.uniform(0.1, 1))


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
    # and it comes near: the best of 20,000 points of a sphere of at most 4 dimensions is within some 0.1 of any one
    assert (rho**2 @ pattern.numpy()).max() >= 0.97 * found.bound.item()


@pytest.mark.parametrize("objective", ["signed", "energy"])
@pytest.mark.parametrize("classes", [3, 6, 20])
@pytest.mark.parametrize("seed", range(4))
def test_iterations_climb_and_end_consistent(classes, seed, objective):
    gram = Gram(random_matrix(classes, seed))
    steps = list(gram.iterate(random_pattern(classes, seed + 100), objective))
    rho = steps[-1].rho.numpy()
    expected = np.where(rho < 0, -1.0, 1.0) if objective == "signed" else np.ones(classes)
    np.testing.assert_array_equal(steps[-1].pattern, expected)
    assert steps[-1].bound.item() == pytest.approx((rho**2 * expected).sum(), rel=1e-9)
    rewards = [(step.rho**2 * (step.rho.sign() if objective == "signed" else 1)).sum().item() for step in steps]
    bounds = [step.bound.item() for step in steps]
    # the next pattern's top is above this f's reward, which has that pattern
    assert all(bound >= before - 1e-12 for bound, before in zip(bounds[1:], rewards, strict=False))
    assert len(steps) < 20


def test_energy_has_one_pattern():
    gram = Gram(random_matrix(5, 0))
    steps = list(gram.iterate(-torch.ones(5, dtype=torch.float64), "energy"))
    assert len(steps) == 1
    assert steps[0].pattern.tolist() == [1.0] * 5


def test_iteration_stops_after_so_many_patterns():
    gram = Gram(random_matrix(20, 0))
    start = random_pattern(20, 0)
    steps = list(gram.iterate(start, "signed"))
    assert len(steps) > 1
    assert len(list(gram.iterate(start, "signed", most=1))) == 1


@pytest.mark.parametrize(("classes", "count"), [(3, 3), (20, 20), (32, 32), (33, 17), (100, 25)])
def test_single_classes_are_about_32_at_most(classes, count):
    starts = Gram(torch.eye(classes, dtype=torch.float64)).single_classes()
    assert len(starts) == count
    for start in starts:
        assert sorted(start.tolist()) == [-1.0] * (classes - 1) + [1.0]
    assert len({tuple(start.tolist()) for start in starts}) == count


# --- climb ------------------------------------------------------------------------------------------------------


def ring(classes):
    """Classes around a circle, overlapping with their neighbours: every turn and mirror image is as good."""
    overlap = torch.zeros(classes, classes, dtype=torch.float64)
    for k in range(classes):
        for shift, size in ((0, 1.0), (1, 0.5), (-1, 0.5)):
            overlap[k, (k + shift) % classes] += size
    centred = torch.eye(classes, dtype=torch.float64) - 1 / classes
    return centred @ overlap @ centred / 2


@pytest.mark.parametrize("first", range(7))
def test_earlier_start_wins_a_tie(first):
    gram = Gram(ring(7))
    singles = gram.single_classes()
    ordered = singles[first:] + singles[:first]
    alone = list(gram.iterate(ordered[0], "signed"))[-1]
    found = gram.climb(ordered, "signed")[-1]
    everywhere = [score(list(gram.iterate(start, "signed"))[-1].rho.numpy()) for start in singles]
    assert everywhere == pytest.approx([score(alone.rho.numpy())] * 7, rel=1e-12)
    assert_close(found.rho, alone.rho, rtol=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_climb_gives_the_way_of_the_best_start(seed):
    gram = Gram(random_matrix(8, seed))
    starts = [random_pattern(8, 50 + seed), *gram.single_classes()]
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
    together = whole.climb([starts, *whole.single_classes()], objective)[-1]
    for i, matrix in enumerate(matrices):
        gram = Gram(matrix)
        alone = gram.climb([starts[i], *gram.single_classes()], objective)[-1]
        assert torch.equal(together.pattern[i], alone.pattern)
        assert_close(together.rho[i], alone.rho, rtol=1e-9)
        assert_close(together.bound[i], alone.bound)
