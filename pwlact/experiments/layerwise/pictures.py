"""A few learnt weights as images, small enough to stay in a record: one byte a pixel."""

import base64
import math
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from pwlact import checks

COUNT = 8
"""Most units whose weights a record keeps."""
LARGEST = 127
CIFAR10 = (3, 32, 32)


def image_shape(data: str, pixels: int) -> tuple[int, int, int]:
    """(channels, rows, columns) of flattened images: CIFAR-10's own, else one channel as near to a square as can be.

    Args:
        data: name of the set.
        pixels: numbers an image.
    """
    if data == "cifar10":
        return CIFAR10
    rows = next(rows for rows in range(math.isqrt(pixels - 1) + 1, pixels + 1) if pixels % rows == 0)
    return 1, rows, pixels // rows


def keep(weight: Float[Tensor, "units pixels"], data: str) -> dict[str, Any]:
    """The first `COUNT` weight vectors as round(127 w_j / max |w_j|), each by its own largest.

    Args:
        weight: one row a unit, finite.
        data: name of the set that it acts on.

    Returns:
        JSON-able: shape (units, channels, rows, columns), and values, their bytes in base64.
    """
    w = weight.detach()[:COUNT].double()
    largest = w.abs().amax(-1, keepdim=True)
    whole = (LARGEST * w / largest.clamp(min=1e-300)).round().cpu().numpy().astype(np.int8)
    shape = (len(w), *image_shape(data, w.shape[1]))
    return {"shape": list(shape), "values": base64.b64encode(whole.tobytes()).decode("ascii")}


def read(kept: dict[str, Any]) -> np.ndarray:
    """What `keep` kept, between -1 and 1, in its shape.

    Raises:
        InputError: it is damaged.
    """
    try:
        values = np.frombuffer(base64.b64decode(kept["values"], validate=True), dtype=np.int8)
        return values.reshape(kept["shape"]) / LARGEST
    except (KeyError, TypeError, ValueError) as error:
        raise checks.InputError(f"prototypes of a record are damaged: {error}; run its command again") from error
