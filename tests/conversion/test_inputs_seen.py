"""Where a fit looks: points that stand for the inputs, to the outermost one."""

import numpy as np
import pytest
import torch

from pwlact import PiecewiseLinearActivation, bake
from pwlact.conversion.inputs_seen import points, sampling
from pwlact.pwl import Knots


@pytest.mark.parametrize("n", [0, 1, 2, 3, 257, 100_000])
def test_points_stand_for_all_inputs(n):
    inputs = np.random.default_rng(0).normal(size=n)
    x, weights = points(Knots(), np.concatenate([inputs, [np.nan, np.inf, -np.inf]]))
    assert len(x) == len(weights) <= 33 + 256
    np.testing.assert_allclose(weights.sum(), 100 + n)
    np.testing.assert_allclose(weights[33:] @ x[33:], inputs.sum(), rtol=0, atol=1e-9)
    assert (np.diff(x[33:]) >= 0).all()
    if n:
        assert (x[33], x[-1]) == (inputs.min(), inputs.max())  # the outermost are not smeared


def test_far_inputs_count_two_widths_outside():
    x, _ = points(Knots(), np.array([-1e15, 0.0, 14.9, 1e15]))
    np.testing.assert_array_equal(x[33:], [-15, 0, 14.9, 15])


def test_the_least_and_the_greatest_are_kept():
    module = PiecewiseLinearActivation(channels=2)
    x = torch.zeros(50_001, 2)
    x[1, 0], x[3, 1] = 7.0, -5.0  # between the elements that a spread of 8,192 takes
    with sampling([module]) as seen:
        module(x)
    (kept,) = seen[module]
    assert kept.shape == (2, (1 << 13) + 2)
    assert kept.amin(1).tolist() == [0, -5]
    assert kept.amax(1).tolist() == [7, 0]


@pytest.mark.parametrize(("hump", "worst"), [(0.5, 0.8), (1.2, 2.5)])
def test_a_few_inputs_far_out_keep_the_swish_from_turning(hump, worst):
    """Ten of 50,000 on either side: with tails drawn together to their mean the largest error is 3 and 17."""
    torch.manual_seed(0)
    module = PiecewiseLinearActivation()
    u = module.knots.positions().float()
    with torch.no_grad():
        module.values.copy_(u * torch.sigmoid(u) + hump * torch.exp(-((u + 1) ** 2)))
    x = 0.6 * torch.randn(100_000)
    x[50_001:50_011], x[70_001:70_011] = -torch.linspace(8, 16, 10), torch.linspace(8, 16, 10)
    assert bake(module, to="swish", example=x).report.layers[0].seen_worst < worst
