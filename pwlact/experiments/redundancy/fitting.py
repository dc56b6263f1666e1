"""Adam on a stack of models, each with a learning rate of its own, each until its own training loss is low enough."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn import functional

from pwlact.experiments.perceptrons import Parameters, Stack

BETAS, EPS = (0.9, 0.999), 1e-8

Batch = Callable[[int], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Fit:
    """What training came to.

    Attributes:
        parameters: those of every model at its end; where it diverged, those before the step that it diverged at.
        steps: number of steps taken.
        loss: cross-entropy of the last batch, in nats, before its step.
        reached: whether the loss fell to the target.
        diverged: whether the loss or a gradient was not finite.
    """

    parameters: Parameters
    steps: Int64[Tensor, " models"]
    loss: Float[Tensor, " models"]
    reached: Bool[Tensor, " models"]
    diverged: Bool[Tensor, " models"]


def losses(stack: Stack, parameters: Parameters, x: Tensor, y: Tensor) -> Float[Tensor, " models"]:
    """Mean cross-entropy of every model, in nats."""
    logits = stack.forward(parameters, x).logits
    labels = y.expand(logits.shape[:2])
    return functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none").view(labels.shape).mean(1)


def fit(stack: Stack, batch: Batch, rates: Float[Tensor, " models"], steps: int, target: float = 0.0) -> Fit:
    """Train every model by Adam until its loss on a batch is at most `target`, or for `steps` steps.

    A model that is done, or whose loss or gradient is no longer finite, keeps its parameters while others go on.

    Args:
        stack: the models.
        batch: number of the step -> inputs (M, n, inputs) or (n, inputs), and classes (M, n) or (n,).
        rates: learning rate of each model.
        steps: most steps, at least 1.
        target: cross-entropy, in nats, at which a model is done.
    """
    start = stack.parameters()
    run = _Run(start, rates)
    for step in range(steps):
        if not run.going.numel():
            break
        x, y = batch(step)
        run.step(stack, x if x.ndim == 2 else x[run.going], y if y.ndim == 1 else y[run.going], step, target)
    run.settle()
    return Fit(run.parameters, run.steps, run.loss, run.reached, run.diverged)


class _Run:
    """The state of all models, and apart from it the parameters and moments of those that still go on."""

    def __init__(self, start: Parameters, rates: Tensor) -> None:
        count = len(rates)
        self.parameters = {name: p.clone() for name, p in start.items()}
        self.steps = torch.zeros(count, dtype=torch.int64)
        self.loss = torch.full((count,), torch.nan)
        self.reached, self.diverged = torch.zeros(count, dtype=torch.bool), torch.zeros(count, dtype=torch.bool)
        self.going = torch.arange(count)
        self.rates, self.moving = rates, start
        self.moments = {name: (torch.zeros_like(p), torch.zeros_like(p)) for name, p in start.items()}

    def step(self, stack: Stack, x: Tensor, y: Tensor, number: int, target: float) -> None:
        loss, gradients = _gradients(stack, self.moving, x, y)
        self.loss[self.going] = loss
        finite = loss.isfinite()
        for g in gradients.values():
            finite &= g.reshape(len(g), -1).isfinite().all(1)
        reached = loss <= target
        self.reached[self.going], self.diverged[self.going] = reached, ~reached & ~finite
        stay = ~reached & finite
        if not bool(stay.all()):
            self._leave(stay)
            gradients = {name: g[stay] for name, g in gradients.items()}
        self.steps[self.going] += 1
        _adam(self.moving, gradients, self.moments, self.rates, number + 1)

    def _leave(self, stay: Tensor) -> None:
        """Put away the models that are done: steps that others still take shall not cost them."""
        self.settle()
        self.going, self.rates = self.going[stay], self.rates[stay]
        self.moving = {name: p[stay] for name, p in self.moving.items()}
        self.moments = {name: (first[stay], second[stay]) for name, (first, second) in self.moments.items()}

    def settle(self) -> None:
        """Bring the parameters of all models up to date."""
        for name, p in self.moving.items():
            self.parameters[name][self.going] = p


def _gradients(stack: Stack, parameters: Parameters, x: Tensor, y: Tensor) -> tuple[Tensor, Parameters]:
    leaves = {name: p.detach().requires_grad_() for name, p in parameters.items()}
    loss = losses(stack, leaves, x, y)
    # models share no parameter, so the gradient of the sum holds that of each
    gradients = torch.autograd.grad(loss.sum(), list(leaves.values()), materialize_grads=True)
    return loss.detach(), dict(zip(leaves, gradients, strict=True))


def _adam(
    parameters: Parameters,
    gradients: Parameters,
    moments: dict[str, tuple[Tensor, Tensor]],
    rates: Tensor,
    step: int,
) -> None:
    """One step of Kingma and Ba (2015), in place."""
    shrink = [1 - beta**step for beta in BETAS]
    for name, p in parameters.items():
        g, (first, second) = gradients[name], moments[name]
        first.lerp_(g, 1 - BETAS[0])
        second.mul_(BETAS[1]).addcmul_(g, g, value=1 - BETAS[1])
        size = second.div(shrink[1]).sqrt_().add_(EPS)
        p.addcdiv_(first * (rates.view((-1,) + (1,) * (p.ndim - 1)) / -shrink[0]), size)
