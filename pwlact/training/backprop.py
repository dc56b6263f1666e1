"""Update rule: everything, knot values included, by the gradient of the cross-entropy."""

from typing import Any

from torch import Tensor, nn

from pwlact import checks
from pwlact.training.evaluation import forward
from pwlact.training.processes import share_gradients
from pwlact.training.recipe import PAPER, Recipe
from pwlact.training.rules import backbone, learnable, set_rate


class Backprop:
    """One optimiser for the backbone, Adam for the knot values of learnable activations, one loss for both.

    Args:
        model: on its device; its activations may be fixed, learnable or both.
        lr: rate of the backbone.
        act_lr: rate of the knot values.
        precision: "bf16" or "fp32", of the forward pass.
        recipe: optimiser of the backbone, schedule of both rates, and loss.

    Raises:
        InputError: a rate is not above zero.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        lr: float = 1e-3,
        act_lr: float = 1e-2,
        precision: str = "fp32",
        recipe: Recipe = PAPER,
    ) -> None:
        self.precision, self.recipe = precision, recipe
        self.lr, self.act_lr = lr, checks.positive("act_lr", act_lr)
        self.backbone = recipe.optimiser(backbone(model), lr)
        values = [module.values for module in learnable(model)]
        self.values = PAPER.optimiser(values, act_lr) if values else None
        self.network = share_gradients(model)

    def step(self, images: Tensor, labels: Tensor, done: float = 0.0) -> tuple[Tensor, Tensor]:
        """One step of both; see `UpdateRule.step`."""
        factor = self.recipe.factor(done)
        set_rate(self.backbone, self.lr * factor)
        seen = self.recipe.seen(images, done)
        loss, correct = forward(self.network, seen, labels, self.precision, self.recipe.label_smoothing)
        self.backbone.zero_grad()
        if self.values is not None:
            set_rate(self.values, self.act_lr * factor)
            self.values.zero_grad()
        (loss / labels.shape[0]).backward()
        self.backbone.step()
        if self.values is not None:
            self.values.step()
        return loss.detach(), correct

    def state_dict(self) -> dict[str, Any]:
        """What the optimisers remember."""
        return {
            "backbone": self.backbone.state_dict(),
            "values": None if self.values is None else self.values.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        self.backbone.load_state_dict(state["backbone"])
        if self.values is not None:
            self.values.load_state_dict(state["values"])
