"""Fenchel-Young losses, smoothed likelihood and hinge: values, gradients, targets, weights, what is ignored."""

from functools import partial

import entmax as peer
import pytest
import torch
from asserts import assert_close, assert_refused
from competitive.maps import extremes, rows
from torch.autograd import gradcheck, gradgradcheck
from torch.nn import functional

from pwlact.competitive import (
    Entmax15Loss,
    EntmaxLoss,
    SoftmaxLoss,
    SparsemaxLoss,
    entmax,
    entmax15,
    entmax15_loss,
    entmax_loss,
    relumax,
    relumax_loss,
    smoothed_nll,
    softmax,
    softmax_loss,
    sparsemax,
    sparsemax_loss,
    support_hinge,
)

LOSSES = {
    "softmax": (softmax_loss, softmax, 1.0),
    "sparsemax": (sparsemax_loss, sparsemax, 2.0),
    "entmax15": (entmax15_loss, entmax15, 1.5),
    "entmax-1.2": (lambda *a, **k: entmax_loss(*a, alpha=1.2, **k), lambda z: entmax(z, 1.2), 1.2),
    "entmax-3": (lambda *a, **k: entmax_loss(*a, alpha=3.0, **k), lambda z: entmax(z, 3.0), 3.0),
}
each = pytest.mark.parametrize(("loss", "function", "alpha"), LOSSES.values(), ids=LOSSES)


def entropy(p, alpha):
    """Tsallis' entropy, the definition that the losses come from."""
    if alpha == 1:
        return -torch.xlogy(p, p).sum(-1)
    return (p - p**alpha).sum(-1) / (alpha * (alpha - 1))


def definition(z, y, p, alpha):
    """L = p'z + H(p) - H(y) - y'z."""
    return ((p - y) * z).sum(-1) + entropy(p, alpha) - entropy(y, alpha)


@each
def test_value_by_definition(loss, function, alpha):
    z = rows(5)
    soft = torch.rand_like(z).softmax(-1)
    sparse = sparsemax(torch.randn_like(z))
    hard = torch.arange(len(z)) % 5
    for y, target in ((soft, soft), (sparse, sparse), (torch.eye(5).double()[hard], hard)):
        actual = loss(z, target, reduction="none")
        assert_close(actual, definition(z, y, function(z), alpha), atol=1e-11)
        assert (actual >= 0).all()


@each
def test_gradient_is_p_less_y(loss, function, alpha):
    for z in (rows(5), extremes(5)):
        z = z.clone().requires_grad_()
        y = torch.rand(z.shape, dtype=torch.float64).softmax(-1)
        hard = torch.arange(len(z)) % 5
        for target, expected in ((y, y), (hard, torch.eye(5).double()[hard])):
            (grad,) = torch.autograd.grad(loss(z, target, reduction="sum"), z)
            assert torch.equal(grad, (function(z) - expected).detach())


@each
def test_zero_at_p_and_only_there(loss, function, alpha):
    z = rows(5)
    p = function(z)
    assert loss(z, p, reduction="none").max() < 1e-13
    other = p.roll(1, -1)
    apart = (p - other).abs().amax(-1) > 1e-3
    assert (loss(z, other, reduction="none")[apart] > 1e-8).all()


def test_margins():
    """The loss of a class is exactly 0 from a lead of 1 / (alpha - 1) on."""
    for loss, margin in ((sparsemax_loss, 1.0), (entmax15_loss, 2.0)):
        target = torch.tensor(0)
        assert loss(torch.tensor([margin, 0.0, 0.0]), target) == 0
        assert loss(torch.tensor([margin - 0.01, 0.0, 0.0]), target) > 0


@each
@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")
def test_derivatives(loss, function, alpha):
    z = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    y = torch.rand(4, 3, dtype=torch.float64).softmax(-1)
    for target in (y, torch.tensor([0, 2, 1, -100])):
        of_scores = partial(loss, target=target)
        assert gradcheck(of_scores, (z,), check_forward_ad=True)
        assert gradgradcheck(of_scores, (z,))


def test_against_torch_and_the_entmax_package():
    z, target, weight = torch.randn(9, 5).double(), torch.arange(9) % 5, torch.rand(5).double()
    target[3] = -100
    for reduction in ("none", "sum", "mean"):
        for w in (None, weight):
            expected = functional.cross_entropy(z, target, w, reduction=reduction)
            assert_close(softmax_loss(z, target, w, reduction=reduction), expected)
    target = target.clamp(min=0)
    assert_close(sparsemax_loss(z, target, reduction="none"), peer.sparsemax_loss(z, target))
    assert_close(entmax15_loss(z, target, reduction="none"), peer.entmax15_loss(z, target))
    expected = peer.entmax_bisect_loss(z, target, 1.3, n_iter=80)
    assert_close(entmax_loss(z, target, alpha=1.3, reduction="none"), expected)
    y = torch.rand(9, 5).double().softmax(-1)
    expected = functional.cross_entropy(z, y, reduction="none") - entropy(y, 1)
    assert_close(softmax_loss(z, y, reduction="none"), expected)


@each
def test_dimensions_as_in_torch(loss, function, alpha):
    z, target = torch.randn(2, 5, 3, 4), torch.randint(5, (2, 3, 4))
    flat = loss(z.movedim(1, -1).reshape(-1, 5), target.reshape(-1), reduction="none")
    assert_close(loss(z, target, reduction="none"), flat.reshape(2, 3, 4))
    assert loss(z[0, :, 0, 0], target[0, 0, 0]).shape == ()


@each
def test_ignored_rows_count_nothing_even_if_nan(loss, function, alpha):
    z = torch.randn(4, 5, requires_grad=True)
    spoilt = z.detach().clone()
    spoilt[1], spoilt[2] = torch.nan, torch.inf
    spoilt.requires_grad_()
    target = torch.tensor([3, 7, 7, 1])
    actual = loss(spoilt, target, ignore_index=7)
    assert_close(actual, loss(z[[0, 3]], target[[0, 3]]))
    actual.backward()
    assert (spoilt.grad[2] == 0).all()
    assert spoilt.grad[[0, 3]].abs().sum() > 0
    nothing = loss(z, torch.full((4,), -100))
    assert nothing == 0
    nothing.backward()
    assert (z.grad == 0).all()


@each
def test_masked_classes(loss, function, alpha):
    z = torch.tensor([[1.0, -torch.inf, 0.5], [1.0, -torch.inf, 0.5]], requires_grad=True)
    losses = loss(z, torch.tensor([0, 1]), reduction="none")
    assert_close(losses[0], loss(torch.tensor([1.0, 0.5]), torch.tensor(0)))
    assert losses[1] == torch.inf
    losses[0].backward()
    assert z.grad.isfinite().all()
    assert z.grad[0, 1] == 0


@each
def test_weights_of_distributions(loss, function, alpha):
    z, weight = torch.randn(3, 4).double(), torch.tensor([1.0, 2.0, 0.5, 0.0]).double()
    y = torch.rand(3, 4).double().softmax(-1)
    plain = loss(z, y, reduction="none")
    assert_close(loss(z, y, weight, reduction="none"), plain * (y @ weight))
    assert_close(loss(z, y, weight), (plain * (y @ weight)).sum() / (y @ weight).sum())


def test_modules_call_the_functions():
    z, target, weight = torch.randn(4, 3), torch.tensor([0, 1, 2, 1]), torch.tensor([1.0, 2.0, 3.0])
    for module, loss in ((SoftmaxLoss, softmax_loss), (SparsemaxLoss, sparsemax_loss), (Entmax15Loss, entmax15_loss)):
        made = module(weight, ignore_index=1, reduction="sum")
        assert_close(made(z, target), loss(z, target, weight, ignore_index=1, reduction="sum"))
    assert_close(EntmaxLoss(1.7)(z, target), entmax_loss(z, target, alpha=1.7))


def test_short_types_give_float32():
    loss = sparsemax_loss(torch.randn(3, 4).bfloat16(), torch.tensor([0, 1, 2]))
    assert loss.dtype == torch.float32


def test_refused(unchecked):
    z = torch.randn(4, 3)
    good = torch.tensor([0, 1, 2, 0])
    assert_refused(lambda: sparsemax_loss(z, torch.tensor([0, 1, 3, 0])), "0 to 2", "3")
    assert_refused(lambda: sparsemax_loss(z, torch.tensor([0, 1, -1, 0])), "-1")
    assert_refused(lambda: sparsemax_loss(z, good[:3]), "(4,)", "(3,)")
    assert_refused(lambda: sparsemax_loss(z, torch.rand(3, 4)), "(4, 3)", "(3, 4)")
    assert_refused(lambda: sparsemax_loss(z, good, torch.ones(4)), "weight", "(3,)")
    assert_refused(lambda: sparsemax_loss(z, good, reduction="average"), "reduction", "mean")
    assert_refused(lambda: sparsemax_loss(z.long(), good), "floating-point")
    assert_refused(lambda: entmax_loss(z, good, alpha=1.0), "alpha")
    assert_refused(lambda: smoothed_nll(z.softmax(-1), good, epsilon=0.0), "epsilon")
    assert_refused(lambda: support_hinge(z, good, b=0.0), "b must")
    assert_refused(lambda: support_hinge(z, good, share=1.5), "share")
    assert_refused(lambda: relumax_loss(z, good, hinge=-1.0), "hinge")


def test_smoothed_likelihood_by_definition():
    p, target = torch.tensor([[0.7, 0.3, 0.0], [0.0, 0.0, 1.0]]).double(), torch.tensor([0, 1])
    expected = -torch.log((torch.tensor([0.7, 0.0]).double() + 0.01) / 1.03)
    assert_close(smoothed_nll(p, target, epsilon=0.01, reduction="none"), expected)
    assert_close(smoothed_nll(p, target, epsilon=0.01), expected.mean())
    even = torch.full((2, 3), 1 / 3, dtype=torch.float64)
    assert_close(smoothed_nll(p, even, epsilon=0.01, reduction="none"), -((p + 0.01) / 1.03).log().mean(-1))


def test_the_gradient_vanishes_outside_the_support_and_the_hinge_mends_it():
    z = torch.tensor([[0.0, 5.0, 4.8]], requires_grad=True)
    target = torch.tensor([0])
    for p in (sparsemax(z), relumax(z)):
        (grad,) = torch.autograd.grad(smoothed_nll(p, target), z)
        assert (grad == 0).all()
    (grad,) = torch.autograd.grad(relumax_loss(z, target), z)
    assert grad.tolist() == [[-1, 1, 0]]
    assert relumax_loss(z, target, hinge=0.0) == smoothed_nll(relumax(z), target)
    (grad,) = torch.autograd.grad(sparsemax_loss(z, target), z)
    assert grad[0, 0] == -1


def test_relumax_learns_from_outside_the_support_with_the_hinge_only():
    for hinge, learns in ((0.0, False), (1.0, True)):
        z = torch.tensor([[0.0, 5.0, 4.8]], requires_grad=True)
        for _ in range(200):
            (grad,) = torch.autograd.grad(relumax_loss(z, torch.tensor([0]), hinge=hinge), z)
            z = (z - 0.1 * grad).detach().requires_grad_()
        assert bool(z.argmax() == 0) is learns


def test_hinge_by_definition():
    z, target = torch.tensor([[2.0, 0.0, 1.5], [2.0, 0.0, 1.5], [1.0, -torch.inf, 1.0]]), torch.tensor([1, 2, 0])
    assert_close(support_hinge(z, target, b=1.0, reduction="none"), torch.tensor([1.1, 0.0, 0.0]))
    assert_close(support_hinge(z, target, b=0.5, share=0.5, reduction="none"), torch.tensor([1.75, 0.25, 0.0]))
    b = torch.tensor([1.0, 0.1, 1.0])
    assert_close(support_hinge(z, target, b, share=1.0, reduction="none"), torch.tensor([1.0, 0.4, 0.0]))
