"""The CIFAR-10 images that a command works on."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pwlact.data import Cifar10


def load_images(data: Path | None) -> "Cifar10":
    """The images in the folder `data`, or where they usually are if that is None.

    Raises:
        InputError: there are none, or they are damaged.
    """
    from pwlact.checks import InputError
    from pwlact.data import find, load

    found = find(data)
    if found is None:
        raise InputError(
            "no CIFAR-10 found: give --data DIR, set PWLACT_DATA, or fetch it with `pwlact data cifar10 .data`"
        )
    return load(found)
