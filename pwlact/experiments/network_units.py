"""Real one-dimensional inputs: the optimum for every channel's pre-activations in a trained network.

pwlact theory network RUN      R^2 of the Swish fit a layer, over its channels
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pwlact import checks
from pwlact.correlation import HatStatistics, Problem, solve_eigen
from pwlact.data import Batches, Cifar10, channel_statistics, split
from pwlact.environment import environment
from pwlact.experiments.cifar import CLASSES, CifarConfig, make_activation
from pwlact.models import activations, build
from pwlact.pwl import Knots
from pwlact.swish import fit_swish_batched
from pwlact.training import checkpoint, read_result
from pwlact.training.run_folder import CHECKPOINT


def run(folder: Path, data: Cifar10, images: int = 2000, smoothness: float = 1e-3) -> dict[str, Any]:
    """Derive f for each channel of each layer from the validation images' pre-activations.

    Inputs are standardised by channel; all positions of an image count, with its label.

    Args:
        folder: a finished run of `pwlact cifar`.
        data: the images that it was trained on.
        images: number of validation images, at least 10.
        smoothness: weight of the roughness penalty: real samples leave far knots to noise.

    Returns:
        JSON-able: n (images), smoothness, layers [{name, channels, r2_mean, r2_sd, r2_median, r2_q10, r2_q90,
        share_above_099, reward_median, beta_median}], config of the run, environment.

    Raises:
        InputError: no finished run, or one that does not fit the data.
    """
    checks.at_least("images", images, 10)
    checks.not_negative("smoothness", smoothness)
    config = _config(folder)
    train, val = split(data, config.val_size, config.limit)
    chosen = val.first(images)
    model = build(config.arch, width=config.width, activation=make_activation(config), classes=CLASSES)
    checkpoint.load_model(folder / CHECKPOINT, model)
    mean, std = channel_statistics(train)
    batches = Batches(chosen, 250, mean=mean, std=std, augment=False, seed=0, device="cpu")
    layers = [_layer(name, statistics, smoothness) for name, statistics in _statistics(model, batches).items()]
    return {
        "n": len(chosen),
        "smoothness": smoothness,
        "layers": layers,
        "run": {"arch": config.arch, "mode": config.mode, "width": config.width, "epochs": config.epochs},
        "environment": environment(),
    }


def _config(folder: Path) -> CifarConfig:
    try:
        return CifarConfig(**read_result(folder)["config"])
    except (KeyError, TypeError) as error:
        raise checks.InputError(f"{folder} is no run of `pwlact cifar`: its result holds other settings") from error


def _statistics(model: nn.Module, batches: Batches) -> dict[str, HatStatistics]:
    """Statistics of every layer's channels, standardised by the moments of a first pass."""
    moments = _collect(model, batches, lambda name, x, labels: _Moments.of(x))
    deviations = {name: (m.mean, m.deviation) for name, m in moments.items()}

    def hats(name: str, x: Tensor, labels: Tensor) -> HatStatistics:
        mean, deviation = deviations[name]
        x = (x - mean[:, None]) / deviation[:, None]
        return HatStatistics.from_samples(x, labels, CLASSES, Knots())

    return _collect(model, batches, hats)


class _Moments:
    """Number, sum and sum of squares of samples, by channel; they add up."""

    def __init__(self, count: int, total: Tensor, square: Tensor) -> None:
        self.count, self.total, self.square = count, total, square

    @classmethod
    def of(cls, x: Tensor) -> "_Moments":
        return cls(x.shape[1], x.sum(1), x.square().sum(1))

    def __add__(self, other: "_Moments") -> "_Moments":
        return _Moments(self.count + other.count, self.total + other.total, self.square + other.square)

    @property
    def mean(self) -> Tensor:
        return self.total / self.count

    @property
    def deviation(self) -> Tensor:
        return (self.square / self.count - self.mean.square()).clamp(min=1e-12).sqrt()


@torch.no_grad()
def _collect(model: nn.Module, batches: Batches, measure: Any) -> dict[str, Any]:
    """Sum over the batches of `measure(name, x, labels)`, x the layer's input as (C, samples) in float64."""
    sums: dict[str, Any] = {}
    labels_now = torch.empty(0, dtype=torch.int64)

    def hook(name: str) -> Any:
        def add(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            x = inputs[0].movedim(1, 0).flatten(2).double()
            measured = measure(name, x.flatten(1), labels_now.repeat_interleave(x.shape[2]))
            sums[name] = measured if name not in sums else sums[name] + measured

        return add

    handles = [module.register_forward_pre_hook(hook(name)) for name, module in activations(model)]
    model.eval()
    try:
        for images, labels in batches.epoch(0):
            labels_now = labels
            model(images)
    finally:
        for handle in handles:
            handle.remove()
    return sums


def _layer(name: str, statistics: HatStatistics, smoothness: float) -> dict[str, Any]:
    knots = Knots()
    solution = solve_eigen(Problem(statistics, knots, smoothness=smoothness))
    fit = fit_swish_batched(knots.positions().numpy(), solution.values.numpy())
    quantiles = np.quantile(fit.r2, [0.1, 0.5, 0.9])
    return {
        "name": name,
        "channels": len(fit.r2),
        "r2_mean": float(fit.r2.mean()),
        "r2_sd": float(fit.r2.std(ddof=1)) if len(fit.r2) > 1 else None,
        "r2_q10": float(quantiles[0]),
        "r2_median": float(quantiles[1]),
        "r2_q90": float(quantiles[2]),
        "share_above_099": float((fit.r2 > 0.99).mean()),
        "reward_median": solution.reward.median().item(),
        "beta_median": float(np.median(fit.beta)),
    }
