"""Every seed at every learning rate in one stack; the rate is chosen on validation data, the same way for everyone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pwlact import checks
from pwlact.experiments.perceptrons import Factory, Parameters, Shape, Stack
from pwlact.experiments.redundancy.fitting import Batch, fit
from pwlact.experiments.redundancy.measuring import Values, fits_of, measure
from pwlact.experiments.spread import spread

Data = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Tuning:
    """What every activation gets, whatever it is.

    Attributes:
        seeds: number of seeds, from 0 on.
        rates: learning rates of Adam to choose from, ascending.
        steps: most steps.
        target: training loss, in nats, at which a model is done; 0 for all steps.

    Raises:
        InputError: a value outside its range.
    """

    seeds: int = 10
    rates: tuple[float, ...] = (0.01, 0.03, 0.1, 0.3)
    steps: int = 500
    target: float = 0.1

    def __post_init__(self) -> None:
        checks.at_least("seeds", self.seeds, 1)
        checks.at_least("steps", self.steps, 1)
        checks.not_negative("target", self.target)
        checks.at_least("number of rates", len(self.rates), 1)
        for rate in self.rates:
            checks.positive("rates", rate)
        if list(self.rates) != sorted(set(self.rates)):
            raise checks.InputError(f"rates must ascend, got {', '.join(f'{rate:g}' for rate in self.rates)}")


@dataclass(frozen=True)
class Tuned:
    """The models of the chosen rate, one a seed.

    Attributes:
        stack: the models.
        start: their parameters before training.
        end: their parameters after it; of a model that diverged, those before.
        diverged: which diverged.
        record: JSON-able: rate, rate_at_edge (whether the grid might have ended too early), tried [{rate,
            val_accuracy, reached, diverged}] with means over seeds, reached, diverged (shares), steps, train_loss.
    """

    stack: Stack
    start: Parameters
    end: Parameters
    diverged: Tensor
    record: dict[str, Any]


def tune(shape: Shape, activation: Factory, batch: Batch, validation: Data, tuning: Tuning) -> Tuned:
    """Train every seed at every rate, and keep the rate with the best mean validation accuracy.

    Among equals the one with the lower validation loss; a model that diverged counts as accuracy 0.

    Args:
        shape: sizes of the models.
        activation: units -> module.
        batch: number of the step -> inputs and classes of one model a seed (or the same for all).
        validation: inputs and classes, of one model a seed or the same for all.
        tuning: seeds, rates and steps.
    """
    count = len(tuning.rates)
    wide = Stack(shape, activation, [seed for seed in range(tuning.seeds) for _ in tuning.rates])
    trained = fit(
        wide,
        lambda step: _for_all_rates(batch(step), count),
        torch.tensor(tuning.rates).repeat(tuning.seeds),
        tuning.steps,
        tuning.target,
    )
    with torch.no_grad():
        x, y = _for_all_rates(validation, count)
        fits = fits_of(wide.forward(trained.parameters, x).logits, y)
    diverged = trained.diverged | ~fits["loss"].isfinite()
    # (seeds, rates)
    scores = torch.where(diverged, 0.0, fits["accuracy"]).view(-1, count).mean(0).tolist()
    ties = torch.where(diverged, torch.inf, fits["loss"]).view(-1, count).mean(0).tolist()
    best = max(range(count), key=lambda i: (scores[i], -ties[i]))
    narrow = Stack(shape, activation, range(tuning.seeds))
    start = narrow.parameters()
    lost = diverged[best::count]
    end = {name: _choose(lost, start[name], p[best::count]) for name, p in trained.parameters.items()}
    shares = {"reached": trained.reached, "diverged": diverged}
    means = {name: share.view(-1, count).double().mean(0).tolist() for name, share in shares.items()}
    tried = [
        {"rate": rate, "val_accuracy": scores[i], **{name: mean[i] for name, mean in means.items()}}
        for i, rate in enumerate(tuning.rates)
    ]
    record = {
        "rate": tuning.rates[best],
        "rate_at_edge": count > 1 and best in {0, count - 1},
        "tried": tried,
        **{name: mean[best] for name, mean in means.items()},
        "steps": spread(trained.steps[best::count].double().tolist()),
        "train_loss": spread(trained.loss[best::count].double().tolist()),
    }
    return Tuned(narrow, start, end, lost, record)


def measured(tuned: Tuned, test: Data, seen: Tensor) -> dict[str, Any]:
    """Fit and redundancy on the test data, before and after training.

    Args:
        tuned: the models.
        test: inputs and classes, of one model a seed or the same for all.
        seen: projection onto what the activation sees of its input; see `maps.seen_part`.

    Returns:
        JSON-able: accuracy, loss, gradient_ratio; trained, untrained {measure: spread of its mean over layers}; and
        trained_layers, a list of the same for each layer, where there are several.
    """
    fits, layers = measure(tuned.stack, tuned.end, *test, seen)
    _, before = measure(tuned.stack, tuned.start, *test, seen)
    nothing = torch.zeros_like(tuned.diverged)
    record: dict[str, Any] = {name: spread(_seen(value, tuned.diverged)) for name, value in fits.items()}
    record |= {"trained": _mean_layer(layers, tuned.diverged), "untrained": _mean_layer(before, nothing)}
    if len(layers) > 1:
        record["trained_layers"] = [_mean_layer([layer], tuned.diverged) for layer in layers]
    return record


def _mean_layer(layers: Sequence[Values], diverged: Tensor) -> dict[str, Any]:
    means = {name: torch.stack([layer[name] for layer in layers]).mean(0) for name in layers[0]}
    return {name: spread(_seen(value, diverged)) for name, value in means.items()}


def _seen(values: Tensor, diverged: Tensor) -> list[float]:
    return torch.where(diverged, torch.nan, values.double()).tolist()


def _choose(lost: Tensor, start: Tensor, end: Tensor) -> Tensor:
    return torch.where(lost.view((-1,) + (1,) * (end.ndim - 1)), start, end)


def _for_all_rates(data: Data, count: int) -> Data:
    """Each seed's data once a rate; what all models share stays as it is."""
    x, y = data
    return (x, y) if y.ndim == 1 else (x.repeat_interleave(count, 0), y.repeat_interleave(count, 0))
