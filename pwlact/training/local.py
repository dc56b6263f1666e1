"""Update rule: backbone by cross-entropy, activations by how their outputs correlate with the classes."""

import math
from contextlib import nullcontext
from typing import Any

from torch import Tensor, nn

from pwlact import checks
from pwlact.correlation import CorrelationLearner
from pwlact.training.evaluation import forward
from pwlact.training.processes import share_gradients
from pwlact.training.recipe import PAPER, Recipe
from pwlact.training.rules import set_rate


class LocalCorrelation:
    """The recipe's optimiser on the cross-entropy for the backbone, a `CorrelationLearner` for the knot values.

    x is a constant to the learner and y is a constant to the cross-entropy: each layer's shape is learnt from its
    own input alone. The learner's rate falls with half a cosine to 0 at the share 1 - rest of all steps; from
    then on the shapes stay, nothing is observed, and backbone and batch norms settle on them.

    Args:
        model: on its device, with at least one `PiecewiseLinearActivation`; each takes input (n, ...), one row
            an image.
        classes: number K of classes.
        lr: rate of the backbone.
        act_lr: the learner's rate at the start.
        rest: share of all steps, at the end, in which the activations stay as they are; from 0 to below 1.
        precision: "bf16" or "fp32", of the forward pass; the objective is computed in float32 or float64.
        recipe: optimiser, schedule and loss of the backbone.
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
        rest: float = 0.5,
        precision: str = "fp32",
        recipe: Recipe = PAPER,
        **settings: Any,
    ) -> None:
        self.precision, self.recipe = precision, recipe
        self.lr, self.act_lr = lr, checks.positive("act_lr", act_lr)
        self.moving = 1 - checks.share("rest", rest)
        self.learner = CorrelationLearner(model, classes=classes, lr=act_lr, **settings)
        self.backbone = recipe.optimiser(self.learner.backbone(), lr)
        self.network = share_gradients(model)  # after the learner, which takes its values out of the gradients

    def step(self, images: Tensor, labels: Tensor, done: float = 0.0) -> tuple[Tensor, Tensor]:
        """One step of both; see `UpdateRule.step`."""
        set_rate(self.backbone, self.lr * self.recipe.factor(done))
        learning = done < self.moving
        seen = self.recipe.seen(images, done)
        with self.learner.observe(labels) if learning else nullcontext():
            loss, correct = forward(self.network, seen, labels, self.precision, self.recipe.label_smoothing)
        self.backbone.zero_grad()
        (loss / labels.shape[0]).backward()
        self.backbone.step()
        if learning:
            set_rate(self.learner.optimiser, self.act_lr * (1 + math.cos(math.pi * done / self.moving)) / 2)
            self.learner.step()
        return loss.detach(), correct

    def state_dict(self) -> dict[str, Any]:
        """What the optimiser and the learner remember."""
        return {"backbone": self.backbone.state_dict(), "learner": self.learner.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        self.backbone.load_state_dict(state["backbone"])
        self.learner.load_state_dict(state["learner"])
