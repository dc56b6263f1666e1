"""Are pre-activations normal within a class? The Gaussian estimator takes them to be.

Of each image one random position is looked at, so that samples are independent images; the positions of one image
are not. Three distributions are compared, in groups of the same sizes, so that tests have the same power:

    within       x | k, the activation's input in one channel, one class
    before_norm  the same in front of the batch norm
    pooled       x in one channel, over all classes: the same groups with the labels shuffled

In eval mode batch norm is an affine function of each channel, and no statistic here but the sign of the skewness sees
affine functions: `within` and `before_norm` agree to rounding. Batch norm makes nothing more normal.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from scipy import special
from torch import Tensor, nn

from pwlact import checks
from pwlact.experiments.inspection.loading import StoredRun
from pwlact.experiments.inspection.normality import FEWEST, MOST, baselines, normality, standardised, summary
from pwlact.models import activations

QQ_POINTS = 50
"""Quantiles on the QQ curves, at probabilities (j - 1/2) / 50."""
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def gaussianity(run: StoredRun, images: int = 2000, seed: int = 0) -> dict[str, Any]:
    """Measure how normal every layer's input is, by channel and class, after the last epoch.

    Args:
        run: the run.
        images: number of validation images, at least 20; at most 5,000 of one class count.
        seed: of the positions and the shuffle.

    Returns:
        JSON-able: n (images), epoch, classes (number looked at), samples (smallest and largest group), layers [{name,
        channels, within, before_norm (None where no batch norm is in front), pooled}] with the summaries of
        `normality.summary`, baselines {normal, uniform, laplace, half-normal} of groups of the median size, qq {normal
        (positions), layers [{name, within, pooled}]} with mean, q10 and q90 of the standardised quantiles.

    Raises:
        InputError: `images` is below 20, no class has 8 of them, or weights cannot be read.
    """
    checks.at_least("images", images, 20)
    chosen = run.first(images)
    layers = _look(run.model(), run.batches(chosen), seed)
    groups = _groups(chosen.labels.numpy())
    if not groups:
        raise checks.InputError(f"images must be enough for {FEWEST} of some class, got {len(chosen)}: give more")
    shuffled = _shuffled(groups, seed)
    sizes = [len(group) for group in groups]
    return {
        "n": len(chosen),
        "epoch": run.last,
        "classes": len(groups),
        "samples": {"least": min(sizes), "most": max(sizes)},
        "layers": [_layer(layer, groups, shuffled) for layer in layers],
        "baselines": baselines(int(np.median(sizes)), seed=seed),
        "qq": {
            "normal": special.ndtri(_probabilities()).tolist(),
            "layers": [
                {"name": layer.name, "within": _qq(layer.after, groups), "pooled": _qq(layer.after, shuffled)}
                for layer in layers
            ],
        },
    }


@dataclass
class Layer:
    """What a layer's activation receives at one random position of each image, of shape (n, C).

    Attributes:
        name: "layer0", ...
        after: its input.
        before: what entered the batch norm in front of it; None where there is none.
    """

    name: str
    after: Float[np.ndarray, "images channels"]
    before: Float[np.ndarray, "images channels"] | None


@torch.no_grad()
def _look(model: nn.Module, batches: Any, seed: int) -> list[Layer]:
    """Run the batches through the model and keep a position of each image, for every activation."""
    generator = torch.Generator().manual_seed(seed)
    newest: list[tuple[Tensor, Tensor]] = []  # input and output of the last batch norm passed
    kept: dict[str, list[tuple[Tensor, Tensor | None]]] = {}

    def passed(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        newest[:] = [(inputs[0], output)]

    def entered(name: str) -> Any:
        def keep(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            x = inputs[0]
            before = newest[0][0] if newest and newest[0][1] is x else None
            place = torch.randint(x[0, 0].numel(), (len(x),), generator=generator)
            kept.setdefault(name, []).append((_at(x, place), None if before is None else _at(before, place)))

        return keep

    hooks = [module.register_forward_hook(passed) for module in model.modules() if isinstance(module, _NORMS)]
    hooks += [module.register_forward_pre_hook(entered(name)) for name, module in activations(model)]
    try:
        for images, _ in batches.epoch(0):
            model(images)
    finally:
        for hook in hooks:
            hook.remove()
    return [_joined(name, parts) for name, parts in kept.items()]


def _at(x: Tensor, place: Tensor) -> Tensor:
    """(n, C, ...) at one position of each image: (n, C) in float64."""
    flat = x.reshape(*x.shape[:2], -1)
    return flat[torch.arange(len(x)), :, place].double()


def _joined(name: str, parts: list[tuple[Tensor, Tensor | None]]) -> Layer:
    after = torch.cat([part for part, _ in parts]).numpy()
    before = [part for _, part in parts if part is not None]
    return Layer(name, after, torch.cat(before).numpy() if len(before) == len(parts) else None)


def _groups(labels: np.ndarray) -> list[np.ndarray]:
    """Numbers of the images of each class that has enough, the first `MOST` of each."""
    members = [np.flatnonzero(labels == k)[:MOST] for k in np.unique(labels)]
    return [group for group in members if len(group) >= FEWEST]


def _shuffled(groups: list[np.ndarray], seed: int) -> list[np.ndarray]:
    """Groups of the same sizes, drawn from all images of the groups."""
    drawn = np.random.default_rng(seed).permutation(np.concatenate(groups))
    return np.split(drawn, np.cumsum([len(group) for group in groups])[:-1])


def _layer(layer: Layer, groups: list[np.ndarray], shuffled: list[np.ndarray]) -> dict[str, Any]:
    return {
        "name": layer.name,
        "channels": layer.after.shape[1],
        "within": _summary(layer.after, groups),
        "before_norm": None if layer.before is None else _summary(layer.before, groups),
        "pooled": _summary(layer.after, shuffled),
    }


def _summary(x: Float[np.ndarray, "images channels"], groups: list[np.ndarray]) -> dict[str, Any]:
    return summary([normality(x[group].T) for group in groups])


def _qq(x: Float[np.ndarray, "images channels"], groups: list[np.ndarray]) -> dict[str, list[float]]:
    """Quantiles of the standardised values at `QQ_POINTS` probabilities: mean and spread over channels and classes."""
    curves = np.concatenate([np.quantile(_varying(x[group].T), _probabilities(), axis=1).T for group in groups])
    if not len(curves):
        return {name: [float("nan")] * QQ_POINTS for name in ("mean", "q10", "q90")}
    q10, q90 = np.quantile(curves, [0.1, 0.9], axis=0)
    return {"mean": curves.mean(axis=0).tolist(), "q10": q10.tolist(), "q90": q90.tolist()}


def _varying(x: Float[np.ndarray, "rows samples"]) -> np.ndarray:
    z, varies = standardised(x)
    return z[varies]


def _probabilities() -> np.ndarray:
    return (np.arange(QQ_POINTS) + 0.5) / QQ_POINTS
