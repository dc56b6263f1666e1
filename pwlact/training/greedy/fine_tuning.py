"""Fine-tuning of pretrained layers end to end, with their local objectives kept or dropped."""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pwlact import checks
from pwlact.implicit_em import Objective, PrototypeLayer
from pwlact.training.greedy import epochs as epochs_
from pwlact.training.greedy.epochs import FORMAT, Progress, Record


class FineTuner:
    """Minimises loss(head(layers(x)), y) + control * sum_l objective_l(layer l) over everything.

    A layer's objective sees its inputs as they are but sends no gradient to the layers below: control acts on each
    layer as it did in pretraining, the task alone goes through all.

    Args:
        layers: each takes what the one below gives; changed in place, and unfrozen.
        head: from the last layer's outputs to what `loss` takes; changed in place.
        loss: (outputs, targets) -> a mean over the batch.
        objective: one for all layers, or one a layer; the log-sum-exp loss alone unless given.
        control: strength of the local objectives; 0 drops them.
        epochs: passes over the samples.
        batch_size: most samples in a batch.
        lr: rate of Adam.
        seed: of the order of the samples.

    Attributes:
        epoch: number of epochs that are done.
        history: a record an epoch: layer (0), epoch, from 1, objective (all that is minimised), task and, with
            control, local (the sum over layers, before its strength).

    Raises:
        InputError: layers that do not fit, or a number outside its range.
    """

    def __init__(
        self,
        layers: Sequence[PrototypeLayer],
        head: nn.Module,
        loss: Callable[[Tensor, Tensor], Tensor],
        objective: Objective | Sequence[Objective] | None = None,
        *,
        control: float = 0.0,
        epochs: int = 10,
        batch_size: int = 256,
        lr: float = 1e-3,
        seed: int = 0,
    ) -> None:
        self.layers = epochs_.stacked(layers)
        self.objectives = epochs_.objectives(objective, len(self.layers))
        self.head, self.loss = head, loss
        self.control = checks.not_negative("control", control)
        self.epochs = checks.at_least("epochs", epochs, 1)
        self.batch_size = checks.at_least("batch_size", batch_size, 1)
        self.seed = checks.at_least("seed", seed, 0)
        self.model = nn.Sequential(*self.layers, head).requires_grad_(True)
        self.optimiser = torch.optim.Adam(self.model.parameters(), lr=checks.positive("lr", lr))
        self.epoch = 0
        self.history: list[Record] = []

    @property
    def done(self) -> bool:
        """Whether all epochs are."""
        return self.epoch >= self.epochs

    def run(self, x: Tensor, y: Tensor, *, progress: Progress | None = None, most: int | None = None) -> list[Record]:
        """Train from where the tuner is to the end.

        Args:
            x: samples, shape (n, D), all in memory.
            y: targets, one a sample.
            progress: called after each epoch.
            most: stop after so many epochs.

        Returns:
            the whole history.

        Raises:
            InputError: x is no table of finite samples, y has another length, or `most` is below 1.
            TrainingFailed: the objective is no longer finite.
        """
        x = epochs_.samples(x, self.layers[0].inputs)
        if len(y) != len(x):
            raise checks.InputError(f"y must have a target for each of {len(x)} samples, got {len(y)}")
        left = self.epochs if most is None else checks.at_least("most", most, 1)
        while left and not self.done:
            record = self._run_epoch(x, y)
            left -= 1
            if progress is not None:
                progress(record)
        return self.history

    def _run_epoch(self, x: Tensor, y: Tensor) -> Record:
        found = []
        for rows in epochs_.batches(len(x), self.batch_size, self.seed, len(self.layers), self.epoch):
            rows = rows.to(x.device)
            values = self._objective(x[rows], y[rows])
            self.optimiser.zero_grad()
            values["objective"].backward()
            self.optimiser.step()
            found.append((len(rows), {name: value.detach() for name, value in values.items()}))
        record = {"layer": 0, "epoch": self.epoch + 1, **epochs_.mean(found)}
        epochs_.ensure_finite(record["objective"], self.model, f"epoch {self.epoch + 1} of fine-tuning")
        self.epoch += 1
        self.history.append(record)
        return record

    def _objective(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        local = []
        for layer, objective in zip(self.layers, self.objectives, strict=True):
            if self.control:
                local.append(objective(layer, x.detach()).total)
            x = layer(x)
        task = self.loss(self.head(x), y)
        if not local:
            return {"objective": task, "task": task}
        whole = torch.stack(local).sum()
        return {"objective": task + self.control * whole, "task": task, "local": whole}

    def state_dict(self) -> dict[str, Any]:
        """All that `run` needs to go on, as copies."""
        state = {
            "format": FORMAT,
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "epoch": self.epoch,
            "history": self.history,
        }
        return copy.deepcopy(state)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state of `state_dict`.

        Raises:
            InputError: it is damaged, or of another model.
        """
        epochs_.ensure_fits(state, ("model", "optimiser", "epoch", "history"), "FineTuner")
        try:
            self.model.load_state_dict(state["model"])
            self.optimiser.load_state_dict(copy.deepcopy(state["optimiser"]))
        except (RuntimeError, ValueError) as error:
            raise checks.InputError(f"the state is of another model: {' '.join(str(error).split())[:200]}") from error
        self.epoch = state["epoch"]
        self.history = [dict(record) for record in state["history"]]
