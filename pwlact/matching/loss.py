"""The matching loss as a function and a module, to put in the place of another loss."""

from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from pwlact import checks
from pwlact.matching.table import TransferLike, transfer_of

Reduction = Literal["mean", "sum", "none"]


def matching_loss(
    transfer: TransferLike, a: Float[Tensor, "*shape"], y: Tensor, *, reduction: Reduction = "mean", check: bool = True
) -> Float[Tensor, "*rest"]:
    """D_F(a, f*(y)) = D_F*(y, f(a)) = F(a) + F*(y) - a'y: convex in a, with gradient f(a) - y.

    Args:
        transfer: f, as `transfer_of` takes it: its name, its module or itself.
        a: pre-activations: what the model gives before f.
        y: targets in the range of f and the shape of a; whole numbers and truth values are taken as such, with
            softmax as class numbers. Gradients flow to it too: f*(y) - a.
        reduction: "mean" over all losses (with softmax over all vectors), "sum" or "none".
        check: look whether the targets are in the range of f, for which the device is waited for. Unchecked,
            targets outside have a gradient in a, but a loss that means nothing.

    Returns:
        the loss, differentiable twice, in the type of a; finite for finite a up to the largest number whose
        square is one, and 0 only where f(a) = y.

    Raises:
        InputError: a target is outside the range, or the shapes differ.

    Examples:
        >>> import torch
        >>> matching_loss("sigmoid", torch.zeros(2), torch.tensor([1.0, 0.0]))
        tensor(0.6931)
    """
    f = transfer_of(transfer)
    if not y.is_floating_point() and f.name != "softmax":
        y = y.to(a.dtype)
    return reduce(f.loss(a, y, check=check), reduction)


class MatchingLoss(nn.Module):
    """The matching loss of one transfer function as a module.

    Args:
        transfer: f, as `transfer_of` takes it. A learned activation is not registered as part of the loss, and
            is a constant to it.
        reduction: "mean", "sum" or "none".
        check: look whether the targets are in the range of f.

    Raises:
        InputError: an unknown name or reduction, or an activation that falls.

    Examples:
        >>> import torch
        >>> MatchingLoss("linear", reduction="sum")(torch.ones(4), torch.zeros(4))
        tensor(2.)
    """

    def __init__(self, transfer: TransferLike, *, reduction: Reduction = "mean", check: bool = True) -> None:
        super().__init__()
        self.transfer = transfer_of(transfer)
        self.reduction: Reduction = _known(reduction)
        self.check = check

    def forward(self, a: Float[Tensor, "*shape"], y: Tensor) -> Float[Tensor, "*rest"]:
        """The loss of pre-activations a against targets y; see `matching_loss`."""
        return matching_loss(self.transfer, a, y, reduction=self.reduction, check=self.check)

    def extra_repr(self) -> str:
        """Transfer function and reduction."""
        return f"{self.transfer.name}, reduction={self.reduction!r}"


def reduce(losses: Tensor, reduction: Reduction) -> Tensor:
    """Mean, sum or all of the losses.

    Raises:
        InputError: an unknown reduction.
    """
    _known(reduction)
    if reduction == "none":
        return losses
    return losses.mean() if reduction == "mean" else losses.sum()


def _known(reduction: Reduction) -> Reduction:
    checks.choice("reduction", reduction, ("mean", "sum", "none"))
    return reduction
