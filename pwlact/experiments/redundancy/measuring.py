"""What is measured of a stack of models on points it has not seen: fit, redundancy, gradients, competition."""

from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from pwlact import redundancy
from pwlact.experiments.perceptrons import Parameters, Stack
from pwlact.experiments.redundancy.maps import crossing_share, jacobian

Values = dict[str, Float[Tensor, " models"]]
# inputs that Jacobians are taken on: one backward pass an output, on all of them
JACOBIAN_INPUTS = 64

LAYER_MEASURES = {
    "duplicate_units": "share of live outputs that repeat another's, |correlation| > 0.95",
    "duplicate_cuts": "share of units whose hyperplane cuts the inputs as another's does, up to 2 % of them",
    "idle_cuts": "share of units whose hyperplane leaves less than 2 % of the inputs on one side",
    "dead": "share of outputs that are the same on all inputs",
    "quiet": "share of outputs whose standard deviation is below 1 % of the layer's largest, dead ones included",
    "correlation": "mean squared correlation of two live outputs",
    "effective_rank": "effective rank over the number of outputs",
    "participation": "participation ratio over the number of outputs",
    "largest_share": "mean over inputs of the largest unit's share of |dL/dz|",
    "crossing": "share of the Jacobian's absolute sum with which units act on each other",
}
"""Name -> what it is; one number a layer."""


def measure(stack: Stack, parameters: Parameters, x: Tensor, y: Tensor, seen: Tensor) -> tuple[Values, list[Values]]:
    """What is measured of every model as a whole, and the measures of each of its hidden layers.

    Args:
        stack: the models.
        parameters: theirs, all finite.
        x: inputs (M, n, inputs) or (n, inputs).
        y: their classes (M, n) or (n,).
        seen: projection onto what the activation sees of its input; see `maps.seen_part`.

    Returns:
        accuracy, loss, and gradient_ratio, the size of dL/dz at the first hidden layer over that at the last; and for
        each layer, `LAYER_MEASURES`.
    """
    with torch.no_grad():
        passed = stack.forward(parameters, x)
        fits = fits_of(passed.logits, y)
    gradients = _received_gradients(stack, parameters, x, y)
    layers = [
        _layer(z.double() @ seen, a, g) | {"crossing": _crossing(stack, parameters, number, z)}
        for number, (z, a, g) in enumerate(zip(passed.received, passed.given, gradients, strict=True))
    ]
    sizes = [g.double().flatten(1).norm(dim=1) for g in (gradients[0], gradients[-1])]
    # 0 / 0, NaN: no gradient arrives anywhere
    return fits | {"gradient_ratio": sizes[0] / sizes[1]}, layers


def fits_of(logits: Float[Tensor, "models n classes"], y: Tensor) -> Values:
    """Accuracy and mean cross-entropy (nats) of every model."""
    labels = y.expand(logits.shape[:2])
    loss = functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none").view(labels.shape)
    return {"accuracy": (logits.argmax(-1) == labels).double().mean(1), "loss": loss.double().mean(1)}


def _layer(z: Tensor, a: Tensor, gradient: Tensor) -> Values:
    outputs, units = a.shape[-1], z.shape[-1]
    dead = redundancy.dead_units(a)
    repeated, idle = redundancy.duplicate_cuts(z)
    return {
        "duplicate_units": redundancy.duplicate_units(a) / (~dead).sum(-1).clamp(min=1),
        "duplicate_cuts": repeated / units,
        "idle_cuts": idle / units,
        "dead": dead.double().mean(-1),
        "quiet": redundancy.quiet_units(a).double().mean(-1),
        "correlation": redundancy.off_diagonal_squares(a)[1],
        "effective_rank": redundancy.effective_rank(a) / outputs,
        "participation": redundancy.participation_ratio(a) / outputs,
        "largest_share": redundancy.largest_shares(gradient),
    }


def _received_gradients(stack: Stack, parameters: Parameters, x: Tensor, y: Tensor) -> list[Tensor]:
    """dL/dz of every input at every layer."""
    passed = stack.forward({name: p.detach().requires_grad_() for name, p in parameters.items()}, x)
    labels = y.expand(passed.logits.shape[:2])
    loss = functional.cross_entropy(passed.logits.flatten(0, 1), labels.flatten(), reduction="sum")
    return list(torch.autograd.grad(loss, passed.received, materialize_grads=True))


def _crossing(stack: Stack, parameters: Parameters, layer: int, z: Tensor) -> Tensor:
    some = z[:, :JACOBIAN_INPUTS].detach()
    return crossing_share(jacobian(partial(stack.activate, parameters, layer), some)).double().mean(-1)
