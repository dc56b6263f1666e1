"""The deep autoencoder, and the loss of its reconstructions."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

OUTPUTS = {"cross-entropy": "sigmoid", "squared": "linear"}
"""Name of a loss -> transfer function of the outputs, whose matching loss it is, up to what no weight changes."""

Loss = Callable[[Tensor, Tensor], Tensor]


def autoencoder(
    pixels: int, sizes: Sequence[int], seed: int, activation: Callable[[], nn.Module] = nn.Tanh
) -> nn.Sequential:
    """pixels - sizes - sizes in reverse, the last one once - pixels; ends with its last linear layer.

    Weights are drawn by Glorot's rule from the seed alone, so that all activations begin with the same; biases are 0.

    Args:
        pixels: inputs and outputs.
        sizes: units of the layers down to the narrowest.
        seed: of the weights.
        activation: gives what follows each layer but the last.

    References:
        X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010.
    """
    generator = torch.Generator().manual_seed(seed)
    widths = [pixels, *sizes, *reversed(sizes[:-1]), pixels]
    parts: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layer = nn.Linear(inputs, outputs)
        nn.init.xavier_uniform_(layer.weight, generator=generator)
        nn.init.zeros_(layer.bias)
        parts += [layer, activation()]
    return nn.Sequential(*parts[:-1])


def cross_entropy(a: Float[Tensor, "n pixels"], y: Float[Tensor, "n pixels"]) -> Float[Tensor, ""]:
    """-sum y log s + (1 - y) log(1 - s), s = sigmoid(a), in nats: sum over pixels, mean over pictures."""
    return functional.binary_cross_entropy_with_logits(a, y, reduction="sum") / len(y)


def squared(a: Float[Tensor, "n pixels"], y: Float[Tensor, "n pixels"]) -> Float[Tensor, ""]:
    """sum (a - y)^2 / 2: sum over pixels, mean over pictures."""
    return (a - y).square().sum() / (2 * len(y))


LOSSES: dict[str, Loss] = {"cross-entropy": cross_entropy, "squared": squared}


def floor(loss: str, y: Float[Tensor, "n pixels"]) -> float:
    """What no reconstruction can go below: of cross-entropy the entropy of grey pixels, of squares 0.

    Args:
        loss: name in `LOSSES`.
        y: the pictures.
    """
    if loss == "squared":
        return 0.0
    return float(-(torch.xlogy(y, y) + torch.xlogy(1 - y, 1 - y)).sum(dtype=torch.float64) / len(y))
