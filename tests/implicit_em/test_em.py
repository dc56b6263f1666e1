"""Gradient steps with per-component rates are EM's M-step: means, covariances and weights; and distances."""

import pytest
import torch
from asserts import assert_close, assert_refused

from pwlact.implicit_em import (
    cholesky_factor,
    diagonal_distances,
    full_distances,
    linear_distances,
    lse_loss,
    m_step,
    m_step_rates,
    relu_linear_distances,
    responsibilities,
)

F64 = torch.float64
N, K, D = 40, 3, 2


def problem():
    """Samples, means, precision factors and logits of weights, all different."""
    x = torch.randn(N, D, dtype=F64) * 2
    factor = cholesky_factor(torch.randn(K, D, D, dtype=F64), torch.randn(K, D, dtype=F64) / 2)
    return x, torch.randn(K, D, dtype=F64), factor, torch.randn(K, dtype=F64)


def slow_m_step(x, r):
    """The M-step by loops, as a textbook has it."""
    weights, means, covariances = [], [], []
    for j in range(r.shape[1]):
        count = sum(float(r[i, j]) for i in range(len(x)))
        mean = sum(r[i, j] * x[i] for i in range(len(x))) / count
        spread = sum(r[i, j] * torch.outer(x[i] - mean, x[i] - mean) for i in range(len(x))) / count
        weights.append(count / len(x))
        means.append(mean)
        covariances.append(spread)
    return torch.tensor(weights, dtype=F64), torch.stack(means), torch.stack(covariances)


def energies(x, means, covariances, logits):
    """d_j - log|P_j| / 2 of a mixture given by covariances."""
    apart = x[:, None] - means
    d = torch.einsum("nkd,kde,nke->nk", apart, covariances.inverse(), apart) / 2
    return d + covariances.logdet() / 2 - logits.log_softmax(-1)


def gradients(x, means, covariances, logits):
    """r, and the gradients of the sum of losses."""
    free = [value.clone().requires_grad_() for value in (means, covariances, logits)]
    e = energies(x, *free)
    return responsibilities(e.detach()), torch.autograd.grad(lse_loss(e, reduction="sum"), free)


def test_m_step_is_the_textbook_s():
    x = torch.randn(7, D, dtype=F64)
    r = torch.randn(7, K, dtype=F64).softmax(-1)
    for actual, expected in zip(m_step(x, r), slow_m_step(x, r), strict=True):
        assert_close(actual, expected)
    for actual, alone in zip(
        m_step(torch.stack([x, -x]), torch.stack([r, r.flip(1)])), m_step(-x, r.flip(1)), strict=True
    ):
        assert_close(actual[1], alone)


def test_unit_precision_needs_the_rates_alone():
    x, means, _, _ = problem()
    means.requires_grad_()
    d = diagonal_distances(x, means, torch.ones(K, D, dtype=F64))
    (gradient,) = torch.autograd.grad(lse_loss(d, reduction="sum"), means)
    r = responsibilities(d.detach())
    stepped = means.detach() - m_step_rates(r)[:, None] * gradient
    torch.testing.assert_close(stepped, m_step(x, r).means, rtol=0, atol=1e-12)
    one_rate = -(gradient * (m_step(x, r).means - means.detach())).sum() / gradient.square().sum()
    assert (means.detach() - one_rate * gradient - m_step(x, r).means).abs().max() > 1e-2


def test_any_precision_needs_the_covariance_too():
    x, means, factor, logits = problem()
    covariances = (factor @ factor.mT).inverse()
    r, (gradient, _, _) = gradients(x, means, covariances, logits)
    step = m_step_rates(r)[:, None] * (covariances @ gradient[..., None])[..., 0]
    torch.testing.assert_close(means - step, m_step(x, r).means, rtol=0, atol=1e-12)


def test_covariances_step_to_the_scatter_about_the_mean():
    x, means, factor, logits = problem()
    covariances = (factor @ factor.mT).inverse()
    r, (_, gradient, _) = gradients(x, means, covariances, logits)
    stepped = covariances - 2 * m_step_rates(r)[:, None, None] * covariances @ gradient @ covariances
    new = m_step(x, r)
    moved = new.means - means
    expected = new.covariances + moved[:, :, None] * moved[:, None, :]
    torch.testing.assert_close(stepped, expected, rtol=0, atol=1e-10)
    assert moved.norm() > 0.1  # with the old mean, the step is not the M-step


def test_weights_step_by_one_over_n():
    x, means, factor, logits = problem()
    r, (_, _, gradient) = gradients(x, means, (factor @ factor.mT).inverse(), logits)
    torch.testing.assert_close(logits.softmax(-1) - gradient / N, m_step(x, r).weights, rtol=0, atol=1e-12)


def test_a_component_without_share_stays():
    r = torch.tensor([[1.0, 0.0, 1e-320], [1.0, 0.0, 0.0]], dtype=F64)
    assert m_step_rates(r).tolist() == [0.5, 0.0, 0.0]
    weights, means, covariances = m_step(torch.randn(2, D, dtype=F64), r)
    assert weights[1] == means[1].norm() == covariances[1].norm() == 0
    assert m_step_rates(torch.tensor([[torch.nan, 1.0]])).isnan().tolist() == [True, False]


def test_one_sample_has_no_spread():
    x = torch.randn(1, D, dtype=F64)
    new = m_step(x, torch.tensor([[0.25, 0.75]], dtype=F64))
    assert_close(new.means, x.expand(2, D))
    assert (new.covariances == 0).all()


def test_bad_steps():
    assert_refused(lambda: m_step_rates(torch.zeros(0, 2)), "(0, 2)")
    assert_refused(lambda: m_step(torch.zeros(3, 2), torch.zeros(2, 2)), "3 samples", "(2, 2)")


@pytest.mark.parametrize("scale", [1.0, 1e-15, 1e15])
def test_distances_are_what_loops_give(scale):
    x, means, factor, bias = problem()
    x, means = x * scale, means * scale
    d = full_distances(x, means, factor)
    precision = factor @ factor.mT
    assert_close(d[3, 1], (x[3] - means[1]) @ precision[1] @ (x[3] - means[1]) / 2, rtol=1e-11, atol=0)
    diagonal = factor.diagonal(dim1=-2, dim2=-1)
    assert_close(diagonal_distances(x, means, diagonal), full_distances(x, means, torch.diag_embed(diagonal)), atol=0)
    signed = linear_distances(x, means, bias)
    assert_close(signed[3, 1], x[3] @ means[1] + bias[1], rtol=1e-11)
    assert torch.equal(relu_linear_distances(x, means, bias), signed.clamp(min=0))
    assert (signed < 0).any()


def test_log_determinant_is_half_the_precision_s():
    log_diagonal = torch.randn(K, D, dtype=F64)
    factor = cholesky_factor(torch.randn(K, D, D, dtype=F64), log_diagonal)
    assert (factor.triu(1) == 0).all()
    assert_close((factor @ factor.mT).logdet() / 2, log_diagonal.sum(-1))


def test_distances_differentiate_and_batch():
    x, means, factor, bias = (value.requires_grad_() for value in problem())
    few = x[:4]
    assert torch.autograd.gradcheck(full_distances, (few, means, factor))
    assert torch.autograd.gradcheck(diagonal_distances, (few, means, factor[..., 0]))
    assert torch.autograd.gradcheck(linear_distances, (few, means, bias))
    both = [torch.stack([value, value.flip(0)]) for value in (x, means, factor)]
    assert_close(full_distances(*both)[1], full_distances(*(value[1] for value in both)))
    half = full_distances(*(value.detach().bfloat16() for value in (x, means, factor)))
    assert half.dtype == torch.float32
