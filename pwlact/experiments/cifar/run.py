"""CIFAR-10 with fixed activations, or with activations learnt by backprop or by the local correlation rule.

On the command line: pwlact cifar --arch resnet10 --width 0.25 --epochs 3 --mode local
"""

import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import harmonic_mean
from typing import Any

import numpy as np
import torch
from torch import nn

from pwlact import checks
from pwlact.correlation import ESTIMATORS, SOLVERS
from pwlact.data import Batches, Cifar10, Images, channel_statistics, split
from pwlact.environment import environment
from pwlact.models import ARCHITECTURES, ActivationFactory, activations, build
from pwlact.pwl import Knots, PiecewiseLinearActivation
from pwlact.swish import fit_swish
from pwlact.training import (
    DEVICES,
    PRECISIONS,
    ActivationHistory,
    Backprop,
    EpochRecord,
    InputHistory,
    LayerSnapshot,
    LocalCorrelation,
    RunFolder,
    Score,
    Silent,
    Tracker,
    UpdateRule,
    class_histograms,
    device_name,
    evaluate,
    find_device,
    fit,
)

FIXED: dict[str, Callable[[], nn.Module]] = {"relu": nn.ReLU, "silu": nn.SiLU, "gelu": nn.GELU}
ACTIVATION_RATES = {"backprop": 1e-2, "local": 1e-3}
EIGEN_SHARE = 0.2  # of the way to the solution, at each step
MODES = (*ACTIVATION_RATES, *FIXED)
SHARINGS = ("layer", "channel")
CLASSES = 10
SEEN = 1000
"""Validation images whose way through the layers is kept as histograms."""


@dataclass(frozen=True)
class CifarConfig:
    """Settings of one training run.

    Attributes:
        arch: a name in `pwlact.models.ARCHITECTURES`.
        mode: "backprop" or "local" learn the activations, from ReLU on; "relu", "silu", "gelu" are fixed.
        width: factor on the channels of every layer.
        epochs: number of passes over the training images.
        batch_size: images a step.
        lr: Adam's rate for the backbone.
        act_lr: Adam's rate for the knot values; None is 1e-2 for backprop and 1e-3 for local. For solver "eigen" the
            share of the way to the solution, at most 1; None is 0.2.
        sharing: one function a "layer", or one a "channel".
        knots: number of knots, at least 5 (the Swish that is read off at the end has four parameters).
        low: position of the first knot, in units of the layer's input, which batch norm standardises.
        high: position of the last knot.
        estimator: how the local rule knows a layer's input: "sample" or "gaussian".
        solver: how the local rule improves its objective: "adam" or "eigen".
        seed: of initialisation, order, augmentation and draws.
        limit: most images to train on; all that `val_size` leaves if None.
        val_size: number of training images kept for validation.
        device: "auto", "cuda", "mps" or "cpu".
        precision: "bf16" (autocast) or "fp32".
        smoothness: weight of the local rule's roughness penalty.
        positions: positions an image that the local rule looks at.
        memory: share of the local rule's statistics that stays from step to step, from 0 to below 1.
        every: batches a step of the local rule.
        keep_epochs: whether the weights after every epoch are kept, in the folder epochs.

    Raises:
        InputError: a setting is outside its range.
    """

    arch: str = "resnet10"
    mode: str = "local"
    width: float = 1.0
    epochs: int = 20
    batch_size: int = 256
    lr: float = 1e-3
    act_lr: float | None = None
    sharing: str = "layer"
    knots: int = 33
    low: float = -3.0
    high: float = 3.0
    estimator: str = "sample"
    solver: str = "adam"
    seed: int = 0
    limit: int | None = None
    val_size: int = 5000
    device: str = "auto"
    precision: str = "bf16"
    smoothness: float = 0.05
    positions: int = 16
    memory: float = 0.0
    every: int = 1
    keep_epochs: bool = False

    def __post_init__(self) -> None:
        self._check_choices()
        checks.at_least("epochs", self.epochs, 1)
        checks.at_least("batch_size", self.batch_size, 1)
        checks.at_least("knots", self.knots, 5, "the Swish that is read off has four parameters")
        checks.at_least("val_size", self.val_size, 1)
        checks.at_least("positions", self.positions, 1)
        checks.at_least("every", self.every, 1)
        if not 0 <= self.memory < 1:
            raise checks.InputError(f"memory must be at least 0 and below 1, got {self.memory}")
        checks.at_least("seed", self.seed, 0)
        if self.limit is not None:
            checks.at_least("limit", self.limit, 1)
        checks.positive("width", self.width)
        checks.positive("lr", self.lr)
        checks.positive("act_lr", self.activation_rate)
        if self.mode == "local" and self.solver == "eigen" and self.activation_rate > 1:
            raise checks.InputError(f"act_lr must be at most 1 with solver eigen, got {self.activation_rate}")
        checks.interval(self.low, self.high)
        checks.not_negative("smoothness", self.smoothness)

    def _check_choices(self) -> None:
        checks.choice("arch", self.arch, ARCHITECTURES)
        checks.choice("mode", self.mode, MODES)
        checks.choice("sharing", self.sharing, SHARINGS)
        checks.choice("estimator", self.estimator, ESTIMATORS)
        checks.choice("solver", self.solver, SOLVERS)
        checks.choice("device", self.device, DEVICES)
        checks.choice("precision", self.precision, PRECISIONS)

    @property
    def learns(self) -> bool:
        """Whether the activations are learnt."""
        return self.mode not in FIXED

    @property
    def activation_rate(self) -> float:
        """`act_lr`, or the mode's own where that is None."""
        if self.act_lr is not None:
            return self.act_lr
        return EIGEN_SHARE if self.mode == "local" and self.solver == "eigen" else ACTIVATION_RATES.get(self.mode, 1e-2)


def run(config: CifarConfig, data: Cifar10, folder: RunFolder, tracker: Tracker | None = None) -> dict[str, Any]:
    """Train, or go on training, one model; store the run in `folder`.

    Args:
        config: the settings.
        data: training and test images.
        folder: where the run is stored; opened with resume=True it goes on after the last stored epoch.
        tracker: hears of the progress.

    Returns:
        JSON-able: arch, mode, seed, parameters (their number), history (a record an epoch), val and test
        {loss, accuracy, n}, layers [{name, beta, x0, r2, ...}] (Swish fit of each learnt activation, channels
        averaged), images_per_second, config, data, environment.

    Raises:
        InputError: the images are too few, the device is missing, or the folder's run does not fit.
        TrainingFailed: the loss is no longer finite.
    """
    device = find_device(config.device)
    train, val = split(data, config.val_size, config.limit)
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(config.seed)
        trial = _Trial(config, device, train, val)
        # only now that nothing speaks against this run may it take the place of another
        folder.begin({**asdict(config), "data": describe(data)})
        history = trial.train(folder, tracker)
        test = trial.score(trial.plain(data.test))
    result = _result(config, trial, history, test) | {"data": describe(data)}
    folder.finish(result)
    return result


class _Trial:
    """Model, rule and batches that a config calls for."""

    def __init__(self, config: CifarConfig, device: torch.device, train: Images, val: Images) -> None:
        self.config, self.device, self.val_size = config, device, len(val)
        self.knots = Knots(config.knots, config.low, config.high)
        self.mean, self.std = channel_statistics(train)
        self.batches, self.val = self._batches(train, augment=True), self.plain(val)
        self.few = self.plain(Images(val.images[:SEEN], val.labels[:SEEN]))
        self.model = make_model(config, device)
        self.rule = make_rule(config, self.model)

    def train(self, folder: RunFolder, tracker: Tracker | None) -> list[EpochRecord]:
        """Run the epochs that `folder` does not hold yet; returns the records of all."""
        tracker = tracker or Silent()
        films = ActivationHistory(self.knots.positions().numpy()), InputHistory()
        start = self._look(films)
        done, films = folder.restore(self.model, self.rule, films)
        if len(done) > self.config.epochs:
            raise checks.InputError(
                f"epochs must be at least the {len(done)} that {folder.path} holds, got {self.config.epochs}"
            )
        folder.save_films(films)

        def begun() -> None:
            if not done:
                tracker.layers(0, start)

        def store(history: list[EpochRecord]) -> None:
            snapshot = self._look(films)
            folder.save_epoch(self.model, self.rule, history, films, keep=self.config.keep_epochs)
            tracker.layers(len(history), snapshot)

        return fit(
            self.model,
            self.rule,
            self.batches,
            lambda: self.score(self.val),
            epochs=self.config.epochs,
            history=done,
            tracker=tracker,
            before_epochs=begun,
            after_epoch=store,
        )

    def _look(self, films: tuple[ActivationHistory, InputHistory]) -> LayerSnapshot:
        """Add what the layers are and receive now to the films."""
        activations, inputs = films
        counts = class_histograms(self.model, self.few.epoch(0), CLASSES, self.config.precision)
        snapshot = LayerSnapshot(activations.knots, self.values(), inputs.edges, counts)
        activations.append(snapshot.values)
        inputs.append(counts)
        return snapshot

    def values(self) -> dict[str, np.ndarray]:
        """Knot values of each learnable layer, by name."""
        return {
            name: module.values.detach().cpu().numpy().copy()
            for name, module in activations(self.model)
            if isinstance(module, PiecewiseLinearActivation)
        }

    def score(self, batches: Batches) -> Score:
        """Loss and accuracy."""
        return evaluate(self.model, batches.epoch(0), self.config.precision)

    def plain(self, images: Images) -> Batches:
        """Batches of images as they are."""
        return self._batches(images, augment=False)

    def _batches(self, images: Images, *, augment: bool) -> Batches:
        return Batches(
            images,
            self.config.batch_size,
            mean=self.mean,
            std=self.std,
            augment=augment,
            seed=self.config.seed,
            device=self.device,
        )


def describe(data: Cifar10) -> dict[str, Any]:
    """What tells one set of images from another, wherever it lies: sizes, class names, checksum of the labels."""
    labels = torch.cat([data.train.labels, data.test.labels]).cpu().numpy()
    return {
        "train": len(data.train),
        "test": len(data.test),
        "classes": list(data.class_names),
        "labels_crc32": f"{zlib.crc32(labels.tobytes()):08x}",
    }


def make_activation(config: CifarConfig) -> ActivationFactory:
    """Factory of the activations that `config.mode` names; learnable ones start from ReLU."""
    if not config.learns:
        return lambda channels: FIXED[config.mode]()
    knots = Knots(config.knots, config.low, config.high)
    own = config.sharing == "channel"
    return lambda channels: PiecewiseLinearActivation(knots, channels=channels if own else None, start="relu")


def make_model(config: CifarConfig, device: torch.device) -> nn.Module:
    """Freshly initialised model that `config` names, on `device`, its convolutions with channels last."""
    model = build(config.arch, width=config.width, activation=make_activation(config), classes=CLASSES).to(device)
    for parameter in model.parameters():
        if parameter.ndim == 4:  # as the images are
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return model


def make_rule(config: CifarConfig, model: nn.Module) -> UpdateRule:
    """Update rule that `config.mode` names."""
    if config.mode != "local":
        return Backprop(model, lr=config.lr, act_lr=config.activation_rate, precision=config.precision)
    return LocalCorrelation(
        model,
        classes=CLASSES,
        lr=config.lr,
        act_lr=config.activation_rate,
        estimator=config.estimator,
        solver=config.solver,
        smoothness=config.smoothness,
        memory=config.memory,
        every=config.every,
        positions=config.positions,
        precision=config.precision,
        seed=config.seed,
    )


def _result(config: CifarConfig, trial: _Trial, history: list[EpochRecord], test: Score) -> dict[str, Any]:
    last = history[-1]
    return {
        "arch": config.arch,
        "mode": config.mode,
        "seed": config.seed,
        "parameters": sum(parameter.numel() for parameter in trial.model.parameters()),
        "history": history,
        "val": {"loss": last["val_loss"], "accuracy": last["val_accuracy"], "n": trial.val_size},
        "test": asdict(test),
        "layers": _swish_fits(trial),
        "images_per_second": harmonic_mean(record["images_per_second"] for record in history),
        "config": asdict(config),
        "environment": environment(device_name(trial.device)),
    }


def _swish_fits(trial: _Trial) -> list[dict[str, Any]]:
    """Swish of each learnt activation over its knots; of the mean function where each channel has its own."""
    positions = trial.knots.positions().numpy()
    return [
        {"name": name, **fit_swish(positions, values.reshape(-1, len(positions)).mean(axis=0)).to_dict()}
        for name, values in trial.values().items()
    ]
