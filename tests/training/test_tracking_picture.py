"""The picture of an activation in a log: it is the curve, and copes with numbers that are none."""

import numpy as np
import pytest
from tracked_run import KNOTS

from pwlact.training.tracking.picture import curve_picture

BLUE = np.array((0, 114, 178))


def blue_rows(pixels, column):
    near = np.abs(pixels[:, column].astype(int) - BLUE).sum(axis=1) < 60
    return np.flatnonzero(near)


def test_the_picture_is_the_curve():
    pixels = curve_picture(KNOTS, np.maximum(KNOTS, 0))
    assert (pixels.shape, pixels.dtype) == ((240, 320, 3), np.uint8)
    for column in (40, 120, 200, 300):
        x = -3 + 6 * (column + 0.5) / 320
        # f is from 0 to 3, with a margin of 5 % on both sides
        expected = 240 - 240 * (max(x, 0) + 0.15) / 3.3
        assert blue_rows(pixels, column).mean() + 0.5 == pytest.approx(expected, abs=1.5)


@pytest.mark.parametrize("shape", [(9,), (1, 9), (3, 9), (500, 9)])
@pytest.mark.parametrize("fill", [0.0, 1e30, -1e-30, np.nan, np.inf, -np.inf])
def test_pictures_of_hard_values(shape, fill):
    values = np.full(shape, fill, dtype=np.float32)
    assert curve_picture(KNOTS, values).shape == (240, 320, 3)
    values.flat[:2] = (np.inf, -np.inf)
    assert curve_picture(KNOTS, values).shape == (240, 320, 3)


def test_what_is_not_finite_is_a_gap():
    values = np.zeros(9)
    values[4] = np.nan
    pixels = curve_picture(KNOTS, values)
    assert len(blue_rows(pixels, 60))
    assert len(blue_rows(pixels, 260))
    assert not len(blue_rows(pixels, 150))
    assert not len(blue_rows(pixels, 170))


def test_infinities_of_both_signs_leave_the_finite_part():
    values = np.tile(np.maximum(KNOTS, 0), (2, 1))
    values[:, 0] = (np.inf, -np.inf)
    assert len(blue_rows(curve_picture(KNOTS, values), 200))
