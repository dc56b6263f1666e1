"""Files in the idx format of MNIST, packed with gzip or not.

References:
    Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", 1998: big-endian, two zero bytes, type
    (8 for unsigned bytes), number of dimensions, their sizes, then the data.
"""

import gzip
import os
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from pwlact.checks import InputError

BYTES = 8
SUFFIXES = ("", ".gz")


def data_root(directory: Path | None) -> Path:
    """Where data are looked for: `directory`, else the folder that $PWLACT_DATA names, else ./.data."""
    return directory or Path(os.environ.get("PWLACT_DATA") or ".data")


def folder_with(root: Path, folders: Sequence[str], *names: str) -> Path | None:
    """The first of `root` and its `folders` that holds a file of one of the `names`; None where none does."""
    places = (root, *(root / folder for folder in folders))
    return next((place for place in places if any((place / name).is_file() for name in names)), None)


def idx_files(prefix: str) -> tuple[str, ...]:
    """Names that the file of images of a part may have."""
    return tuple(f"{prefix}-images-idx3-ubyte{suffix}" for suffix in SUFFIXES)


def read_images(folder: Path, prefix: str) -> UInt8[Tensor, "n rows columns"]:
    """The images in `prefix`-images-idx3-ubyte(.gz), at least one.

    Raises:
        InputError: the file is missing or damaged, or holds no images.
    """
    images = read_idx(folder / f"{prefix}-images-idx3-ubyte")
    if images.ndim != 3 or not images.numel():
        raise InputError(f"{folder}: {prefix} images must be (n, rows, columns), got {tuple(images.shape)}")
    return images


def read_pair(folder: Path, prefix: str) -> tuple[UInt8[Tensor, "n rows columns"], UInt8[Tensor, " n"]]:
    """The images of a part and, from `prefix`-labels-idx1-ubyte(.gz), their labels.

    Raises:
        InputError: a file is missing or damaged, there are no images, or not as many labels.
    """
    images, labels = read_images(folder, prefix), read_idx(folder / f"{prefix}-labels-idx1-ubyte")
    if labels.shape != images.shape[:1]:
        found = f"{tuple(images.shape)} and {tuple(labels.shape)}"
        raise InputError(f"{folder}: {prefix} images and labels must be (n, rows, columns) and (n,), got {found}")
    return images, labels


def read_idx(path: Path) -> UInt8[Tensor, "..."]:
    """The array of unsigned bytes in `path`, or in `path` + ".gz".

    Raises:
        InputError: neither is there, or it is no such file, truncated or damaged.
    """
    found = next((file for file in (path, path.with_name(path.name + ".gz")) if file.is_file()), None)
    if found is None:
        raise InputError(f"{path} is not there, nor is {path.name}.gz; give the folder that holds it, or fetch it anew")
    try:
        content = found.read_bytes()
        if found.suffix == ".gz":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{found} cannot be read: {error}; fetch it anew") from error
    return _parse(found, content)


def _parse(path: Path, content: bytes) -> Tensor:
    if len(content) < 4 or content[:3] != bytes((0, 0, BYTES)) or not content[3]:
        raise InputError(f"{path} is no idx file of unsigned bytes: it begins with {content[:4].hex() or 'nothing'}")
    start = 4 + 4 * content[3]
    if len(content) < start:
        raise InputError(f"{path} is truncated: its header ends early; fetch it anew")
    shape = [int(size) for size in np.frombuffer(content[4:start], ">u4")]
    size = int(np.prod(shape, dtype=object))
    if len(content) - start != size:
        raise InputError(f"{path} is damaged: {len(content) - start:,} bytes of data, {size:,} promised; fetch it anew")
    return torch.from_numpy(np.frombuffer(content, np.uint8, offset=start).copy()).reshape(shape)
