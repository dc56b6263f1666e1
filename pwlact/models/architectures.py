"""Models by name."""

from collections.abc import Callable

from torch import nn

from pwlact import checks
from pwlact.models.layers import ActivationFactory
from pwlact.models.resnet import PreActivationResNet
from pwlact.models.vgg import VGG

ARCHITECTURES: dict[str, Callable[[float, ActivationFactory, int], nn.Module]] = {
    "vgg11": lambda width, activation, classes: VGG((1, 1, 2, 2, 2), width, activation, classes),
    "vgg13": lambda width, activation, classes: VGG((2, 2, 2, 2, 2), width, activation, classes),
    "vgg16": lambda width, activation, classes: VGG((2, 2, 3, 3, 3), width, activation, classes),
    "resnet10": lambda width, activation, classes: PreActivationResNet(1, width, activation, classes),
    "resnet18": lambda width, activation, classes: PreActivationResNet(2, width, activation, classes),
}
"""Each architecture's constructor by name, from (width, activation, classes)."""


def build(arch: str, *, width: float = 1.0, activation: ActivationFactory, classes: int = 10) -> nn.Module:
    """Model `arch` for 32x32 colour images.

    Args:
        arch: a name in `ARCHITECTURES`.
        width: factor on the number of channels of every layer.
        activation: makes an activation for a number of channels.
        classes: number of classes.

    Returns:
        the model, freshly initialised from torch's global random state.

    Raises:
        InputError: unknown `arch`, `width` not above zero, or fewer than two classes.
    """
    checks.choice("arch", arch, ARCHITECTURES)
    checks.positive("width", width)
    checks.at_least("classes", classes, 2)
    return ARCHITECTURES[arch](width, activation, classes)
