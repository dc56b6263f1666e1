"""Loss and accuracy: of one batch, and of a model on images that it does not learn from."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from pwlact.training.devices import autocast
from pwlact.training.processes import share_buffers, sum_over_processes


@dataclass(frozen=True)
class Score:
    """Mean cross-entropy (nats), share of correct answers (0 to 1), and number of images."""

    loss: float
    accuracy: float
    n: int


def forward(
    model: nn.Module, images: Tensor, labels: Tensor, precision: str, label_smoothing: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Sum of the cross-entropies (nats, in float32) and number of correct answers of one batch.

    Args:
        model: gives logits (n, classes).
        images: shape (n, ...).
        labels: class numbers, shape (n,).
        precision: "bf16" or "fp32", of the forward pass.
        label_smoothing: share of each label that is spread over all classes.

    Returns:
        both 0-dimensional; the loss is differentiable.
    """
    with autocast(images.device, precision):
        logits = model(images)
    logits = logits.float()
    loss = functional.cross_entropy(logits, labels, reduction="sum", label_smoothing=label_smoothing)
    return loss, (logits.detach().argmax(dim=1) == labels).sum()


@torch.no_grad()
def evaluate(model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], precision: str = "fp32") -> Score:
    """Score of `model` in evaluation mode; the mode that it was in is restored.

    Of several processes each brings its part of the images, and all learn the score of the first one's model
    (buffers, such as batch norm's, are taken from it).

    Args:
        model: gives logits (n, classes).
        batches: (images, labels), on the device of the model; at least one among all processes.
        precision: "bf16" or "fp32", of the forward pass.

    Returns:
        the score over all batches.
    """
    was_training = model.training
    model.eval()
    share_buffers(model)
    device = next(model.parameters()).device
    # mps has no float64
    totals = torch.zeros(3, dtype=torch.float32 if device.type == "mps" else torch.float64, device=device)
    with torch.compiler.set_stance("force_eager"):  # no second compilation, for a few passes
        for images, labels in batches:
            loss, right = forward(model, images, labels, precision)
            totals += torch.stack([loss, right, right.new_tensor(labels.shape[0])]).to(totals.dtype)
    model.train(was_training)
    loss, right, n = sum_over_processes(totals).tolist()
    return Score(loss / n, right / n, int(n))
