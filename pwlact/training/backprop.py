"""Update rule: everything, knot values included, by the gradient of the cross-entropy."""

from typing import Any

from torch import Tensor, nn

from pwlact import checks
from pwlact.training.evaluation import forward
from pwlact.training.rules import adam, backbone, learnable


class Backprop:
    """One Adam on the mean cross-entropy; learnable activations have a rate of their own.

    Args:
        model: on its device; its activations may be fixed, learnable or both.
        lr: rate of the backbone.
        act_lr: rate of the knot values.
        precision: "bf16" or "fp32", of the forward pass.

    Raises:
        InputError: a rate is not above zero.
    """

    def __init__(self, model: nn.Module, *, lr: float = 1e-3, act_lr: float = 1e-2, precision: str = "fp32") -> None:
        self.model = model
        self.precision = precision
        values = [module.values for module in learnable(model)]
        self.optimiser = adam(
            [
                {"params": backbone(model), "lr": checks.positive("lr", lr)},
                {"params": values, "lr": checks.positive("act_lr", act_lr)},
            ]
        )

    def begin_epoch(self, done: float) -> None:
        """Nothing changes over the epochs."""

    def step(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """One Adam step; see `UpdateRule.step`."""
        loss, correct = forward(self.model, images, labels, self.precision)
        self.optimiser.zero_grad()
        (loss / labels.shape[0]).backward()
        self.optimiser.step()
        return loss.detach(), correct

    def state_dict(self) -> dict[str, Any]:
        """Adam's moments."""
        return {"optimiser": self.optimiser.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        self.optimiser.load_state_dict(state["optimiser"])
