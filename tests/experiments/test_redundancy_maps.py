"""What is measured of an activation by itself: Jacobians, competition, growth, pieces, what it sees."""

import math

import pytest
import torch
from asserts import assert_close
from torch import nn
from torch.func import jacrev, vmap

from pwlact.competitive import GroupedSoftmax, ParallelPaths, Softmax, Sparsemax
from pwlact.experiments.redundancy.activations import CONTENDERS
from pwlact.experiments.redundancy.maps import (
    crossing_share,
    draws,
    growth,
    is_shift_invariant,
    jacobian,
    pieces,
    seen_part,
)
from pwlact.redundancy import count_regions, most_regions


def test_jacobian_equals_automatic_differentiation():
    z = draws(5, 7)
    for function in (lambda v: v.softmax(-1), torch.relu, lambda v: torch.cat([v, v.softmax(-1)], -1)):
        assert_close(jacobian(function, z), vmap(jacrev(function))(z))
    assert_close(jacobian(torch.tanh, z.view(7, 1, 5)).squeeze(1), jacobian(torch.tanh, z))
    assert jacobian(torch.ones_like, z).shape == (7, 5, 5)  # outputs that depend on nothing
    assert not jacobian(torch.ones_like, z).any()


def test_crossing_share_is_what_lies_off_the_diagonal():
    r = draws(4, 9).softmax(-1)
    j = torch.diag_embed(r) - r[:, :, None] * r[:, None, :]
    # a row of softmax's Jacobian sums to 0, so half of it lies off the diagonal
    assert_close(crossing_share(j), torch.full((9,), 0.5, dtype=torch.float64))
    eye = torch.eye(3, dtype=torch.float64)
    assert crossing_share(eye) == 0
    assert crossing_share(0 * eye) == 0
    assert crossing_share(eye.flip(0)) == pytest.approx(2 / 3)
    assert crossing_share(torch.cat([eye, eye])) == 0  # two paths of each unit
    assert crossing_share(torch.cat([eye, eye.roll(1, 0)])) == 0.5


def test_growth():
    assert growth(nn.ReLU(), 6) == pytest.approx(1)
    assert growth(nn.Tanh(), 6) == pytest.approx(0, abs=1e-3)
    assert growth(Softmax(), 6) == pytest.approx(0, abs=2e-3)
    assert growth(nn.Sequential(nn.ReLU(), nn.Softplus()), 6) == pytest.approx(1, abs=0.01)


class Square(nn.Module):
    def forward(self, z):
        return z * z


class Ones(nn.Module):
    def forward(self, z):
        return torch.ones_like(z)


def test_pieces_of_known_maps():
    assert pieces(nn.Identity(), 8) == 1
    assert pieces(Ones(), 8) == 1
    assert pieces(Square(), 3) is None
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(8, 2, generator=generator, dtype=torch.float64)
    exact = count_regions(weight, 0.5 * torch.randn(8, generator=generator, dtype=torch.float64))
    for relu_like in (nn.ReLU(), nn.GELU(), nn.Tanh()):
        found = pieces(relu_like, 8)
        assert found is not None
        assert 0.9 * exact <= found <= exact <= most_regions(8, 2)
    assert pieces(Softmax(), 8) == pieces(Sparsemax(), 8)
    assert 2 <= pieces(Softmax(), 8) <= 8  # at most one a unit
    assert pieces(nn.ReLU(), 8, seed=1) != pieces(nn.ReLU(), 8, seed=2)


def test_what_is_seen():
    units = 6
    ones = torch.full((units, units), 1 / units, dtype=torch.float64)
    eye = torch.eye(units, dtype=torch.float64)
    for name in ("relu", "tanh", "z-times-softmax", "parallel-paths", "lwta", "piecewise-linear"):
        assert_close(seen_part(CONTENDERS[name], units), eye, atol=1e-9)
        assert not is_shift_invariant(CONTENDERS[name], units)
    for name in ("softmax", "log-softmax", "sparsemax", "entmax15", "relumax"):
        assert_close(seen_part(CONTENDERS[name], units), eye - ones, atol=1e-9)
        assert is_shift_invariant(CONTENDERS[name], units)
    pairs = seen_part(lambda units: GroupedSoftmax(units // 2), units)
    expected = torch.block_diag(*[torch.tensor([[0.5, -0.5], [-0.5, 0.5]], dtype=torch.float64)] * 3)
    assert torch.equal(pairs, expected)  # exactly, so that the two units of a pair have one line
    # also in wide layers, where a sparse map leaves most units out
    assert float(seen_part(lambda _: Sparsemax(), 64).trace()) == pytest.approx(63)
    assert float(seen_part(lambda _: ParallelPaths(), 40).trace()) == pytest.approx(40)


def test_every_contender_is_a_map_of_batches_with_its_last_dimension():
    for name, factory in CONTENDERS.items():
        module = factory(8).double()
        z = draws(8, 5)
        a = module(z)
        assert a.shape[0] == 5, name
        assert a.shape[1] % 8 == 0, name
        assert_close(module(z[2:3]), a[2:3], rtol=1e-10)
        share = float(crossing_share(jacobian(module, z)).mean())
        assert 0 <= share < 1, name
        assert math.isfinite(growth(module, 8)), name
