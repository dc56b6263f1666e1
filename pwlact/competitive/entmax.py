"""alpha-entmax: the maps between softmax (alpha -> 1) and sparsemax (alpha = 2), and beyond."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pwlact import checks
from pwlact.competitive import simplex
from pwlact.competitive.blocks import precise, project
from pwlact.competitive.closed_form import closed_form
from pwlact.competitive.facts import Facts
from pwlact.competitive.rows import above, competing_dim, row_parameter, shown, wide

ENTMAX_FACTS = Facts(
    shift_invariant=True, monotone=True, order_preserving=True, gradient_field=True, simplex=True, sparse=True
)
_STEPS = 200


def entmax(z: Float[Tensor, "*shape"], alpha: float | Tensor = 1.5, dim: int = -1) -> Float[Tensor, "*shape"]:
    """p_i = relu((alpha - 1) z_i - tau)^(1 / (alpha - 1)), tau such that sum p = 1.

    This maximises p'z + H(p) over the simplex, H(p) = sum_i (p_i - p_i^alpha) / (alpha (alpha - 1)). -inf, +inf and
    NaN as in `softmax`. tau is found in float64. At 1.5 and 2, `entmax15` and `sparsemax` are faster.

    Args:
        z: floating-point tensor of any rank and layout.
        alpha: above 1; a number, or a tensor that broadcasts to one number a row, with gradient. Rows with
            alpha <= 1 give NaN.
        dim: dimension along which the units compete.

    Returns:
        p, in the shape, type and layout of z; only p and alpha are kept for backward.

    Raises:
        InputError: z is not a dense floating-point tensor, has no dimension `dim`, or alpha is a number not above 1
            or a tensor that does not broadcast.

    References:
        Peters, Niculae and Martins, "Sparse sequence-to-sequence models", 2019; the gradient of alpha: Correia,
        Niculae and Martins, "Adaptively sparse transformers", 2019, proposition 1.

    Examples:
        >>> entmax(torch.tensor([1.0, 0.0, -2.0]), alpha=1.5)
        tensor([0.8307, 0.1693, 0.0000])
    """
    dim = competing_dim(z, dim)
    return _entmax(z, row_parameter("alpha", above("alpha", alpha, 1.0), z, dim), dim)


def entmax_jacobian(z: Float[Tensor, "*rows K"], alpha: float | Tensor = 1.5) -> Float[Tensor, "*rows K K"]:
    """J = diag(s) - s s' / sum s with s = p^(2 - alpha) on the support, along the last dimension."""
    exponent = 2 - row_parameter("alpha", alpha, z, -1)
    return simplex.jacobian(simplex.power(entmax(z, alpha), exponent))


class Entmax(nn.Module):
    """`entmax` along `dim`, with alpha fixed, or learnt between 1 and 2 as 1 + sigmoid(logit).

    Args:
        alpha: above 1; where it starts if it is learnt, which needs alpha < 2.
        learn: learn it.
        dim: dimension along which the units compete.

    Raises:
        InputError: alpha is outside its range.
    """

    def __init__(self, alpha: float = 1.5, *, learn: bool = False, dim: int = -1) -> None:
        super().__init__()
        above("alpha", alpha, 1.0)
        if learn and alpha >= 2:
            raise checks.InputError(f"alpha is learnt between 1 and 2, so it must start below 2, got {alpha!r}")
        self.logit = nn.Parameter(torch.logit(torch.tensor(alpha - 1.0))) if learn else None
        self._alpha, self.dim = alpha, dim

    @property
    def alpha(self) -> float | Tensor:
        """The exponent; a tensor with gradient where it is learnt."""
        return self._alpha if self.logit is None else 1 + self.logit.sigmoid()

    def forward(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """entmax(z, alpha)."""
        return entmax(z, self.alpha, self.dim)

    def extra_repr(self) -> str:
        """The exponent, whether it is learnt, and the dimension."""
        return f"alpha={shown(self.alpha)}, learn={self.logit is not None}, dim={self.dim}"


def _solve(v: Tensor, alpha: Tensor | None, buffer: Tensor, p: Tensor) -> None:
    """p = relu((alpha - 1) v - tau)^q with q = 1 / (alpha - 1), in float64; NaN where not alpha > 1."""
    assert alpha is not None
    known = alpha > 1
    scale = torch.where(known, precise(alpha), 2.0) - 1
    q = 1 / scale
    v = precise(v) * scale
    tau = torch.full_like(q, -1.0)
    tau = _newton(v, tau, q) if bool((q >= 1).all()) else _bisect(v, tau, q)
    power = (v - tau).clamp_(min=0) ** q
    p.copy_(torch.where(known, power / power.sum(-1, keepdim=True), torch.nan))


def _newton(v: Tensor, tau: Tensor, q: Tensor) -> Tensor:
    """For q >= 1, Newton's method from below on the q-norm of relu(v - tau), which is convex in tau."""
    near = 4 * torch.finfo(v.dtype).eps
    for _ in range(_STEPS):
        # relative to the largest, -tau, whose power q would underflow
        r = ((v - tau) / -tau).clamp_(min=0)
        less = r.sign() * r ** (q - 1)  # 0^0 is 0 here
        size = (less * r).sum(-1, keepdim=True)
        step = (-tau - size ** (-1 / q)) * size / less.sum(-1, keepdim=True)
        tau = tau + step
        if (step <= near * -tau).all():
            break
    return tau


def _bisect(v: Tensor, low: Tensor, q: Tensor) -> Tensor:
    """For any q, [tau, -K^(-1 / q)] halved till it closes: the largest p is at least 1 / K."""
    count = (v > -torch.inf).sum(-1, keepdim=True).to(v.dtype)
    high = -(count ** (-1 / q))
    for _ in range(_STEPS):
        middle = (low + high) / 2
        heavy = ((v - middle).clamp_(min=0) ** q).sum(-1, keepdim=True) >= 1
        low, high = torch.where(heavy, middle, low), torch.where(heavy, high, middle)
        if (high - low <= torch.finfo(v.dtype).eps * -high).all():
            break
    return low


def _forward(z: Tensor, alpha: Tensor | None, dim: int) -> Tensor:
    return project(z, alpha, dim, _solve)


def _along_alpha(p: Tensor, alpha: Tensor, dim: int) -> Tensor:
    """dp/dalpha = (p - r) / (alpha - 1)^2 - (p log p - r sum p log p) / (alpha - 1), r = s / sum s."""
    s = simplex.power(p, 2 - alpha)
    total = s.sum(dim, keepdim=True)
    r = s / torch.where(total == 0, 1.0, total)
    h = -torch.where(p == 0, 0.0, p * torch.where(p == 0, 1.0, p).log())
    return (p - r) / (alpha - 1) ** 2 + (h - r * h.sum(dim, keepdim=True)) / (alpha - 1)


def _backward(
    grad: Tensor, p: Tensor, alpha: Tensor | None, dim: int, need_alpha: bool
) -> tuple[Tensor, Tensor | None]:
    assert alpha is not None
    q = wide(p)
    along = simplex.product(grad, simplex.power(q, 2 - alpha), dim).to(p.dtype)
    if not need_alpha:
        return along, None
    change = _along_alpha(precise(q), precise(alpha), dim)
    live = torch.where(q == 0, 0.0, wide(grad))
    return along, (live * change).sum(dim, keepdim=True).to(alpha.dtype)


def _tangent(along_z: Tensor | None, along_alpha: Tensor | None, p: Tensor, alpha: Tensor | None, dim: int) -> Tensor:
    assert alpha is not None
    q = wide(p)
    out = torch.zeros_like(q)
    if along_z is not None:
        out = out + simplex.product(along_z, simplex.power(q, 2 - alpha), dim)
    if along_alpha is not None:
        out = out + _along_alpha(precise(q), precise(alpha), dim) * along_alpha
    return out.to(p.dtype)


_entmax = closed_form("competitive_entmax", _forward, _backward, _tangent)
