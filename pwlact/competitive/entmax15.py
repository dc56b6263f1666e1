"""1.5-entmax: half-way between softmax and sparsemax, smooth and sparse."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pwlact.competitive import simplex
from pwlact.competitive.blocks import project, stripe_maxima
from pwlact.competitive.facts import Facts
from pwlact.competitive.rows import competing_dim

ENTMAX15_FACTS = Facts(
    shift_invariant=True, monotone=True, order_preserving=True, gradient_field=True, simplex=True, sparse=True
)
_STEPS = 100  # far more than the ten or so that Newton's method takes


def entmax15(z: Float[Tensor, "*shape"], dim: int = -1) -> Float[Tensor, "*shape"]:
    """p_i = relu(z_i / 2 - tau)^2, tau such that sum p = 1.

    The map of `entmax` at alpha = 1.5, by a faster algorithm. -inf, +inf and NaN as in `softmax`.

    Args:
        z: floating-point tensor of any rank and layout; 16-bit types are computed in float32.
        dim: dimension along which the units compete.

    Returns:
        p, in the shape, type and layout of z; only p is kept for backward.

    Raises:
        InputError: z is not a dense floating-point tensor, or has no dimension `dim`.

    References:
        Peters, Niculae and Martins, "Sparse sequence-to-sequence models", 2019.

    Examples:
        >>> entmax15(torch.tensor([1.0, 0.0, -2.0]))
        tensor([0.8307, 0.1693, 0.0000])
    """
    return _entmax15(z, None, competing_dim(z, dim))


def entmax15_jacobian(z: Float[Tensor, "*rows K"]) -> Float[Tensor, "*rows K K"]:
    """J = diag(s) - s s' / sum s with s = sqrt(p), along the last dimension."""
    return simplex.jacobian(simplex.root(entmax15(z)))


class Entmax15(nn.Module):
    """`entmax15` along `dim`."""

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """entmax15(z)."""
        return entmax15(z, self.dim)

    def extra_repr(self) -> str:
        """The dimension."""
        return f"dim={self.dim}"


def _solve(v: Tensor, theta: Tensor | None, buffer: Tensor, p: Tensor) -> None:
    """p = relu(v / 2 - tau)^2."""
    v = v.mul_(0.5)
    maxima = stripe_maxima(v)
    tau = torch.full_like(v[:, :1], -1.0)
    if maxima is not None:
        tau = _threshold(maxima, tau, torch.empty_like(maxima)) - 4 * torch.finfo(v.dtype).eps
    torch.sub(v, _threshold(v, tau, buffer), out=p).clamp_(0, 1).square_()


def _threshold(v: Tensor, tau: Tensor, buffer: Tensor) -> Tensor:
    """Newton's method from below on the norm ||relu(v - tau)|| = 1, convex in tau, then the root for its support S.

    That root is tau + d with sum_S (x - d)^2 = 1, x = v - tau: n d^2 - 2 d sum x + sum x^2 - 1 = 0.
    """
    near = torch.finfo(v.dtype).eps ** 0.5
    for _ in range(_STEPS):
        total, square = _sums(v, tau, buffer)
        norm = square.sqrt()
        step = (norm - 1) * norm / total
        tau = tau + step
        if (step <= near).all():
            break
    total, square = _sums(v, tau, buffer)
    size = buffer.sign_().sum(-1, keepdim=True)
    root = (total.square() - size * (square - 1)).clamp(min=0).sqrt()
    return tau + (square - 1) / (total + root)


def _sums(v: Tensor, tau: Tensor, buffer: Tensor) -> tuple[Tensor, Tensor]:
    """sum x and sum x^2 of x = relu(v - tau), which is left in the buffer."""
    x = torch.sub(v, tau, out=buffer).clamp_(min=0)
    return x.sum(-1, keepdim=True), torch.linalg.vecdot(x, x).unsqueeze(-1)


def _forward(z: Tensor, theta: Tensor | None, dim: int) -> Tensor:
    return project(z, None, dim, _solve, "entmax15")


_entmax15 = simplex.simplex_map("competitive_entmax15", _forward, simplex.root, "entmax15")
