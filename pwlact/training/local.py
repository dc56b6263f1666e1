"""Update rule: backbone by cross-entropy, activations by how their outputs correlate with the classes."""

import math
from typing import Any

from torch import Tensor, nn

from pwlact import checks
from pwlact.correlation import CorrelationLearner
from pwlact.training.evaluation import forward
from pwlact.training.rules import adam


class LocalCorrelation:
    """Adam on the cross-entropy for the backbone, a `CorrelationLearner` for the knot values.

    x is a constant to the learner and y is a constant to the cross-entropy: each layer's shape is learnt from its
    own input alone. The learner's rate falls with half a cosine over the epochs: a precaution, so that
    batch norm's running statistics need not chase moving shapes at the end.

    Args:
        model: on its device, with at least one `PiecewiseLinearActivation`; each takes input (n, ...), one row
            an image.
        classes: number K of classes.
        lr: rate of the backbone.
        act_lr: the learner's rate in the first epoch.
        precision: "bf16" or "fp32", of the forward pass; the objective is computed in float32 or float64.
        **settings: of the learner: estimator, solver, smoothness, memory, every, positions, objective, seed.

    Attributes:
        learner: what learns the activations.

    Raises:
        InputError: there is nothing to learn, an activation starts as a constant, or an argument is outside
            its range.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        classes: int = 10,
        lr: float = 1e-3,
        act_lr: float = 1e-3,
        precision: str = "fp32",
        **settings: Any,
    ) -> None:
        self.model, self.precision = model, precision
        self.act_lr = checks.positive("act_lr", act_lr)
        self.learner = CorrelationLearner(model, classes=classes, lr=act_lr, **settings)
        self.backbone_adam = adam([{"params": self.learner.backbone(), "lr": checks.positive("lr", lr)}])

    def begin_epoch(self, done: float) -> None:
        """Set the learner's rate for the share `done` of the epochs; see `UpdateRule.begin_epoch`."""
        for group in self.learner.optimiser.param_groups:
            group["lr"] = self.act_lr * (1 + math.cos(math.pi * done)) / 2

    def step(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """One step of both; see `UpdateRule.step`."""
        with self.learner.observe(labels):
            loss, correct = forward(self.model, images, labels, self.precision)
        self.backbone_adam.zero_grad()
        (loss / labels.shape[0]).backward()
        self.backbone_adam.step()
        self.learner.step()
        return loss.detach(), correct

    def state_dict(self) -> dict[str, Any]:
        """Adam's moments, and the state of the learner."""
        return {"backbone": self.backbone_adam.state_dict(), "learner": self.learner.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        self.backbone_adam.load_state_dict(state["backbone"])
        self.learner.load_state_dict(state["learner"])
