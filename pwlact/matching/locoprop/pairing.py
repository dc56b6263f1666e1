"""Which layers of a model LocoProp updates, and the transfer function that follows each."""

from collections.abc import Mapping
from itertools import pairwise
from typing import TypeGuard

from torch import nn
from torch.nn.modules.linear import NonDynamicallyQuantizableLinear

from pwlact import checks
from pwlact.matching.learned import PiecewiseLinear
from pwlact.matching.locoprop.rows import Layer
from pwlact.matching.softmax import Softmax
from pwlact.matching.straight import Linear
from pwlact.matching.table import TransferLike, has_transfer, transfer_of
from pwlact.matching.transfer import TransferFunction


def weight_layers(model: nn.Module) -> dict[str, Layer]:
    """The Linear and Conv2d modules with trainable weights of their own, by name.

    A subclass counts unless it has a forward pass of its own. Parametrised weights do not count.

    Raises:
        InputError: there are none, or two share a weight.
    """
    found = {name: module for name, module in model.named_modules() if _is_plain(module)}
    if not found:
        raise checks.InputError("there is nothing to update: the model has no trainable Linear or Conv2d")
    owners: dict[int, str] = {}
    for name, layer in found.items():
        if not all(parameter.requires_grad for parameter in layer.parameters()):
            raise checks.InputError(f"layer {name!r} learns but one of weight and bias: freeze both, or none")
        owner = owners.setdefault(id(layer.weight), name)
        if owner != name:
            raise checks.InputError(f"layers {owner!r} and {name!r} share a weight, which has no single local target")
    return found


def paired(
    model: nn.Module, layers: Mapping[str, Layer], given: Mapping[str, TransferLike]
) -> dict[str, TransferFunction]:
    """The transfer function of each layer: the given one, else the one that follows it in an nn.Sequential.

    A layer that ends the model, or that another layer follows at once, is linear.

    Raises:
        InputError: a name in `given` is no layer, or what follows a layer is not known or has no transfer function.
    """
    for name in given:
        checks.choice("a name in transfers", name, layers)
    followers = _followers(model)
    result: dict[str, TransferFunction] = {}
    unknown: dict[str, str] = {}
    for name, layer in layers.items():
        after = followers.get(id(layer))
        if name in given:
            result[name] = on_rows(transfer_of(given[name]))
        elif isinstance(after, nn.Linear | nn.Conv2d):
            result[name] = Linear()
        elif after is not None and has_transfer(after):
            result[name] = on_rows(transfer_of(after))
        else:
            unknown[name] = repr(name) + (f" (then {type(after).__name__})" if after is not None else "")
    if unknown:
        raise checks.InputError(
            f"the transfer function after {', '.join(unknown.values())} is not known: "
            f"give transfers={{{next(iter(unknown))!r}: 'tanh', ...}}, or kind='squared', which needs none"
        )
    return result


def on_rows(transfer: TransferFunction) -> TransferFunction:
    """The same function for rows whose last dimension holds the units."""
    if isinstance(transfer, PiecewiseLinear):
        return PiecewiseLinear(transfer.activation, channel_dim=1)
    return Softmax(-1) if isinstance(transfer, Softmax) else transfer


def _is_plain(module: nn.Module) -> TypeGuard[Layer]:
    """Whether it is a layer that is called, and multiplies its input by a parameter of its own that learns."""
    # attention reads the weights of its projections without calling them
    if not isinstance(module, nn.Linear | nn.Conv2d) or isinstance(module, NonDynamicallyQuantizableLinear):
        return False
    own = "weight" in module._parameters and module.weight.requires_grad
    return own and type(module).forward in (nn.Linear.forward, nn.Conv2d.forward)


def _followers(model: nn.Module) -> dict[int, nn.Module]:
    """What comes after each module of each outermost nn.Sequential; after the last of the whole model, nn.Identity."""
    whole = [*_flat(model), nn.Identity()] if _is_chain(model) else [model, nn.Identity()]
    chains, waiting = [whole], [*(whole if _is_chain(model) else model.children())]
    while waiting:
        module = waiting.pop()
        if _is_chain(module):
            chains.append(_flat(module))
            waiting += chains[-1]
        else:
            waiting += module.children()
    return {id(part): after for chain in chains for part, after in pairwise(chain)}


def _is_chain(module: nn.Module) -> TypeGuard[nn.Sequential]:
    return isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward


def _flat(chain: nn.Sequential) -> list[nn.Module]:
    """The modules that the chain calls one after the other, without those that do nothing."""
    parts: list[nn.Module] = []
    for part in chain:
        parts += _flat(part) if _is_chain(part) else [] if type(part) is nn.Identity else [part]
    return parts
