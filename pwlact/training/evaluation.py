"""Loss and accuracy: of one batch, and of a model on images that it does not learn from."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from pwlact.training.devices import autocast


@dataclass(frozen=True)
class Score:
    """Mean cross-entropy (nats), share of correct answers (0 to 1), and number of images."""

    loss: float
    accuracy: float
    n: int


def forward(model: nn.Module, images: Tensor, labels: Tensor, precision: str) -> tuple[Tensor, Tensor]:
    """Sum of the cross-entropies (nats, in float32) and number of correct answers of one batch.

    Args:
        model: gives logits (n, classes).
        images: shape (n, ...).
        labels: class numbers, shape (n,).
        precision: "bf16" or "fp32", of the forward pass.

    Returns:
        both 0-dimensional; the loss is differentiable.
    """
    with autocast(images.device, precision):
        logits = model(images)
    logits = logits.float()
    loss = functional.cross_entropy(logits, labels, reduction="sum")
    return loss, (logits.detach().argmax(dim=1) == labels).sum()


@torch.no_grad()
def evaluate(model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], precision: str = "fp32") -> Score:
    """Score of `model` in evaluation mode; the mode that it was in is restored.

    Args:
        model: gives logits (n, classes).
        batches: (images, labels), on the device of the model; at least one.
        precision: "bf16" or "fp32", of the forward pass.

    Returns:
        the score over all batches.
    """
    was_training = model.training
    model.eval()
    losses, correct, n = [], [], 0
    for images, labels in batches:
        loss, right = forward(model, images, labels, precision)
        losses.append(loss)
        correct.append(right)
        n += labels.shape[0]
    model.train(was_training)
    return Score(sum(torch.stack(losses).tolist()) / n, int(torch.stack(correct).sum()) / n, n)
