"""Relumax: ReLU of the distance to a line b below the largest unit, normalised."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pwlact import checks
from pwlact.competitive import simplex
from pwlact.competitive.blocks import project
from pwlact.competitive.closed_form import closed_form
from pwlact.competitive.facts import Facts
from pwlact.competitive.rows import above, competing_dim, row_parameter, shown, wide
from pwlact.competitive.sparsemax import sparsemax

RELUMAX_FACTS = Facts(shift_invariant=True, monotone=True, order_preserving=True, simplex=True, sparse=True)


def relumax(z: Float[Tensor, "*shape"], b: float | Tensor = 1.0, dim: int = -1) -> Float[Tensor, "*shape"]:
    """p_i = relu(z_i - max z + b) / D, D = sum_j relu(z_j - max z + b).

    b -> 0 gives hardmax, b -> inf the uniform shares; there is no b at which it is sparsemax for every z, but
    `b_star(z)` is such a b for one z. -inf, +inf and NaN as in `softmax`.

    Args:
        z: floating-point tensor of any rank and layout.
        b: width, above 0, in the units of z; a number, or a tensor that broadcasts to one number a row, with
            gradient. Rows with b <= 0 give NaN.
        dim: dimension along which the units compete.

    Returns:
        p, in the shape, type and layout of z; only p and b are kept for backward.

    Raises:
        InputError: z is not a dense floating-point tensor, has no dimension `dim`, or b is a number not above 0 or a
            tensor that does not broadcast.

    Examples:
        >>> relumax(torch.tensor([2.0, 1.5, 0.0]))
        tensor([0.6667, 0.3333, 0.0000])
    """
    dim = competing_dim(z, dim)
    return _relumax(z, row_parameter("b", above("b", b, 0.0), z, dim), dim)


def relumax_jacobian(z: Float[Tensor, "*rows K"], b: float | Tensor = 1.0) -> Float[Tensor, "*rows K K"]:
    """J = (1/D) (diag(s) - p s') (I - 1 e'), s the support, e the unit vector of the largest z (ties share it).

    The last factor is the derivative of max z; with it, J is not symmetric for K >= 3.
    """
    p = relumax(z, b)
    s = (p > 0).to(p.dtype)
    peak = p.amax(-1, keepdim=True)
    e = (p == peak).to(p.dtype)
    e = e / e.sum(-1, keepdim=True)
    inner = torch.diag_embed(s) - p[..., :, None] * s[..., None, :]
    moved = inner - inner.sum(-1, keepdim=True) * e[..., None, :]
    return (peak / row_parameter("b", b, z, -1)).unsqueeze(-1) * moved


def b_star(z: Float[Tensor, "*shape"], dim: int = -1) -> Float[Tensor, "*rows"]:
    """The b with relumax_b(z) = sparsemax(z): b* = max_i sparsemax(z)_i, one a row, `dim` of size 1.

    As sparsemax is relu(z - tau) and sums to 1, D = 1 at b = max z - tau. Unique unless all of the support is equal.

    Args:
        z: floating-point tensor of any rank.
        dim: dimension along which the units compete.

    Returns:
        b*, differentiable; 0 for a row of nothing but -inf.
    """
    return sparsemax(z, dim).amax(dim, keepdim=True)


class Relumax(nn.Module):
    """`relumax` along `dim`, with b fixed or learnt as exp(log_b).

    Args:
        b: width, above 0; where it starts if it is learnt.
        learn: learn it.
        dim: dimension along which the units compete.

    Raises:
        InputError: b is not above 0.
    """

    def __init__(self, b: float = 1.0, *, learn: bool = False, dim: int = -1) -> None:
        super().__init__()
        log_b = torch.tensor(checks.positive("b", b)).log()
        self.log_b = nn.Parameter(log_b) if learn else None
        self._b, self.dim = b, dim

    @property
    def b(self) -> float | Tensor:
        """The width; a tensor with gradient where it is learnt."""
        return self._b if self.log_b is None else self.log_b.exp()

    def forward(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """relumax_b(z)."""
        return relumax(z, self.b, self.dim)

    def extra_repr(self) -> str:
        """The width, whether it is learnt, and the dimension."""
        return f"b={shown(self.b)}, learn={self.log_b is not None}, dim={self.dim}"


def _solve(v: Tensor, b: Tensor | None, buffer: Tensor, p: Tensor) -> None:
    """p = relu(v + b) / D; NaN where not b > 0."""
    assert b is not None
    part = torch.add(v, b.to(v.dtype), out=p).clamp_(min=0)
    part.mul_(torch.where(b > 0, 1.0, torch.nan).to(v.dtype) / part.sum(-1, keepdim=True))


def _forward(z: Tensor, b: Tensor | None, dim: int) -> Tensor:
    return project(z, b, dim, _solve)


def _peak(p: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """max p = b / D, and the share e of each unit in the derivative of max z: ties have equal ones."""
    peak = p.amax(dim, keepdim=True)
    e = (p - peak).sign() + 1
    return peak, e / e.sum(dim, keepdim=True)


def _backward(grad: Tensor, p: Tensor, b: Tensor | None, dim: int, need_b: bool) -> tuple[Tensor, Tensor | None]:
    """J' g = w - e sum w with w = s (g - <p, g>) / D; dp/db = (s - p sum s) / D, so that db = sum w."""
    assert b is not None
    q = wide(p)
    peak, e = _peak(q, dim)
    s = simplex.support(q)
    g = simplex.at_support(wide(grad), q)
    w = s * (g - (q * g).sum(dim, keepdim=True)) * (peak / b)
    total = w.sum(dim, keepdim=True)
    return (w - e * total).to(p.dtype), total.to(b.dtype) if need_b else None


def _tangent(along_z: Tensor | None, along_b: Tensor | None, p: Tensor, b: Tensor | None, dim: int) -> Tensor:
    """(1/D) (diag(s) - p s') (v - <e, v> + along_b)."""
    assert b is not None
    q = wide(p)
    peak, e = _peak(q, dim)
    v = torch.zeros_like(q) if along_z is None else simplex.at_support(wide(along_z), q)
    v = v - (e * v).sum(dim, keepdim=True)
    v = simplex.support(q) * (v if along_b is None else v + along_b)
    return ((v - q * v.sum(dim, keepdim=True)) * (peak / b)).to(p.dtype)


_relumax = closed_form("competitive_relumax", _forward, _backward, _tangent)
