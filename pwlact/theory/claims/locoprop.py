"""Claims of the slides about LocoProp's updates; that on training is measured from a committed `pwlact locoprop`."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.functional import hessian

from pwlact.theory.claims.drafts import MATCHING
from pwlact.theory.claims.ledger import Check, Claim, Measurement, above, below, exact, weigh
from pwlact.theory.claims.maps import draws, largest
from pwlact.theory.claims.studies import Study, from_studies

AUTOENCODER = "locoprop/mnist"
_GAMMA, _N, _IN, _OUT = 0.5, 40, 6, 4


def _layer() -> tuple[Tensor, Tensor, Tensor]:
    """Inputs Y (n, in), weights W (out, in) and dL/da (n, out) of a squared loss behind a sigmoid."""
    y, w = draws(_N, _IN, 1.0), draws(_OUT, _IN, 1.0, seed=1)
    a = (y @ w.mT).requires_grad_()
    loss = (a.sigmoid() - draws(_N, _OUT, seed=2).sigmoid()).square().sum() / 2
    (gradient,) = torch.autograd.grad(loss, a)
    return y, w, gradient


def _solve(eta: float) -> Tensor:
    """The minimiser of the regularised squared loss, by its normal equations."""
    y, w, gradient = _layer()
    target = y @ w.mT - _GAMMA * gradient
    matrix = y.mT @ y + torch.eye(_IN, dtype=torch.float64) / eta
    return torch.linalg.solve(matrix, y.mT @ target + w.mT / eta).mT


def fixed_point() -> Measurement:
    """The minimiser against the fixed-point equation, and the iteration of it at a small and at a large rate."""
    y, w, gradient = _layer()
    target = y @ w.mT - _GAMMA * gradient
    top = torch.linalg.eigvalsh(y.mT @ y)[-1].item()
    reached: dict[float, float] = {}
    for factor in (0.5, 2.0):
        eta, new = factor / top, w
        for _ in range(200):
            new = w - eta * (new @ y.mT - target.mT) @ y
        reached[factor] = largest(new - _solve(eta))
    eta, new = 0.1, _solve(0.1)
    return weigh(
        exact(
            "error of the minimiser in the equation, largest,",
            largest(w - eta * (new @ y.mT - target.mT) @ y - new),
        ),
        exact("after 200 iterations at eta lambda_max = 0.5", reached[0.5]),
        exact("at eta lambda_max = 2", reached[2.0], core=False),
        note="iterating converges only for eta lambda_max(Y Y') < 1",
    )


def single_step() -> Measurement:
    """One iteration against a step of backprop with rate eta gamma."""
    y, w, gradient = _layer()
    target, eta = y @ w.mT - _GAMMA * gradient, 0.1
    once = w - eta * (w @ y.mT - target.mT) @ y
    return weigh(
        exact(
            "largest difference to backprop at rate eta gamma",
            largest(once - (w - eta * _GAMMA * gradient.mT @ y)),
        )
    )


def closed_form() -> Measurement:
    """W - eta gamma dL/dW (I + eta Y Y')^-1 against the minimiser."""
    y, w, gradient = _layer()
    eta = 0.1
    matrix = torch.eye(_IN, dtype=torch.float64) + eta * y.mT @ y
    stated = w - eta * _GAMMA * torch.linalg.solve(matrix, (gradient.mT @ y).mT).mT
    return weigh(exact("largest difference to the minimiser by normal equations", largest(stated - _solve(eta))))


def convex_in_weights() -> Measurement:
    """Hessian and gradient in W of the matching loss of a sigmoid layer, with targets in its range."""
    y, w, _ = _layer()
    y, target = y[:10], draws(10, _OUT, seed=3).sigmoid()

    def loss(flat: Tensor) -> Tensor:
        a = y @ flat.reshape(_OUT, _IN).mT
        # D_F*(target, f(a)) = F(a) - target'a + F*(target), the last constant in W
        return (torch.nn.functional.softplus(a) - target * a).sum()

    flat = w.flatten()
    curvature = torch.linalg.eigvalsh(torch.as_tensor(hessian(loss, flat)))[0]
    (gradient,) = torch.autograd.grad(loss(flat.requires_grad_()), flat)
    error = largest(gradient.reshape(_OUT, _IN) - ((y @ w.mT).sigmoid() - target).mT @ y)
    return weigh(
        above("least eigenvalue of the Hessian in W", curvature, -1e-9),
        exact("largest error of the gradient (f(Wy) - target) y'", error),
    )


def target_range() -> Measurement:
    """Targets y-hat - gamma g of a sigmoid layer: how many leave (0, 1)."""
    y, w, gradient = _layer()
    outside: dict[float, Tensor] = {}
    for gamma in (1e-3, 5.0):
        target = (y @ w.mT).sigmoid() - gamma * gradient
        outside[gamma] = ((target < 0) | (target > 1)).double().mean()
    return weigh(
        below(f"share of targets outside (0, 1) at gamma 0.001, n = {_N * _OUT},", outside[1e-3], 0.01),
        below("at gamma 5", outside[5.0], 0.0, core=False),
        note="outside the range of f the divergence is not defined, though its gradient is",
    )


def _percent(rows: dict[str, Any], name: str, other: str, most: float, *, core: bool = True) -> Check:
    """Last training loss of a method less another's, seed by seed, in percent of its mean (NaN: one diverged)."""
    own, base = (np.array(rows[each]["train"]["values"], dtype=float) for each in (name, other))
    lost = 100 * (own - base) / base.mean()
    error = f", standard error {lost.std(ddof=1) / np.sqrt(len(lost)):.2g}" if len(lost) > 1 else ""
    return below(f"{name} less {other} in %, {len(lost)} seeds{error}:", lost.mean(), most, core=core)


def _autoencoder(study: Study) -> Measurement:
    rows = {row["name"]: row for row in study["rows"]}
    steps = study["config"]["steps"]
    times = ", ".join(f"{name} {rows[name]['time']['relative']:.1f}" for name in ("locoprop-m", "locoprop-s", "soap"))
    return weigh(
        _percent(rows, "locoprop-m", "soap", 1.0),
        _percent(rows, "locoprop-m", "adam", 0.0, core=False),
        _percent(rows, "locoprop-s", "soap", 1.0, core=False),
        note=f"training loss after {steps:,} steps on MNIST; time of a step in Adam's: {times}",
    )


_claim = MATCHING.claim
LOCOPROP_CLAIMS: tuple[Claim, ...] = (
    _claim("fixed-point", "LocoProp's minimiser obeys a fixed-point equation, to be iterated", fixed_point),
    _claim("single-step", "one iteration is a step of backprop", single_step),
    _claim("closed-form", "its closed form is gradient descent preconditioned by (I + eta Y Y')^-1", closed_form),
    _claim("convex", "with a matching loss it stays convex in the weights", convex_in_weights),
    _claim("targets", "targets y-hat - gamma dL/da take the place of a-space targets", target_range),
    _claim(
        "second-order",
        "LocoProp is competitive with second-order methods on a deep autoencoder",
        from_studies(_autoencoder, AUTOENCODER),
        "pwlact locoprop --steps 500 --tuning-steps 50 --rates 4 --points 20 --measured 5000 "
        "--results figures/results/locoprop",
    ),
)
