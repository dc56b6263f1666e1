"""Which modules of a model are its activations: the layers 0..L-1 that are learnt, stored and fitted."""

from collections.abc import Callable

from torch import nn

ActivationFactory = Callable[[int], nn.Module]
"""Makes one activation for a layer of so many channels."""


def activations(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """Activation modules of a model of this package, in order of use, named "layer0", "layer1", ...

    A model keeps each activation in an attribute whose name starts with "activation" and creates them in the
    order in which `forward` calls them.

    Examples:
        >>> from pwlact.models import build
        >>> layers = activations(build("resnet10", width=0.125, activation=lambda channels: nn.ReLU()))
        >>> len(layers), layers[0][0], layers[-1][0]
        (9, 'layer0', 'layer8')
    """
    found = [module for name, module in model.named_modules() if name.rpartition(".")[2].startswith("activation")]
    return [(f"layer{i}", module) for i, module in enumerate(found)]
