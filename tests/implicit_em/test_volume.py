"""Volume controls: against plain formulas, their bounds, gradients, and hard input; and the registry of them."""

import math

import pytest
import torch
from asserts import assert_close, assert_refused

from pwlact.implicit_em import (
    CONTROLS,
    ENERGIES,
    PENALTIES,
    Parts,
    decorrelation,
    imbalance,
    log_determinant_energy,
    orthogonality,
    ridge_energy,
    temperature_energy,
    temperature_prior,
    variance_floor,
    weight_norm,
)

F64 = torch.float64
OF_TABLES = [variance_floor, decorrelation, weight_norm, orthogonality, imbalance]


def test_variance_floor_is_a_hinge_on_standard_deviations():
    d = torch.randn(50, 4, dtype=F64) * torch.tensor([0.0, 0.25, 1.0, 9.0], dtype=F64)
    deviation = d.std(0, correction=0)
    assert_close(variance_floor(d), (1 - deviation).clamp(min=0).mean(), rtol=1e-3)
    assert_close(variance_floor(d, 3.0), (3 - deviation).clamp(min=0).mean(), rtol=1e-3)
    assert variance_floor(d[:, 3:]) == 0
    assert_close(variance_floor(d + 5), variance_floor(d))
    assert_close(variance_floor(d[:1]), torch.tensor(1.0, dtype=F64), rtol=1e-3)  # one sample varies in nothing


def test_decorrelation_is_the_mean_square_correlation():
    d = torch.randn(60, 4, dtype=F64)
    d[:, 1] = 3 - 2 * d[:, 0]
    c = torch.corrcoef(d.mT)
    expected = sum(float(c[i, j]) ** 2 for i in range(4) for j in range(4) if i != j) / 12
    assert_close(decorrelation(d), torch.tensor(expected, dtype=F64), rtol=1e-6)
    assert_close(decorrelation(d * 1e3 + 7), decorrelation(d), rtol=1e-6)
    assert_close(decorrelation(d[:, :2]), torch.tensor(1.0, dtype=F64), rtol=1e-6)
    assert decorrelation(d[:, :1]) == decorrelation(d[:1]) == decorrelation(torch.ones(9, 3)) == 0


def test_orthogonality_reaches_its_bounds():
    assert orthogonality(torch.eye(4, dtype=F64) * 3) == 0
    assert_close(orthogonality(torch.ones(3, 5, dtype=F64)), torch.tensor(1.0, dtype=F64), rtol=1e-6)
    turned = torch.tensor([[1.0, 0.0], [-0.5, 0.75**0.5], [-0.5, -(0.75**0.5)]], dtype=F64)  # three in the plane
    assert_close(orthogonality(turned), torch.tensor((3 - 2) / (2 * 2), dtype=F64), rtol=1e-6)
    assert orthogonality(torch.randn(1, 3)) == 0
    assert_close(
        orthogonality(turned * torch.tensor([[1e3], [5.0], [0.5]], dtype=F64)), orthogonality(turned), rtol=1e-6
    )


def test_weight_norm_draws_from_both_sides():
    w = torch.tensor([[3.0, 4.0], [0.0, 0.0]], dtype=F64, requires_grad=True)
    assert_close(weight_norm(w), torch.tensor((16.0 + 1.0) / 2, dtype=F64))
    assert_close(weight_norm(w, 5.0), torch.tensor(25.0 / 2, dtype=F64))
    weight_norm(w).backward()
    assert w.grad.isfinite().all()


def test_imbalance_lies_between_even_and_one_for_all():
    r = torch.randn(50, 4, dtype=F64).softmax(-1)
    share = r.mean(0)
    assert_close(imbalance(r), math.log(4) + (share * share.log()).sum(), rtol=1e-10)
    assert_close(imbalance(torch.eye(4, dtype=F64)), torch.tensor(0.0, dtype=F64))  # hard, but even
    alone = torch.tensor([[1.0, 0.0, 0.0]], dtype=F64, requires_grad=True)
    assert_close(imbalance(alone), torch.tensor(math.log(3), dtype=F64))
    imbalance(alone).backward()
    assert alone.grad.isfinite().all()
    assert imbalance(torch.ones(5, 1)) == 0


def test_energies_make_a_normal_density():
    means, scale = torch.zeros(2, dtype=F64), torch.tensor([0.5, 3.0], dtype=F64)
    log_tau = torch.tensor([0.7], dtype=F64)
    x = torch.tensor([0.3, -1.2], dtype=F64)
    normal = torch.distributions.Normal(means, log_tau.exp().sqrt() / scale)
    d = (scale * x).square().sum() / 2 / log_tau.exp()
    energy = log_determinant_energy(scale.log().sum()[None], 2) + temperature_energy(log_tau, 2)
    assert_close(d + energy, -normal.log_prob(x).sum()[None])


def test_ridge_is_the_distance_that_noise_adds():
    scale = torch.tensor([0.5, 3.0], dtype=F64)
    noise = 0.1**0.5 * torch.randn(200_000, 2, dtype=F64)
    added = (scale * noise).square().sum(-1).mean() / 2
    assert_close(0.1 * ridge_energy(scale.square().sum()[None]), added[None], rtol=1e-2)


def test_temperature_prior_has_its_least_value_at_one():
    assert temperature_prior(torch.zeros(3, 1)).tolist() == [0, 0, 0]
    assert temperature_prior(torch.tensor([-2.0])) == temperature_prior(torch.tensor([2.0])) == 2


@pytest.mark.parametrize("control", OF_TABLES)
def test_tables(control):
    values = torch.rand(2, 6, 3, dtype=F64) + 0.1
    if control is imbalance:
        values = values / values.sum(-1, keepdim=True)
    assert torch.autograd.gradcheck(control, (values.clone().requires_grad_(),), rtol=1e-3, atol=1e-6)
    assert_close(control(values), torch.stack([control(values[0]), control(values[1])]))
    assert_close(
        control(values[..., torch.tensor([2, 0, 1])] if control is not weight_norm else values.flip(1)), control(values)
    )
    assert control(values.bfloat16()).dtype == torch.float32
    assert_close(control(values.float()).double(), control(values), rtol=1e-3)
    assert control(torch.full((4, 3), torch.nan)).isnan()
    for shape in ((0, 3), (3, 0), (3,)):
        assert_refused(lambda shape=shape: control(torch.zeros(shape)), str(shape))
    assert_refused(lambda: control(torch.zeros(2, 2, dtype=torch.int32)), "int32")


@pytest.mark.parametrize("scale", [0.0, 1e-15, 1e15])
@pytest.mark.parametrize("control", [variance_floor, decorrelation, orthogonality])
def test_very_large_and_small_values_give_finite_gradients(control, scale):
    values = (torch.randn(8, 3) * scale).requires_grad_()
    value = control(values)
    value.backward()
    assert 0 <= value <= 1
    assert values.grad.isfinite().all()


@pytest.mark.parametrize("control", [decorrelation, orthogonality])
def test_squares_that_overflow_do_not_change_a_cosine(control):
    values = torch.randn(8, 3)
    assert_close(control(values * 1e25), control(values))


def test_bad_settings():
    for bad in (0.0, -1.0, math.nan):
        assert_refused(lambda bad=bad: variance_floor(torch.zeros(2, 2), bad), "floor")
        assert_refused(lambda bad=bad: weight_norm(torch.zeros(2, 2), bad), "size")


def test_registry_calls_each_by_its_name():
    w = torch.randn(3, 4, dtype=F64)
    log_tau = torch.tensor([0.3], dtype=F64)
    parts = Parts(2, w, 2.0, w[:, :2], torch.randn(3, dtype=F64), log_tau)
    d, r = torch.randn(9, 3, dtype=F64), torch.randn(9, 3, dtype=F64).softmax(-1)
    assert set(CONTROLS) == set(ENERGIES) | set(PENALTIES)
    expected = {
        "log-det": log_determinant_energy(parts.log_determinant, 2),
        "temperature": temperature_energy(log_tau, 2),
        "ridge": ridge_energy(w.square().sum(-1)),
        "variance": variance_floor(d),
        "decorrelation": decorrelation(d),
        "weight-norm": weight_norm(w, 2.0),
        "orthogonality": orthogonality(w[:, :2]),
        "balance": imbalance(r),
        "temperature-prior": temperature_prior(log_tau),
    }
    assert set(expected) == set(CONTROLS)
    for name, value in expected.items():
        found = ENERGIES[name](parts) if name in ENERGIES else PENALTIES[name](parts, d, r)
        assert_close(found, value)
    plain = Parts(2, w, 1.0, w)
    for name in ENERGIES:
        assert_refused(lambda name=name: ENERGIES[name](plain), name, "diagonal or full")
    assert_refused(lambda: PENALTIES["temperature-prior"](plain, d, r), "learn_temperature=True")
