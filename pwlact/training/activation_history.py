"""Knot values of every learnable layer at every epoch: the film of a run's activations."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float

from pwlact.training.film import Layers, last_epoch, read_film, write_film

FILE_NAME = "activations.npz"


@dataclass
class ActivationHistory:
    """Knot values by layer and epoch; epoch 0 is the initialisation.

    Attributes:
        knots: positions t_s of the knots, shape (N,), in the units of the activations' input.
        layers: name -> one array of knot values an epoch, each of shape (N,), or (C, N) for one function a
            channel.
    """

    knots: Float[np.ndarray, "*knots"]
    layers: Layers = field(default_factory=dict)

    @property
    def epochs(self) -> int:
        """Number of the last epoch held; -1 when there is none."""
        return last_epoch(self.layers)

    def append(self, values: dict[str, np.ndarray]) -> None:
        """Add the values of one more epoch."""
        for name, array in values.items():
            self.layers.setdefault(name, []).append(array)

    def cut(self, epoch: int) -> None:
        """Forget what came after `epoch`."""
        self.layers = {name: values[: epoch + 1] for name, values in self.layers.items()}

    def last(self) -> dict[str, np.ndarray]:
        """Values at the last epoch."""
        return {name: values[-1] for name, values in self.layers.items()}

    def write(self, path: Path) -> None:
        """Write arrays "knots" (N,), "epochs" (E+1,) and one a layer, (E+1, N) or (E+1, C, N).

        Raises:
            OSError: the file cannot be written; the one that was there is untouched.
        """
        write_film(path, {"knots": self.knots}, self.layers)


def read_activations(path: Path) -> ActivationHistory:
    """Activations of a run.

    Args:
        path: a run folder, or its activations.npz.

    Returns:
        knot positions, and the values of each learnable layer at each epoch.

    Raises:
        InputError: there is no such file, or it is damaged or no history of activations.
    """
    folder = path.is_dir()
    hint = " (runs with a fixed activation have none)" if folder else ""
    return ActivationHistory(*read_film(path / FILE_NAME if folder else path, "knots", "activations", hint))
