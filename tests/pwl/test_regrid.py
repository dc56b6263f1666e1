"""Re-gridding: exact where it can be, near where it cannot, and the error that is told is the error."""

import pytest
import torch
from asserts import assert_close
from cases import DTYPES, GRIDS, grid_id

from pwlact.pwl import Knots, pwl_reference
from pwlact.pwl.regrid import distance, regrid


def values_on(knots, *rows):
    return torch.randn(*rows, knots.count, dtype=torch.float64)


def whole_steps(knots, left, right, split):
    """The grid with `left` and `right` steps more, each step split into `split`."""
    h = knots.spacing
    count = split * (knots.count - 1 + left + right) + 1
    return Knots(count, knots.low - left * h, knots.high + right * h)


@pytest.mark.parametrize("steps", [(0, 0, 2), (0, 0, 3), (2, 0, 1), (0, 5, 1), (3, 4, 2)], ids=str)
@pytest.mark.parametrize("rows", [(), (2,)], ids=["shared", "rows"])
@pytest.mark.parametrize("knots", GRIDS, ids=grid_id)
def test_knots_that_hold_the_old_ones_keep_the_function(knots, rows, steps):
    y, new = values_on(knots, *rows), whole_steps(knots, *steps)
    z = regrid(y, knots, new)
    assert z.shape == (*rows, new.count)
    x = torch.linspace(2 * knots.low - knots.high, 2 * knots.high - knots.low, 301, dtype=torch.float64)
    for a, b in zip(y.reshape(-1, knots.count), z.reshape(-1, new.count), strict=True):
        expected = pwl_reference(x, a, knots.low, knots.high)
        assert_close(pwl_reference(x, b, new.low, new.high), expected, atol=1e-11 * expected.abs().max().item())
    assert distance(y, knots, z, new) < 1e-11 * z.abs().max()


@pytest.mark.parametrize(
    "new", [Knots(17), Knots(20), Knots(33, -2.0, 2.5), Knots(33, -9.0, 5.0), Knots(2)], ids=grid_id
)
def test_the_distance_is_the_largest_error_on_both_intervals(new):
    knots = Knots(33)
    y = values_on(knots, 3)
    z = regrid(y, knots, new)
    x = torch.linspace(min(knots.low, new.low), max(knots.high, new.high), 20001, dtype=torch.float64)
    errors = [
        (pwl_reference(x, a, knots.low, knots.high) - pwl_reference(x, b, new.low, new.high)).abs().max()
        for a, b in zip(y, z, strict=True)
    ]
    found = distance(y, knots, z, new)
    assert found >= max(errors) * (1 - 1e-12)
    assert found == pytest.approx(max(errors).item(), rel=2e-2)


@pytest.mark.parametrize("new", [Knots(20), Knots(17, -2.5, 2.0), Knots(50, -4.0, 4.0)], ids=grid_id)
def test_shape_is_kept_where_the_function_is_not(new):
    knots = Knots(33)
    y = torch.rand(33, dtype=torch.float64).cumsum(0)
    slopes = y.diff() / knots.spacing
    after = regrid(y, knots, new).diff() / new.spacing
    assert (after >= slopes.min() - 1e-12).all()
    assert (after <= slopes.max() + 1e-12).all()


def test_error_is_at_most_twice_the_least_possible():
    # the least on an inner interval, by linear programming over the new values
    from scipy.optimize import linprog

    knots, new = Knots(33), Knots(14, -2.9, 2.9)
    for _ in range(5):
        y = torch.randn(33, dtype=torch.float64)
        t = torch.cat([knots.positions()[1:-1], new.positions()])
        hats = torch.stack([pwl_reference(t, e, new.low, new.high) for e in torch.eye(14, dtype=torch.float64)], 1)
        f = pwl_reference(t, y, knots.low, knots.high)
        ones = torch.ones(len(t), 1, dtype=torch.float64)
        least = linprog(
            [0.0] * 14 + [1.0],
            torch.cat([torch.cat([hats, -ones], 1), torch.cat([-hats, -ones], 1)]).numpy(),
            torch.cat([f, -f]).numpy(),
            bounds=(None, None),
        ).fun
        error = (hats @ regrid(y, knots, new) - f).abs().max().item()
        assert least <= error * (1 + 1e-9)
        assert error <= 2 * least


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_computed_in_double_whatever_the_type(dtype):
    y = torch.randn(9).to(dtype)
    z = regrid(y, Knots(9), Knots(17))
    assert z.dtype == torch.float64
    assert_close(z[::2], y.double())
