"""Claims of the slides on matching losses and LocoProp."""

from collections.abc import Callable

import torch
from scipy.special import spence
from torch import Tensor

from pwlact.theory.claims.drafts import MATCHING
from pwlact.theory.claims.ledger import Claim, Measurement, above, exact, weigh
from pwlact.theory.claims.locoprop import LOCOPROP_CLAIMS
from pwlact.theory.claims.maps import Map, draws, largest

_BETA = 0.3
_HALF_STEP = 1e-5


def _half_square(a: Tensor, beta: float) -> Tensor:
    return a * (a.clamp(min=0) - beta * (-a).clamp(min=0)) / 2


def _dilogarithm(a: Tensor) -> Tensor:
    # scipy's spence(z) is Li2(1 - z)
    return -torch.as_tensor(spence(1 + a.exp().numpy()))


# name in the draft's table: (f, the F that the table gives it), a coordinate at a time
TABLE: dict[str, tuple[Map, Map]] = {
    "step": (lambda a: (1 + a.sign()) / 2, lambda a: a.clamp(min=0)),
    "linear": (lambda a: a, lambda a: a.square() / 2),
    "leaky-relu": (
        lambda a: a.clamp(min=0) - _BETA * (-a).clamp(min=0),
        lambda a: _half_square(a, _BETA),
    ),
    "sigmoid": (torch.sigmoid, lambda a: a + (-a).exp().log1p()),
    "tanh": (torch.tanh, lambda a: a.cosh().log()),
    "arctan": (torch.atan, lambda a: a * a.atan() - (1 + a.square()).sqrt().log()),
    "softplus": (lambda a: a.exp().log1p(), _dilogarithm),
    "elu": (
        lambda a: torch.where(a >= 0, a, _BETA * a.expm1()),
        lambda a: torch.where(a >= 0, a.square() / 2, _BETA * (a.exp() - a - 1)),
    ),
}


def table_row(name: str) -> Callable[[], Measurement]:
    """Measure F' = f for a row of the table, by central differences."""

    def measure() -> Measurement:
        f, integral = TABLE[name]
        # an even number of points, so that none lies on the kink at 0
        a = torch.linspace(-4, 4, 200, dtype=torch.float64)
        slope = (integral(a + _HALF_STEP) - integral(a - _HALF_STEP)) / (2 * _HALF_STEP)
        return weigh(exact("largest |F' - f|, n = 200 points in [-4, 4],", largest(slope - f(a)), 1e-7))

    return measure


def softmax_row() -> Measurement:
    """The gradient of log-sum-exp against softmax."""
    a = draws().requires_grad_()
    (gradient,) = torch.autograd.grad(a.logsumexp(-1).sum(), a)
    return weigh(
        exact("largest |grad F - softmax|, n = 200 draws of 6 units,", largest(gradient - a.detach().softmax(-1)))
    )


def link_functions() -> Measurement:
    """The least slope of the links that the slides call valid, and of those that the table adds."""
    a = torch.linspace(-4, 4, 200, dtype=torch.float64)
    slopes = {name: (f(a).diff() / a.diff()).min().item() for name, (f, _) in TABLE.items()}
    strict = [slopes[name] for name in ("linear", "leaky-relu", "tanh", "sigmoid")]
    flat = largest(torch.linspace(-4, -1, 50).relu().diff())
    shifted = largest((draws() + 1).softmax(-1) - draws().softmax(-1))
    return weigh(
        above("least slope of linear, leaky ReLU (beta 0.3), tanh and sigmoid on [-4, 4]", min(strict), 1e-6),
        above("of ReLU (beta = 0, which the table allows)", flat, 1e-6, core=False),
        above("of the step function", slopes["step"], 1e-6, core=False),
        above("change of softmax with z + 1", shifted, 1e-6, core=False),
        note="strict convexity takes beta > 0, and holds for softmax but along a constant",
    )


def _divergence(integral: Callable[[Tensor], Tensor], hat: Tensor, a: Tensor) -> Tensor:
    """D_F(hat, a) = F(hat) - F(a) - grad F(a)'(hat - a) of each row; F takes rows to numbers."""
    a = a.detach().requires_grad_()
    value = integral(a)
    (link,) = torch.autograd.grad(value.sum(), a, create_graph=True)
    return integral(hat) - value - (link * (hat - a)).sum(-1)


def _softplus(a: Tensor) -> Tensor:
    """F of the sigmoid."""
    return torch.nn.functional.softplus(a).sum(-1)


def divergence_sign() -> Measurement:
    """Non-negativity, 0 at equality, and the gradient, for the sigmoid's F."""
    hat, a = draws(seed=1).requires_grad_(), draws()
    d = _divergence(_softplus, hat, a)
    (gradient,) = torch.autograd.grad(d.sum(), hat)
    error = largest(gradient - (hat.sigmoid() - a.sigmoid()).detach())
    return weigh(
        above("least divergence of the sigmoid's F, n = 200 pairs,", d.min().item(), 0.0),
        exact("at equal arguments", largest(_divergence(_softplus, a, a))),
        exact("largest error of grad F(hat) - grad F(a)", error),
    )


def divergence_convexity() -> Measurement:
    """Second derivative in the left argument, and in the right one, of the sigmoid's divergence."""

    def curvature(function: Map) -> float:
        at = torch.linspace(-4, 4, 81, dtype=torch.float64)
        return (function(at + 1e-3) - 2 * function(at) + function(at - 1e-3)).min().item() / 1e-6

    def right(a: Tensor) -> Tensor:
        other = torch.full_like(a, 3.0)
        return _divergence(_softplus, other[:, None], a[:, None]).detach()

    def left(hat: Tensor) -> Tensor:
        return _divergence(_softplus, hat[:, None], torch.full_like(hat, 3.0)[:, None]).detach()

    return weigh(
        above("least curvature in the left argument, n = 81 points,", curvature(left), 0.0),
        above("largest drop below 0 in the right argument", -curvature(right), 1e-3),
    )


def known_divergences() -> Measurement:
    """F = ||a||^2 / 2 and F = sum a log a - a."""
    hat, a = draws(seed=1), draws()
    half = _divergence(lambda v: v.square().sum(-1) / 2, hat, a) - (hat - a).square().sum(-1) / 2
    hat, a = hat.exp(), a.exp()
    entropy = _divergence(lambda v: (v * v.log() - v).sum(-1), hat, a)
    relative = entropy - (hat * (hat / a).log() - hat + a).sum(-1)
    return weigh(
        exact("largest error of the squared Euclidean distance, n = 200,", largest(half)),
        exact("of the relative entropy, relative to its size,", largest(relative) / largest(entropy)),
    )


def matching_is_bregman() -> Measurement:
    """The integral of f(z) - f(a) against D_F, for every row of the table but the step."""
    nodes = torch.linspace(0, 1, 2001, dtype=torch.float64)
    errors = []
    for f, integral in (pair for name, pair in TABLE.items() if name != "step"):
        a, hat = torch.tensor(-1.3).double(), torch.tensor(2.1).double()
        z = a + (hat - a) * nodes
        divergence = integral(hat) - integral(a) - f(a) * (hat - a)
        errors.append(abs((torch.trapezoid(f(z) - f(a), z) - divergence).item()))
    return weigh(exact("largest difference of the integral from D_F, n = 7 rows of the table,", max(errors), 1e-5))


def softmax_divergence() -> Measurement:
    """D_F of log-sum-exp against KL(y, y-hat)."""
    hat, a = draws(seed=1), draws()
    y = a.softmax(-1)
    relative = (y * (a.log_softmax(-1) - hat.log_softmax(-1))).sum(-1)
    error = largest(_divergence(lambda v: v.logsumexp(-1), hat, a) - relative)
    return weigh(exact("largest |D_F(hat, a) - KL(y, y-hat)|, n = 200 draws of 6 units,", error))


def dual_divergence() -> Measurement:
    """D_F(hat, a) against D_F*(y, y-hat) for the sigmoid, and grad F* against the inverse link."""
    hat, a = draws(seed=1), draws()
    y, y_hat = a.sigmoid(), hat.sigmoid().requires_grad_()

    def dual(v: Tensor) -> Tensor:
        return (torch.xlogy(v, v) + torch.xlogy(1 - v, 1 - v)).sum(-1)

    error = largest(_divergence(_softplus, hat, a) - _divergence(dual, y, y_hat.detach()))
    (inverse,) = torch.autograd.grad(dual(y_hat).sum(), y_hat)
    return weigh(
        exact("largest |D_F(hat, a) - D_F*(y, y-hat)| of the sigmoid, n = 200,", error),
        exact("largest |grad F*(f(a)) - a|", largest(inverse - hat)),
    )


_claim = MATCHING.claim
_TABLE_CLAIMS = [
    _claim(f"table-{name}", f"{name}: the table's F is an integral of its f", table_row(name)) for name in TABLE
]
# every row of the slides
CLAIMS: tuple[Claim, ...] = (
    _claim(
        "link-strict",
        "linear, leaky ReLU, tanh, sigmoid and softmax are strictly increasing links",
        link_functions,
    ),
    *_TABLE_CLAIMS,
    _claim("table-softmax", "softmax: F = log sum exp", softmax_row),
    _claim("bregman", "D_F is 0 or more, 0 at equality, with gradient f(hat) - f(a)", divergence_sign),
    _claim("bregman-convex", "D_F is convex in its left argument, not always in its right", divergence_convexity),
    _claim("bregman-cases", "squared distance and relative entropy are Bregman divergences", known_divergences),
    _claim("is-bregman", "the matching loss, an integral of f(z) - f(a), is D_F", matching_is_bregman),
    _claim("softmax-kl", "softmax's matching loss is KL(y, y-hat)", softmax_divergence),
    _claim("dual", "D_F(hat, a) = D_F*(y, y-hat), and grad F* = f^-1", dual_divergence),
    *LOCOPROP_CLAIMS,
)
