"""The stand-in for an activation while a model is being converted: it computes the old function."""

import copy
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Channels(NamedTuple):
    """Where a layer's channels are: so many, in this dimension of its output."""

    number: int
    dim: int


class Placeholder(nn.Module):
    """Computes the function that is being replaced, and remembers where it stands and what it has seen.

    Args:
        function: the function, or the module, that is replaced.
        was: what it is, as source would write it.

    Attributes:
        places: the modules and attribute names that hold this stand-in, with their paths in the model.
        channels: what the layer before tells, None while it is unknown.
        seen: shapes of the inputs of the example.
        reached: whether the example came by.
        keeps_hooks: whether the hooks of the module that it replaces go over to the new one.
        notes: for the report.
        successor: the new activation, once it is made.
    """

    successor: nn.Module | None

    def __init__(self, function: Callable[[Tensor], Tensor], was: str) -> None:
        super().__init__()
        self.original = function if isinstance(function, nn.Module) else None
        self.function = None if isinstance(function, nn.Module) else function
        self.was = was
        self.inplace = bool(getattr(function, "inplace", False))
        self.places: list[tuple[nn.Module, str, str]] = []
        self.channels: Channels | None = None
        self.seen: set[Channels | None] = set()
        self.reached = False
        self.keeps_hooks = True
        self.notes: list[str] = []
        vars(self)["successor"] = None  # no submodule of this one

    def forward(self, x: Tensor) -> Tensor:
        """The old function of x."""
        function = self.function or self.original
        assert function is not None
        return function(x)

    def start(self, positions: Tensor) -> Tensor:
        """The old function at float64 positions."""
        function = self.function
        if function is None:
            assert self.original is not None
            # its forward: calling the module would run the user's hooks
            function = copy.deepcopy(self.original).to("cpu", torch.float64).forward
        with torch.no_grad():
            return function(positions.clone())

    def split(self) -> "Placeholder":
        """Another stand-in of the same function, for another place."""
        function = self.function or self.original
        assert function is not None
        other = Placeholder(function, self.was)
        other.keeps_hooks = False
        return other
