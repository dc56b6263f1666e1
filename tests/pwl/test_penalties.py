"""Penalties: against the definitions, and what leaves them as they are."""

import pytest
import torch
from asserts import assert_close
from cases import DTYPES, GRIDS, grid_id

from pwlact.pwl import Knots
from pwlact.pwl.penalties import roughness, total_variation
from pwlact.pwl.regrid import regrid


@pytest.mark.parametrize("knots", GRIDS, ids=grid_id)
@pytest.mark.parametrize("rows", [(), (3,)], ids=["shared", "rows"])
def test_total_variation_is_the_sum_of_the_changes_of_slope(knots, rows):
    values = torch.randn(*rows, knots.count, dtype=torch.float64)
    slopes = values.diff(dim=-1) / knots.spacing
    expected = (slopes[..., 1:] - slopes[..., :-1]).abs().sum(-1)
    assert_close(total_variation(values, knots), expected, rtol=1e-9)


def test_known_values():
    knots = Knots(5, -1.0, 1.0)
    t = knots.positions()
    assert total_variation(t.abs(), knots).item() == pytest.approx(2)
    assert total_variation(t.relu() * 3 + t, knots).item() == pytest.approx(3)
    assert roughness(t.abs()).item() == pytest.approx(1)  # one bend of slope 2 over h = 0.5
    assert roughness(torch.tensor([0.0, 1.0, 0.0, 1.0])).item() == 8


@pytest.mark.parametrize("knots", GRIDS, ids=grid_id)
def test_a_line_costs_nothing(knots):
    values = 3 * torch.arange(knots.count, dtype=torch.float64) - 7
    assert total_variation(values, knots).item() == 0
    assert roughness(values).item() == 0


def test_total_variation_stays_when_knots_are_added():
    values = torch.randn(9, dtype=torch.float64)
    old, new = Knots(9, -2.0, 2.0), Knots(41, -4.0, 6.0)
    assert_close(total_variation(regrid(values, old, new), new), total_variation(values, old))


def test_gradients():
    values = torch.randn(2, 6, dtype=torch.float64, requires_grad=True)
    knots = Knots(6, -1.0, 2.0)
    assert torch.autograd.gradcheck(lambda y: total_variation(y, knots), (values,))
    assert torch.autograd.gradcheck(roughness, (values,))


def test_straight_start_has_a_finite_gradient():
    values = torch.arange(5.0, requires_grad=True)
    total_variation(values, Knots(5)).backward()
    assert torch.equal(values.grad, torch.zeros(5))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_sixteen_bit_values_are_summed_in_float32(dtype):
    values = torch.randn(257).to(dtype)
    for found, exact in (
        (roughness(values), roughness(values.double())),
        (total_variation(values, Knots(257)), total_variation(values.double(), Knots(257))),
    ):
        assert found.dtype == torch.promote_types(dtype, torch.float32)
        torch.testing.assert_close(found.double(), exact, rtol=1e-6, atol=0.0)
