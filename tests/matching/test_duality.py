"""F, f, f*, F*, losses and divergences of every transfer function, against quadrature and each other."""

import itertools
import math

import mpmath
import numpy as np
import pytest
import torch
from asserts import RTOL, assert_close
from matching.transfers import ALL, ELEMENTWISE, FLAT_PIECES, LOOSE, STRICT, pairs, points, rising

from pwlact.matching import PiecewiseLinear, Sigmoid, Softmax, Softplus, Tanh

INF, NAN = math.inf, math.nan
CHECK = {"atol": 1e-5, "rtol": 1e-4, "fast_mode": True, "check_undefined_grad": False}


def integral(f, left, right, bends=()):
    """int_left^right f by Gauss-Legendre on short pieces between the bends, in float64."""
    inside = [b for b in bends if min(left, right) < b < max(left, right)]
    ends = np.array(sorted({left, right, *inside}))
    fine = np.unique(np.concatenate([np.linspace(p, q, 9) for p, q in itertools.pairwise(ends)] or [ends]))
    nodes, weights = np.polynomial.legendre.leggauss(12)
    middle, half = (fine[1:] + fine[:-1]) / 2, np.diff(fine) / 2
    z = torch.as_tensor(middle[:, None] + half[:, None] * nodes)
    total = float((f(z).numpy() * weights * half[:, None]).sum())
    return total if left <= right else -total


def bends(transfer):
    return transfer.activation.knots.positions().tolist() if isinstance(transfer, PiecewiseLinear) else [0.0]


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_potential_is_the_integral_of_f(name):
    f = ELEMENTWISE[name]
    a = points(21)
    base = f.potential(torch.zeros(1, dtype=torch.float64)).item()
    expected = torch.tensor([base + integral(f, 0.0, end, bends(f)) for end in a.tolist()], dtype=torch.float64)
    assert_close(f.potential(a), expected, rtol=1e-11, atol=1e-11 * max(1.0, expected.abs().max().item()))


def test_constants_of_the_potentials_are_those_of_the_table():
    zero = torch.zeros((), dtype=torch.float64)
    known = {"sigmoid": math.log(2), "softplus": math.pi**2 / 12}
    for name, f in ELEMENTWISE.items():
        assert f.potential(zero).item() == pytest.approx(known.get(name, 0.0), abs=1e-15)


@pytest.mark.parametrize("name", STRICT)
def test_derivative_of_the_dual_is_the_inverse(name):
    f = STRICT[name]
    a = points()
    a = a[(a.abs() < 4)]
    y = f(a)
    assert_close(f(f.inverse(y)), y, rtol=1e-9)
    if name == "pwl-steep":  # slopes from 1e-6 to 1e3 leave no step to take differences by
        return
    step = 1e-6 * torch.minimum(torch.ones_like(y), (f(a + 1e-3) - f(a - 1e-3)).abs())
    slope = (f.dual_potential(y + step) - f.dual_potential(y - step)) / (2 * step)
    assert_close(slope, f.inverse(y), rtol=1e-3, atol=2e-4)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_potentials_are_conjugate(name):
    f = ELEMENTWISE[name]
    a, other = pairs()
    y = f(a)
    equality = f.potential(a) + f.dual_potential(y) - a * y
    gap = f.potential(other) + f.dual_potential(y) - other * y
    scale = 1e-12 * max(1.0, (a * y).abs().max().item())
    assert equality.abs().max() <= scale
    assert gap.min() >= -scale  # Fenchel's inequality


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_loss_is_the_integral_under_the_curve(name):
    f = ELEMENTWISE[name]
    hat, a = pairs()
    y = f(a)
    expected = [
        integral(lambda z, c=c: f(z) - c, b, h, bends(f))
        for h, b, c in zip(hat.tolist(), a.tolist(), y.tolist(), strict=True)
    ]
    expected = torch.tensor(expected, dtype=torch.float64)
    scale = 1e-11 * max(1.0, expected.abs().max().item())
    for found in (f.loss(hat, y), f.divergence(hat, a)):
        assert_close(found, expected, rtol=1e-9, atol=scale)


@pytest.mark.parametrize("name", STRICT)
def test_divergence_of_the_dual_with_arguments_exchanged(name):
    f = STRICT[name]
    hat, a = pairs()
    found = f.dual_divergence(f(a), f(hat))
    assert_close(found, f.divergence(hat, a), rtol=1e-7, atol=1e-9 * max(1.0, found.max().item()))


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_divergence_is_never_negative_and_zero_at_equality(name):
    f = ELEMENTWISE[name]
    hat, a = pairs()
    assert (f.divergence(hat, a) >= 0).all()
    assert (f.loss(hat, f(a)) >= 0).all()
    assert f.divergence(a, a).max() <= 1e-15
    assert f.loss(a, f(a)).max() <= 1e-15 * max(1.0, a.abs().max().item() ** 2)


@pytest.mark.parametrize("name", STRICT)
def test_strict_divergence_is_zero_only_at_equality(name):
    f = STRICT[name]
    assert f.strict
    hat, a = pairs()
    assert (f.divergence(hat, a)[hat != a] > 0).all()


@pytest.mark.parametrize("name", LOOSE)
def test_loose_divergence_is_zero_along_a_flat_stretch(name):
    f = LOOSE[name]
    assert not f.strict
    a = torch.linspace(-10, 10, 4001, dtype=torch.float64)
    flat = (f(a[1:]) == f(a[:-1])).nonzero()[:, 0]
    assert len(flat)
    assert f.divergence(a[flat], a[flat + 1]).abs().max() == 0


def test_softmax_duality():
    f = Softmax()
    hat, a = torch.randn(2, 50, 6, dtype=torch.float64) * 3
    y = f(a)
    expected = f.potential(hat) - f.potential(a) - (y * (hat - a)).sum(-1)
    for found in (f.loss(hat, y), f.divergence(hat, a), f.dual_divergence(y, f(hat))):
        assert_close(found, expected, rtol=1e-11)
    assert_close(f(f.inverse(y)), y)
    assert_close(f.potential(a) + f.dual_potential(y), (a * y).sum(-1))
    assert not f.strict
    assert f.divergence(a + 1.5, a).max() <= 1e-15


def test_softmax_of_two_units_is_the_sigmoid():
    a, y = torch.randn(40, dtype=torch.float64) * 4, torch.rand(40, dtype=torch.float64)
    two = Softmax(0).loss(torch.stack([a, torch.zeros_like(a)]), torch.stack([y, 1 - y]))
    assert_close(two, Sigmoid().loss(a, y), rtol=1e-11)


@pytest.mark.parametrize("name", ALL)
def test_first_and_second_derivatives(name):
    f = ALL[name]
    hat, a = pairs()
    hat, a = hat[::14].clone().requires_grad_(), a[::14].clone().requires_grad_()
    y = f(a).detach()
    with torch.no_grad():
        inside = f(points(3).mean().expand(len(y))) if name != "softmax" else torch.full_like(y, 1 / len(y))
        y = 0.5 * y + 0.5 * inside if f.strict else y
    calls = [lambda h: f.potential(h), lambda h: f.loss(h, y), lambda h: f.divergence(h, a.detach())]
    for call in calls:
        assert torch.autograd.gradcheck(call, (hat,), **CHECK)
        assert torch.autograd.gradgradcheck(call, (hat,), **CHECK)
    right = lambda b: f.divergence(hat.detach(), b)
    if name != "pwl-steep":  # slopes of 1e3 in steps of 1e-6 are no matter for finite differences
        assert torch.autograd.gradcheck(right, (a,), **CHECK)
        assert torch.autograd.gradgradcheck(right, (a,), **CHECK)


@pytest.mark.parametrize("name", [name for name in STRICT if name != "pwl-steep"])
def test_derivatives_in_the_target(name):
    f = STRICT[name]
    hat, a = (x[8::9].clone() for x in pairs())
    y = f(a.clamp(-2, 2) * 0.9 + 0.01).detach().requires_grad_()
    for call in (f.dual_potential, lambda t: f.loss(hat, t), lambda t: f.inverse(t)):
        tolerance = {"eps": 1e-8, "atol": 1e-3, "rtol": 1e-3}
        assert torch.autograd.gradcheck(call, (y,), **tolerance)
        assert torch.autograd.gradgradcheck(call, (y,), **tolerance)


@pytest.mark.parametrize("name", ALL)
def test_gradient_of_the_loss_is_exactly_f_minus_y(name):
    f = ALL[name]
    hat, a = pairs()
    hat, y = hat.requires_grad_(), f(a).detach()
    (found,) = torch.autograd.grad(f.loss(hat, y).sum(), hat)
    assert torch.equal(found, f(hat.detach()) - y)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("size", [1e4, 1e15])
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_far_out_the_loss_is_that_of_long_double_arithmetic(name, size, dtype):
    f = ELEMENTWISE[name]
    a = torch.tensor([size, -size, size, -size], dtype=dtype)
    y = f(torch.tensor([0.4, 0.4, -0.6, -0.6], dtype=dtype)).to(dtype).requires_grad_(False)
    a.requires_grad_()
    found = f.loss(a, y)
    with mpmath.workdps(60):
        expected = [float(_exact_loss(f, x, t)) for x, t in zip(a.tolist(), f.clip(y.double()).tolist(), strict=True)]
    assert found.dtype == dtype
    expected = torch.tensor(expected, dtype=torch.float64)
    torch.testing.assert_close(found.detach().double(), expected, rtol=RTOL[dtype], atol=10 * RTOL[dtype])
    (gradient,) = torch.autograd.grad(found.sum(), a)
    assert torch.equal(gradient, (f(a.detach()) - y).to(dtype))


def _exact_loss(f, a, y):
    """F(a) + F*(y) - a y in 60 digits."""
    a, y = mpmath.mpf(a), mpmath.mpf(y)
    log1pexp = lambda x: mpmath.log(1 + mpmath.exp(x)) if x < 200 else x + mpmath.exp(-x)
    xlogx = lambda x: x * mpmath.log(x) if x else mpmath.mpf(0)
    name = f.name
    if name == "sigmoid":
        return log1pexp(a) + xlogx(y) + xlogx(1 - y) - a * y
    if name == "tanh":
        return log1pexp(2 * a) - a - mpmath.log(2) + (xlogx(1 + y) + xlogx(1 - y)) / 2 - a * y
    if name == "arctan":
        return a * mpmath.atan(a) - mpmath.log(1 + a * a) / 2 - mpmath.log(mpmath.cos(y)) - a * y
    if name == "softplus":
        negative = mpmath.polylog(2, -mpmath.exp(-abs(a))) if abs(a) < 200 else mpmath.mpf(0)
        potential = a * a / 2 + mpmath.pi**2 / 6 + negative if a > 0 else -negative
        return potential + y * y / 2 + mpmath.polylog(2, mpmath.exp(-y)) - mpmath.pi**2 / 6 - a * y
    if name == "elu":
        b = mpmath.mpf(f.beta)
        potential = a * a / 2 if a > 0 else b * (mpmath.exp(a) - a - 1)
        return potential + (y * y / 2 if y > 0 else xlogx(1 + y / b) * b - y) - a * y
    return _piecewise(f, a, y)


def _piecewise(f, a, y):
    """int_b^a (f - y) of a piecewise-linear function through its bends, by trapezoids."""
    if isinstance(f, PiecewiseLinear):
        t, v = f.activation.knots.positions().tolist(), f.activation.values.tolist()
    elif f.name == "step":
        return max(a, 0) - a * y
    else:
        beta = getattr(f, "beta", 1.0)
        t, v = [-1.0, 0.0, 1.0], [-beta, 0.0, 1.0]
    t, v = [mpmath.mpf(x) for x in t], [mpmath.mpf(x) for x in v]

    def value(z):
        i = max(0, min(len(t) - 2, sum(1 for x in t if x <= z) - 1))
        return v[i] + (z - t[i]) * (v[i + 1] - v[i]) / (t[i + 1] - t[i])

    def root():
        edges = [t[0] - 10 ** mpmath.mpf(9), *t, t[-1] + 10 ** mpmath.mpf(9)]
        for left, right in itertools.pairwise(edges):
            low, high = value(left), value(right)
            if low <= y <= high:
                return left if low == high else left + (y - low) * (right - left) / (high - low)
        return edges[0] if y < value(edges[0]) else edges[-1]  # rounding took y a little out of the range

    b = root()
    ends = sorted([a, b, *[x for x in t if min(a, b) < x < max(a, b)]])
    total = sum((q - p) * ((value(p) + value(q)) / 2 - y) for p, q in itertools.pairwise(ends))
    return total if a >= b else -total


@pytest.mark.parametrize("seed", range(20))
def test_random_rising_functions(seed):
    f = rising(2 + seed, seed, flat=0.3 if seed % 2 else 0.0)
    generator = torch.Generator().manual_seed(seed)
    a, hat = torch.randn(2, 60, dtype=torch.float64, generator=generator) * 3
    y = f(a)
    assert_close(f(f.inverse(y)), y, rtol=1e-10, atol=1e-10 * y.abs().max().item())
    direct = f.potential(hat) - f.potential(a) - y * (hat - a)
    scale = 1e-12 * max(1.0, f.potential(hat).abs().max().item(), (y * hat).abs().max().item())
    for found in (f.loss(hat, y), f.divergence(hat, a)):
        assert_close(found, direct, rtol=1e-9, atol=scale)
    assert_close(f.potential(a) + f.dual_potential(y), a * y, rtol=1e-9, atol=scale)


@pytest.mark.parametrize("name", FLAT_PIECES)
def test_inverse_on_a_flat_stretch_is_its_point_nearest_zero(name):
    f = FLAT_PIECES[name]
    a = torch.linspace(-12, 12, 2401, dtype=torch.float64)
    outputs = f(a)
    for level in outputs.unique():
        where = a[outputs == level]
        if len(where) > 1:
            nearest = where[where.abs().argmin()]
            assert abs(f.inverse(level).item() - nearest.item()) <= 0.011
            assert abs(f.inverse(level).item()) <= abs(nearest.item()) + 1e-12


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_infinities_and_nan(name):
    f = ELEMENTWISE[name]
    y = f(torch.tensor([0.4], dtype=torch.float64))
    a = torch.tensor([INF, -INF], dtype=torch.float64)
    losses = f.loss(a, y.expand(2))
    far = f.loss(torch.tensor([1e6, -1e6], dtype=torch.float64), y.expand(2))
    for loss, near in zip(losses.tolist(), far.tolist(), strict=True):
        assert loss == INF if near > 1e2 else loss == pytest.approx(near, abs=1e-3)
    at_end = f.loss(a, f(a))
    assert not at_end.isnan().any() or name == "arctan"
    nan = torch.tensor([NAN], dtype=torch.float64)
    assert f.loss(nan, y).isnan().all()
    assert f.loss(torch.ones_like(nan), nan).isnan().all()
    assert f.potential(nan).isnan().all()
    assert f.inverse(nan).isnan().all()
    assert f.dual_potential(nan).isnan().all()


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_every_type_is_as_good_as_one_rounding_of_float64(dtype, name):
    f = ALL[name]
    hat, a = (x.to(dtype) for x in pairs())
    y = f(a).to(dtype)
    found, exact = f.loss(hat, y, check=False), f.loss(hat.double(), y.double(), check=False)
    assert found.dtype == dtype
    scale = max(1.0, exact[exact.isfinite()].max().item()) if exact.ndim else 1.0
    assert_close(found, exact.to(dtype), rtol=RTOL[dtype], atol=RTOL[dtype] * scale)


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize("shape", [(0,), (), (2, 0, 3), (2, 3, 4)], ids=str)
def test_every_shape(shape, name):
    f = ELEMENTWISE[name]
    a = torch.randn(shape, dtype=torch.float64)
    y = f(torch.randn(shape, dtype=torch.float64))
    for found in (f(a), f.potential(a), f.inverse(y), f.dual_potential(y), f.loss(a, y), f.divergence(a, a)):
        assert found.shape == a.shape


def test_loss_is_batched_by_vmap():
    hat, a = pairs()
    for f in (Tanh(), Softplus()):
        y = f(a)
        one = torch.func.grad(lambda h, t, f=f: f.loss(h, t, check=False))
        assert_close(torch.func.vmap(one)(hat, y), f(hat) - y)


def test_the_pi_half_of_float32_is_an_end_of_arctan():
    # it lies above pi/2, where the tangent has changed its sign
    f = ALL["arctan"]
    y = f(torch.tensor([1e10, -1e10]))
    assert (y.double().abs() > math.pi / 2).all()
    assert f.inverse(y).tolist() == [INF, -INF]
    assert f.dual_potential(y).tolist() == [INF, INF]
    assert f.loss(torch.zeros(2), y).tolist() == [INF, INF]
