"""The activations of a model at one moment, and a film of them."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import nn

from pwlact import checks
from pwlact.conversion.frozen import FrozenPiecewiseLinear
from pwlact.pwl import PiecewiseLinearActivation

Snapshot = dict[str, dict[str, Any]]
"""name -> {"knots": positions (N,), "values": knot values (N,) or (C, N)}."""


def snapshot(model: nn.Module, *, as_lists: bool = False) -> Snapshot:
    """Knots and values of every piecewise-linear activation of a model, learnable or frozen, as copies.

    Args:
        model: any module; the name of one that is itself an activation is "".
        as_lists: lists in place of numpy arrays, for JSON.

    Returns:
        name -> {"knots": positions t_s, shape (N,), "values": y_s, shape (N,) or (C, N)}, in the order of the
        model, in float64; one that stands in several places is under the first of their names.

    Examples:
        >>> from pwlact.pwl import Knots
        >>> snapshot(PiecewiseLinearActivation(Knots(3, -1.0, 1.0)), as_lists=True)
        {'': {'knots': [-1.0, 0.0, 1.0], 'values': [0.0, 0.0, 1.0]}}
    """
    found: Snapshot = {}
    for name, module in model.named_modules():
        if isinstance(module, PiecewiseLinearActivation | FrozenPiecewiseLinear):
            values = module.values.detach().cpu().double().numpy().copy()
            knots = module.knots.positions().numpy()
            found[name] = {"knots": knots.tolist(), "values": values.tolist()} if as_lists else {
                "knots": knots, "values": values}  # fmt: skip
    return found


@dataclass
class ActivationFilm:
    """Snapshots of one model, in the order in which they were taken; each layer has knots of its own.

    Attributes:
        snapshots: the moments, first to last.

    Examples:
        >>> film = ActivationFilm()
        >>> model = nn.Sequential(PiecewiseLinearActivation())
        >>> for _ in range(3):
        ...     film.append(model)
        >>> film.values()["0"].shape
        (3, 33)
    """

    snapshots: list[Snapshot] = field(default_factory=list)

    def append(self, model: nn.Module | Snapshot) -> None:
        """Add the activations of a model as they are now, or a snapshot taken before.

        Raises:
            InputError: it holds other activations, or others in shape, than the first.
        """
        taken = snapshot(model) if isinstance(model, nn.Module) else model
        if self.snapshots and _shapes(taken) != _shapes(self.snapshots[0]):
            raise checks.InputError("the activations are not those of the first snapshot: a film shows one model")
        self.snapshots.append(taken)

    def knots(self) -> dict[str, np.ndarray]:
        """Positions of the knots by layer, each (N,)."""
        return {name: np.asarray(layer["knots"]) for name, layer in (self.snapshots or [{}])[0].items()}

    def values(self) -> dict[str, np.ndarray]:
        """Knot values by layer, each (moments, N) or (moments, C, N)."""
        names = (self.snapshots or [{}])[0]
        return {name: np.stack([np.asarray(taken[name]["values"]) for taken in self.snapshots]) for name in names}


def _shapes(taken: Snapshot) -> dict[str, tuple[Any, ...]]:
    return {name: (np.asarray(v["knots"]).tolist(), np.shape(v["values"])) for name, v in taken.items()}
