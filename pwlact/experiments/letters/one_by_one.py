"""Linear models that learn one example after another, computed a block of examples at a time, to the same result.

A step adds c_i x_i' to the weights W, and c_i depends on nothing but the scores z_i = W_i x_i at that moment. So within
a block that begins with W_0, z_i = W_0 x_i + sum_{j < i} c_j (x_j' x_i): one matrix product gives all W_0 x_i, another
all x_j' x_i, and what is left for every step is small.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from pwlact import checks
from pwlact.experiments.letters.cells import order
from pwlact.experiments.letters.parts import Part, Parts

BLOCK = 64
"""Examples in a block, about; chosen for speed."""
CHUNK = 2048
"""Examples that are answered at a time."""

Step = Callable[[Float[Tensor, "seeds batch outputs"], Float[Tensor, "seeds batch classes"]], Tensor]
"""Scores z and targets e_y -> c, the multiples of x that are added to the weights."""


def moves(
    x: Float[Tensor, "seeds block pixels"],
    targets: Float[Tensor, "seeds block classes"],
    weights: Float[Tensor, "seeds outputs pixels"],
    step: Step,
    batch: int = 1,
) -> Float[Tensor, "seeds block outputs"]:
    """The c_i of all steps through a block; after it, weights + c' x are the weights.

    Args:
        x: inputs, in an order of each seed's own.
        targets: one-hot classes.
        weights: before the block.
        step: gives c for `batch` examples, from scores that know of all steps before.
        batch: examples that share a step.
    """
    scores, gram = x @ weights.mT, x @ x.mT
    c = torch.zeros_like(scores)
    for i in range(0, x.shape[1], batch):
        now = slice(i, i + batch)
        c[:, now] = step(torch.baddbmm(scores[:, now], gram[:, now, :i], c[:, :i]), targets[:, now])
    return c


def blocks(
    part: Part, classes: int, seeds: Sequence[int], epoch: int, batch: int = 1
) -> Iterator[tuple[Tensor, Tensor]]:
    """All examples once, in an order of each seed's own, in blocks.

    Args:
        part: the examples.
        classes: number of classes K.
        seeds: of the orders.
        epoch: the orders of different epochs differ.
        batch: no batch is cut by the end of a block.

    Yields:
        x (seeds, block, pixels) and one-hot classes (seeds, block, K).
    """
    count = len(part.y)
    orders = torch.stack([order(count, seed, epoch) for seed in seeds])
    one_hot = torch.eye(classes, dtype=part.x.dtype)
    for rows in orders.split(batch * max(1, BLOCK // batch), dim=1):
        yield part.x[rows], one_hot[part.y[rows]]


class Best:
    """Linear models as they were after the epoch that answered best on validation images, the first of several.

    Args:
        parts: the images.
        shape: of the models, such as (seeds,); weights are (*shape, K, pixels) and biases (*shape, K).
    """

    def __init__(self, parts: Parts, shape: tuple[int, ...]) -> None:
        self.parts = parts
        x = parts.train.x
        self.weights = x.new_zeros(*shape, parts.classes, x.shape[1])
        self.bias = x.new_zeros(*shape, parts.classes)
        self.top, self.epoch = torch.full(shape, -1.0).double(), torch.zeros(shape, dtype=torch.int64)
        self.history: list[Tensor] = []

    def offer(self, weights: Tensor, bias: Tensor) -> None:
        """Take note of the models after one more epoch.

        Args:
            weights: of every model.
            bias: of every model.
        """
        found = accuracies(self.parts.validation, weights, bias)
        self.history.append(found)
        better = found > self.top
        self.top[better], self.epoch[better] = found[better], len(self.history)
        self.weights[better], self.bias[better] = weights[better], bias[better]

    def records(self) -> list[dict[str, Any]]:
        """A record a model, in the order of memory.

        Returns:
            JSON-able: history [validation accuracy after each epoch], best_epoch from 1 on, and the accuracies train,
            validation and test after that epoch.
        """
        named = {"train": self.parts.train, "validation": self.parts.validation, "test": self.parts.test}
        found = {name: accuracies(part, self.weights, self.bias).flatten() for name, part in named.items()}
        histories = torch.stack(self.history).flatten(1).T
        return [
            {"history": _rounded(history), "best_epoch": int(epoch)}
            | {name: _rounded(values[i : i + 1])[0] for name, values in found.items()}
            for i, (history, epoch) in enumerate(zip(histories, self.epoch.flatten(), strict=True))
        ]


def accuracies(
    part: Part, weights: Float[Tensor, "*models classes pixels"], bias: Float[Tensor, "*models classes"]
) -> Float[Tensor, "*models"]:
    """Share of right answers argmax_k w_k' x + b_k of every model; 0 for one that is not all finite.

    Args:
        part: the examples.
        weights: of every model.
        bias: of every model.
    """
    right = torch.zeros(bias.shape[:-1], dtype=torch.float64)
    for x, y in zip(part.x.split(CHUNK), part.y.split(CHUNK), strict=True):
        z = (x @ weights.flatten(0, -2).mT + bias.flatten()).unflatten(1, bias.shape)
        right += (z.argmax(-1) == y.view(-1, *[1] * right.ndim)).double().sum(0)
    sound = weights.isfinite().all(-1).all(-1) & bias.isfinite().all(-1)
    return torch.where(sound, right / len(part.y), 0.0)


def check(parts: Parts, epochs: int, seeds: Sequence[int]) -> None:
    """Whether there is something to learn from, to choose by, and for how long.

    Args:
        parts: the images.
        epochs: at least 1.
        seeds: at least one, each 0 or above.

    Raises:
        InputError: a number is out of its range, or a part is empty.
    """
    checks.at_least("epochs", epochs, 1)
    checks.at_least("number of seeds", len(seeds), 1)
    for seed in seeds:
        checks.at_least("seeds", seed, 0)
    for name in ("train", "validation", "test"):
        checks.at_least(f"number of {name} images", len(getattr(parts, name).y), 1)


def _rounded(values: Tensor) -> list[float]:
    return [round(value, 6) for value in values.tolist()]
