"""Knot values of every learnable layer at every epoch: the film of a run's activations, as an npz file."""

import io
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float

from pwlact.checks import InputError
from pwlact.files import write_atomically

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
    layers: dict[str, list[np.ndarray]] = field(default_factory=dict)

    @property
    def epochs(self) -> int:
        """Number of the last epoch held; -1 when there is none."""
        return min((len(values) for values in self.layers.values()), default=0) - 1

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
        layers = {name: np.stack(values) for name, values in self.layers.items()}
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, knots=self.knots, epochs=np.arange(self.epochs + 1), **layers)
        write_atomically(path, lambda file: file.write(buffer.getbuffer()))


def read_activations(path: Path) -> ActivationHistory:
    """Activations of a run.

    Args:
        path: a run folder, or its activations.npz.

    Returns:
        knot positions, and the values of each learnable layer at each epoch.

    Raises:
        InputError: there is no such file, or it is damaged or no history of activations.
    """
    file = path / FILE_NAME if path.is_dir() else path
    if not file.exists():
        hint = " (runs with a fixed activation have none)" if path.is_dir() else ""
        raise InputError(f"{path} holds no activations: {file.name} is not there{hint}")
    try:
        # np.load, given a name, leaves the file open when it fails
        with file.open("rb") as handle, np.load(handle, allow_pickle=False) as arrays:
            knots, epochs = arrays["knots"], len(arrays["epochs"])
            layers = {name: list(arrays[name]) for name in arrays.files if name not in {"knots", "epochs"}}
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror or error}") from error
    except (ValueError, KeyError, EOFError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise InputError(f"{file} is damaged, or not the activations of a run") from error
    fits = all(len(values) == epochs and values[0].shape[-1:] == knots.shape for values in layers.values())
    if not layers or not epochs or not fits:
        raise InputError(f"{file} is damaged, or not the activations of a run")
    return ActivationHistory(knots, layers)
