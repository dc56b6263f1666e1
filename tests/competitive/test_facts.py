"""Each fact claimed of a map holds on random inputs, each fact denied is refuted by one of them."""

import dataclasses

import pytest
import torch
from competitive.maps import EVERY

from pwlact.competitive import MAPS, Facts, softmax

K = 6


def random_rows():
    generator = torch.Generator().manual_seed(3)
    plain = torch.randn(300, K, generator=generator, dtype=torch.float64)
    return torch.cat([0.2 * plain, plain, 4 * plain, plain - 3])


def close(a, b):
    return bool(((a - b).abs() <= 1e-9 * (1 + b.abs())).all())


def shift_invariant(f, j):
    z = random_rows()
    return close(f(z + 1.7), f(z))


def homogeneous(f, j):
    z = random_rows()
    return close(f(3 * z), 3 * f(z))


def monotone(f, j):
    z, up = random_rows(), torch.linspace(0, 2, 21, dtype=torch.float64)
    path = z[:, None].repeat(1, 21, 1)
    path[..., 0] += up
    own = f(path)[..., :1]
    return bool((own.diff(dim=1) >= -1e-12).all())


def order_preserving(f, j):
    z = random_rows().sort(-1).values
    out = f(z)
    return out.shape == z.shape and bool((out.diff(dim=-1) >= -1e-12).all())


def gradient_field(f, j):
    out = j(random_rows())
    return out.shape[-1] == out.shape[-2] and close(out, out.mT)


def keeps_magnitude(f, j):
    z = random_rows().abs() + 0.1  # of units at or below 0, a ReLU keeps nothing
    return bool((f(1e6 * z).abs().amax(-1) > 1e3).all())


def simplex(f, j):
    out = f(random_rows())
    return bool((out >= 0).all()) and close(out.sum(-1), torch.ones(len(out)).double())


def sparse(f, j):
    return bool((f(random_rows()) == 0).any())


def competitive(f, j):
    z = random_rows()
    moved = z.clone()
    moved[:, 1] += 2.0
    changed = (f(moved) != f(z)).any(0)
    return bool(changed[[i for i in range(len(changed)) if i % K != 1]].any())


def continuous(f, j):
    """Along a line, the largest step of f falls with the step of z."""
    z = random_rows()[:100]
    start, end = z[:, None], z.roll(1, 0)[:, None]
    sizes = []
    for count in (200, 3200):
        t = torch.linspace(0, 1, count + 1, dtype=torch.float64)[:, None]
        sizes.append(f(start + t * (end - start)).diff(dim=1).abs().amax())
    return bool(sizes[1] < sizes[0] / 4)


CHECKS = {check.__name__: check for check in (
    shift_invariant, homogeneous, monotone, order_preserving, gradient_field, keeps_magnitude, simplex, sparse,
    competitive, continuous,
)}  # fmt: skip


@pytest.mark.parametrize("fact", CHECKS)
@pytest.mark.parametrize("name", EVERY)
def test_facts(name, fact):
    row = MAPS[name]
    assert CHECKS[fact](row.function, row.jacobian) is getattr(row.facts, fact)


def test_every_fact_is_checked():
    assert {field.name for field in dataclasses.fields(Facts)} == set(CHECKS)


def test_the_checks_tell_apart():
    """Held against functions that are plainly otherwise."""
    assert not CHECKS["competitive"](torch.relu, None)
    assert CHECKS["homogeneous"](torch.relu, None)
    assert not CHECKS["continuous"](torch.sign, None)
    assert not CHECKS["monotone"](lambda z: -z, None)
    assert CHECKS["shift_invariant"](softmax, None)
