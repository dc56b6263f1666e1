"""Numbers as the page of a run carries them: shortened, packed into bytes, thinned."""

import json

import numpy as np
import pytest
from report_page import unpacked

from pwlact_figures.report.packing import MISSING, pack_curves, pack_heights, shorten
from pwlact_figures.report.payload import spread


@pytest.mark.parametrize(
    ("value", "short"),
    [(3.0, 3), (1 / 3, 0.33333), (-1234567.0, -1234600), (1e-9 / 3, 3.3333e-10), (0.0, 0), (1e300, 1e300)],
)
def test_numbers_are_shortened(value, short):
    assert shorten([value]) == [short]
    assert len(json.dumps(shorten([value]))) <= 12


def test_numbers_that_are_none():
    assert shorten([np.nan, np.inf, -np.inf]) == [None, None, None]


def test_packing():
    low, high = -2.0, 3.0
    steps = unpacked(pack_curves(np.array([-2.0, 3.0, 0.5, np.nan, 9.0, -9.0]), low, high), "<u2", (6,))
    assert steps.tolist() == [0, MISSING - 1, (MISSING - 1) // 2, MISSING, MISSING - 1, 0]
    assert unpacked(pack_heights(np.array([0.0, 1.0, 4.0]), 4.0), np.uint8, (3,)).tolist() == [0, 64, 255]
    assert unpacked(pack_heights(np.zeros(2), 0.0), np.uint8, (2,)).tolist() == [0, 0]


@pytest.mark.parametrize(("count", "most"), [(1, 61), (5, 61), (61, 61), (62, 61), (1000, 61), (7, 1)])
def test_spread(count, most):
    chosen = spread(count, most)
    assert chosen == sorted(set(chosen))
    assert len(chosen) == min(count, most)
    assert chosen[0] == 0
    if most > 1:
        assert chosen[-1] == count - 1
