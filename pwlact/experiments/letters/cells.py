"""Models of one shape with settings of their own, trained side by side on the same batches."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from pwlact import checks
from pwlact.experiments.perceptrons import Parameters, Stack


@dataclass(frozen=True)
class Cell:
    """Settings of one model.

    Attributes:
        rate: of Adam.
        dropout: share of a hidden layer's outputs that are zeroed while training.
        decay: multiple of ||w||^2 / 2 in the loss, on all parameters, as `torch.optim.Adam` takes it.

    Raises:
        InputError: a value outside its range.
    """

    rate: float
    dropout: float = 0.0
    decay: float = 0.0

    def __post_init__(self) -> None:
        checks.positive("rate", self.rate)
        checks.not_negative("decay", self.decay)
        if not 0 <= self.dropout < 1:
            raise checks.InputError(f"dropout must be a share from 0 to below 1, got {self.dropout!r}")


Losses = Callable[[Float[Tensor, "rows classes"], Int64[Tensor, " rows"]], Float[Tensor, " rows"]]
"""Logits, classes -> the loss of every row."""


class Training:
    """Steps of Adam on all models of a stack.

    Args:
        stack: the models.
        cells: settings of each.
        losses: what is minimised, on the mean over a batch.
        seed: of what dropout zeroes.

    Attributes:
        parameters: of every model, as they are now.
    """

    def __init__(self, stack: Stack, cells: Sequence[Cell], losses: Losses, seed: int) -> None:
        self.stack, self.losses = stack, losses
        self.parameters: Parameters = {name: p.requires_grad_() for name, p in stack.parameters().items()}
        self.optimiser = torch.optim.Adam(list(_groups(self.parameters, cells)), fused=True)
        self._keep = 1 - torch.tensor([cell.dropout for cell in cells]).view(-1, 1, 1)
        self._generator = torch.Generator().manual_seed(_state(seed, 1))

    def step(
        self, x: Tensor, y: Int64[Tensor, "*models n"]
    ) -> tuple[Float[Tensor, " models"], Float[Tensor, " models"]]:
        """One step; the mean loss of every model before it, and its accuracy, both as trained, under dropout.

        Args:
            x: inputs (M, n, inputs) or the same for all, (n, inputs).
            y: their classes (M, n) or (n,).
        """
        logits = self.stack.forward(self.parameters, x, self._drop if bool((self._keep < 1).any()) else None).logits
        labels = y.expand(logits.shape[:2])
        loss = self.losses(logits.flatten(0, 1), labels.flatten()).view(labels.shape).mean(1)
        # models share no parameter, so the gradient of the sum holds that of each
        gradients = torch.autograd.grad(loss.sum(), list(self.parameters.values()), materialize_grads=True)
        for group, gradient in zip(self._slices(), gradients, strict=True):
            for part, rows in group:
                # fused Adam walks through memory, and would mix up the entries of a transposed gradient
                part.grad = gradient[rows].contiguous()
        self.optimiser.step()
        return loss.detach(), (logits.detach().argmax(-1) == labels).float().mean(1)

    def _slices(self) -> Iterator[list[tuple[Tensor, slice]]]:
        groups = self.optimiser.param_groups
        for number in range(len(self.parameters)):
            yield [(group["params"][number], group["rows"]) for group in groups]

    def _drop(self, a: Float[Tensor, "models n outputs"]) -> Tensor:
        """Zero each entry with its model's share, and scale up what is left (Srivastava et al. 2014)."""
        kept = torch.rand(a.shape, generator=self._generator) < self._keep
        return a * (kept / self._keep)


def _groups(parameters: Parameters, cells: Sequence[Cell]) -> Iterator[dict]:
    """Groups of Adam.

    Yields:
        views of the parameters of neighbours with equal rate and decay, with both, and which models they are.
    """
    start = 0
    for (rate, decay), same in groupby(cells, key=lambda cell: (cell.rate, cell.decay)):
        rows = slice(start, start + len(list(same)))
        views = [torch.nn.Parameter(p.detach()[rows]) for p in parameters.values()]
        yield {"params": views, "lr": rate, "weight_decay": decay, "rows": rows}
        start = rows.stop


def order(count: int, seed: int, epoch: int) -> Int64[Tensor, " count"]:
    """The order in which an epoch goes through the training examples; it depends on nothing but these three.

    Args:
        count: number of examples.
        seed: 0 or above.
        epoch: 0 or above.
    """
    return torch.randperm(count, generator=torch.Generator().manual_seed(_state(seed, 2, epoch, count)))


def _state(*words: int) -> int:
    return int(np.random.SeedSequence(words).generate_state(1, np.uint64)[0])
