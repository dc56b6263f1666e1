"""`LocoProp`: an optimiser that lets every layer solve a local problem towards a target for its outputs."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from pwlact import checks
from pwlact.matching.learned import PiecewiseLinear, check_rising
from pwlact.matching.locoprop.inner import INNER_RULES, InnerRule, Large, curvature, descend, safe_rate
from pwlact.matching.locoprop.pairing import paired, weight_layers
from pwlact.matching.locoprop.recorded import RecordedLayer
from pwlact.matching.locoprop.rows import joint_weight, set_joint_weight, units_last
from pwlact.matching.locoprop.squared import preconditioned, solve_right
from pwlact.matching.straight import Linear
from pwlact.matching.table import TransferLike
from pwlact.matching.transfer import TransferFunction

Kind = Literal["squared", "matching"]
Targets = Literal["clip", "free", "pre"]


class LocoProp(torch.optim.Optimizer):
    """One pass back gives every layer a target; each then solves its own regularised problem, on the same batch.

    With Y the n inputs of a layer (a row a sample, or a position of one), A = Y W' its outputs and L the loss,

        squared   W_new = argmin_V ||V Y - T||^2 / (2n) + ||V - W||^2 / (2 eta),      T = A - n lr dL/dA
        matching  W_new ~ argmin_V sum D_F*(T, f(V Y)) / n + ||V - W||^2 / (2 eta),   T = f(A) - n lr dL/dA

    f being the transfer function that follows the layer. The factors n make lr and eta mean the same for every
    batch size where L is a mean over samples: n dL/dA is the gradient of a sample's own loss. The first kind
    has the closed form W - eta lr dL/dW (I + eta Y'Y / n)^-1, a preconditioned gradient step; one local step of
    rate s from W is the backprop step W - s lr dL/dW. 1/eta is the damping. A bias is a column of W.

        optimiser = LocoProp(model, lr=0.1)
        for x, y in loader:
            optimiser.zero_grad()
            loss(model(x), y).backward()
            optimiser.step()

    It is a `torch.optim.Optimizer`: schedulers may set lr, and `state_dict` goes on. Only Linear and Conv2d are
    updated; give the parameters in `rest()` to another optimiser. Layers that a pass does not reach keep their
    weights. Inputs and gradients are kept by hooks on the layers, until `step`, `zero_grad` or `close`. One
    process; no gradient scaler. Activations that are learned must rise, for the matching kind.

    Args:
        model: on its device.
        lr: way of the target, in units of a sample's gradient, above 0.
        kind: "squared" (LocoProp-S) or "matching" (LocoProp-M).
        eta: weight of the local loss against the distance of the weights, above 0.
        inner_steps: local gradient steps; None solves exactly for the squared kind, and means 5 for the other.
        transfers: transfer function by name of the layer, for the matching kind; others are found where model is
            an nn.Sequential or holds some.
        inner: rule of the local steps: "sgd", "momentum", "rmsprop" or "adam".
        inner_lr: rate s of the local steps. None: for the squared kind eta, the fixed-point iteration; for the
            matching kind 1 / (L lambda_max(Y'Y / n) + 1/eta), L the largest slope of f, with which each step
            lowers the local loss; for RMSProp and Adam 1e-3.
        decay: let the rate fall in a straight line over the local steps, to rate / steps at the last.
        large: what to do where a rate of SGD or momentum is too large for the local loss (for the fixed-point
            iteration: eta lambda_max(Y'Y / n) >= 1): "damp" the layer's rate to that safe one, or "refuse".
        targets: of the matching kind where f(A) - n lr dL/dA leaves the range of f: "clip" them to it, leave
            them "free" (only the gradient f(a) - T is needed, the local problem stays convex), or "pre":
            T = f(A - n lr dL/dA), which is always inside.
        momentum: share of the last update that is added to the next, from 0 to below 1.
        memory: share of the second moments Y'Y / n of the inputs that stays from step to step, from 0 to below 1;
            for the exact solution.
        betas: decays of the first and the second moment of the local rule, kept from batch to batch.

    Attributes:
        layers: what is updated, by name.

    Raises:
        InputError: nothing to update, an argument outside its range, a layer whose transfer function is not known
            or has no potential, or a run of several processes.

    References:
        Amid, Anil and Warmuth, "LocoProp: enhancing BackProp via local loss optimization", 2022.
    """

    def __init__(
        self,
        model: nn.Module,
        lr: float = 0.1,
        *,
        kind: Kind = "squared",
        eta: float = 1.0,
        inner_steps: int | None = None,
        transfers: Mapping[str, TransferLike] | None = None,
        inner: InnerRule = "sgd",
        inner_lr: float | None = None,
        decay: bool = False,
        large: Large = "damp",
        targets: Targets = "clip",
        momentum: float = 0.0,
        memory: float = 0.0,
        betas: tuple[float, float] = (0.9, 0.999),
    ) -> None:
        self.kind: Kind = _one_of("kind", kind, ("squared", "matching"))
        self.inner: InnerRule = _one_of("inner", inner, INNER_RULES)
        self.large: Large = _one_of("large", large, ("damp", "refuse"))
        self.targets: Targets = _one_of("targets", targets, ("clip", "free", "pre"))
        if inner_steps is not None:
            checks.at_least("inner_steps", inner_steps, 1)
        self.inner_steps = 5 if inner_steps is None and kind == "matching" else inner_steps
        if memory and self.inner_steps is not None:
            raise checks.InputError("memory is of the exact solution: take kind='squared' without inner_steps")
        self.decay, self.betas = decay, (checks.share("betas[0]", betas[0]), checks.share("betas[1]", betas[1]))
        rates = {
            "lr": checks.positive("lr", lr),
            "eta": checks.positive("eta", eta),
            "inner_lr": None if inner_lr is None else checks.positive("inner_lr", inner_lr),
        }
        shares = {"momentum": checks.share("momentum", momentum), "memory": checks.share("memory", memory)}
        _refuse_processes()
        self._model = model
        found = weight_layers(model)
        known = paired(model, found, transfers or {}) if kind == "matching" else dict.fromkeys(found, Linear())
        self.layers = {name: RecordedLayer(name, layer, known[name]) for name, layer in found.items()}
        super().__init__(self._own(), {**rates, **shares, "kind": kind})

    def rest(self) -> list[nn.Parameter]:
        """The parameters that are not updated here: norms, embeddings, learned activations."""
        own = {id(parameter) for parameter in self._own()}
        return [parameter for parameter in self._model.parameters() if id(parameter) not in own]

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Update every layer that the passes since the last step went through, forward and back.

        Args:
            closure: computes the loss anew and calls its backward.

        Returns:
            what the closure returns, or None.

        Raises:
            InputError: no layer was reached, or something is not finite or not safe; no weight is changed then.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        seen = [layer for layer in self.layers.values() if layer.records]
        if not seen:
            raise checks.InputError("no layer has seen a batch: run the model and loss.backward() before each step()")
        remembered: list[dict[str, Any]] = []
        updates = []
        for layer in seen:
            state = dict(self.state[layer.module.weight])
            updates.append(self._named(layer, state))
            remembered.append(state)
        for layer, new, state in zip(seen, updates, remembered, strict=True):
            set_joint_weight(layer.module, new.to(layer.module.weight.dtype))
            self.state[layer.module.weight].update(state)
            layer.records.clear()
        return loss

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget gradients, and what the layers have recorded."""
        for layer in self.layers.values():
            layer.records.clear()
        super().zero_grad(set_to_none)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a state of `state_dict`.

        Raises:
            InputError: it is the state of the other kind, or of no LocoProp.
        """
        kind = state_dict["param_groups"][0].get("kind")
        if kind != self.kind:
            raise checks.InputError(f"the state is of kind={kind!r}, not {self.kind!r}")
        super().load_state_dict(state_dict)

    def close(self) -> None:
        """Take the hooks off the model."""
        for layer in self.layers.values():
            layer.close()

    def _own(self) -> list[nn.Parameter]:
        modules = [layer.module for layer in self.layers.values()]
        return [part for module in modules for part in module.parameters(recurse=False)]

    def _named(self, layer: RecordedLayer, state: dict[str, Any]) -> Tensor:
        """New weights of a layer; errors say which layer it was."""
        try:
            new = self._update(layer, state)
            if not new.isfinite().all():
                raise checks.InputError("its new weights are not finite; lower lr, or look at the loss")
        except checks.InputError as error:
            raise checks.InputError(f"layer {layer.name!r}: {error}") from None
        return new

    def _update(self, layer: RecordedLayer, state: dict[str, Any]) -> Tensor:
        group = self.param_groups[0]
        inputs, gradients = layer.rows()
        weight = joint_weight(layer.module).to(inputs.dtype)
        if self.inner_steps is None:
            change = -group["eta"] * group["lr"] * self._exact(inputs, gradients, state)
        else:
            change = self._iterate(layer.transfer, weight, inputs, gradients, state) - weight
        if group["momentum"]:
            change = change + group["momentum"] * state["velocity"] if "velocity" in state else change
            state["velocity"] = change
        return weight + change

    def _exact(self, inputs: Tensor, gradients: Tensor, state: dict[str, Any]) -> Tensor:
        eta, memory, rows = self.param_groups[0]["eta"], self.param_groups[0]["memory"], inputs.shape[1]
        if not memory:
            return preconditioned(inputs, gradients, eta / rows)
        new = inputs.mT @ inputs / rows
        steps = state["moment_steps"] = state.get("moment_steps", 0) + 1
        state["moments"] = state.get("moments", torch.zeros_like(new)) * memory + new * (1 - memory)
        return solve_right(gradients.mT @ inputs, state["moments"] / (1 - memory**steps), eta)

    def _iterate(
        self, transfer: TransferFunction, weight: Tensor, inputs: Tensor, gradients: Tensor, state: dict[str, Any]
    ) -> Tensor:
        if isinstance(transfer, PiecewiseLinear):
            check_rising(transfer.activation)
        eta = self.param_groups[0]["eta"]
        rates = self._rates(inputs, transfer)
        before = units_last(inputs @ weight.mT)
        way = units_last(gradients) * (self.param_groups[0]["lr"] * inputs.shape[1])
        if self.targets == "pre":
            target = transfer(before - way)
        else:
            target = transfer(before) - way
            target = transfer.clip(target) if self.targets == "clip" else target
        return descend(
            weight, inputs, target, transfer, eta=eta, rates=rates, rule=self.inner, state=state, betas=self.betas
        )

    def _rates(self, inputs: Tensor, transfer: TransferFunction) -> list[Any]:
        """Rate of each local step."""
        eta, rate, steps = self.param_groups[0]["eta"], self.param_groups[0]["inner_lr"], self.inner_steps or 1
        if self.inner in ("rmsprop", "adam"):
            first: Any = 1e-3 if rate is None else rate
        else:
            wanted = eta if rate is None and self.kind == "squared" else rate
            first = safe_rate(wanted, curvature(inputs, transfer.lipschitz, eta), self.large)
        return [first * (1 - k / steps) if self.decay else first for k in range(steps)]


def _one_of(name: str, value: Any, choices: tuple[Any, ...]) -> Any:
    return checks.choice(name, value, choices)


def _refuse_processes() -> None:
    together = torch.distributed
    if together.is_available() and together.is_initialized() and together.get_world_size() > 1:
        raise checks.InputError(
            f"LocoProp works in one process, got {together.get_world_size()}: each would go its own way"
        )
