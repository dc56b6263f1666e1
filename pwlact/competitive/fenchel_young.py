"""Fenchel-Young losses: each map onto the simplex with the loss whose gradient is p - y."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd import Function

from pwlact.competitive import targets
from pwlact.competitive.entmax import entmax
from pwlact.competitive.entmax15 import entmax15
from pwlact.competitive.log_softmax import log_softmax
from pwlact.competitive.rows import above
from pwlact.competitive.softmax import softmax
from pwlact.competitive.sparsemax import sparsemax
from pwlact.competitive.targets import Reduction


def softmax_loss(
    z: Float[Tensor, "*scores"],
    target: Tensor,
    weight: Float[Tensor, " K"] | None = None,
    *,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
) -> Tensor:
    """KL(y || softmax(z)): the cross-entropy, less the entropy of y where y is a distribution.

    See `entmax_loss` for the arguments; for class numbers this is `torch.nn.functional.cross_entropy`.
    """
    return _loss(softmax, 1.0, z, target, weight, ignore_index, reduction)


def sparsemax_loss(
    z: Float[Tensor, "*scores"],
    target: Tensor,
    weight: Float[Tensor, " K"] | None = None,
    *,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
) -> Tensor:
    """||y - p||^2 / 2 + sum_i y_i relu(tau - z_i), p = relu(z - tau) = sparsemax(z).

    See `entmax_loss` for the arguments. 0 as soon as the target's score is 1 above all others.

    References:
        Martins and Astudillo, "From softmax to sparsemax", 2016.
    """
    return _loss(sparsemax, 2.0, z, target, weight, ignore_index, reduction)


def entmax15_loss(
    z: Float[Tensor, "*scores"],
    target: Tensor,
    weight: Float[Tensor, " K"] | None = None,
    *,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
) -> Tensor:
    """The loss of `entmax15`; 0 as soon as the target's score is 2 above all others. See `entmax_loss`."""
    return _loss(entmax15, 1.5, z, target, weight, ignore_index, reduction)


def entmax_loss(
    z: Float[Tensor, "*scores"],
    target: Tensor,
    weight: Float[Tensor, " K"] | None = None,
    *,
    alpha: float = 1.5,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
) -> Tensor:
    """L(z; y) = max_p (p'z + H(p)) - H(y) - y'z, H the entropy of `entmax`; dL/dz = p - y with p = entmax(z).

    Never below 0, and 0 only at p = y; written here as the sum of two terms that are not negative, so that nothing
    cancels: the Bregman divergence of -H from y to p, and what y puts on units outside the support.
    A target at -inf gives +inf, with the gradient p - y all the same.

    Args:
        z: scores, shape (K,), (N, K) or (N, K, ...) as in `torch.nn.functional.cross_entropy`.
        target: class numbers, shape (), (N,) or (N, ...); or distributions y in the shape of z, taken as constants.
        weight: how much each class counts; a distribution counts as its classes do on average.
        alpha: above 1.
        ignore_index: class number of rows that do not count.
        reduction: "none", "sum", or "mean" over the weights of the rows that count; 0 where none does.

    Returns:
        the loss, differentiable twice in z.

    Raises:
        InputError: a shape, type, class number, alpha or reduction does not fit.

    References:
        Blondel, Martins and Niculae, "Learning with Fenchel-Young losses", 2020.

    Examples:
        >>> entmax_loss(torch.tensor([[3.0, 0.0], [0.0, 0.0]]), torch.tensor([0, 1]), reduction="none")
        tensor([0.0000, 0.3905])
    """
    above("alpha", alpha, 1.0)
    return _loss(lambda rows: entmax(rows, alpha), alpha, z, target, weight, ignore_index, reduction)


class _Loss(nn.Module):
    """Weight, ignored class and reduction of a loss."""

    weight: Tensor | None

    def __init__(
        self, weight: Tensor | None = None, *, ignore_index: int = -100, reduction: Reduction = "mean"
    ) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.options: dict[str, Any] = {"ignore_index": ignore_index, "reduction": reduction}


class SoftmaxLoss(_Loss):
    """`softmax_loss`."""

    def forward(self, z: Float[Tensor, "*scores"], target: Tensor) -> Tensor:
        """The loss of scores z."""
        return softmax_loss(z, target, self.weight, **self.options)


class SparsemaxLoss(_Loss):
    """`sparsemax_loss`."""

    def forward(self, z: Float[Tensor, "*scores"], target: Tensor) -> Tensor:
        """The loss of scores z."""
        return sparsemax_loss(z, target, self.weight, **self.options)


class Entmax15Loss(_Loss):
    """`entmax15_loss`."""

    def forward(self, z: Float[Tensor, "*scores"], target: Tensor) -> Tensor:
        """The loss of scores z."""
        return entmax15_loss(z, target, self.weight, **self.options)


class EntmaxLoss(_Loss):
    """`entmax_loss` at a fixed alpha.

    Raises:
        InputError: alpha is not above 1.
    """

    def __init__(
        self,
        alpha: float = 1.5,
        weight: Tensor | None = None,
        *,
        ignore_index: int = -100,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(weight, ignore_index=ignore_index, reduction=reduction)
        above("alpha", alpha, 1.0)
        self.alpha = alpha

    def forward(self, z: Float[Tensor, "*scores"], target: Tensor) -> Tensor:
        """The loss of scores z."""
        return entmax_loss(z, target, self.weight, alpha=self.alpha, **self.options)


def _loss(
    f: Callable[[Tensor], Tensor],
    alpha: float,
    z: Tensor,
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
) -> Tensor:
    rows = targets.rows_last(z)
    read = targets.read(rows, target, weight, ignore_index)
    losses = _FenchelYoung.apply(rows, f(rows), read.y, alpha)
    return targets.reduce(losses, read.weight, reduction)


class _FenchelYoung(Function):
    """(z, p(z), y, alpha) -> L: the gradient of z is p - y, in which p goes on to depend on z."""

    generate_vmap_rule = True

    @staticmethod
    def forward(z: Tensor, p: Tensor, y: Tensor, alpha: float) -> Tensor:
        return _divergence(z, p, y) if alpha == 1 else _bregman(p, y, alpha) + _outside(z, p, y, alpha)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        _, p, y, _ = inputs
        ctx.save_for_backward(p, y)
        ctx.save_for_forward(p, y)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        p, y = ctx.saved_tensors
        return grads[0][..., None] * (p - y), None, None, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Tensor:
        p, y = ctx.saved_tensors
        gap = p - y
        return (torch.where(gap == 0, 0.0, tangents[0]) * gap).sum(-1)


def _divergence(z: Tensor, p: Tensor, y: Tensor) -> Tensor:
    """KL(y || p), each term y log(y / p) - y + p not negative."""
    log_p = torch.where(y > 0, log_softmax(z), 0.0)
    return (torch.xlogy(y, y) - y * log_p - y + p).clamp(min=0).sum(-1)


def _bregman(p: Tensor, y: Tensor, alpha: float) -> Tensor:
    """sum (y^a - p^a - a p^(a - 1) (y - p)) / (a (a - 1)), a = alpha; ||y - p||^2 / 2 at alpha = 2."""
    if alpha == 2:
        return (y - p).square().sum(-1) / 2
    terms = y**alpha - p**alpha - alpha * p ** (alpha - 1) * (y - p)
    return terms.clamp(min=0).sum(-1) / (alpha * (alpha - 1))


def _outside(z: Tensor, p: Tensor, y: Tensor, alpha: float) -> Tensor:
    """sum y_i relu(t - z_i) over units at p_i = 0: z_i = t + p_i^(alpha - 1) / (alpha - 1) holds within the support."""
    t = z.amax(-1, keepdim=True) - p.amax(-1, keepdim=True) ** (alpha - 1) / (alpha - 1)
    out = (p == 0) & (y > 0)
    return torch.where(out, y * (t - torch.where(out, z, t)).clamp(min=0), 0.0).sum(-1)
