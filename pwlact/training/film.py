"""A film: one array a layer and epoch over a common axis, as an npz file; what activations and inputs are kept as."""

import io
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pwlact.checks import InputError
from pwlact.files import write_atomically

Layers = dict[str, list[np.ndarray]]
"""name -> one array an epoch; epoch 0 is the initialisation."""


def last_epoch(layers: Mapping[str, Sequence[np.ndarray]]) -> int:
    """Number of the last epoch that every layer holds; -1 when there is none."""
    return min((len(arrays) for arrays in layers.values()), default=0) - 1


def write_film(path: Path, axis: dict[str, np.ndarray], layers: Mapping[str, Sequence[np.ndarray]]) -> None:
    """Write the axis, "epochs" (E+1,) and one array a layer, (E+1, ...).

    Raises:
        OSError: the file cannot be written; the one that was there is untouched.
    """
    films = {name: np.stack(arrays) for name, arrays in layers.items()}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **axis, epochs=np.arange(last_epoch(layers) + 1), **films)
    write_atomically(path, lambda file: file.write(buffer.getbuffer()))


def read_film(path: Path, axis: str, what: str, hint: str = "", ends: int = 0) -> tuple[np.ndarray, Layers]:
    """Axis and layers of a file of `write_film`.

    Args:
        path: the file.
        axis: name of the axis in the file.
        what: what the file holds, for messages: "activations".
        hint: added to the message about a missing file.
        ends: how many points the axis has more than the last dimension of each layer.

    Raises:
        InputError: there is no such file, or it is damaged or of something else.
    """
    if not path.exists():
        place = path.parent if hint else path
        raise InputError(f"{place} holds no {what}: {path.name} is not there{hint}")
    try:
        # np.load, given a name, leaves the file open when it fails
        with path.open("rb") as handle, np.load(handle, allow_pickle=False) as arrays:
            points, epochs = arrays[axis], len(arrays["epochs"])
            layers = {name: list(arrays[name]) for name in arrays.files if name not in {axis, "epochs"}}
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, KeyError, EOFError, TypeError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path} is damaged, or not the {what} of a run") from error
    length = (len(points) - ends,) if points.ndim == 1 else None
    fits = all(len(film) == epochs and film[0].shape[-1:] == length for film in layers.values()) if epochs else False
    if not layers or not fits:
        raise InputError(f"{path} is damaged, or not the {what} of a run")
    return points, layers
