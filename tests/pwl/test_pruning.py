"""Pruning: within its tolerance everywhere, tails kept, and no function of its kind has fewer breakpoints."""

import itertools
import math

import pytest
import torch
from asserts import assert_close, assert_refused
from cases import DTYPES, GRIDS, SHAPES, grid_id
from scipy.optimize import linprog

from pwlact.pwl import STARTS, Knots, pwl_reference
from pwlact.pwl.pruning import prune
from pwlact.pwl.start import start_values

INF, NAN = math.inf, math.nan
KNOTS = Knots(8, -1.0, 2.5)


def sample(pruned, knots, values):
    """Distance to the function at many points of the interval and far into both tails."""
    width = knots.high - knots.low
    x = torch.cat([torch.linspace(knots.low - 5 * width, knots.high + 5 * width, 3001).double(), knots.positions()])
    return (pruned(x) - pwl_reference(x, values, knots.low, knots.high)).abs().max().item()


def passes(values, chosen, tolerance):
    """Whether the function through the chosen knots, with the tails of `values`, is near enough; by definition."""
    s = torch.arange(len(values), dtype=torch.float64)
    found = torch.empty_like(values)
    first, last = chosen[0], chosen[-1]
    found[: first + 1] = values[first] + (s[: first + 1] - first) * (values[1] - values[0])
    found[last:] = values[last] + (s[last:] - last) * (values[-1] - values[-2])
    for a, b in itertools.pairwise(chosen):
        found[a : b + 1] = values[a] + (s[a : b + 1] - a) * (values[b] - values[a]) / (b - a)
    return (found - values).abs().max().item() <= tolerance


def fewest(values, tolerance):
    """Least number of breakpoints, by trying every choice."""
    inner = range(1, len(values) - 1) if len(values) > 2 else range(1)
    for size in range(1, len(values)):
        if any(passes(values, chosen, tolerance) for chosen in itertools.combinations(inner, size)):
            return size
    raise AssertionError("even all knots do not pass")


def fewest_with_free_values(values, tolerance):
    """Least number of breakpoints on knots with any values there, same tail slopes: linear programs."""
    n = len(values)
    s = torch.arange(n, dtype=torch.float64)
    for size in range(1, n):
        for chosen in itertools.combinations(range(1, n - 1), size):
            t = s[list(chosen)]
            weights = torch.zeros(n, size, dtype=torch.float64)
            offset = torch.zeros(n, dtype=torch.float64)
            for k in range(n):
                if k <= chosen[0]:
                    weights[k, 0], offset[k] = 1, (k - chosen[0]) * (values[1] - values[0])
                elif k >= chosen[-1]:
                    weights[k, -1], offset[k] = 1, (k - chosen[-1]) * (values[-1] - values[-2])
                else:
                    i = int((t <= k).sum()) - 1
                    weights[k, i + 1] = (k - t[i]) / (t[i + 1] - t[i])
                    weights[k, i] = 1 - weights[k, i + 1]
            rest = values - offset
            found = linprog(
                [0.0] * size,
                torch.cat([weights, -weights]).numpy(),
                torch.cat([rest, -rest]).numpy() + tolerance,
                bounds=(None, None),
            )
            if found.success:
                return size
    raise AssertionError("even all knots do not pass")


@pytest.mark.parametrize("tolerance", [0.0, 0.05, 0.4, 1.0, 3.0, 1e3])
@pytest.mark.parametrize("trial", range(6))
def test_no_choice_of_knots_has_fewer(trial, tolerance):
    torch.manual_seed(trial)
    values = torch.randn(8, dtype=torch.float64) if trial % 2 else torch.randint(-1, 2, (8,)).double()
    pruned = prune(values, KNOTS, tolerance)
    assert len(pruned) == fewest(values, tolerance + 1e-12)
    assert sample(pruned, KNOTS, values) <= tolerance + 1e-12


@pytest.mark.parametrize("trial", range(3))
def test_free_values_need_half_the_tolerance_to_match(trial):
    torch.manual_seed(trial)
    values = torch.randn(7, dtype=torch.float64)
    for tolerance in (0.3, 0.8, 2.0):
        assert len(prune(values, Knots(7), tolerance)) <= fewest_with_free_values(values, tolerance / 2)


@pytest.mark.parametrize("tolerance", [1e-3, 0.02, 0.3])
@pytest.mark.parametrize("name", STARTS)
def test_named_functions(name, tolerance):
    knots = Knots()
    values = start_values(name, knots.positions())
    pruned = prune(values, knots, tolerance)
    assert sample(pruned, knots, values) <= tolerance * (1 + 1e-9)
    assert pruned.max_error <= tolerance
    assert pruned.left_slope == pytest.approx((values[1] - values[0]).item() / knots.spacing, abs=1e-14)
    assert pruned.right_slope == pytest.approx((values[-1] - values[-2]).item() / knots.spacing, abs=1e-14)


@pytest.mark.parametrize(("name", "count"), [("relu", 1), ("abs", 1), ("identity", 1), ("zero", 1), ("hardswish", 31)])
def test_known_counts(name, count):
    knots = Knots()
    assert len(prune(start_values(name, knots.positions()), knots, 1e-9)) == count


def test_relu_bends_at_zero():
    knots = Knots()
    pruned = prune(start_values("relu", knots.positions()).float(), knots, 1e-6)
    assert pruned.positions.tolist() == [0.0]
    assert (pruned.left_slope, pruned.right_slope) == pytest.approx((0.0, 1.0), abs=1e-5)


@pytest.mark.parametrize("knots", GRIDS, ids=grid_id)
@pytest.mark.parametrize("scale", [1e-15, 1.0, 1e15])
def test_error_told_is_the_error_at_every_scale(knots, scale):
    values = torch.randn(knots.count, dtype=torch.float64) * scale
    for tolerance in (0.0, 0.5 * scale, 10 * scale):
        pruned = prune(values, knots, tolerance)
        rounding = 1e-13 * knots.count * scale
        assert pruned.max_error <= tolerance + rounding
        assert sample(pruned, knots, values) == pytest.approx(pruned.max_error, abs=10 * rounding)
        assert 1 <= len(pruned) <= max(knots.count - 2, 1)


@pytest.mark.parametrize("knots", [Knots(2, -1.0, 1.0), Knots(3, 0.0, 1.0)], ids=grid_id)
def test_smallest_grids_are_kept_exactly(knots):
    values = torch.randn(knots.count, dtype=torch.float64)
    pruned = prune(values, knots, 0.1)
    assert len(pruned) == 1
    assert sample(pruned, knots, values) < 1e-13


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_call_takes_every_shape(shape):
    values = torch.randn(8, dtype=torch.float64)
    pruned = prune(values, KNOTS, 0.0)
    x = torch.randn(shape, dtype=torch.float64) * 2
    assert_close(pruned(x), pwl_reference(x, values, KNOTS.low, KNOTS.high))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_call_takes_every_type_and_what_is_not_finite(dtype):
    pruned = prune(torch.tensor([0.0, 0.0, 1.0, 3.0]), Knots(4, 0.0, 3.0), 0.0)
    x = torch.tensor([-INF, INF, NAN, 0.5, 1.5, 4.0], dtype=dtype)
    expected = torch.tensor([0.0, INF, NAN, 0.0, 0.5, 5.0], dtype=dtype)
    torch.testing.assert_close(pruned(x), expected, equal_nan=True)
    falling = prune(torch.tensor([3.0, 1.0, 1.0]), Knots(3, 0.0, 2.0), 0.0)
    torch.testing.assert_close(falling(x)[:2], torch.tensor([INF, 1.0], dtype=dtype))


@pytest.mark.parametrize("bad", [NAN, INF], ids=str)
def test_values_that_are_not_finite_are_refused(bad):
    assert_refused(lambda: prune(torch.tensor([0.0, bad, 1.0]), Knots(3), 0.1), "finite")


@pytest.mark.parametrize("tolerance", [-0.1, NAN, INF], ids=str)
def test_bad_tolerances_are_refused(tolerance):
    assert_refused(lambda: prune(torch.zeros(3), Knots(3), tolerance), "tolerance", repr(tolerance))
