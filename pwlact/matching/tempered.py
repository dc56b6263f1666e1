"""The bi-tempered logistic loss: softmax cross-entropy with a bounded loss and a heavy tail."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd import Function

from pwlact import checks
from pwlact.matching.loss import Reduction, reduce
from pwlact.matching.softmax import Softmax
from pwlact.matching.transfer import wide

_STEPS = 60


def log_t(x: Float[Tensor, "*shape"], t: float) -> Float[Tensor, "*shape"]:
    """log_t x = (x^(1-t) - 1)/(1 - t), for t = 1 the logarithm; for t < 1 it is -1/(1-t) at 0."""
    return x.log() if t == 1 else torch.expm1((1 - t) * x.log()) / (1 - t)


def exp_t(x: Float[Tensor, "*shape"], t: float) -> Float[Tensor, "*shape"]:
    """exp_t x = max(1 + (1-t) x, 0)^(1/(1-t)), for t = 1 the exponential."""
    return x.exp() if t == 1 else (torch.log1p(((1 - t) * x).clamp(min=-1)) / (1 - t)).exp()


def tempered_softmax(a: Float[Tensor, "*shape"], t: float, dim: int = -1) -> Float[Tensor, "*shape"]:
    """y_i = exp_t(a_i - lambda), with the lambda that makes them sum to 1; for t = 1 softmax, for t = 0 sparsemax.

    Args:
        a: pre-activations, finite.
        t: temperature, 0 or above: above 1 tails fall like powers, below 1 units far down are exactly 0.
        dim: dimension that holds the units.

    Returns:
        probabilities in the type of a, differentiable twice: dy_i/da_j = v_i ([i = j] - v_j / sum v), v = y^t.

    Raises:
        InputError: `t` is negative or not finite, or there are no units.

    References:
        Amid, Warmuth, Anil and Koren, "Robust bi-tempered logistic loss based on Bregman divergences", 2019.
    """
    checks.not_negative("t", t)
    if not a.ndim or not a.shape[dim]:
        raise checks.InputError(f"tempered_softmax needs one unit or more in dimension {dim}, got {tuple(a.shape)}")
    rows = wide(a).movedim(dim, -1)
    return _TemperedSoftmax.apply(rows, float(t)).movedim(-1, dim).to(a.dtype)


def bi_tempered_loss(
    a: Float[Tensor, "*shape"],
    y: Tensor,
    t1: float = 0.8,
    t2: float = 1.2,
    *,
    dim: int = -1,
    reduction: Reduction = "mean",
) -> Float[Tensor, "*rest"]:
    """sum_i y_i (log_t1 y_i - log_t1 p_i) - (y_i^(2-t1) - p_i^(2-t1))/(2 - t1), p the t2-tempered softmax of a.

    The Bregman divergence of log_t1 between target and prediction, so 0 only at p = y. For t1 = t2 = 1 it is the
    matching loss of softmax. t1 < 1 bounds the loss of an example that is far off, t2 > 1 makes probabilities
    fall slowly; together they let mislabelled examples go. For t1 = t2 it is convex in a, else not.

    Args:
        a: pre-activations, finite.
        y: targets on the simplex, in the shape of a, or class numbers without its dimension; a constant.
        t1: from 0 to 1.
        t2: at least t1.
        dim: dimension that holds the classes.
        reduction: "mean" over the vectors, "sum" or "none".

    Returns:
        the loss, in the type of a, differentiable twice.

    Raises:
        InputError: a temperature is outside its range, or a target is no point of the simplex and no class number.
    """
    checks.not_negative("t1", t1)
    checks.not_negative("t2", t2)
    if not t1 <= 1 or not t1 <= t2:
        raise checks.InputError(f"t1 must be at most 1 and at most t2, got t1={t1!r}, t2={t2!r}")
    target = _target(y, a, dim)
    rows = wide(a).movedim(dim, -1), target.to(wide(a).dtype).movedim(dim, -1)
    return reduce(_BiTempered.apply(*rows, float(t1), float(t2)).to(a.dtype), reduction)


class BiTemperedLoss(nn.Module):
    """`bi_tempered_loss` as a module; arguments as there.

    Args:
        t1: bounds the loss, from 0 to 1.
        t2: tail of the probabilities, at least t1.
        dim: dimension that holds the classes.
        reduction: "mean", "sum" or "none".
    """

    def __init__(self, t1: float = 0.8, t2: float = 1.2, *, dim: int = -1, reduction: Reduction = "mean") -> None:
        super().__init__()
        self.t1, self.t2, self.dim = t1, t2, dim
        self.reduction: Reduction = reduction

    def forward(self, a: Float[Tensor, "*shape"], y: Tensor) -> Float[Tensor, "*rest"]:
        """The loss of pre-activations a against targets y."""
        return bi_tempered_loss(a, y, self.t1, self.t2, dim=self.dim, reduction=self.reduction)

    def extra_repr(self) -> str:
        """Temperatures and reduction."""
        return f"t1={self.t1}, t2={self.t2}, reduction={self.reduction!r}"


class _TemperedSoftmax(Function):
    """(a, t) -> y over the last dimension; saves a, so that its gradient is differentiable."""

    @staticmethod
    def forward(a: Tensor, t: float) -> Tensor:
        return _log_probabilities(a, t).exp()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        a, ctx.t = inputs
        ctx.save_for_backward(a)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        return _pull_back(_TemperedSoftmax.apply(*ctx.saved_tensors, ctx.t), grads[0], ctx.t), None


class _BiTempered(Function):
    """(a, y, t1, t2) -> loss over the last dimension."""

    @staticmethod
    def forward(a: Tensor, y: Tensor, t1: float, t2: float) -> Tensor:
        logs = _log_probabilities(a, t2)
        if t1 == 1:
            return (torch.xlogy(y, y) - torch.where(y == 0, 0.0, y * logs) - y + logs.exp()).sum(-1).clamp(min=0)
        gap = log_t(y, t1) - torch.expm1((1 - t1) * logs) / (1 - t1)
        powers = (y ** (2 - t1) - ((2 - t1) * logs).exp()) / (2 - t1)
        return (y * gap - powers).sum(-1).clamp(min=0)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        a, y, ctx.t1, ctx.t2 = inputs
        ctx.save_for_backward(a, y)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        a, y = ctx.saved_tensors
        p = _TemperedSoftmax.apply(a, ctx.t2)
        # dloss/dp = p^-t1 (p - y) and dp/da has a factor p^t2: together, so that small p do not overflow
        w = _power(p, ctx.t2 - ctx.t1) * (p - y)
        v = _power(p, ctx.t2)
        return grads[0].unsqueeze(-1) * (w - v * w.sum(-1, keepdim=True) / v.sum(-1, keepdim=True)), None, None, None


def _pull_back(p: Tensor, g: Tensor, t: float) -> Tensor:
    """The gradient g of p as one of a."""
    v = _power(p, t)
    return v * (g - (v * g).sum(-1, keepdim=True) / v.sum(-1, keepdim=True))


def _power(p: Tensor, t: float) -> Tensor:
    """p^t, 0 with no slope where p is 0: a unit off the support stays off it."""
    on = p > 0
    return torch.where(on, torch.where(on, p, 1.0) ** t, 0.0)


def _log_probabilities(a: Tensor, t: float) -> Tensor:
    """log y_i of the tempered softmax over the last dimension.

    With u_i = 1 + (1-t)(a_i - lambda) and p = 1/(1-t), the sum is 1 where N(lambda) = (sum u_i^p)^(1/p) is. N is
    convex and falls for t < 1, concave and rises for t > 1, so Newton's steps from lambda = max a, where the
    largest unit alone makes 1, come nearer from one side only.
    """
    if t == 1:
        return a.log_softmax(-1)
    a = a - a.amax(-1, keepdim=True)
    shift = torch.zeros_like(a[..., :1])
    for _ in range(_STEPS):
        logs = _log_exp_t(a - shift, t)
        # dN/dlambda = -(1-t) N^(1-p) sum u_i^(p-1), u_i^(p-1) = y_i^t
        total = logs.logsumexp(-1, keepdim=True)
        powers = torch.where(logs.isinf(), logs, t * logs)  # 0^t is 0 for t = 0 too
        slope = powers.logsumexp(-1, keepdim=True) - t * total
        step = torch.expm1((1 - t) * total) / (1 - t) * (-slope).exp()
        shift = shift + step
        if not (step.abs() > torch.finfo(a.dtype).eps * (1 + shift.abs())).any():
            break
    return _log_exp_t(a - shift, t)


def _log_exp_t(x: Tensor, t: float) -> Tensor:
    return torch.log1p(((1 - t) * x).clamp(min=-1)) / (1 - t)


def _target(y: Tensor, a: Tensor, dim: int) -> Tensor:
    softmax = Softmax(dim)
    if not y.is_floating_point():
        return softmax._one_hot(y, a, check=True)
    if y.shape != a.shape:
        raise checks.InputError(f"targets must have the shape {tuple(a.shape)} of a, got {tuple(y.shape)}")
    softmax.check_targets(y)
    return y
