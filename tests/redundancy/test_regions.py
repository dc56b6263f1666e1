"""Regions of line arrangements: against sampling and enumeration of sign patterns, degenerate lines, bounds."""

from fractions import Fraction
from itertools import product

import pytest
import torch
from asserts import assert_refused
from scipy.optimize import linprog

from pwlact.redundancy import count_regions, most_regions


def sampled(weight, bias, side=400):
    """Different sign patterns on a grid: a lower bound."""
    line = torch.linspace(-1, 1, side + 2, dtype=torch.float64)[1:-1]
    z = torch.cartesian_prod(line, line) @ weight.double().T + bias.double()
    return len(torch.unique(z > 0, dim=0))


def enumerated(weight, bias):
    """Sign patterns that a linear program finds an inner point for: s_i (w_i x + b_i) >= r, r as large as can be."""
    count = 0
    for signs in product((-1, 1), repeat=len(bias)):
        rows = [[-s * w1, -s * w2, 1.0] for s, (w1, w2) in zip(signs, weight.tolist(), strict=True)]
        right = [s * b for s, b in zip(signs, bias.tolist(), strict=True)]
        walls = [[1, 0, 1], [-1, 0, 1], [0, 1, 1], [0, -1, 1]]
        found = linprog([0, 0, -1], rows + walls, right + [1] * 4, bounds=[(None, None)] * 2 + [(None, 1)])
        count += found.status == 0 and found.x[2] > 1e-9
    return count


@pytest.mark.parametrize("seed", range(4))
def test_equals_enumeration_of_sign_patterns(seed):
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(5, 2, generator=generator, dtype=torch.float64)
    bias = 0.6 * torch.randn(5, generator=generator, dtype=torch.float64)
    assert count_regions(weight, bias) == enumerated(weight, bias)


@pytest.mark.parametrize("units", [1, 3, 10, 24])
def test_sampling_finds_almost_all_and_never_more(units):
    weight, bias = torch.randn(units, 2), 0.5 * torch.randn(units)
    exact = count_regions(weight, bias)
    assert 0.9 * exact <= sampled(weight, bias) <= exact <= most_regions(units, 2)


def test_bound_is_met_in_a_large_enough_square():
    weight, bias = torch.randn(12, 2, dtype=torch.float64), torch.randn(12, dtype=torch.float64)
    far = 1e6
    assert count_regions(weight, bias, (-far, -far), (far, far)) == most_regions(12, 2) == 1 + 12 + 66


def test_degenerate_lines_are_counted_exactly():
    def count(*lines):
        given = torch.tensor(lines, dtype=torch.float64)
        return count_regions(given[:, :2], given[:, 2])

    assert count((1, 0, 0)) == 2
    assert count((1, 0, 0), (-2, 0, 0), (0.25, 0, 0)) == 2  # one line, also flipped and scaled
    assert count((1, 0, 0), (1, 0, 0.5)) == 3  # parallel
    assert count((1, 0, 0), (0, 1, 0)) == 4
    assert count((1, 0, 0), (0, 1, 0), (1, 1, 0), (1, -1, 0)) == 8  # through one point
    assert count((1, 0, 0), (0, 1, 0), (1, 1, 0), (1, -1, 0.5)) == 10
    assert count((1, 0, 1)) == count((1, 1, 2)) == 1  # along an edge, at a corner
    assert count((1, 0, 2)) == count((0, 0, 3)) == count((0, 0, 0)) == 1  # outside, nowhere, everywhere
    assert count((1, 0, 0), (1, 1, -1), (1, -1, -1)) == 4  # all meetings lie on the edge
    # in floating point all three would meet
    assert count((1, 0, 0), (0, 1, 0), (1, 1, 1e-300)) == 7
    assert count((1e-200, 0, 0), (0, 1e200, 0)) == 4


def test_scale_sign_and_order_do_not_matter():
    weight, bias = torch.randn(9, 2, dtype=torch.float64), 0.4 * torch.randn(9, dtype=torch.float64)
    count = count_regions(weight, bias)
    scale = torch.tensor([2.0, -0.5, 1, -1, 4, 8, -2, 1, 2**40], dtype=torch.float64)
    order = torch.randperm(9)
    assert count_regions((weight * scale[:, None])[order], (bias * scale)[order]) == count
    assert count_regions(torch.cat([weight, -weight]), torch.cat([bias, -bias])) == count
    assert count_regions(8 * weight, bias, (-0.125, -0.125), (0.125, 0.125)) == count


def test_bound_counts_subsets():
    assert [most_regions(3, d) for d in range(5)] == [1, 4, 7, 8, 8]
    assert most_regions(0, 2) == 1
    assert most_regions(40, 40) == 2**40
    assert Fraction(most_regions(32, 2)) == 1 + 32 + 496


def test_bad_input(unchecked):
    good = torch.zeros(3, 2), torch.zeros(3)
    assert_refused(lambda: count_regions(torch.zeros(3, 3), good[1]), "(3, 3)", "(units, 2)")
    assert_refused(lambda: count_regions(good[0], torch.zeros(2)), "(2,)")
    assert_refused(lambda: count_regions(good[0], torch.zeros(3, 1, 1)), "(3, 1, 1)")
    assert_refused(lambda: count_regions(good[0], torch.tensor([0.0, torch.nan, 0.0])), "bias must be finite")
    assert_refused(lambda: count_regions(*good, low=(0.0, 1.0), high=(1.0, 1.0)), "low[1]")
    assert_refused(lambda: count_regions(*good, high=(torch.inf, 1.0)), "high[0]")
    assert_refused(lambda: most_regions(-1, 2), "units", "-1")
    assert_refused(lambda: most_regions(2, -1), "dimensions", "-1")
