"""What the losses share: targets as classes or as distributions, entries to ignore, weights, reductions."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from pwlact import checks
from pwlact.competitive.rows import wide

Reduction = Literal["none", "mean", "sum"]
_REDUCTIONS = ("none", "mean", "sum")


@dataclass(frozen=True)
class Targets:
    """Targets as distributions along the last dimension.

    Attributes:
        y: the distributions, of the shape of the scores with the classes last.
        weight: how much each row counts, 0 where it is ignored; the shape of the rows.
    """

    y: Tensor
    weight: Tensor


def rows_last(z: Tensor) -> Tensor:
    """Scores (K,), (N, K) or (N, K, ...) with the classes last, 16-bit types in float32.

    Raises:
        InputError: the scores are no floating-point tensor of one dimension or more.
    """
    if not z.is_floating_point() or z.ndim == 0:
        raise checks.InputError(
            f"scores must be a floating-point tensor of shape (K,), (N, K) or (N, K, ...), got {z.dtype} of shape "
            f"{tuple(z.shape)}"
        )
    return wide(z.movedim(min(z.ndim - 1, 1), -1))


def read(z: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int) -> Targets:
    """Targets for scores z with the classes last.

    Args:
        z: scores, classes last.
        target: class numbers, of the shape of the rows; or distributions, of that of the original scores.
        weight: how much each class counts, shape (K,); a distribution counts as its classes do on average.
        ignore_index: rows with this class number count nothing.

    Returns:
        the targets, constants: no gradient flows into them.

    Raises:
        InputError: shapes, types or class numbers do not fit.
    """
    classes = z.shape[-1]
    if weight is not None and weight.shape != (classes,):
        raise checks.InputError(f"weight must have one number a class, shape ({classes},); got {tuple(weight.shape)}")
    if target.is_floating_point():
        return _distributions(z, target, weight)
    if target.dtype == torch.bool or target.shape != z.shape[:-1]:
        raise checks.InputError(
            f"target must hold class numbers of shape {tuple(z.shape[:-1])}, or distributions in the shape of the "
            f"scores; got {target.dtype} of shape {tuple(target.shape)}"
        )
    counts = target != ignore_index
    number = torch.where(counts, target, 0).long()
    wrong = (number < 0) | (number >= classes)
    if not torch.compiler.is_compiling() and bool(wrong.any()):
        raise checks.InputError(
            f"target must hold class numbers from 0 to {classes - 1} or ignore_index={ignore_index}, "
            f"got {int(number[wrong].flatten()[0])}"
        )
    y = torch.zeros_like(z, memory_format=torch.contiguous_format).detach().scatter(-1, number[..., None], 1.0)
    return Targets(y, counts.to(z.dtype) if weight is None else torch.where(counts, weight.to(z)[number], 0.0))


def _distributions(z: Tensor, target: Tensor, weight: Tensor | None) -> Targets:
    y = target.detach().movedim(min(target.ndim - 1, 1), -1).to(z.dtype) if target.ndim else target
    if y.shape != z.shape:
        raise checks.InputError(
            f"target distributions must have the shape of the scores, {tuple(z.shape)} with the classes last; "
            f"got {tuple(y.shape)}"
        )
    ones = torch.ones_like(y[..., 0]) if y.numel() else y.sum(-1)
    return Targets(y, ones if weight is None else y @ weight.to(y))


def reduce(losses: Tensor, weight: Tensor, reduction: str) -> Tensor:
    """Weighted losses, their sum, or their sum over the sum of the weights; 0 where nothing counts.

    Raises:
        InputError: the reduction is unknown.
    """
    checks.choice("reduction", reduction, _REDUCTIONS)
    # a row that is ignored may be NaN or infinite
    losses = torch.where(weight == 0, 0.0, losses) * weight
    if reduction == "none":
        return losses
    total = weight.sum()
    return losses.sum() if reduction == "sum" else losses.sum() / torch.where(total == 0, 1.0, total)
