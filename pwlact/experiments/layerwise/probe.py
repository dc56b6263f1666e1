"""A linear probe: how much of the classes can be read off features by one linear layer."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn


@dataclass(frozen=True)
class Probe:
    """What a probe found.

    Attributes:
        accuracy: share of correct answers on the test features.
        loss: regularised cross-entropy on the training features, nats.
        gradient: largest entry of its gradient at the end: the probe has converged where this is near 0.
        steps: evaluations of the loss.
    """

    accuracy: float
    loss: float
    gradient: float
    steps: int


def linear_probe(
    train: Float[Tensor, "n F"],
    labels: Int64[Tensor, " n"],
    test: Float[Tensor, "m F"],
    test_labels: Int64[Tensor, " m"],
    *,
    decay: float = 1e-4,
    steps: int = 500,
) -> Probe:
    """Multinomial logistic regression by L-BFGS on standardised features, until its gradient is below 1e-5.

    Args:
        train: features; constant ones are left at 0.
        labels: classes, from 0 on.
        test: features to answer on.
        test_labels: their classes.
        decay: multiple of ||W||^2 / 2 in the loss: it makes the optimum unique.
        steps: most evaluations of the loss.

    Returns:
        accuracy, and how well the probe has converged.
    """
    mean = train.double().mean(0)
    deviation = train.double().std(0, correction=0)
    scale = torch.where(deviation > 0, 1 / torch.where(deviation > 0, deviation, 1.0), 0.0)
    x, test_x = ((part.double() - mean) * scale for part in (train, test))
    probe = nn.Linear(x.shape[1], int(labels.max()) + 1, dtype=torch.float64, device=x.device)
    nn.init.zeros_(probe.weight)
    nn.init.zeros_(probe.bias)
    evaluations = 0

    def closure() -> Tensor:
        nonlocal evaluations
        evaluations += 1
        probe.zero_grad()
        loss = nn.functional.cross_entropy(probe(x), labels) + decay / 2 * probe.weight.square().sum()
        loss.backward()
        return loss

    optimiser = torch.optim.LBFGS(
        probe.parameters(), max_iter=steps, max_eval=steps, tolerance_grad=1e-5, tolerance_change=0,
        history_size=20, line_search_fn="strong_wolfe",
    )  # fmt: skip
    optimiser.step(closure)
    loss = float(closure().detach())
    gradient = max(float(p.grad.abs().max()) for p in probe.parameters() if p.grad is not None)
    with torch.no_grad():
        accuracy = float((probe(test_x).argmax(-1) == test_labels).double().mean())
    return Probe(accuracy, loss, gradient, evaluations)
