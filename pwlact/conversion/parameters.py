"""Parameters of a model in two groups for an optimiser: the activations' and the rest."""

from typing import Any

from torch import nn

from pwlact import checks
from pwlact.pwl import PiecewiseLinearActivation


def activation_parameters(
    model: nn.Module,
    *,
    lr: float | None = None,
    activation_lr: float | None = None,
    weight_decay: float | None = None,
    activation_weight_decay: float = 0.0,
) -> list[dict[str, Any]]:
    """All parameters of a model for an optimiser, each once: those of its learnable activations, and the rest.

    What is not given is left to the optimiser's own arguments, but for the decay of the activations: decay draws
    knot values towards f = 0, a constant, and so is off.

    Args:
        model: with at least one `PiecewiseLinearActivation`.
        lr: rate of the rest.
        activation_lr: rate of the knot values.
        weight_decay: of the rest.
        activation_weight_decay: of the knot values.

    Returns:
        [activations, rest], each a dict with "params", "name" and the settings given; the rest is left out where
        it is empty.

    Raises:
        InputError: the model has no learnable activation, or a number is negative or not finite.

    Examples:
        >>> import torch
        >>> model = nn.Sequential(nn.Linear(2, 3), PiecewiseLinearActivation())
        >>> optimiser = torch.optim.AdamW(activation_parameters(model, lr=1e-3, activation_lr=1e-2))
        >>> [(group["name"], group["lr"], group["weight_decay"]) for group in optimiser.param_groups]
        [('activations', 0.01, 0.0), ('rest', 0.001, 0.01)]
    """
    modules = [module for module in model.modules() if isinstance(module, PiecewiseLinearActivation)]
    if not modules:
        raise checks.InputError("the model has no PiecewiseLinearActivation; pwlact.convert(model) puts them in")
    learnt = {id(p): p for module in modules for p in module.parameters()}
    rest = [p for p in model.parameters() if id(p) not in learnt]
    groups = [
        _group("activations", list(learnt.values()), activation_lr, activation_weight_decay),
        _group("rest", rest, lr, weight_decay),
    ]
    return [group for group in groups if group["params"]]


def _group(name: str, parameters: list[nn.Parameter], lr: float | None, decay: float | None) -> dict[str, Any]:
    prefix = "activation_" if name == "activations" else ""
    settings = {f"{prefix}lr": lr, f"{prefix}weight_decay": decay}
    given = {
        key.removeprefix(prefix): checks.not_negative(key, value)
        for key, value in settings.items()
        if value is not None
    }
    return {"params": parameters, "name": name, **given}
