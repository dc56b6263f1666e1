"""What the convolutional nets share: 3x3 convolutions, their initialisation, and widths."""

from torch import nn


def convolution(inputs: int, outputs: int, *, size: int = 3, stride: int = 1) -> nn.Conv2d:
    """Convolution without a bias, padded so that stride 1 keeps height and width.

    The weights start as He et al. (2015) propose for rectifiers: normal, variance 2 / fan-out.
    """
    layer = nn.Conv2d(inputs, outputs, size, stride=stride, padding=size // 2, bias=False)
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return layer


def scaled(channels: int, width: float) -> int:
    """`channels` times the width factor, rounded, at least 1."""
    return max(1, round(channels * width))
