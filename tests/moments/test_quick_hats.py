"""The quick hat moments against the careful ones: an error of a few roundings of the largest moment."""

import pytest
import torch

from pwlact.moments import gaussian_hat_moments, quick_hat_moments
from pwlact.pwl import Knots

# in spacings; from a point to far wider than the grid
SIGMAS = [1e-6, 1e-3, 5e-3, 0.1, 0.35, 1.0, 2.0, 30.0, 1e3]


@pytest.mark.parametrize("count", [2, 3, 4, 33, 129])
@pytest.mark.parametrize("spacings", SIGMAS)
def test_against_the_careful_ones(count, spacings):
    knots = Knots(count, -3.0, 3.0)
    t = knots.positions()
    inside = torch.linspace(-3.0, 3.0, 41, dtype=torch.float64)
    mean = torch.cat([inside, t, torch.tensor([-50.0, -3.5, 3.0001, 20.0], dtype=torch.float64)])
    sigma = torch.full_like(mean, spacings * knots.spacing)
    quick, careful = (moments(mean, sigma, knots) for moments in (quick_hat_moments, gaussian_hat_moments))
    for name in quick._fields:
        ours, exact = getattr(quick, name), getattr(careful, name)
        size = careful.square.abs().amax(-1, keepdim=True)  # of the largest moment of each density
        assert ((ours - exact).abs() / size).max() < 1e-11, name


def test_hats_add_up_and_any_batch():
    mean, sigma = torch.randn(4, 5, 3, dtype=torch.float64), torch.rand(4, 5, 3, dtype=torch.float64) + 0.1
    knots = Knots(17, -2.0, 1.0)
    first, square, neighbour = quick_hat_moments(mean, sigma, knots)
    assert first.shape == (4, 5, 3, 17)
    assert neighbour.shape == (4, 5, 3, 16)
    one = torch.ones(4, 5, 3, dtype=torch.float64)
    torch.testing.assert_close(first.sum(-1), one, rtol=1e-12, atol=0)  # the hats are a partition of one,
    torch.testing.assert_close(square.sum(-1) + 2 * neighbour.sum(-1), one, rtol=1e-11, atol=0)  # and so is its square
    torch.testing.assert_close(first @ knots.positions(), mean, rtol=1e-11, atol=1e-12)  # and they carry x


def test_not_a_number_stays_in_its_density():
    mean = torch.tensor([0.0, float("nan")], dtype=torch.float64)
    first = quick_hat_moments(mean, torch.ones(2, dtype=torch.float64), Knots()).first
    assert first[0].isfinite().all()
    assert first[1].isnan().any()
