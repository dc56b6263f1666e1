"""Claims of the draft on layer-wise implicit EM: gradients of log-sum-exp losses, collapse, competition."""

import math

import torch
from torch import Tensor

from pwlact.theory.claims import competitive
from pwlact.theory.claims.drafts import EM
from pwlact.theory.claims.layerwise import LAYERWISE_CLAIMS
from pwlact.theory.claims.ledger import Claim, Measurement, above, below, exact, near, weigh
from pwlact.theory.claims.maps import draws, largest

_POINTS, _PROTOTYPES = 200, 4


def _distances(x: Tensor, prototypes: Tensor, precision: float | Tensor = 1.0) -> Tensor:
    """d_j = precision ||x - mu_j||^2 / 2, shape (n, K)."""
    return precision * (x[:, None, :] - prototypes).square().sum(-1) / 2


def _loss(distances: Tensor) -> Tensor:
    """L = -log sum_j exp(-d_j) of each point."""
    return -(-distances).logsumexp(-1)


def _data() -> tuple[Tensor, Tensor]:
    return draws(_POINTS, 2), draws(_PROTOTYPES, 2, seed=1)


def gradient_sign() -> Measurement:
    """dL/dd_j against r_j and -r_j."""
    d = _distances(*_data()).requires_grad_()
    _loss(d).sum().backward()
    assert d.grad is not None
    r = (-d.detach()).softmax(-1)
    return weigh(
        exact(f"largest error of dL/dd_j = +r_j, n = {_POINTS} points", largest(d.grad - r)),
        exact("of dL/dd_j = -r_j", largest(d.grad + r), core=False),
        note="the draft's sign would repel prototypes",
    )


def first_layer_gradient() -> Measurement:
    """dL/dW1 of a two-layer network against sum_j r_j dd_j/dW1."""
    x, prototypes = _data()
    weights = draws(2, 2, seed=2).requires_grad_()
    d = _distances(torch.tanh(x @ weights), prototypes)
    (whole,) = torch.autograd.grad(_loss(d).sum(), weights, retain_graph=True)
    (weighted,) = torch.autograd.grad((d.detach().neg().softmax(-1) * d).sum(), weights)
    return weigh(exact(f"largest error of sum_j r_j dd_j/dW, n = {_POINTS} points,", largest(whole - weighted)))


def gradient_is_em() -> Measurement:
    """One descent step on the prototypes against EM's M-step."""
    x, prototypes = _data()
    prototypes = prototypes.requires_grad_()
    (gradient,) = torch.autograd.grad(_loss(_distances(x, prototypes)).sum(), prototypes)
    mu = prototypes.detach()
    r = (-_distances(x, mu)).softmax(-1)
    step = (r.mT @ x) / r.sum(0)[:, None] - mu
    rate = -(step * gradient).sum() / gradient.square().sum()
    single = (-rate * gradient - step).norm() / step.norm()
    own = largest(-gradient / r.sum(0)[:, None] - step)
    return weigh(
        exact("step with rates 1 / sum_i r_ij less the M-step, largest", own),
        below("relative error of the best single rate", single, 1e-3, core=False),
        note="descent is EM only with one rate a component",
    )


def _train_linear(weights_too: bool) -> tuple[float, float]:
    """Descend on -log sum_j exp(w_j x + b_j); returns the loss and the largest mean responsibility reached."""
    x, _ = _data()
    w = draws(_PROTOTYPES, 2, 0.5, seed=1).requires_grad_()
    b = draws(1, _PROTOTYPES, 0.1, seed=2)[0].requires_grad_()
    free = (w, b) if weights_too else (b,)
    for _ in range(200):
        loss = -(x @ w.mT + b).logsumexp(-1).mean()
        for parameter, gradient in zip(free, torch.autograd.grad(loss, free), strict=True):
            parameter.data -= 0.5 * gradient
    logits = (x @ w.mT + b).detach()
    return -logits.logsumexp(-1).mean().item(), logits.softmax(-1).mean(0).max().item()


def collapse() -> Measurement:
    """Train linear logits by their biases alone, then by weights too; let the precision of distances go to 0."""
    x, prototypes = _data()
    (loss, alone), (_, both) = _train_linear(False), _train_linear(True)
    flat = _loss(_distances(x, prototypes, 1e-6)).mean()
    share = (-_distances(x, prototypes, 1e-6)).softmax(-1).mean(0).max()
    return weigh(
        below(f"{_PROTOTYPES} linear logits, 200 steps on the biases: loss", loss, -50),
        above("largest mean responsibility", alone, 0.95),
        above("with the weights as well", both, 0.95, core=False),
        above("distances, precision 1e-6", share, 0.95, core=False),
        near("loss there, in the limit -log 4,", flat, -math.log(_PROTOTYPES), 1e-4),
        note="growing weights leave a winner a direction; distances end with all units sharing evenly",
    )


def log_determinant() -> Measurement:
    """The loss with the Gaussian's log-determinant as the precision goes to 0 or infinity."""
    x, prototypes = _data()
    scales = torch.logspace(-6, 6, 49, dtype=torch.float64)
    losses = [(_loss(_distances(x, prototypes, s)) - s.log()).mean().item() for s in scales]
    best = int(torch.tensor(losses).argmin())
    return weigh(
        above("precision that minimises the loss with the log-determinant, of 1e-6..1e6,", scales[best], 1e-5),
        below("the same", scales[best], 1e5),
        above("loss at precision 1e-6 less the least", losses[0] - losses[best], 1.0),
    )


def few_regions() -> Measurement:
    """Cells in which one of six softmax units is the largest."""
    z = draws(20_000, 2) @ draws(2, 6, seed=1)
    return weigh(
        below(
            "units that win somewhere, 6 units in 2 dimensions, n = 20,000 points,",
            z.argmax(-1).unique().numel(),
            6,
        )
    )


def scalar_discards() -> Measurement:
    """A leaky ReLU and its inverse."""
    z = draws()
    out = torch.nn.functional.leaky_relu(z, 0.1)
    error = largest(torch.where(out < 0, out / 0.1, out) - z)
    return weigh(
        above("leaky ReLU: largest error of z recovered from its output, n = 200,", error, 1e-6),
        note="nothing is lost",
    )


_claim = EM.claim
_MEASURED = (
    _claim("gradient-sign", "L = -log sum_j exp(-d_j): dL/dd_j = -r_j", gradient_sign),
    _claim("first-layer-gradient", "the first layer receives dL/dW = sum_j r_j dd_j/dW", first_layer_gradient),
    _claim("gradient-is-em", "gradient descent on such a loss performs EM", gradient_is_em),
    _claim(
        "relu-no-competition",
        "ReLU's Jacobian is diagonal: no competition between hidden units",
        competitive.relu_jacobian,
    ),
    _claim(
        "softmax-cross-terms",
        "softmax has cross terms a_i (delta_ij - a_j): raising z_j lowers the others",
        competitive.softmax_jacobian,
    ),
    _claim("relu-regions", "K ReLU units tell up to 2^K regions apart", competitive.relu_regions),
    _claim("softmax-regions", "softmax is limited to K regions, one a winner", few_regions),
    _claim("z-softmax-competition", "z * softmax(z) keeps magnitude and competes", competitive.z_softmax_sign),
    _claim(
        "log-softmax-relative",
        "log-softmax subtracts a shared value and keeps relative magnitudes",
        competitive.log_softmax_differences,
    ),
    _claim("collapse", "without regularisation one unit takes over by growing its weights", collapse),
    _claim("log-determinant", "Gaussian mixtures prevent collapse by their log-determinant", log_determinant),
    _claim("scalar-discards", "a scalar activation necessarily discards information", scalar_discards),
)
# every row of the draft
CLAIMS: tuple[Claim, ...] = (*_MEASURED, *LAYERWISE_CLAIMS)
