"""Update rule: backbone by cross-entropy, activations by how their outputs correlate with the classes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from pwlact import checks
from pwlact.correlation import HatStatistics, Objective, reward
from pwlact.pwl import PiecewiseLinearActivation, roughness
from pwlact.training.evaluation import forward
from pwlact.training.rules import adam, backbone, learnable


class LocalCorrelation:
    """Two Adams: the backbone minimises cross-entropy, each layer's knot values y maximise an objective.

    For a layer with input channels x_c and function f_c (the same f for all c where it is shared),

        J = mean_c [ R(rho_c1, ..., rho_cK) - smoothness * sum_s (y_{s-1} - 2 y_s + y_{s+1})^2 ],
        rho_ck = Corr(f_c(x_c), 1[label = k]) over the images and positions of the batch.

    x is a constant to J and y is a constant to the cross-entropy: each layer's shape is learnt from its own
    input alone. R does not see shift and scale of f; after each step the left knot is put back to zero and
    the norm of y to what it was at the start.

    Args:
        model: on its device, with at least one `PiecewiseLinearActivation`; each takes input (n, ...),
            one row an image.
        classes: number K of classes.
        lr: rate of the backbone.
        act_lr: rate of the knot values.
        smoothness: weight of the roughness penalty, 0 or above.
        positions: positions an image that J is estimated from, drawn anew each step.
        objective: "signed" or "energy".
        precision: "bf16" or "fp32", of the forward pass; J is computed in float32.
        seed: of the draws.

    Attributes:
        rewards: mean_c R of each learnable activation at the last step, in order of use, shape (L,); empty
            before the first.

    Raises:
        InputError: there is nothing to learn, an activation starts as a constant, or an argument is outside
            its range.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        classes: int = 10,
        lr: float = 1e-3,
        act_lr: float = 1e-3,
        smoothness: float = 0.05,
        positions: int = 16,
        objective: Objective = "signed",
        precision: str = "fp32",
        seed: int = 0,
    ) -> None:
        self.model = model
        self.modules = learnable(model)
        if not self.modules:
            raise checks.InputError("the local rule has nothing to learn: no PiecewiseLinearActivation in the model")
        self.classes = checks.at_least("classes", classes, 2)
        self.smoothness = checks.not_negative("smoothness", smoothness)
        self.positions = checks.at_least("positions", positions, 1)
        self.objective: Objective = objective
        self.precision = precision
        values = [module.values for module in self.modules]
        self.backbone_adam = adam([{"params": backbone(model), "lr": checks.positive("lr", lr)}])
        self.values_adam = adam([{"params": values, "lr": checks.positive("act_lr", act_lr)}])
        self.norms = [_norm(v.detach()) for v in values]
        self.generator = torch.Generator(values[0].device).manual_seed(seed)
        self.rewards = torch.empty(0)

    def step(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """One step of each Adam; see `UpdateRule.step`."""
        with self._capture() as inputs, self._values_constant():
            loss, correct = forward(self.model, images, labels, self.precision)
            self.backbone_adam.zero_grad()
            (loss / labels.shape[0]).backward()
        self.backbone_adam.step()
        self._improve_values(inputs, labels)
        return loss.detach(), correct

    def state_dict(self) -> dict[str, Any]:
        """Moments of both Adams, norms to keep, and the state of the draws."""
        return {
            "backbone": self.backbone_adam.state_dict(),
            "values": self.values_adam.state_dict(),
            "norms": self.norms,
            "generator": self.generator.get_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        self.backbone_adam.load_state_dict(state["backbone"])
        self.values_adam.load_state_dict(state["values"])
        self.norms = list(state["norms"])
        self.generator.set_state(state["generator"])

    @contextmanager
    def _capture(self) -> Iterator[dict[PiecewiseLinearActivation, Tensor]]:
        """Collect samples of each activation's input while the context lasts.

        Yields:
            the samples x by module, shape (C, m), filled by the forward pass.
        """
        inputs: dict[PiecewiseLinearActivation, Tensor] = {}

        def keep(module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
            assert isinstance(module, PiecewiseLinearActivation)
            inputs[module] = self._sample(arguments[0].detach(), module.channel_dim)

        hooks = [module.register_forward_pre_hook(keep) for module in self.modules]
        try:
            yield inputs
        finally:
            for hook in hooks:
                hook.remove()

    @contextmanager
    def _values_constant(self) -> Iterator[None]:
        """Within, autograd neither computes nor spends time on the gradient of the knot values."""
        for module in self.modules:
            module.values.requires_grad_(False)
        try:
            yield
        finally:
            for module in self.modules:
                module.values.requires_grad_(True)

    def _sample(self, x: Tensor, channel_dim: int) -> Tensor:
        """A few random positions of each image: (n, ..., C, ...) -> (C, n * min(positions, all)), float32."""
        x = x.movedim(channel_dim, 1).unsqueeze(-1).flatten(2).transpose(1, 2)
        images, there, channels = x.shape
        if there > self.positions:
            shape = (images, self.positions)
            place = torch.randint(there, shape, generator=self.generator, device=x.device)
            x = x[torch.arange(images, device=x.device)[:, None], place]
        return x.reshape(-1, channels).T.float().contiguous()

    def _improve_values(self, inputs: dict[PiecewiseLinearActivation, Tensor], labels: Tensor) -> None:
        """One step of ascent on J in every layer, then back to the norm and anchor of the start."""
        rewards = [self._ascend(module, x, labels) for module, x in inputs.items()]
        self.values_adam.step()
        for module, norm in zip(self.modules, self.norms, strict=True):
            module.project_(anchor=True, normalise="l2", target=norm)
        self.rewards = torch.stack(rewards)

    def _ascend(self, module: PiecewiseLinearActivation, x: Tensor, labels: Tensor) -> Tensor:
        """Store the gradient of -J in `module.values`; returns mean_c R."""
        labels = labels.repeat_interleave(x.shape[1] // labels.shape[0])
        statistics = HatStatistics.from_samples(x, labels, self.classes, module.knots)
        # one row a channel, also where channels share it
        values = (
            module.values.expand(x.shape[0], -1)
            if module.groups is None
            else module.values.repeat_interleave(x.shape[0] // module.groups, 0)
        )
        mean_reward = reward(statistics.correlations(values), self.objective).mean()
        loss = self.smoothness * roughness(module.values).mean() - mean_reward
        (module.values.grad,) = torch.autograd.grad(loss, module.values)
        return mean_reward.detach()


def _norm(values: Tensor) -> float:
    """L2 norm that the values have once the left knot is at zero; the mean over channels."""
    norm = float((values - values[..., :1]).norm(dim=-1).mean())
    if not norm > 0:
        raise checks.InputError(
            "a learnable activation starts as a constant, whose norm cannot be kept: "
            "choose knots or a start on which it varies"
        )
    return norm
