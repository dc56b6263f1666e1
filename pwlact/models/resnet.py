"""Pre-activation residual networks for 32x32 images."""

from torch import Tensor, nn

from pwlact.models.convolution import convolution, scaled
from pwlact.models.layers import ActivationFactory

WIDTHS = (64, 128, 256, 512)
"""Channels of the four stages at width 1."""


class PreActivationBlock(nn.Module):
    """Basic block x -> shortcut(x) + F(x) with F = BN, activation, 3x3 conv, BN, activation, 3x3 conv.

    Where the shape changes, the shortcut is a strided 1x1 convolution of the first activation's output, so
    that it too sees normalised input; elsewhere it is the identity of x.

    Args:
        inputs: channels of x.
        outputs: channels of the result.
        stride: 2 halves height and width.
        activation: makes an activation for a number of channels.

    References:
        He et al., "Identity mappings in deep residual networks", 2016, figure 4 (e).
    """

    def __init__(self, inputs: int, outputs: int, stride: int, activation: ActivationFactory) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.activation1 = activation(inputs)
        self.conv1 = convolution(inputs, outputs, stride=stride)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.activation2 = activation(outputs)
        self.conv2 = convolution(outputs, outputs)
        changes = stride != 1 or inputs != outputs
        self.shortcut = convolution(inputs, outputs, size=1, stride=stride) if changes else None

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) -> (n, outputs, h / stride, w / stride)."""
        active = self.activation1(self.norm1(x))
        kept = x if self.shortcut is None else self.shortcut(active)
        return kept + self.conv2(self.activation2(self.norm2(self.conv1(active))))


class PreActivationResNet(nn.Module):
    """Stem, four stages of basic blocks, then BN, activation, average over positions and a linear classifier.

    Args:
        blocks: basic blocks a stage; 1 gives ResNet-10, 2 gives ResNet-18.
        width: factor on the stage widths 64, 128, 256, 512.
        activation: makes an activation for a number of channels; called 8 * blocks + 1 times.
        classes: number of classes.
    """

    def __init__(self, blocks: int, width: float, activation: ActivationFactory, classes: int = 10) -> None:
        super().__init__()
        channels = scaled(WIDTHS[0], width)
        self.stem = convolution(3, channels)
        stages: list[nn.Module] = []
        for stage, base in enumerate(WIDTHS):
            outputs = scaled(base, width)
            for block in range(blocks):
                stride = 2 if stage > 0 and block == 0 else 1
                stages.append(PreActivationBlock(channels, outputs, stride, activation))
                channels = outputs
        self.blocks = nn.Sequential(*stages)
        self.norm = nn.BatchNorm2d(channels)
        self.activation = activation(channels)
        self.classifier = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Images (n, 3, 32, 32) -> logits (n, classes)."""
        features = self.activation(self.norm(self.blocks(self.stem(x))))
        return self.classifier(features.mean(dim=(2, 3)))
