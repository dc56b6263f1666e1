"""What every layer's activation receives, by class, at every epoch: histograms over a fixed set of images."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from pwlact.models import activations
from pwlact.training.evaluation import forward
from pwlact.training.film import Layers, last_epoch, read_film, write_film

FILE_NAME = "inputs.npz"
EDGES = np.linspace(-5.0, 5.0, 81)
"""Borders of the bins, in the units of the activations' input, which batch norm standardises."""
POSITIONS = 16


@dataclass
class InputHistory:
    """Number of inputs by layer, epoch, class and bin; epoch 0 is the initialisation.

    Attributes:
        edges: borders of the B bins, shape (B + 1,); the first and the last bin also hold all beyond them.
        layers: name -> one array of counts an epoch, each of shape (K, B).
    """

    edges: Float[np.ndarray, "*edges"] = field(default_factory=lambda: EDGES)
    layers: Layers = field(default_factory=dict)

    @property
    def epochs(self) -> int:
        """Number of the last epoch held; -1 when there is none."""
        return last_epoch(self.layers)

    def append(self, counts: dict[str, np.ndarray]) -> None:
        """Add the counts of one more epoch."""
        for name, array in counts.items():
            self.layers.setdefault(name, []).append(array)

    def cut(self, epoch: int) -> None:
        """Forget what came after `epoch`."""
        self.layers = {name: counts[: epoch + 1] for name, counts in self.layers.items()}

    def write(self, path: Path) -> None:
        """Write arrays "edges" (B+1,), "epochs" (E+1,) and one a layer, (E+1, K, B).

        Raises:
            OSError: the file cannot be written; the one that was there is untouched.
        """
        write_film(path, {"edges": self.edges}, self.layers)


def read_inputs(path: Path) -> InputHistory:
    """Input histograms of a run.

    Args:
        path: a run folder, or its inputs.npz.

    Returns:
        borders of the bins, and the counts of each layer at each epoch.

    Raises:
        InputError: there is no such file, or it is damaged or no history of inputs.
    """
    file = path / FILE_NAME if path.is_dir() else path
    return InputHistory(*read_film(file, "edges", "input histograms", ends=1))


@torch.no_grad()
def class_histograms(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    classes: int,
    precision: str = "fp32",
) -> dict[str, Int[np.ndarray, "classes bins"]]:
    """Histogram over `EDGES` of each activation's input for each class, in evaluation mode.

    Of each image and channel 16 positions count, the same ones at each call. NaN counts nowhere.

    Args:
        model: a model of this package, or any whose activations `pwlact.models.activations` finds.
        batches: (images, labels) on the device of the model.
        classes: number K of classes.
        precision: "bf16" or "fp32", of the forward pass.

    Returns:
        layer name -> counts of shape (K, B).
    """
    sums: dict[str, Tensor] = {}
    labels_now = torch.empty(0, dtype=torch.int64)
    generator = torch.Generator().manual_seed(0)

    def hook(name: str) -> Any:
        def count(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            new = _count(_sample(inputs[0], generator), labels_now, classes)
            sums[name] = sums[name] + new if name in sums else new

        return count

    handles = [module.register_forward_pre_hook(hook(name)) for name, module in activations(model)]
    was_training = model.training
    model.eval()
    try:
        # a model that is compiled now would pass over hooks from then on
        with torch.compiler.set_stance("force_eager"):
            for images, labels in batches:
                labels_now = labels
                forward(model, images, labels, precision)
    finally:
        for handle in handles:
            handle.remove()
        model.train(was_training)
    return {name: counts.cpu().numpy().astype(np.int32) for name, counts in sums.items()}


def _sample(x: Tensor, generator: torch.Generator) -> Float[Tensor, "images samples"]:
    x = x.flatten(2) if x.ndim > 2 else x.unsqueeze(-1)
    place = torch.randperm(x.shape[2], generator=generator)[:POSITIONS]
    return x[:, :, place.to(x.device)].flatten(1).float()


def _count(x: Float[Tensor, "images samples"], labels: Tensor, classes: int) -> Int[Tensor, "classes bins"]:
    bins = len(EDGES) - 1
    width = (EDGES[-1] - EDGES[0]) / bins
    place = ((x - EDGES[0]) / width).floor().clamp(0, bins - 1)
    flat = (labels[:, None] * bins + place)[~x.isnan()].long()
    return torch.bincount(flat, minlength=classes * bins).view(classes, bins)
