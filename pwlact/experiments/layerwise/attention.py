"""Attention over learned prototypes: competition as a layer of its own."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pwlact import checks
from pwlact.competitive import softmax


class PrototypeAttention(nn.Module):
    """a(x) = V'r(x), r(x) = softmax(K x / sqrt(d)): d inputs are compared with learnt keys, and values are mixed.

    The units that compete are the prototypes: r_j is how far key k_j answers for x, and the r_j sum to 1. Unlike in a
    transformer, keys and values are parameters, so the cost does not depend on the number of samples.

    Args:
        inputs: d.
        prototypes: number of keys, and of values.
        outputs: size of a value.

    Raises:
        InputError: a size is no whole number of at least 1.

    References:
        Vaswani et al., "Attention is all you need", 2017, equation 1; with learnt keys and values: Ramsauer et al.,
        "Hopfield networks is all you need", 2021, section 3, the layer HopfieldLayer.
    """

    def __init__(self, inputs: int, prototypes: int, outputs: int) -> None:
        super().__init__()
        self.inputs = checks.at_least("inputs", inputs, 1)
        checks.at_least("prototypes", prototypes, 1)
        checks.at_least("outputs", outputs, 1)
        # standardised inputs have scores of size 1: neither one winner nor none
        self.keys = nn.Parameter(torch.randn(prototypes, inputs))
        self.values = nn.Parameter(torch.randn(prototypes, outputs))

    def responsibilities(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch prototypes"]:
        """r(x), rows that sum to 1.

        Args:
            x: inputs.
        """
        return softmax(x @ self.keys.mT / math.sqrt(self.inputs))

    def forward(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch outputs"]:
        """V'r(x)."""
        return self.responsibilities(x) @ self.values

    def extra_repr(self) -> str:
        """The sizes."""
        return f"{self.inputs}, prototypes={len(self.keys)}, outputs={self.values.shape[1]}"
