"""Greedy pretraining: each layer is trained on the frozen outputs of the one below, by its own objective."""

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pwlact import checks
from pwlact.implicit_em import Objective, PrototypeLayer
from pwlact.training.greedy import epochs as epochs_
from pwlact.training.greedy.epochs import FORMAT, Progress, Record


class GreedyPretrainer:
    """Trains a stack of prototype layers from the bottom up; a layer that is done is frozen.

    `run` goes on from wherever the trainer is, so `state_dict` after any epoch, loaded into a trainer made alike, gives
    the same bits on a CPU with the same number of threads.

    Args:
        layers: each takes what the one below gives; changed in place.
        objective: what each layer minimises: one for all, or one a layer; the log-sum-exp loss alone unless given.
        epochs: passes over the samples for each layer.
        batch_size: most samples in a batch.
        lr: rate of Adam.
        seed: of the order of the samples and of where prototypes start.
        place: put each layer's prototypes on its inputs before its first epoch (`PrototypeLayer.place`).

    Attributes:
        layer: number of layers that are done.
        epoch: number of epochs of the next one that are done.
        history: a record an epoch: layer and epoch, from 1, objective, lse and each penalty before its strength.

    Raises:
        InputError: layers that do not fit, or a number outside its range.
    """

    def __init__(
        self,
        layers: Sequence[PrototypeLayer],
        objective: Objective | Sequence[Objective] | None = None,
        *,
        epochs: int = 10,
        batch_size: int = 256,
        lr: float = 1e-2,
        seed: int = 0,
        place: bool = True,
    ) -> None:
        self.layers = epochs_.stacked(layers)
        self.objectives = epochs_.objectives(objective, len(self.layers))
        self.epochs = checks.at_least("epochs", epochs, 1)
        self.batch_size = checks.at_least("batch_size", batch_size, 1)
        self.lr = checks.positive("lr", lr)
        self.seed = checks.at_least("seed", seed, 0)
        self.place = place
        self.layer = self.epoch = 0
        self.history: list[Record] = []
        self._optimiser: torch.optim.Optimizer | None = None

    @property
    def done(self) -> bool:
        """Whether all layers are."""
        return self.layer == len(self.layers)

    def run(self, x: Tensor, *, progress: Progress | None = None, most: int | None = None) -> list[Record]:
        """Train from where the trainer is to the end.

        Args:
            x: samples, shape (n, D), all in memory.
            progress: called after each epoch.
            most: stop after so many epochs.

        Returns:
            the whole history.

        Raises:
            InputError: x is no table of finite samples, or `most` below 1.
            TrainingFailed: an objective is no longer finite.
        """
        x = epochs_.samples(x, self.layers[0].inputs)
        left = len(self.layers) * self.epochs if most is None else checks.at_least("most", most, 1)
        inputs, seen = self.inputs(x), self.layer
        while left and not self.done:
            if seen != self.layer:
                inputs, seen = self.inputs(x), self.layer
            record = self._run_epoch(inputs)
            left -= 1
            if progress is not None:
                progress(record)
        return self.history

    @torch.no_grad()
    def inputs(self, x: Tensor) -> Tensor:
        """What the layer in training receives: the outputs of the frozen ones below.

        Args:
            x: samples, shape (n, D).
        """
        for layer in self.layers[: self.layer]:
            x = torch.cat([layer(batch) for batch in x.split(self.batch_size)])
        return x

    def stack(self) -> nn.Sequential:
        """All layers as one module; those that are done are frozen."""
        return nn.Sequential(*self.layers)

    def _run_epoch(self, inputs: Tensor) -> Record:
        layer, objective = self.layers[self.layer], self.objectives[self.layer]
        if self.epoch == 0 and self.place:
            layer.place(inputs, self.seed + self.layer)
        optimiser = self._optimiser = self._optimiser or self._new_optimiser()
        found = []
        for rows in epochs_.batches(len(inputs), self.batch_size, self.seed, self.layer, self.epoch):
            losses = objective(layer, inputs[rows.to(inputs.device)])
            optimiser.zero_grad()
            losses.total.backward()
            optimiser.step()
            values = {"objective": losses.total, "lse": losses.lse, **losses.penalties}
            found.append((len(rows), {name: value.detach() for name, value in values.items()}))
        record = {"layer": self.layer + 1, "epoch": self.epoch + 1, **epochs_.mean(found)}
        epochs_.ensure_finite(record["objective"], layer, f"layer {self.layer + 1}, epoch {self.epoch + 1}")
        self.history.append(record)
        self._move_on()
        return record

    def _new_optimiser(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.layers[self.layer].requires_grad_(True).parameters(), lr=self.lr)

    def _move_on(self) -> None:
        self.epoch += 1
        if self.epoch < self.epochs:
            return
        layer = self.layers[self.layer].requires_grad_(False)
        layer.zero_grad()
        self.layer, self.epoch, self._optimiser = self.layer + 1, 0, None

    def state_dict(self) -> dict[str, Any]:
        """All that `run` needs to go on: tensors, numbers, text, lists and dicts of them; copies."""
        state = {
            "format": FORMAT,
            "layers": [layer.state_dict() for layer in self.layers],
            "layer": self.layer,
            "epoch": self.epoch,
            "optimiser": None if self._optimiser is None else self._optimiser.state_dict(),
            "history": self.history,
        }
        return copy.deepcopy(state)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state of `state_dict`.

        Raises:
            InputError: it is damaged, or of other layers.
        """
        epochs_.ensure_fits(state, ("layers", "layer", "epoch", "optimiser", "history"), "GreedyPretrainer")
        if not 0 <= state["layer"] <= len(self.layers) or not 0 <= state["epoch"] < self.epochs:
            raise checks.InputError(
                f"the state is at layer {state['layer']}, epoch {state['epoch']}, beyond the {len(self.layers)} layers "
                f"of {self.epochs} epochs here: make the trainer as it was"
            )
        try:
            for layer, stored in zip(self.layers, state["layers"], strict=True):
                layer.load_state_dict(stored)
        except (RuntimeError, ValueError) as error:
            raise checks.InputError(f"the state is of other layers: {' '.join(str(error).split())[:200]}") from error
        self.layer, self.epoch, self._optimiser = state["layer"], state["epoch"], None
        self.history = [dict(record) for record in state["history"]]
        for number, layer in enumerate(self.layers):
            layer.requires_grad_(number >= self.layer)
        if state["optimiser"] is not None:
            self._optimiser = self._new_optimiser()
            self._optimiser.load_state_dict(copy.deepcopy(state["optimiser"]))
