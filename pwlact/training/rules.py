"""What an update rule is: one step on one batch. The training loop knows nothing else about it."""

from typing import Any, Protocol

from torch import Tensor, nn, optim

from pwlact.pwl import PiecewiseLinearActivation


class UpdateRule(Protocol):
    """Changes a model's parameters, one batch a call."""

    def begin_epoch(self, done: float) -> None:
        """Hear that an epoch begins, with the share `done` of all epochs behind it, from 0 to below 1."""
        ...

    def step(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Learn from a batch.

        Args:
            images: shape (n, ...), on the device of the model.
            labels: class numbers, shape (n,).

        Returns:
            the sum of the n losses and the number of correct answers before the step, both 0-dimensional and
            on the device: reading them there would stall it.
        """
        ...

    def state_dict(self) -> dict[str, Any]:
        """All that the rule remembers from step to step: tensors, numbers, text, lists and dicts of them."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state of `state_dict`."""
        ...


def learnable(model: nn.Module) -> list[PiecewiseLinearActivation]:
    """The learnable activations of any model, in the order in which it holds them."""
    return [module for module in model.modules() if isinstance(module, PiecewiseLinearActivation)]


def backbone(model: nn.Module) -> list[nn.Parameter]:
    """All parameters of the model but the knot values of its learnable activations."""
    values = {id(module.values) for module in learnable(model)}
    return [parameter for parameter in model.parameters() if id(parameter) not in values]


def adam(groups: list[dict[str, Any]]) -> optim.Adam:
    """Adam over the groups that hold any parameter, one fused kernel where the device has one."""
    groups = [group for group in groups if group["params"]]
    devices = {parameter.device.type for group in groups for parameter in group["params"]}
    return optim.Adam(groups, fused=True if devices <= {"cpu", "cuda"} else None)
