"""More claims on competitive activations: temperature, gated ReLU, magnitude; and the draft's list of rows."""

import torch
from torch import Tensor

from pwlact.theory.claims import competitive as first
from pwlact.theory.claims.drafts import COMPETITIVE
from pwlact.theory.claims.ledger import Claim, Measurement, above, below, exact, weigh
from pwlact.theory.claims.maps import (
    DRAWS,
    UNITS,
    diagonal,
    draws,
    jacobian,
    largest,
    off_diagonal,
    outer,
    softmax,
)
from pwlact.theory.claims.redundant_units import REDUNDANCY_CLAIMS

_N = f"n = {DRAWS} draws of {UNITS} units"


def temperature_jacobian() -> Measurement:
    """r_i (delta_ij - r_j) at temperature 0.5, without and with 1 / tau."""
    z, tau = draws(), 0.5
    r = softmax(z / tau)
    j, formula = jacobian(lambda v: softmax(v / tau), z), diagonal(r) - outer(r, r)
    return weigh(
        exact(f"largest error of r_i (delta_ij - r_j) / tau, tau = 0.5, {_N},", largest(j - formula / tau)),
        exact("without 1 / tau", largest(j - formula), core=False),
    )


def temperature_limits() -> Measurement:
    """Softmax at tau = 1e-3 and 1e6, logits at least 0.05 apart."""
    z = torch.stack([torch.randperm(UNITS, generator=torch.Generator().manual_seed(i)) for i in range(DRAWS)]) / 20.0
    hard = torch.nn.functional.one_hot(z.argmax(-1), UNITS)
    return weigh(
        exact("largest distance from one-hot at tau = 0.001", largest(softmax(z.double() / 1e-3) - hard)),
        below("from uniform at tau = 1,000,000", largest(softmax(z.double() / 1e6) - 1 / UNITS), 1e-6),
    )


def _relu_softmax(z: Tensor) -> Tensor:
    return torch.relu(z) * softmax(z)


def relu_softmax_jacobian() -> Measurement:
    """The entries between active units, and the rows of inactive ones."""
    z = draws()
    r, on = softmax(z), (z > 0).double()
    j = jacobian(_relu_softmax, z)
    formula = diagonal(r + z * r) - outer(z * r, r)
    return weigh(
        exact(f"largest error between active units, {_N},", largest((j - formula) * outer(on, on))),
        exact("largest entry in rows of inactive units", largest(j * (1 - on)[:, :, None])),
    )


def relu_softmax_competition() -> Measurement:
    """Entries from inactive units j on active units i."""
    z = draws()
    on = (z > 0).double()
    crossing = jacobian(_relu_softmax, z) * outer(on, 1 - on)
    return weigh(
        exact(f"largest effect of an inactive unit on an active one, {_N},", largest(crossing)),
        note="-z_i r_i r_j holds for every j; active units only takes a masked softmax",
    )


def relu_softmax_dead() -> Measurement:
    """The gradient that a unit below 0 receives."""
    z, upstream = draws(), draws(seed=1)
    gradient = (upstream[:, :, None] * jacobian(_relu_softmax, z)).sum(1)
    mixed = (z > 0).any(-1, keepdim=True) & (z <= 0)
    return weigh(
        exact(f"largest gradient to an inactive unit, {_N},", largest(gradient[mixed])),
        note=f"it exceeds 1e-6 for {100 * (gradient[mixed].abs() > 1e-6).double().mean():.0f} %: they can revive",
    )


def direction_softmax() -> Measurement:
    """||z|| softmax(z / ||z||) with 512 units, as written and at temperature 1 / sqrt(K)."""
    units = 512
    z = draws(100, units)
    direction = z / z.norm(dim=-1, keepdim=True)
    plain, sharp = (units * softmax(scale * direction).amax(-1) for scale in (1.0, units**0.5))
    return weigh(
        above(
            "512 units: largest responsibility over 1 / K with direction times sqrt(K), least of n = 100,",
            sharp.min(),
            2.0,
        ),
        above("as written, largest of n = 100,", plain.max(), 2.0, core=False),
        note="as written it is nearly uniform",
    )


def tension() -> Measurement:
    """Lateral inhibition a = z - mean(z) / 2: linear, invertible, without a normalisation."""
    z = draws()
    j = jacobian(lambda v: v - v.mean(-1, keepdim=True) / 2, z)
    sums = jacobian(lambda v: v + softmax(v), z)
    return weigh(
        above(
            "a = z - mean(z) / 2, not normalised: largest effect of one unit on another",
            off_diagonal(j).max(),
            0.0,
        ),
        below(
            "a = z + softmax(z), competitive: least singular value of its Jacobian",
            torch.linalg.svdvals(sums).min(),
            0.0,
        ),
        note="both compete (negative entries) and both keep magnitude (invertible)",
    )


_claim = COMPETITIVE.claim
_CANDIDATES = (
    _claim("relu-jacobian", "ReLU: da_i/dz_j = delta_ij 1[z_i > 0]; no competition", first.relu_jacobian),
    _claim("relu-regions", "K ReLU units make up to 2^K linear regions", first.relu_regions),
    _claim("softmax-jacobian", "softmax: da_i/dz_j = a_i (delta_ij - a_j)", first.softmax_jacobian),
    _claim("softmax-zero-sum", "softmax competition is zero-sum", first.softmax_zero_sum),
    _claim("softmax-winner", "a dominant unit (a_j near 1) receives most of the gradient", first.softmax_winner),
    _claim("softmax-scale", "softmax loses scale: [10, 5, 1] and [100, 50, 10] give the same", first.softmax_scale),
    _claim("log-softmax-jacobian", "log-softmax: da_i/dz_j = delta_ij - r_j", first.log_softmax_jacobian),
    _claim("log-softmax-range", "its output can be any real number", first.log_softmax_range),
    _claim("log-softmax-differences", "it keeps differences: a_i - a_j = z_i - z_j", first.log_softmax_differences),
    _claim("log-softmax-expressive", "it is more expressive than softmax", first.log_softmax_expressive),
    _claim(
        "log-softmax-suppression",
        "its dominant unit suppresses the gradient to all units, itself included",
        first.log_softmax_suppression,
    ),
    _claim(
        "grouped-jacobian",
        "grouped softmax: block diagonal, each block a softmax Jacobian",
        first.grouped_jacobian,
    ),
    _claim(
        "grouped-patterns",
        "its (K/G)^G patterns lie between K and 2^K, tunable by group size",
        first.grouped_patterns,
    ),
    _claim(
        "sparsemax-jacobian",
        "sparsemax on its support: a renormalised softmax Jacobian",
        first.sparsemax_jacobian,
    ),
    _claim("sparsemax-zeros", "sparsemax gives exact zeros, and these receive no gradient", first.sparsemax_zeros),
    _claim(
        "temperature-jacobian",
        "softmax(z / tau): the same Jacobian at responsibilities of temperature tau",
        temperature_jacobian,
    ),
    _claim("temperature-limits", "tau to 0 is winner-take-all, tau to infinity uniform", temperature_limits),
)


_COMBINED = (
    _claim(
        "z-softmax-jacobian",
        "z * softmax(z): r_i (1 + z_i (1 - r_i)) on, -z_i r_i r_j off the diagonal",
        first.z_softmax_jacobian,
    ),
    _claim(
        "z-softmax-sign",
        "its competition depends on the sign of z_i, and exists for positive ones",
        first.z_softmax_sign,
    ),
    _claim("z-softmax-zero-unit", "a unit at 0 makes no competition", first.z_softmax_zero_unit),
    _claim(
        "z-plus-softmax-jacobian",
        "z + softmax(z): diagonal 1 + r_i (1 - r_i) > 1, off it -r_i r_j < 0",
        first.z_plus_softmax_jacobian,
    ),
    _claim("z-plus-softmax-weak", "its competition is weak: the identity dominates", first.z_plus_softmax_weak),
    _claim(
        "relu-softmax-jacobian",
        "relu(z) * softmax(z): the entries between active units, zero rows of inactive ones",
        relu_softmax_jacobian,
    ),
    _claim("relu-softmax-competition", "it makes active units alone compete", relu_softmax_competition),
    _claim("relu-softmax-dead", "its dead units stay dead", relu_softmax_dead),
    _claim(
        "direction-softmax",
        "||z|| softmax(z / ||z||): magnitude in the norm, competition in the direction",
        direction_softmax,
    ),
    _claim("tension", "competition requires normalisation, and that loses magnitude", tension),
)


# every row of the draft
CLAIMS: tuple[Claim, ...] = (
    *_CANDIDATES,
    *_COMBINED,
    *REDUNDANCY_CLAIMS,
)
