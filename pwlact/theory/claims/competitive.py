"""Claims of the draft on competitive activations: Jacobians, gradient flow, scale, capacity."""

from math import comb

import numpy as np
import torch
from torch import Tensor

from pwlact.theory.claims.ledger import Measurement, above, below, exact, near, weigh
from pwlact.theory.claims.maps import (
    DRAWS,
    UNITS,
    Map,
    count_regions,
    diagonal,
    draws,
    jacobian,
    largest,
    off_diagonal,
    outer,
    softmax,
    sparsemax,
)

_N = f"n = {DRAWS} draws of {UNITS} units"
_ERROR = f"largest error of the formula against automatic differentiation, {_N},"
_EYE = torch.eye(UNITS, dtype=torch.float64)


def _error(function: Map, formula: Map, z: Tensor | None = None) -> float:
    z = draws() if z is None else z
    return largest(jacobian(function, z) - formula(z))


def _softmax_formula(z: Tensor) -> Tensor:
    r = softmax(z)
    return diagonal(r) - outer(r, r)


def relu_jacobian() -> Measurement:
    """Diagonal, 1 where z > 0."""
    return weigh(exact(_ERROR, _error(torch.relu, lambda z: diagonal((z > 0).double()))))


def relu_regions() -> Measurement:
    """Patterns that six units make in two and in six dimensions."""
    flat, full = count_regions(6, 2), count_regions(6, 6)
    bound = sum(comb(6, i) for i in range(3))
    return weigh(
        near("regions of 6 random units in 6 dimensions", full, 64, 0),
        above("in 2 dimensions", flat, 64, core=False),
        below(f"these over the bound sum_(i <= d) C(K, i) = {bound}", flat / bound, 1.0),
        note="2^K takes d >= K dimensions",
    )


def softmax_jacobian() -> Measurement:
    """a_i (delta_ij - a_j)."""
    return weigh(exact(_ERROR, _error(softmax, _softmax_formula)))


def softmax_zero_sum() -> Measurement:
    """Column sums of the Jacobian."""
    return weigh(exact(f"largest sum over units of dL/dz, {_N},", largest(jacobian(softmax, draws()).sum(-1))))


def softmax_winner() -> Measurement:
    """What a dominant unit gets of the gradient."""
    z = draws()
    z[:, 0] += 12.0
    upstream = draws(seed=1)
    gradient = (upstream[:, :, None] * jacobian(softmax, z)).sum(1).abs()
    share = (gradient[:, 0] / gradient.sum(-1)).max()
    return weigh(
        above(f"largest share of a dominant unit in sum |dL/dz|, {_N},", share, 0.5 + 1e-6),
        note=f"the gradients sum to 0, so half is the most; at r = {softmax(z)[:, 0].median():.5f} "
        f"the median of sum |dL/dz| is {gradient.sum(-1).median():.2g}: it vanishes",
    )


def softmax_scale() -> Measurement:
    """The draft's two inputs, and the same at a tenth of the size."""
    z = torch.tensor([10.0, 5.0, 1.0], dtype=torch.float64)
    return weigh(
        exact(
            "largest difference between softmax of [10, 5, 1] and of [100, 50, 10]",
            largest(softmax(z) - softmax(10 * z)),
        ),
        exact("of [1, 0.5, 0.1] and of [10, 5, 1]", largest(softmax(z / 10) - softmax(z))),
        note="it ignores a shift, not a factor",
    )


def log_softmax_jacobian() -> Measurement:
    """delta_ij - r_j."""
    return weigh(exact(_ERROR, _error(lambda z: z.log_softmax(-1), lambda z: _EYE - softmax(z)[..., None, :])))


def log_softmax_range() -> Measurement:
    """The largest output."""
    return weigh(
        above(f"largest output, {_N},", draws().log_softmax(-1).max(), 0.01),
        note="outputs are at most 0",
    )


def log_softmax_differences() -> Measurement:
    """a_i - a_j against z_i - z_j."""
    z = draws()
    error = largest(z.log_softmax(-1).diff(dim=-1) - z.diff(dim=-1))
    return weigh(exact(f"largest error of a_i - a_j = z_i - z_j, {_N},", error))


def log_softmax_expressive() -> Measurement:
    """Rank of both Jacobians, and softmax recovered from log-softmax."""
    z = draws(scale=1.0)
    ranks = [
        int(torch.linalg.matrix_rank(jacobian(f, z), atol=1e-9).max()) for f in (lambda v: v.log_softmax(-1), softmax)
    ]
    error = largest(z.log_softmax(-1).exp() - softmax(z))
    return weigh(
        above("rank of its Jacobian less that of softmax", ranks[0] - ranks[1], 1),
        exact("largest error of exp(log-softmax) = softmax", error),
        note=f"both ranks are {ranks[0]} for {UNITS} units, and one is a function of the other",
    )


def log_softmax_suppression() -> Measurement:
    """How much of sum g a dominant unit takes from each unit's gradient."""
    z = draws()
    z[:, 0] = z[:, 1:].amax(-1) + 6.0
    upstream = draws(seed=1).abs()
    lost = (upstream - (upstream[:, :, None] * jacobian(lambda v: v.log_softmax(-1), z)).sum(1)) / upstream.sum(
        -1, keepdim=True
    )
    return weigh(
        above(f"taken from the dominant unit, in units of sum of dL/da, {_N}, least", lost[:, 0].min(), 0.9),
        above("taken from any other unit, largest", lost[:, 1:].max(), 0.5, core=False),
        note="unit j loses r_j times the sum: only itself",
    )


def _z_softmax(z: Tensor) -> Tensor:
    return z * softmax(z)


def _z_softmax_formula(z: Tensor) -> Tensor:
    r = softmax(z)
    return diagonal(r) + diagonal(z * r) - outer(z * r, r)


def z_softmax_jacobian() -> Measurement:
    """r_i (1 + z_i (1 - r_i)) on, -z_i r_i r_j off the diagonal."""
    return weigh(exact(_ERROR, _error(_z_softmax, _z_softmax_formula)))


def z_softmax_sign() -> Measurement:
    """Sign of the off-diagonal entries where z_i > 0."""
    z = draws()
    entries = off_diagonal(jacobian(_z_softmax, z)).reshape(DRAWS, UNITS, UNITS - 1)
    return weigh(
        below(f"largest off-diagonal entry in rows with z_i > 0, {_N},", entries[z > 0].max(), 0.0),
        above("smallest in rows with z_i < 0", entries[z < 0].min(), 0.0),
    )


def z_softmax_zero_unit() -> Measurement:
    """Row and column of a unit at z = 0."""
    z = draws()
    z[:, 0] = 0.0
    j = jacobian(_z_softmax, z)
    return weigh(
        exact("largest competition on a unit at 0 (its row)", largest(j[:, 0, 1:])),
        exact("largest competition from it (its column)", largest(j[:, 1:, 0]), core=False),
    )


def z_plus_softmax_jacobian() -> Measurement:
    """I + softmax's, diagonal above 1, the rest below 0."""
    j = jacobian(lambda z: z + softmax(z), draws())
    return weigh(
        exact(_ERROR, largest(j - _EYE - _softmax_formula(draws()))),
        above("least diagonal entry", j.diagonal(dim1=1, dim2=2).min(), 1.0),
        below("largest off-diagonal entry", off_diagonal(j).max(), 0.0),
    )


def z_plus_softmax_weak() -> Measurement:
    """Off-diagonal entries against the diagonal."""
    j = jacobian(lambda z: z + softmax(z), draws(2000))
    ratio = largest(off_diagonal(j)) / j.diagonal(dim1=1, dim2=2).min()
    return weigh(below("largest off-diagonal entry over the least diagonal one, n = 2,000 draws,", ratio, 0.25 + 1e-9))


def grouped_jacobian() -> Measurement:
    """Two groups of three: block diagonal."""

    def grouped(z: Tensor) -> Tensor:
        return z.unflatten(-1, (2, 3)).softmax(-1).flatten(-2)

    def formula(z: Tensor) -> Tensor:
        blocks = _softmax_formula(z.unflatten(-1, (2, 3)))
        return torch.stack([torch.block_diag(*pair) for pair in blocks])

    return weigh(exact(_ERROR, _error(grouped, formula)))


def grouped_patterns() -> Measurement:
    """(K/G)^G for K = 12 and every number of groups."""
    patterns = [(12 // groups) ** groups for groups in (1, 2, 3, 4, 6, 12)]
    return weigh(
        above("K = 12: least (K/G)^G for G = 2, 3, 4, 6", min(patterns[1:-1]), 13),
        below("largest", max(patterns[1:-1]), 2**12 - 1),
        above("least change with G, G = 1, 2, 3, 4, 6, 12", min(np.diff(patterns)), 0, core=False),
        note=f"{patterns}: not monotone, and groups of one unit give one pattern, not independent units",
    )


def sparsemax_jacobian() -> Measurement:
    """The softmax-like form on the support, and the right one."""
    z = draws(scale=0.6)
    j, p = jacobian(sparsemax, z), sparsemax(z)
    s = (p > 0).double()
    return weigh(
        exact(
            f"largest error of diag(s) - s s' / |S|, s the support, {_N},",
            largest(j - diagonal(s) + outer(s, s) / s.sum(-1)[:, None, None]),
        ),
        exact("of p_i (delta_ij - p_j)", largest(j - diagonal(p) + outer(p, p)), core=False),
        note="it is constant on each support",
    )


def sparsemax_zeros() -> Measurement:
    """Exact zeros and their gradient."""
    z = draws()
    j, off = jacobian(sparsemax, z), sparsemax(z) == 0
    return weigh(
        above(f"outputs that are exactly 0, {_N},", off.sum(), 1),
        exact("largest gradient to these", largest(j.mT[off])),
    )
