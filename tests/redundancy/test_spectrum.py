"""Effective rank, participation ratio and CKA: known spectra, slow twins, invariances, hard input."""

import math

import pytest
import torch
from asserts import assert_close, assert_refused

from pwlact.redundancy import effective_rank, linear_cka, participation_ratio, singular_values


def with_spectrum(sigma, n=40, units=None):
    """A layer whose centred outputs have these singular values."""
    units = units or len(sigma)
    x = torch.randn(n, len(sigma), dtype=torch.float64)
    u = torch.linalg.qr(x - x.mean(0))[0]
    v = torch.linalg.qr(torch.randn(units, units, dtype=torch.float64))[0][: len(sigma)]
    return u @ torch.diag(torch.tensor(sigma, dtype=torch.float64)) @ v + torch.randn(units, dtype=torch.float64)


@pytest.mark.parametrize(
    ("sigma", "rank", "ratio"),
    [
        ([1.0] * 5, 5.0, 5.0),
        ([3.0], 1.0, 1.0),
        ([2.0, 1.0, 1.0], math.exp(1.5 * math.log(2)), 36 / 18),
        ([1e-3, 1e-3], 2.0, 2.0),
    ],
)
def test_known_spectra(sigma, rank, ratio):
    a = with_spectrum(sigma, units=8)
    assert float(effective_rank(a)) == pytest.approx(rank, rel=1e-9)
    assert float(participation_ratio(a)) == pytest.approx(ratio, rel=1e-9)
    for scale in (1e-200, 1e200):
        assert float(effective_rank(a * scale)) == pytest.approx(rank, rel=1e-9)
        assert float(participation_ratio(a * scale)) == pytest.approx(ratio, rel=1e-9)
    values = singular_values(a)
    assert_close(values[: len(sigma)] / values[0], torch.tensor(sigma, dtype=torch.float64) / max(sigma), rtol=1e-9)
    assert (values[len(sigma) :] == 0).all()  # rounding is no direction


def test_rotation_and_order_do_not_matter_and_batches_are_layers():
    a = torch.randn(30, 6, dtype=torch.float64)
    turn = torch.linalg.qr(torch.randn(6, 6, dtype=torch.float64))[0]
    for measure in (effective_rank, participation_ratio):
        assert_close(measure(a @ turn), measure(a), rtol=1e-10)
        assert_close(measure(a[torch.randperm(30)][:, torch.randperm(6)] + 5.0), measure(a), rtol=1e-10)
        assert_close(measure(torch.stack([a, 2 * a])), measure(a).expand(2))
        assert_close(measure(torch.cat([a, a], 1)), measure(a), rtol=1e-10)
        assert 1 <= measure(a) <= 6
        assert measure(torch.randn(3, 9, dtype=torch.float64)) <= 2 + 1e-9  # n - 1 directions


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_constant_layers_have_rank_zero(dtype):
    for a in (torch.full((7, 3), 0.1, dtype=dtype), torch.zeros(4, 2, dtype=dtype), torch.ones(1, 5, dtype=dtype)):
        assert effective_rank(a) == 0
        assert participation_ratio(a) == 0
        assert linear_cka(a.repeat(4, 1), torch.randn(4 * len(a), 3, dtype=dtype)) == 0
        assert linear_cka(a.repeat(4, 1), torch.randn(4 * len(a), 3, dtype=dtype), debiased=True) == 0


def grams(x, y):
    return x @ x.T, y @ y.T


def twin_cka(x, y):
    """By Gram matrices and the centring matrix H: HSIC = tr KHLH."""
    h = torch.eye(len(x), dtype=torch.float64) - 1 / len(x)
    hsic = lambda k, m: torch.trace(k @ h @ m @ h)
    k, m = grams(x, y)
    return hsic(k, m) / (hsic(k, k) * hsic(m, m)).sqrt()


def twin_debiased(x, y):
    """HSIC_1 as the mean over all quadruples of different inputs, equation 4 of Song et al."""
    n = len(x)

    def hsic(k, m):
        total, count = 0.0, 0
        for i in range(n):
            for j in range(n):
                for q in range(n):
                    for r in range(n):
                        if len({i, j, q, r}) == 4:
                            total += float(k[i, j] * (m[i, j] + m[q, r] - 2 * m[i, q]))
                            count += 1
        return total / count

    k, m = grams(x, y)
    return hsic(k, m) / math.sqrt(hsic(k, k) * hsic(m, m))


def test_cka_equals_its_definition():
    x, y = torch.randn(12, 3, dtype=torch.float64), torch.randn(12, 5, dtype=torch.float64)
    y[:, 0] += 2 * x[:, 1]
    assert_close(linear_cka(x, y), twin_cka(x, y), rtol=1e-10)
    x, y = x[:7] + 3, y[:7] - 1
    assert float(linear_cka(x, y, debiased=True)) == pytest.approx(twin_debiased(x, y), rel=1e-9)


@pytest.mark.parametrize("debiased", [False, True])
def test_cka_does_not_see_rotation_scale_and_shift(debiased):
    x, y = torch.randn(20, 4, dtype=torch.float64), torch.randn(20, 6, dtype=torch.float64)
    turn = torch.linalg.qr(torch.randn(4, 4, dtype=torch.float64))[0]
    base = linear_cka(x, y, debiased=debiased)
    assert_close(linear_cka(1e150 * (x @ turn) + 1e149, 1e-150 * y, debiased=debiased), base, rtol=1e-9)
    assert_close(linear_cka(y, x, debiased=debiased), base, rtol=1e-10)
    assert float(linear_cka(x, -3 * x, debiased=debiased)) == pytest.approx(1, abs=1e-9)
    both = linear_cka(torch.stack([x, x]), torch.stack([y[:, :4], x @ turn]), debiased=debiased)
    assert_close(both, torch.stack([linear_cka(x, y[:, :4], debiased=debiased), torch.ones_like(base)]), rtol=1e-9)


def test_debiased_cka_of_wide_independent_layers_is_near_zero():
    x, y = torch.randn(2, 60, 500, dtype=torch.float64)
    assert linear_cka(x, y) > 0.8
    assert abs(linear_cka(x, y, debiased=True)) < 0.05


def test_bad_input(unchecked):
    good, bad = torch.zeros(5, 2), torch.tensor([[1.0, torch.nan]])
    for call in (effective_rank, participation_ratio, singular_values):
        assert_refused(lambda call=call: call(bad), "1 of 2")
        assert_refused(lambda call=call: call(torch.zeros(0, 2)), "(0, 2)")
    assert_refused(lambda: linear_cka(bad, good), "x must be finite")
    assert_refused(lambda: linear_cka(good, bad), "y must be finite")
    assert_refused(lambda: linear_cka(good, good[:3]), "5 and 3")
    assert_refused(lambda: linear_cka(good[:1], good[:1]), "inputs", "2")
    assert_refused(lambda: linear_cka(good[:3], good[:3], debiased=True), "inputs", "4")
