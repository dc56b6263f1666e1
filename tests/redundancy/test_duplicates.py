"""Duplicate, dead and quiet units and their correlations: against numpy, known layers, invariances, hard input."""

import numpy as np
import pytest
import torch
from asserts import assert_close, assert_refused

from pwlact.redundancy import correlations, dead_units, duplicate_units, off_diagonal_squares, quiet_units

SCALES = torch.tensor([1.0, -1.0, 1e-200, -1e200, 1e-3, 5.0], dtype=torch.float64)


def layer(n=80):
    """Units: two alike, one their opposite shifted, two of their own, one constant."""
    a = torch.randn(n, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    a[:, 1] = a[:, 0] + 0.01 * a[:, 1]
    a[:, 2] = 3 - 2 * a[:, 0]
    a[:, 5] = 0.1
    return a


@pytest.mark.parametrize("shape", [(2, 2), (5, 9), (60, 4)])
def test_correlations_equal_those_of_numpy(shape):
    a = torch.randn(shape, dtype=torch.float64)
    assert_close(correlations(a), torch.from_numpy(np.corrcoef(a.numpy(), rowvar=False)), rtol=1e-10)
    assert_close(correlations(a.float()), correlations(a), rtol=1e-5)
    batch = torch.stack([a, a.flip(1), a * a])
    for each, alone in zip(correlations(batch), batch, strict=True):
        assert_close(each, correlations(alone))


def test_known_layer():
    a = layer()
    assert dead_units(a).tolist() == [False] * 5 + [True]
    assert duplicate_units(a) == 2
    assert duplicate_units(a, threshold=0.99999999) == 1  # the opposite alone is exactly alike
    assert quiet_units(a).tolist() == [False] * 5 + [True]
    c = correlations(a)
    assert_close(c[0, 2], torch.tensor(-1.0, dtype=torch.float64))
    assert (c[5] == 0).all()
    total, mean = off_diagonal_squares(a)
    expected = sum(float(c[i, j]) ** 2 for i in range(5) for j in range(5) if i != j)
    assert_close(total, torch.tensor(expected, dtype=torch.float64))
    assert_close(mean, total / 20)


def test_scale_shift_sign_and_order_of_units_do_not_matter():
    a = layer()
    order = torch.randperm(6)
    moved = (a * SCALES)[:, order]
    assert dead_units(moved).tolist() == dead_units(a)[order].tolist()
    assert duplicate_units(moved) == 2
    signs = SCALES.sign()
    assert_close(correlations(moved), (correlations(a) * signs[:, None] * signs)[order][:, order], rtol=1e-10)
    for one, other in zip(off_diagonal_squares(moved), off_diagonal_squares(a), strict=True):
        assert_close(one, other, rtol=1e-10)
    shifted = a + torch.tensor([0.0, 1e3, -1e3, 0.0, 7.0, 1e9], dtype=torch.float64)
    assert duplicate_units(shifted) == 2
    assert_close(correlations(shifted), correlations(a), rtol=1e-8)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16])
def test_rounding_is_no_life(dtype):
    a = torch.full((1000, 3), 0.1, dtype=dtype)
    a[::2, 1] += 2 * torch.finfo(dtype).eps * 0.1
    a[::2, 2] += 0.01
    assert dead_units(a).tolist() == [True, True, False]
    assert duplicate_units(a) == 0
    assert (correlations(a)[:2] == 0).all()
    assert [float(value) for value in off_diagonal_squares(a)] == [0.0, 0.0]


def test_extremes_are_alive():
    big = torch.finfo(torch.float64).max
    a = torch.tensor([[big, 1e-300], [-big, -1e-300], [big, 2e-300]], dtype=torch.float64)
    assert not dead_units(a).any()
    assert correlations(a).isfinite().all()
    expected = np.corrcoef([[1, -1, 1], [1, -1, 2]])
    assert_close(correlations(a), torch.from_numpy(expected), rtol=1e-10)


def test_one_sample_one_unit_all_dead():
    one = torch.randn(1, 4)
    assert dead_units(one).all()
    assert duplicate_units(one) == 0
    assert quiet_units(one).all()
    assert [float(value) for value in off_diagonal_squares(one)] == [0.0, 0.0]
    assert duplicate_units(torch.randn(9, 1)) == 0
    assert [float(value) for value in off_diagonal_squares(torch.randn(9, 1))] == [0.0, 0.0]
    assert duplicate_units(torch.zeros(2, 5, 3)).tolist() == [0, 0]


def test_fewer_samples_than_units_are_all_alike_or_opposite():
    a = torch.randn(2, 5, dtype=torch.float64)
    assert duplicate_units(a) == 4  # two points make one direction
    assert_close(off_diagonal_squares(a)[1], torch.tensor(1.0, dtype=torch.float64))


def test_quiet_units_are_measured_against_the_loudest():
    a = torch.randn(200, 4, dtype=torch.float64) * torch.tensor([100.0, 1.5, 0.3, 0.0], dtype=torch.float64)
    assert quiet_units(a).tolist() == [False, False, True, True]
    assert quiet_units(a, share=1e-3).tolist() == [False, False, False, True]
    assert torch.equal(quiet_units(a * 1e-200), quiet_units(a))
    assert dead_units(a).tolist() == [False, False, False, True]
    # exactly constant, however loud
    assert quiet_units(torch.tensor([[5.0, 1.0], [5.0, 2.0]])).tolist() == [True, False]


def test_bad_input(unchecked):
    bad = torch.tensor([[1.0, torch.nan], [0.0, 2.0]])
    for call in (correlations, dead_units, quiet_units, duplicate_units, off_diagonal_squares):
        assert_refused(lambda call=call: call(bad), "a must be finite", "1 of 4")
        assert_refused(lambda call=call: call(torch.zeros(2, 2, dtype=torch.int32)), "int32")
        assert_refused(lambda call=call: call(torch.zeros(4)), "(4,)")
    for threshold in (-0.1, 1.0, float("nan")):
        assert_refused(lambda threshold=threshold: duplicate_units(torch.zeros(2, 2), threshold), "threshold")
    for share in (0.0, float("nan")):
        assert_refused(lambda share=share: quiet_units(torch.zeros(2, 2), share), "share")
