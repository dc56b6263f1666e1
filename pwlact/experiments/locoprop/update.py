"""One update of an autoencoder after a pass back: one or two optimisers, whose rates follow a schedule."""

from collections.abc import Callable
from typing import Any

from torch.optim import Optimizer


class Update:
    """What a method does after loss.backward().

    Args:
        optimisers: each with the name of its rate in its parameter groups.
        after: called after each step.
    """

    def __init__(self, optimisers: list[tuple[Optimizer, str]], after: Callable[[], Any] = lambda: None) -> None:
        self._after = after
        self._parts = [(one, key, [group[key] for group in one.param_groups]) for one, key in optimisers]

    def zero_grad(self) -> None:
        """Forget gradients, and what layers have recorded."""
        for optimiser, _, _ in self._parts:
            optimiser.zero_grad()

    def step(self, share: float) -> None:
        """One step with this share of the rates.

        Raises:
            InputError: a layer's local problem is not finite.
        """
        for optimiser, key, rates in self._parts:
            for group, rate in zip(optimiser.param_groups, rates, strict=True):
                group[key] = rate * share
            optimiser.step()
        self._after()
