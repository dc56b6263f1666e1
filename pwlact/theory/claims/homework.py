"""Claims of the homework draft about ReLU, sparsemax and relumax."""

import math
from itertools import combinations

import numpy as np
import torch
from scipy.optimize import nnls
from torch import Tensor

from pwlact.theory.claims.drafts import HOMEWORK
from pwlact.theory.claims.ledger import Claim, Measurement, above, below, exact, near, weigh
from pwlact.theory.claims.letters import LETTER_CLAIMS
from pwlact.theory.claims.maps import (
    DRAWS,
    UNITS,
    Map,
    diagonal,
    draws,
    jacobian,
    largest,
    outer,
    relumax,
    softmax,
    sparsemax,
)

_N = f"n = {DRAWS} draws of {UNITS} units"
_MAPS: dict[str, Map] = {"softmax": softmax, "sparsemax": sparsemax, "relumax": relumax}


def relu_projection() -> Measurement:
    """relu(z) against non-negative least squares."""
    z = draws(50)
    solved = torch.from_numpy(np.stack([nnls(np.eye(UNITS), row)[0] for row in z.numpy()]))
    return weigh(
        exact(
            "largest difference to non-negative least squares, n = 50 draws of 6 units,",
            largest(torch.relu(z) - solved),
        )
    )


def _projection(z: Tensor) -> Tensor:
    """Nearest point of the simplex by trying every support."""
    best, nearest = math.inf, z
    for size in range(1, len(z) + 1):
        for support in combinations(range(len(z)), size):
            p = torch.zeros_like(z)
            index = list(support)
            p[index] = z[index] - (z[index].sum() - 1) / size
            distance = (p - z).square().sum().item()
            if bool((p >= 0).all()) and distance < best:
                best, nearest = distance, p
    return nearest


def sparsemax_projection() -> Measurement:
    """max(0, z - tau) against the nearest point of the simplex, by brute force."""
    z = draws(10, scale=1.0)
    solved = torch.stack([_projection(row) for row in z])
    return weigh(
        exact(
            "largest difference to the nearest point of the simplex, all 63 supports tried, n = 10,",
            largest(sparsemax(z) - solved),
        ),
        above("least output", sparsemax(z).min(), 0.0),
        exact("largest error of sum = 1", largest(sparsemax(z).sum(-1) - 1)),
    )


def shift_invariance() -> Measurement:
    """All three at z and z + 3.7."""
    z = draws()
    return weigh(
        *(exact(f"{name}: largest change with z + 3.7, {_N}", largest(f(z + 3.7) - f(z))) for name, f in _MAPS.items())
    )


def zero_temperature() -> Measurement:
    """All three at z / T, T = 1e-3, with a unique maximum and with a tie."""
    z = torch.tensor([[1.0, 0.95, 0.0, -1.0]], dtype=torch.float64)
    tie = torch.tensor([[1.0, 1.0, 0.0, -1.0]], dtype=torch.float64)
    one_hot = torch.tensor([1.0, 0.0, 0.0, 0.0], dtype=torch.float64)
    unique = max(largest(f(z / 1e-3) - one_hot) for f in _MAPS.values())
    return weigh(
        exact("largest distance of the three from e_k at T = 0.001, gap 0.05,", unique),
        exact("with two equal maxima", max(largest(f(tie / 1e-3) - one_hot) for f in _MAPS.values()), core=False),
        note="the maximum must be unique",
    )


def relumax_is_sparsemax() -> Measurement:
    """relumax at b = max z - tau = max sparsemax(z), and at another b where that is not unique."""
    z = draws(scale=0.6)
    p = sparsemax(z)
    alone = torch.tensor([[5.0, 0.0, 0.0]], dtype=torch.float64)
    other = largest(relumax(alone, 2.0) - sparsemax(alone))
    return weigh(
        exact(f"largest difference at b = max z - tau, {_N},", largest(relumax(z, p.amax(-1, keepdim=True)) - p)),
        above("difference at another b (2, for z = [5, 0, 0], where that b is 1)", other, 1e-9, core=False),
        note="b is unique unless the support takes a single value",
    )


def _two(function: Map) -> Map:
    return lambda t: function(torch.stack([torch.zeros_like(t), t], -1))[..., 1]


def _two_classes(function: Map, formula: Map, slope: Map) -> Measurement:
    t = torch.linspace(-3.05, 3.05, 500, dtype=torch.float64).requires_grad_()
    value = _two(function)(t)
    (derivative,) = torch.autograd.grad(value.sum(), t)
    with torch.no_grad():
        return weigh(
            exact("largest error of p_2, n = 500 points in [-3.05, 3.05],", largest(value - formula(t))),
            exact("of its derivative", largest(derivative - slope(t))),
        )


def softmax_two() -> Measurement:
    """sigma(t), and p (1 - p)."""
    return _two_classes(softmax, torch.sigmoid, lambda t: t.sigmoid() * (1 - t.sigmoid()))


def sparsemax_two() -> Measurement:
    """(t + 1) / 2 in [-1, 1], slope 1/2."""
    return _two_classes(sparsemax, lambda t: ((t + 1) / 2).clamp(0, 1), lambda t: (t.abs() < 1) / 2)


def relumax_two() -> Measurement:
    """The four cases at b = 1.5, and their slopes."""
    b = 1.5

    def formula(t: Tensor) -> Tensor:
        return (
            torch.where(t < 0, (t + b) / (2 * b + t), b / (2 * b - t)).where(t > -b, 0).where(t < b, (t > 0).double())
        )

    def slope(t: Tensor) -> Tensor:
        return (b / (2 * b - t.abs()).square()).where(t.abs() < b, 0)

    return _two_classes(lambda z: relumax(z, b), formula, slope)


def relumax_limit() -> Measurement:
    """sup over t of |relumax_b - sparsemax| for two classes as b goes to 1, and at the ends t = -1, 1."""
    t = torch.linspace(-2, 2, 40_001, dtype=torch.float64)
    gap = (_two(lambda z: relumax(z, 1.0))(t) - _two(sparsemax)(t)).abs()
    nearby = max(largest(_two(lambda z, b=b: relumax(z, b))(t) - _two(sparsemax)(t)) for b in (0.999, 1.001))
    at_ends = gap[(t.abs() - 1).abs() < 1e-9].max()
    return weigh(
        exact("largest difference to sparsemax at b = 1, K = 2, n = 40,001 points", gap.max()),
        exact("at t = -1 and 1", at_ends),
        note=f"the largest is at |t| = {t[gap.argmax()].abs():.4f}; for b within 0.001 of 1 it is {nearby:.4f}",
    )


def _relumax_parts(z: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """(J, p, s, D, e_k) at b = 1: Jacobian, output, support, denominator, one-hot of the largest unit."""
    p, top = relumax(z), torch.nn.functional.one_hot(z.argmax(-1), z.shape[-1]).double()
    d = (z - z.amax(-1, keepdim=True) + 1).clamp(min=0).sum(-1)[:, None, None]
    return jacobian(relumax, z), p, (p > 0).double(), d, top


def relumax_jacobian() -> Measurement:
    """The draft's (diag(s) - p s') / D, and the same times (I - 1 e_k')."""
    j, p, s, d, top = _relumax_parts(draws(scale=0.7))
    stated = (diagonal(s) - outer(p, s)) / d
    full = stated @ (torch.eye(UNITS, dtype=torch.float64) - outer(torch.ones_like(p), top))
    others = (1 - top)[:, None, :]
    return weigh(
        exact(f"largest error of (diag(s) - p s') (I - 1 e_k') / D, {_N},", largest(j - full)),
        exact("of the draft's entries in columns j other than argmax z", largest((j - stated) * others)),
        exact("of the draft's entries", largest(j - stated), core=False),
        note="the draft drops the derivative of max z",
    )


def relumax_matrix() -> Measurement:
    """The draft's matrix form, p_S taken as p or as p D; and how far J is from symmetric."""
    j, p, _, d, _ = _relumax_parts(draws(scale=0.7))
    forms = [(diagonal(v) - outer(v, v)) / d for v in (p, p * d[:, 0])]
    return weigh(
        exact(f"error of the better reading of p_S, {_N}, largest", min(largest(j - form) for form in forms)),
        note=f"the form is symmetric, J is not: |J - J'| up to {largest(j - j.mT):.2f}",
    )


def sparse_loss() -> Measurement:
    """-log p_y where the target lies outside the support."""
    z = draws(1000)
    p = sparsemax(z)[:, 0]
    outside = p == 0
    return weigh(
        above("targets outside the support, n = 1,000 draws of 6 units:", outside.sum(), 1),
        near("share of these whose -log p is infinite", torch.isinf(-p[outside].log()).double().mean(), 1.0, 0.0),
    )


def _epsilon_loss(z: Tensor, epsilon: float = 1e-3) -> Tensor:
    """-log((p_y + eps) / (1 + K eps)) for target 0."""
    return -((relumax(z)[:, 0] + epsilon) / (1 + z.shape[-1] * epsilon)).log()


def epsilon_loss() -> Measurement:
    """Value and gradient of the modified loss where the target lies outside the support."""
    z = draws(1000).requires_grad_()
    loss = _epsilon_loss(z)
    (gradient,) = torch.autograd.grad(loss.sum(), z)
    outside = relumax(z.detach())[:, 0] == 0
    return weigh(
        above("targets outside the support, n = 1,000 draws:", outside.sum(), 1),
        below("largest loss (eps = 0.001)", loss.max().item(), 100.0),
        above(
            "least |gradient| for targets outside the support",
            gradient[outside].abs().amax(-1).min(),
            1e-6,
            core=False,
        ),
        note="finite, but the gradient is exactly 0 there: nothing is learnt from such a target",
    )


def epsilon_gradient() -> Measurement:
    """The draft's gradient of that loss, in all columns but that of the largest unit, and in all."""
    z = draws(scale=0.7).requires_grad_()
    (gradient,) = torch.autograd.grad(_epsilon_loss(z).sum(), z)
    _, p, s, d, top = _relumax_parts(z.detach())
    stated = -(((diagonal(s) - outer(p, s)) / d)[:, 0, :]) / (p[:, :1] + 1e-3)
    return weigh(
        exact(f"largest error in entries other than argmax z, {_N},", largest((gradient - stated) * (1 - top))),
        exact("in all entries", largest(gradient - stated), core=False),
        note="the derivative of max z is missing, as in the Jacobian",
    )


_claim = HOMEWORK.claim
_MATHS = (
    _claim("relu-projection", "relu(z) is the nearest point to z with y >= 0", relu_projection),
    _claim(
        "sparsemax-projection",
        "sparsemax, max(0, z - tau), is the nearest point of the simplex: a normalised ReLU",
        sparsemax_projection,
    ),
    _claim("shift-invariance", "softmax, sparsemax and relumax ignore a constant added to z", shift_invariance),
    _claim("zero-temperature", "all three tend to one-hot as T goes to 0", zero_temperature),
    _claim(
        "relumax-is-sparsemax",
        "a unique b makes relumax equal sparsemax: b = max z - tau",
        relumax_is_sparsemax,
    ),
    _claim("softmax-two", "K = 2: softmax is sigma(t), slope p (1 - p)", softmax_two),
    _claim("sparsemax-two", "K = 2: sparsemax is (t + 1) / 2 within [-1, 1], slope 1/2", sparsemax_two),
    _claim("relumax-two", "K = 2: relumax's four cases and their slopes", relumax_two),
    _claim("relumax-limit", "relumax tends to sparsemax as b goes to 1", relumax_limit),
    _claim("relumax-jacobian", "relumax: J_ij = (1[i in S] delta_ij - p_i 1[j in S]) / D", relumax_jacobian),
    _claim("relumax-matrix", "in matrix form J = (diag(p_S) - p_S p_S') / D", relumax_matrix),
    _claim("sparse-loss", "-log p is infinite for a target outside the support", sparse_loss),
    _claim("epsilon-loss", "-log((p + eps) / (1 + K eps)) addresses it", epsilon_loss),
    _claim("epsilon-gradient", "its gradient is -J_y / (p_y + eps) with the draft's Jacobian", epsilon_gradient),
)
# every row of the draft
CLAIMS: tuple[Claim, ...] = (*_MATHS, *LETTER_CLAIMS)
