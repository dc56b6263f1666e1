"""Knots: positions, segments, errors."""

import pytest
import torch
from asserts import assert_refused
from cases import GRIDS, grid_id

from pwlact.pwl import Knots


@pytest.mark.parametrize("knots", GRIDS, ids=grid_id)
def test_positions_are_uniform_and_hit_both_ends(knots):
    t = knots.positions()
    assert (t.shape, t.dtype) == ((knots.count,), torch.float64)
    assert (t[0].item(), t[-1].item()) == (knots.low, knots.high)
    width = (knots.high - knots.low) / (knots.count - 1)
    assert knots.spacing == pytest.approx(width, rel=1e-15)
    torch.testing.assert_close(t.diff(), torch.full_like(t[1:], width), rtol=1e-9, atol=0.0)


def test_positions_take_type_and_device():
    t = Knots(3, 0.0, 1.0).positions(torch.float32, "meta")
    assert (t.dtype, t.device.type) == (torch.float32, "meta")


@pytest.mark.parametrize(
    ("x", "segment", "w"),
    [
        (0.0, 0, 0.0),
        (1.9, 0, 0.95),
        (2.0, 1, 0.0),
        (5.0, 2, 0.5),
        (6.0, 2, 1.0),
        (9.0, 2, 2.5),
        (-4.0, 0, -2.0),
        (float("inf"), 2, float("inf")),
        (float("-inf"), 0, float("-inf")),
        (float("nan"), 0, float("nan")),
    ],
    ids=str,
)
def test_segments_are_half_open_and_tails_reach_to_infinity(x, segment, w):
    i, position = Knots(4, 0.0, 6.0).locate(torch.tensor([x], dtype=torch.float64))
    assert i.dtype == torch.int32
    assert i.item() == segment
    torch.testing.assert_close(position, torch.tensor([w], dtype=torch.float64), equal_nan=True)


@pytest.mark.parametrize("knots", GRIDS, ids=grid_id)
def test_locate_inverts_x(knots):
    x = torch.linspace(knots.low - 2, knots.high + 2, 501, dtype=torch.float64)
    i, w = knots.locate(x)
    torch.testing.assert_close(knots.positions()[i] + w * knots.spacing, x, rtol=1e-11, atol=1e-13)
    assert i.min() >= 0
    assert i.max() <= knots.count - 2


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("arguments", "fragments"),
    [
        ((1, -1.0, 1.0), ("knots", "1", "two knots")),
        ((0,), ("knots", "0")),
        ((-5,), ("knots", "-5")),
        ((2.5,), ("knots", "2.5")),
        ((True,), ("knots", "True")),
        ((5, 1.0, 1.0), ("low", "high", "1.0")),
        ((5, 2.0, -1.0), ("low=2.0", "high=-1.0")),
        ((5, float("nan"), 1.0), ("low", "nan")),
        ((5, 0.0, float("inf")), ("high", "inf")),
    ],
    ids=str,
)
def test_bad_grids_are_refused(arguments, fragments):
    assert_refused(lambda: Knots(*arguments), *fragments)


@pytest.mark.parametrize("count", [2, 3, 4, 33, 257])
@pytest.mark.parametrize(
    ("low", "high"), [(-3.0, 3.0), (-0.1, 5.0), (-5.0, 0.01), (-1e-9, 1e9), (1.0, 2.0), (-2.0, -1.0), (0.0, 1.0)]
)
def test_covering_knots_are_the_finest_with_one_at_zero(low, high, count):
    knots = Knots.covering(low, high, count)
    assert knots.count == count
    if not low < 0 < high or count == 2:
        assert (knots.low, knots.high) == (low, high)
        return
    assert knots.low <= low * (1 - 1e-12)
    assert knots.high >= high * (1 - 1e-12)
    assert knots.positions().abs().min() <= 1e-12 * knots.spacing
    # one end is met exactly, and no other split of the segments gives a shorter step
    steps = [max(-low / left, high / (count - 1 - left)) for left in range(1, count - 1)]
    assert knots.spacing == pytest.approx(min(steps), rel=1e-12)
