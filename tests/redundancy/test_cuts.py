"""Cuts: against counting point by point, known layers, invariances, hard input."""

from itertools import combinations

import pytest
import torch
from asserts import assert_close, assert_refused

from pwlact.redundancy import cut_disagreement, duplicate_cuts, redundant, smaller_side


def twin_disagreement(z):
    """Point by point, in words: half a point where one lies on a hyperplane."""
    n, units = z.shape
    d = torch.zeros(units, units, dtype=torch.float64)
    for i in range(units):
        for j in range(units):
            differ = 0.0
            for p, q in zip(z[:, i].tolist(), z[:, j].tolist(), strict=True):
                differ += 0.5 if p == 0 or q == 0 else float((p > 0) != (q > 0))
            d[i, j] = min(differ / n, 1 - differ / n)
    return d


def smallest_cover(alike):
    """Least number of units such that each is alike one of them, by trying all."""
    units = len(alike)
    reach = alike | torch.eye(units, dtype=torch.bool)
    for size in range(units + 1):
        for kept in combinations(range(units), size):
            if bool(reach[list(kept)].any(0).all()) if kept else units == 0:
                return size
    raise AssertionError


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (7, 1), (3, 9), (40, 5)])
def test_disagreement_equals_counting(shape, dtype):
    z = torch.randn(shape, dtype=dtype)
    z[0, 0] = 0.0
    if shape == (40, 5):
        z[:, 1], z[:, 2], z[:, 3] = -3 * z[:, 0], 1.0, 0.0
    assert_close(cut_disagreement(z), twin_disagreement(z))
    centred = z.double() - z.double().mean(-1, keepdim=True)
    assert_close(cut_disagreement(z.double(), centred=True), twin_disagreement(centred))
    side = torch.tensor([min((c > 0).sum() + 0.5 * (c == 0).sum(), (c < 0).sum() + 0.5 * (c == 0).sum()) for c in z.T])
    assert_close(smaller_side(z), side.double() / len(z))


def test_complement_scale_and_order_do_not_matter():
    z = torch.randn(60, 6, dtype=torch.float64)
    z[5:9, 2] = 0.0
    d = cut_disagreement(z)
    signed = z * torch.tensor([1.0, -1.0, 1e-300, -1e300, 7.0, -1.0], dtype=torch.float64)
    assert torch.equal(cut_disagreement(signed), d)
    order = torch.randperm(6)
    assert torch.equal(cut_disagreement(z[:, order]), d[order][:, order])
    assert torch.equal(cut_disagreement(z[torch.randperm(60)]), d)
    assert torch.equal(d, d.T)
    assert ((d >= 0) & (d <= 0.5)).all()


def test_centred_cuts_do_not_see_a_shift_of_all_units():
    z = torch.randn(50, 5, dtype=torch.float64)
    shifted = z + 100 * torch.randn(50, 1, dtype=torch.float64)
    assert torch.equal(cut_disagreement(shifted, centred=True), cut_disagreement(z, centred=True))
    assert not torch.equal(cut_disagreement(shifted), cut_disagreement(z))
    pair = cut_disagreement(z[:, :2], centred=True)  # two units have one centred cut
    assert pair[0, 1] == 0
    huge = torch.tensor([[1.7e308, 1.7e308, -1.0], [-1.7e308, 1.0, 1.7e308]], dtype=torch.float64)
    assert cut_disagreement(huge, centred=True).isfinite().all()


def test_duplicates_and_idle_cuts_are_counted_apart():
    x = torch.linspace(-1, 1, 100, dtype=torch.float64)
    # cut at 0 three times, once flipped; at 0.5; beyond the data twice
    z = torch.stack([x - 1e-3, 5 * (x - 1e-3), 1e-3 - x, x - 0.5, x + 3, 7 - x], 1)
    assert [int(count) for count in duplicate_cuts(z)] == [2, 2]
    assert [int(count) for count in duplicate_cuts(z, least=0.0)] == [3, 0]
    assert [int(count) for count in duplicate_cuts(z, tolerance=0.3)] == [3, 2]
    batch = torch.stack([z, torch.randn(100, 6, dtype=torch.float64), z.flip(1)])
    repeated, idle = duplicate_cuts(batch)
    assert repeated.tolist() == [2, 0, 2]
    assert idle.tolist() == [2, 0, 2]


def test_redundant_is_what_a_cover_leaves():
    generator = torch.Generator().manual_seed(0)
    least_matched = 0
    for _ in range(60):
        units = int(torch.randint(1, 8, (1,), generator=generator))
        closeness = torch.rand(units, units, generator=generator, dtype=torch.float64)
        closeness = (closeness + closeness.T) / 2
        alike = closeness > 0.6
        counted = torch.rand(units, generator=generator) > 0.2
        kept = int(counted.sum()) - int(redundant(alike, counted, closeness))
        least = smallest_cover(alike[counted][:, counted])
        assert least <= kept <= int(counted.sum())
        least_matched += kept == least
        order = torch.randperm(units, generator=generator)
        assert redundant(alike[order][:, order], counted[order], closeness[order][:, order]) == redundant(
            alike, counted, closeness
        )
    assert least_matched >= 55


def test_chains_and_cliques():
    eye = torch.eye(7, dtype=torch.bool)
    chain = (torch.arange(7)[:, None] - torch.arange(7)).abs() <= 1
    everyone = torch.ones(7, dtype=torch.bool)
    assert redundant(chain, everyone, chain.double()) == 7 - 3  # units 1, 3 or 4, and 5 stand in for all
    assert redundant(torch.ones(7, 7, dtype=torch.bool), everyone, chain.double()) == 6
    assert redundant(eye, everyone, chain.double()) == 0
    assert redundant(chain, ~everyone, chain.double()) == 0


@pytest.mark.parametrize(
    ("z", "parts"),
    [
        (torch.tensor([[1.0, torch.nan], [0.0, torch.inf]]), ("z", "2 of 4")),
        (torch.zeros(0, 3), ("z", "(0, 3)")),
        (torch.zeros(3, 0), ("z", "(3, 0)")),
        (torch.zeros(3), ("z", "(3,)")),
        (torch.zeros(3, 2, dtype=torch.int64), ("z", "int64")),
    ],
    ids=["nan", "no-samples", "no-units", "a-vector", "integers"],
)
def test_bad_input(z, parts, unchecked):
    for call in (cut_disagreement, smaller_side, duplicate_cuts):
        assert_refused(lambda call=call: call(z), *parts)
    assert_refused(lambda: duplicate_cuts(torch.zeros(2, 2), tolerance=-0.1), "tolerance", "-0.1")
    assert_refused(lambda: duplicate_cuts(torch.zeros(2, 2), least=float("nan")), "least", "nan")
