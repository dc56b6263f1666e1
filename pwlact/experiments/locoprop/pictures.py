"""Pictures to be reconstructed: MNIST, or the Devanagari letters that have its format, as rows of grey values."""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from pwlact import checks
from pwlact.data.idx import data_root, folder_with, idx_files, read_images

SETS = {
    "mnist": ("mnist", ("train", "t10k")),
    "dhcd": ("dhcd-letters", ("emnist-letters-train", "emnist-letters-test")),
}
"""Name -> (folder, beginnings of the names of its files)."""


@dataclass(frozen=True, eq=False)
class Pictures:
    """Grey values from 0 to 1, a row a picture.

    Attributes:
        train: to learn from.
        test: not learned from, and not used to choose anything.
    """

    train: Float[Tensor, "n pixels"]
    test: Float[Tensor, "m pixels"]

    def to(self, device: torch.device) -> "Pictures":
        """The same on a device."""
        return Pictures(self.train.to(device), self.test.to(device))


def load_pictures(data: str, directory: Path | None = None, limit: int | None = None) -> Pictures:
    """Read a set from `directory`, else from where $PWLACT_DATA says, else from ./.data.

    Args:
        data: name in `SETS`.
        directory: the folder with the idx files, or with a folder mnist or dhcd-letters that holds them.
        limit: most training pictures, the first; all unless given.

    Raises:
        InputError: the set is not found, damaged or empty.
    """
    checks.choice("data", data, SETS)
    if limit is not None:
        checks.at_least("limit", limit, 1)
    name, beginnings = SETS[data]
    root = data_root(directory)
    folder = folder_with(root, (name,), *idx_files(beginnings[0]))
    if folder is None:
        raise checks.InputError(
            f"no {data} in {root}: give --data-dir DIR or set PWLACT_DATA to the folder with the idx files "
            f"{beginnings[0]}-images-idx3-ubyte(.gz) and {beginnings[1]}-images-idx3-ubyte(.gz), or with a folder "
            f"{name} that holds them"
        )
    train, test = (read_images(folder, beginning).flatten(1).float() / 255 for beginning in beginnings)
    if train.shape[1] != test.shape[1]:
        raise checks.InputError(f"{folder}: training and test images differ in size")
    return Pictures(train[:limit], test)
