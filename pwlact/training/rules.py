"""What an update rule is: one step on one batch. The training loop knows nothing else about it."""

from typing import Any, Protocol

from torch import Tensor, nn, optim

from pwlact.pwl import PiecewiseLinearActivation


class UpdateRule(Protocol):
    """Changes a model's parameters, one batch a call."""

    def step(self, images: Tensor, labels: Tensor, done: float = 0.0) -> tuple[Tensor, Tensor]:
        """Learn from a batch.

        Args:
            images: shape (n, ...), on the device of the model.
            labels: class numbers, shape (n,).
            done: share of all steps that is behind, from 0 to below 1, for rates that change.

        Returns:
            the sum of the n losses and the number of correct answers before the step, both 0-dimensional and
            on the device: reading them there would stall it.
        """
        ...

    def state_dict(self) -> dict[str, Any]:
        """All that the rule remembers from step to step: tensors, numbers, text, lists and dicts of them.

        Of several processes all must call this: what each remembers may have to be exchanged.
        """
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


def set_rate(optimiser: optim.Optimizer, lr: float) -> None:
    """Let the optimiser's next step be of rate `lr`."""
    for group in optimiser.param_groups:
        group["lr"] = lr
