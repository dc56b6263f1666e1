"""The methods that are compared: how each updates an autoencoder, and the settings it is tuned over."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec

import torch
from torch import nn

from pwlact import checks
from pwlact.experiments.locoprop.update import Update
from pwlact.matching import LocoProp, isotonic
from pwlact.pwl import PiecewiseLinearActivation

INNER_STEPS = 10
"""Local steps of LocoProp-M, as in the benchmark."""
ETA = 10.0
"""Of LocoProp-M: weight of the local loss against the distance of the weights."""
LEAST_SLOPE = 0.01
"""Of learned activations, so that each has a strictly convex potential."""
VALUES_RATE = 1e-3
"""Adam's rate for the knot values of learned activations."""
SECOND_ORDER = "pytorch_optimizer"
"""The package that the second-order baseline is from."""

Make = Callable[[nn.Sequential, str, float, float], Update]


@dataclass(frozen=True)
class Method:
    """A way to train, with the ranges that it is tuned over.

    Attributes:
        what: in words, with what is fixed.
        rates: least and largest rate; the range is equally wide, three decades, for every method.
        second: name of the second setting.
        seconds: its values, as many for every method.
        make: (model, transfer function of the outputs, rate, second setting) -> update.
        activation: of the hidden layers.
        package: what must be installed.
    """

    what: str
    rates: tuple[float, float]
    second: str
    seconds: tuple[float, float, float]
    make: Make
    activation: Callable[[], nn.Module] = nn.Tanh
    package: str | None = None


def learned() -> PiecewiseLinearActivation:
    """A rising piecewise-linear activation that begins as tanh on its knots."""
    return isotonic(PiecewiseLinearActivation(start="tanh"), least_slope=LEAST_SLOPE)


def _momentum(model: nn.Sequential, output: str, rate: float, second: float) -> Update:
    return Update([(torch.optim.SGD(model.parameters(), lr=rate, momentum=second), "lr")])


def _adam(model: nn.Sequential, output: str, rate: float, second: float) -> Update:
    values, weights = _values(model)
    parts: list[tuple[torch.optim.Optimizer, str]] = [(torch.optim.Adam(weights, lr=rate, betas=(second, 0.999)), "lr")]
    return Update(parts + _learning(values), partial(_keep_rising, model))


def _rmsprop(model: nn.Sequential, output: str, rate: float, second: float) -> Update:
    return Update([(torch.optim.RMSprop(model.parameters(), lr=rate, momentum=second), "lr")])


def _soap(model: nn.Sequential, output: str, rate: float, second: float) -> Update:
    # soap: Adam in the eigenbasis of Shampoo's two Kronecker factors, taken anew every tenth step
    soap = import_module(SECOND_ORDER).SOAP(
        model.parameters(), lr=rate, betas=(second, 0.95), weight_decay=0.0, precondition_frequency=10
    )
    return Update([(soap, "lr")])


def _locoprop_s(model: nn.Sequential, output: str, rate: float, second: float) -> Update:
    return Update([(LocoProp(model, rate, eta=second, momentum=0.9), "lr")])


def _locoprop_m(model: nn.Sequential, output: str, rate: float, second: float) -> Update:
    last = str(len(model) - 1)
    loco = LocoProp(
        model, second, kind="matching", eta=ETA, inner_steps=INNER_STEPS, transfers={last: output}, inner="rmsprop",
        inner_lr=rate, decay=True,
    )  # fmt: skip
    # RMSProp's steps have the length of their rate, however near the target is
    return Update([(loco, "inner_lr"), *_learning(loco.rest())], partial(_keep_rising, model))


def _values(model: nn.Sequential) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Knot values, and all other parameters."""
    values = [part.values for part in model if isinstance(part, PiecewiseLinearActivation)]
    own = {id(value) for value in values}
    return values, [parameter for parameter in model.parameters() if id(parameter) not in own]


def _learning(values: list[nn.Parameter]) -> list[tuple[torch.optim.Optimizer, str]]:
    return [(torch.optim.Adam(values, lr=VALUES_RATE), "lr")] if values else []


@torch.no_grad()
def _keep_rising(model: nn.Sequential) -> None:
    """Bring each learned activation back to the nearest one that rises."""
    for part in model:
        if isinstance(part, PiecewiseLinearActivation):
            part.values.copy_(isotonic(part, least_slope=LEAST_SLOPE).values)


METHODS: dict[str, Method] = {
    "momentum": Method("SGD with momentum", (1e-4, 1e-1), "momentum", (0.9, 0.95, 0.99), _momentum),
    "adam": Method("Adam, beta_2 0.999", (3e-5, 3e-2), "beta_1", (0.5, 0.9, 0.95), _adam),
    "rmsprop": Method("RMSProp, decay 0.99", (3e-5, 3e-2), "momentum", (0.0, 0.5, 0.9), _rmsprop),
    "soap": Method(
        "SOAP: Adam in the eigenbasis of Shampoo, which is renewed every 10 steps; beta_2 0.95",
        (1e-4, 1e-1), "beta_1", (0.5, 0.9, 0.95), _soap, package=SECOND_ORDER,
    ),
    "locoprop-s": Method(
        "LocoProp-S, exact, momentum 0.9; the rate is that of the targets", (1e-3, 1.0), "eta", (1.0, 10.0, 100.0),
        _locoprop_s,
    ),
    "locoprop-m": Method(
        f"LocoProp-M, {INNER_STEPS} local steps of RMSProp, whose rate it is and falls over them; eta {ETA:g}",
        (3e-5, 3e-2), "target rate", (0.1, 1.0, 10.0), _locoprop_m,
    ),
    "adam-learned": Method(
        f"Adam, beta_2 0.999; a learned rising activation a layer, its values by Adam at {VALUES_RATE:g}",
        (3e-5, 3e-2), "beta_1", (0.5, 0.9, 0.95), _adam, learned,
    ),
    "locoprop-m-learned": Method(
        "as locoprop-m, with a learned rising activation a layer and its own matching loss; its values by Adam at "
        f"{VALUES_RATE:g}",
        (3e-5, 3e-2), "target rate", (0.1, 1.0, 10.0), _locoprop_m, learned,
    ),
}  # fmt: skip


def available(names: tuple[str, ...]) -> tuple[dict[str, Method], list[str]]:
    """The named methods whose packages are installed, and a note on each that is left out.

    Args:
        names: in `METHODS`; none for all.

    Raises:
        InputError: an unknown name, or none is left.
    """
    wanted = {checks.choice("methods", name, METHODS): METHODS[name] for name in names or METHODS}
    missing = {name: one.package for name, one in wanted.items() if one.package and find_spec(one.package) is None}
    if len(missing) == len(wanted):
        raise checks.InputError(f"{', '.join(missing)} needs a package: pip install {', '.join(set(missing.values()))}")
    notes = [f"{name} is left out: it needs `pip install {package}`" for name, package in missing.items()]
    return {name: one for name, one in wanted.items() if name not in missing}, notes
