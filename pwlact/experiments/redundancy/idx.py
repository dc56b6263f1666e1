"""Files in the idx format of MNIST, packed with gzip or not.

References:
    Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", 1998: big-endian, two zero bytes, type
    (8 for unsigned bytes), number of dimensions, their sizes, then the data.
"""

import gzip
import zlib
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from pwlact.checks import InputError

BYTES = 8


def read_idx(path: Path) -> UInt8[Tensor, "..."]:
    """The array of unsigned bytes in `path`, or in `path` + ".gz".

    Raises:
        InputError: neither is there, or it is no such file, truncated or damaged.
    """
    found = next((file for file in (path, path.with_name(path.name + ".gz")) if file.is_file()), None)
    if found is None:
        raise InputError(f"{path} is not there, nor is {path.name}.gz; give the folder that holds MNIST's four files")
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
