"""VGG networks with batch norm for 32x32 images."""

from torch import Tensor, nn

from pwlact.models.convolution import convolution, scaled
from pwlact.models.layers import ActivationFactory

WIDTHS = (64, 128, 256, 512, 512)
"""Channels of the five stages at width 1; a 2x2 maximum ends each stage."""


class ConvolutionBlock(nn.Module):
    """3x3 convolution, BN, activation.

    Args:
        inputs: channels of x.
        outputs: channels of the result.
        activation: makes an activation for a number of channels.
    """

    def __init__(self, inputs: int, outputs: int, activation: ActivationFactory) -> None:
        super().__init__()
        self.conv = convolution(inputs, outputs)
        self.norm = nn.BatchNorm2d(outputs)
        self.activation = activation(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) -> (n, outputs, h, w)."""
        return self.activation(self.norm(self.conv(x)))


class VGG(nn.Module):
    """Five stages of convolution blocks, then one linear classifier.

    Args:
        depths: convolutions in each of the five stages.
        width: factor on the stage widths 64, 128, 256, 512, 512.
        activation: makes an activation for a number of channels; called once a convolution.
        classes: number of classes.

    References:
        Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition", 2015,
        table 1 (A, B, D). On 32x32 images one position is left after the fifth stage, so the two hidden
        fully connected layers are dropped, as is usual on CIFAR.
    """

    def __init__(self, depths: tuple[int, ...], width: float, activation: ActivationFactory, classes: int = 10) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for depth, base in zip(depths, WIDTHS, strict=True):
            for _ in range(depth):
                outputs = scaled(base, width)
                layers.append(ConvolutionBlock(channels, outputs, activation))
                channels = outputs
            # the odd last row and column too: images that are not 32x32 get through all five
            layers.append(nn.MaxPool2d(2, ceil_mode=True))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Images (n, 3, 32, 32) -> logits (n, classes)."""
        return self.classifier(self.features(x).flatten(1))
