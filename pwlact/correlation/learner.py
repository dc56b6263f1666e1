"""`CorrelationLearner`: learns a model's activations from how their outputs correlate with the labels."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from typing import Any, Literal

import torch
from jaxtyping import Int
from torch import Tensor, nn

from pwlact import checks
from pwlact.correlation import ascent
from pwlact.correlation.estimators import ESTIMATORS, EstimatorName
from pwlact.correlation.exchange import add_over_processes, processes_together
from pwlact.correlation.objective import OBJECTIVES, Objective, is_degenerate
from pwlact.correlation.statistics import HatStatistics
from pwlact.pwl import PiecewiseLinearActivation

Solver = Literal["adam", "eigen"]
SOLVERS: tuple[Solver, ...] = ("adam", "eigen")


class CorrelationLearner:
    """Ascends, in each layer on its own and without a gradient from above, the objective J.

        J = mean_c R(rho_c1, ..., rho_cK) - smoothness * sum_s (y_{s-1} - 2 y_s + y_{s+1})^2,
        rho_ck = Corr(f_c(x_c), 1[label = k]),

    x_c the layer's input in channel c, f_c its function with knot values y (one f for all c where it is shared).
    R does not see shift and scale of f, so after each step the left knot is put back to zero and the norm of
    y to what it was at the start (that of several functions of one layer, to their mean). In a loop of your own:

        learner = CorrelationLearner(model, classes=10)
        optimiser = torch.optim.Adam(learner.backbone(), lr=1e-3)
        for images, labels in loader:
            with learner.observe(labels):
                loss = cross_entropy(model(images), labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            learner.step()

    The values need no gradient from then on: to the loss they are constants, and DistributedDataParallel leaves
    them alone if it is put around the model after this. With torch.compile, make the very first call of the model
    within `observe`: a model that was compiled before that passes over the hooks. In a distributed run the
    statistics are added up over the processes, so that all take the same step, the one that a single process would
    take on the whole batch; each process must have seen the same activations.

    Args:
        model: on its device, with at least one `PiecewiseLinearActivation`; each takes input (n, ...), one row
            an image.
        classes: number K of classes.
        estimator: how x is known: "gaussian", a normal density a class and channel, or "sample", the samples.
        solver: "adam", a step of Adam along dJ/dy, or "eigen", a part `lr` of the way to the solution of J's
            eigenproblem.
        lr: rate of Adam, or that part (0 to 1).
        smoothness: weight of the roughness penalty, 0 or above.
        memory: share of the statistics that stays from one step to the next, from 0 to below 1.
        every: batches a step; their statistics are added up.
        positions: positions an image that are looked at, drawn anew each time; None for all.
        objective: "signed" or "energy".
        seed: of the draws.

    Attributes:
        modules: the activations that are learnt, in the order in which the model holds them.
        optimiser: over their values, with one group; a schedule of its `lr` is the caller's affair.
        rewards: mean_c R, before the last step, of each activation that it moved, shape (L,); empty before the first.

    Raises:
        InputError: there is nothing to learn, an activation starts as a constant, an argument is outside its
            range, or the objective is "signed" for two classes, where R is 0 for every f.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        classes: int,
        estimator: EstimatorName = "gaussian",
        solver: Solver = "adam",
        lr: float = 1e-3,
        smoothness: float = 0.05,
        memory: float = 0.95,
        every: int = 4,
        positions: int | None = 16,
        objective: Objective = "signed",
        seed: int = 0,
    ) -> None:
        self.model = model
        self.modules = [module for module in model.modules() if isinstance(module, PiecewiseLinearActivation)]
        if not self.modules:
            raise checks.InputError("there is nothing to learn: no PiecewiseLinearActivation in the model")
        self.classes = checks.at_least("classes", classes, 2)
        checks.choice("objective", objective, OBJECTIVES)
        if is_degenerate(classes, objective):
            raise checks.InputError("objective='signed' is 0 for every function of two classes: use 'energy'")
        self.objective: Objective = objective
        self.estimator_name = checks.choice("estimator", estimator, ESTIMATORS)
        self.estimator = ESTIMATORS[estimator]
        self.solver = checks.choice("solver", solver, SOLVERS)
        self.smoothness = checks.not_negative("smoothness", smoothness)
        self.memory = checks.share("memory", memory)
        self.every = checks.at_least("every", every, 1)
        self.positions = None if positions is None else checks.at_least("positions", positions, 1)
        values = [module.values.requires_grad_(False) for module in self.modules]
        rate = checks.positive("lr", lr)
        if solver == "eigen" and rate > 1:
            raise checks.InputError(f"lr must be at most 1 with solver='eigen', whose way it is a part of, got {lr}")
        self.optimiser = torch.optim.Adam(values, lr=rate) if solver == "adam" else torch.optim.SGD(values, lr=rate)
        self.norms = [_norm(value.detach()) for value in values]
        self.generator = torch.Generator(values[0].device).manual_seed(checks.at_least("seed", seed, 0))
        self.rewards = torch.empty(0)
        self.batches = 0
        self._seen: dict[PiecewiseLinearActivation, Any] = {}
        self._kept: dict[PiecewiseLinearActivation, Any] = {}

    def backbone(self) -> list[nn.Parameter]:
        """All parameters of the model but the knot values that are learnt here."""
        learnt = {id(module.values) for module in self.modules}
        return [parameter for parameter in self.model.parameters() if id(parameter) not in learnt]

    @contextmanager
    def observe(self, labels: Int[Tensor, " images"]) -> Iterator[None]:
        """Within, forward passes of the model on images with these labels add to what is known of the inputs.

        Yields:
            nothing.
        """

        def look(module: nn.Module, args: tuple[Tensor, ...], kwargs: dict[str, Tensor]) -> None:
            assert isinstance(module, PiecewiseLinearActivation)
            self._look(module, args[0] if args else kwargs["x"], labels)

        # what is done within is no business of a compiler's, which would warn of each kernel
        hook: Any = torch.compiler.disable(look)
        hooks = [module.register_forward_pre_hook(hook, with_kwargs=True) for module in self.modules]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    @torch.no_grad()
    def step(self) -> None:
        """After `every` calls: one step up on J in every layer seen, then back to anchor and norm.

        Raises:
            InputError: no forward pass was observed since the last step.
        """
        self.batches += 1
        if self.batches % self.every:
            return
        modules = [module for module in self.modules if module in self._seen]
        if not modules:
            raise checks.InputError("nothing was observed: run the model inside `with learner.observe(labels):`")
        with torch.autocast(modules[0].values.device.type, enabled=False):
            self._remember(modules)
            self.rewards = torch.stack([self._ascend(module) for module in modules])
        if not self.memory:
            self._kept.clear()
        self.optimiser.step()
        self.optimiser.zero_grad()
        for module, norm in zip(self.modules, self.norms, strict=True):
            module.project_(anchor=True, normalise="l2", target=norm)

    def state_dict(self) -> dict[str, Any]:
        """Optimiser, norms to keep, statistics remembered and the state of the draws.

        In a distributed run every process must call this, and any may store it for all: what was seen since the
        last step is shared out evenly.
        """
        return {
            "kind": self._kind(),
            "optimiser": self.optimiser.state_dict(),
            "norms": self.norms,
            "generator": self.generator.get_state(),
            "batches": self.batches,
            "seen": self._pack(self._shared_out()),
            "kept": self._pack(self._kept),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state of `state_dict`.

        Raises:
            InputError: it is the state of another estimator, solver or number of activations.
        """
        if state["kind"] != self._kind():
            raise checks.InputError(f"the state is of a learner with {state['kind']}, not {self._kind()}")
        self.optimiser.load_state_dict(state["optimiser"])
        self.norms = list(state["norms"])
        self.generator.set_state(state["generator"].cpu())
        self.batches = state["batches"]
        self._seen, self._kept = self._unpack(state["seen"]), self._unpack(state["kept"])

    def _look(self, module: PiecewiseLinearActivation, x: Tensor, labels: Tensor) -> None:
        """Add a batch of inputs to what was seen since the last step."""
        if x.shape[:1] != labels.shape:
            raise checks.InputError(
                f"an activation needs input with one row a label, got x of shape {tuple(x.shape)} "
                f"and labels of shape {tuple(labels.shape)}"
            )
        # sums taken in inference mode, where the model may run, would be closed to autograd
        with torch.inference_mode(False), torch.no_grad():
            samples = self._sample(x, module.channel_dim)
            new = self.estimator.summarise(samples, labels, self.classes, module.knots)
            seen = self._seen.get(module)
            if seen is not None and _channels(seen) != _channels(new):
                raise checks.InputError(
                    f"an activation meets inputs of {_channels(seen)} and of {_channels(new)} channels: "
                    "give each place a module of its own"
                )
            self._seen[module] = new if seen is None else seen + new

    def _kind(self) -> str:
        return f"estimator={self.estimator_name!r}, solver={self.solver!r} and {len(self.modules)} activations"

    def _sample(self, x: Tensor, channel_dim: int) -> Tensor:
        """A few random positions of each image: (n, ..., C, ...) -> (n, min(positions, all), C)."""
        x = x[:, None] if x.ndim == 1 else x.movedim(channel_dim, 1)
        x = x.unsqueeze(-1).flatten(2).transpose(1, 2)
        images, there, _ = x.shape
        if self.positions is None or there <= self.positions:
            return x
        place = torch.randint(there, (images, self.positions), generator=self.generator, device=x.device)
        return x[torch.arange(images, device=x.device)[:, None], place]

    def _remember(self, modules: list[PiecewiseLinearActivation]) -> None:
        """Move what was seen, on all processes, into the moving average."""
        seen = add_over_processes([self._seen[module] for module in modules])
        self._seen.clear()
        for module, new in zip(modules, seen, strict=True):
            kept = self._kept.get(module)
            known = new if kept is None or not self.memory else kept * self.memory + new * (1 - self.memory)
            self._kept[module] = known

    def _ascend(self, module: PiecewiseLinearActivation) -> Tensor:
        """Store the direction to go down in `module.values.grad`; returns mean_c R."""
        statistics: HatStatistics = self.estimator.statistics(self._kept[module], module.knots)
        if self.solver == "adam":
            slope, mean_reward = ascent.gradient(module.values, statistics, self.objective, self.smoothness)
            module.values.grad = -slope
        else:
            best, mean_reward = ascent.optimum(module.values, statistics, self.objective, self.smoothness)
            module.values.grad = module.values - best
        return mean_reward

    def _shared_out(self) -> dict[PiecewiseLinearActivation, Any]:
        """What was seen since the last step by all processes, over their number."""
        modules = [module for module in self.modules if module in self._seen]
        part = 1 / processes_together()
        if part == 1:
            return self._seen
        seen = add_over_processes([self._seen[module] for module in modules])
        return {module: summary * part for module, summary in zip(modules, seen, strict=True)}

    def _pack(self, summaries: dict[PiecewiseLinearActivation, Any]) -> list[dict[str, Tensor] | None]:
        return [
            {field.name: getattr(summaries[module], field.name) for field in fields(summaries[module])}
            if module in summaries
            else None
            for module in self.modules
        ]

    def _unpack(self, stored: list[dict[str, Tensor] | None]) -> dict[PiecewiseLinearActivation, Any]:
        return {
            module: self.estimator.summary(**{name: part.to(module.values.device) for name, part in parts.items()})
            for module, parts in zip(self.modules, stored, strict=True)
            if parts is not None
        }


def _channels(summary: Any) -> int:
    return summary.sums.shape[0]


def _norm(values: Tensor) -> float:
    """L2 norm that the values have once the left knot is at zero; the mean over functions."""
    norm = float((values - values[..., :1]).norm(dim=-1).mean())
    if not norm > 0:
        raise checks.InputError(
            "a learnable activation starts as a constant, whose norm cannot be kept: "
            "choose knots or a start on which it varies"
        )
    return norm
