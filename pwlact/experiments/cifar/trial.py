"""Model, rule and batches that a config calls for, and their way through the epochs."""

import numpy as np
import torch

from pwlact import checks
from pwlact.data import Batches, Images, channel_statistics
from pwlact.experiments.cifar.config import CLASSES, CifarConfig
from pwlact.experiments.cifar.parts import make_model, make_rule
from pwlact.models import activations
from pwlact.pwl import Knots, PiecewiseLinearActivation
from pwlact.training import (
    ActivationHistory,
    EpochRecord,
    InputHistory,
    LayerSnapshot,
    RunFolder,
    Score,
    Silent,
    Tracker,
    class_histograms,
    evaluate,
    fit,
    processes,
)

SEEN = 1000
"""Validation images whose way through the layers is kept as histograms."""


class Trial:
    """Model, rule and batches that a config calls for."""

    def __init__(self, config: CifarConfig, device: torch.device, train: Images, val: Images) -> None:
        self.config, self.device, self.val_size = config, device, len(val)
        self.knots = Knots(config.knots, config.low, config.high)
        self.mean, self.std = channel_statistics(train)
        here = processes()
        self.batches = self._batches(train, augment=True, share=(here.rank, here.count))
        self.val = self.plain(val)
        self.few = self._batches(val.first(SEEN), augment=False)
        self.model = make_model(config, device)
        self.rule = make_rule(config, self.model)

    def train(self, folder: RunFolder, tracker: Tracker | None) -> list[EpochRecord]:
        """Run the epochs that `folder` does not hold yet; returns the records of all."""
        tracker = tracker or Silent()
        films = ActivationHistory(self.knots.positions().numpy()), InputHistory()
        start = self._look(films) if processes().first else None
        done, films = folder.restore(self.model, self.rule, films)
        if len(done) > self.config.epochs:
            raise checks.InputError(
                f"epochs must be at least the {len(done)} that {folder.path} holds, got {self.config.epochs}"
            )
        folder.save_films(films)

        def begun() -> None:
            if start is not None and not done:
                tracker.layers(0, start)

        def store(history: list[EpochRecord]) -> None:
            snapshot = self._look(films) if processes().first else None
            folder.save_epoch(self.model, self.rule, history, films, keep=self.config.keep_epochs)
            if snapshot is not None:
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
        """This process' part of batches of images as they are."""
        here = processes()
        return self._batches(images, augment=False, share=(here.rank, here.count))

    def _batches(self, images: Images, *, augment: bool, share: tuple[int, int] = (0, 1)) -> Batches:
        return Batches(
            images,
            self.config.batch_size,
            mean=self.mean,
            std=self.std,
            augment=augment,
            seed=self.config.seed,
            device=self.device,
            share=share,
        )
