"""Is the learnt activation a Swish? Accuracy of a run as it is, and with a Swish in the place of every activation."""

import math
from typing import Any

import torch
from scipy import stats
from torch import Tensor, nn
from torch.nn import functional

from pwlact import checks
from pwlact.checks import InputError
from pwlact.conversion import Baked, bake
from pwlact.data import Images
from pwlact.experiments.inspection.loading import StoredRun
from pwlact.models import activations
from pwlact.pwl import PiecewiseLinearActivation
from pwlact.training import autocast

EXAMPLE = 1000
"""Training images for whose inputs Swishes are fitted, or all where there are fewer."""


def baking(run: StoredRun, limit: int | None = None) -> dict[str, Any]:
    """Compare the newest weights with learnt and with baked activations, image by image.

    Swishes are fitted twice: to the knot values, and to f at the inputs that it receives on some training images. All
    is scored in the precision and the batches of the run's own evaluation, so that its validation accuracy comes out
    again.

    Args:
        run: the run.
        limit: most images of each set; all, of the training images `EXAMPLE`, unless given.

    Returns:
        JSON-able: epoch, precision, layers [{name, worst, mean, note}] (|Swish - f| between the first and last knot),
        validation and test {n, learnt {accuracy, loss}, swish {accuracy, loss}, difference (of accuracies, in points,
        Swish less learnt), standard_error (of it, paired), b, c, p} with the numbers of `mcnemar`; inputs {images
        (their number), layers [{name, worst, mean, note}] (at the inputs on these images), validation, test} is the
        same of Swishes fitted to f at its inputs.

    Raises:
        InputError: the run's activations are fixed, `limit` is below 1, or weights cannot be read.
    """
    if limit is not None:
        checks.at_least("limit", limit, 1)
    if not run.config.learns:
        raise InputError(f"{run.folder} has fixed activations ({run.config.mode}): there is nothing to bake")
    learnt = run.model()
    names = [name for name, module in activations(learnt) if isinstance(module, PiecewiseLinearActivation)]

    def score(baked: Baked, errors: tuple[str, str]) -> dict[str, Any]:
        worst, mean = errors
        rows = zip(names, baked.report.layers, strict=True)
        return {
            "layers": [
                {"name": name, "worst": getattr(layer, worst), "mean": getattr(layer, mean), "note": layer.note}
                for name, layer in rows
            ],
            "validation": compare(run, learnt, baked.model, run.val, limit),
            "test": compare(run, learnt, baked.model, run.test, limit),
        }

    some = run.train.first(min(EXAMPLE, limit or EXAMPLE))
    ((example, _),) = run.batches(some, len(some)).epoch(0)
    return {
        "epoch": run.last,
        "precision": run.config.precision,
        **score(bake(learnt, to="swish"), ("worst", "mean")),
        "inputs": {
            "images": len(some),
            **score(bake(learnt, to="swish", example=example), ("seen_worst", "seen_mean")),
        },
    }


def compare(run: StoredRun, learnt: nn.Module, swish: nn.Module, images: Images, limit: int | None) -> dict[str, Any]:
    """Score two models on the same images."""
    images = images.first(limit)
    (loss_a, right_a), (loss_b, right_b) = (_answers(run, model, images) for model in (learnt, swish))
    n, test = len(images), mcnemar(right_a, right_b)
    b, c = test["b"], test["c"]
    return {
        "n": n,
        "learnt": {"accuracy": int(right_a.sum()) / n, "loss": float(loss_a.mean())},
        "swish": {"accuracy": int(right_b.sum()) / n, "loss": float(loss_b.mean())},
        "difference": 100 * (c - b) / n,
        "standard_error": 100 * math.sqrt(b + c - (b - c) ** 2 / n) / n,
        **test,
    }


def mcnemar(first: Tensor, second: Tensor) -> dict[str, Any]:
    """Exact test of whether two models are right equally often, paired by image.

    Args:
        first: whether the first model is right, bool of shape (n,).
        second: the same of the second.

    Returns:
        b: images that only the first gets right; c: that only the second does; p: probability, if either is as
        likely, that a fair coin thrown b + c times falls at least as unevenly; 1 where b + c = 0.

    References:
        McNemar, "Note on the sampling error of the difference between correlated proportions", 1947.
    """
    b, c = int((first & ~second).sum()), int((second & ~first).sum())
    return {"b": b, "c": c, "p": float(stats.binomtest(b, b + c).pvalue) if b + c else 1.0}


@torch.no_grad()
def _answers(run: StoredRun, model: nn.Module, images: Images) -> tuple[Tensor, Tensor]:
    """Cross-entropy (nats, float64) of each image, and whether the answer is right."""
    losses, right = [], []
    for x, labels in run.batches(images, run.config.batch_size).epoch(0):
        with autocast(x.device, run.config.precision):
            logits = model(x)
        logits = logits.float()
        losses.append(functional.cross_entropy(logits, labels, reduction="none").double())
        right.append(logits.argmax(dim=1) == labels)
    return torch.cat(losses), torch.cat(right)
