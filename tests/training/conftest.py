"""Small models and data that the tests of training share."""

import pytest
import torch
from torch import nn

from pwlact.models import build
from pwlact.pwl import Knots, PiecewiseLinearActivation


class ToyBatches:
    """Images whose mean tells their class; each epoch in an order of its own."""

    def __init__(self, images=24, batch_size=8, classes=4, seed=0):
        generator = torch.Generator().manual_seed(seed)
        self.labels = torch.arange(images) % classes
        noise = torch.randn(images, 3, 32, 32, generator=generator)
        self.images = noise + 0.5 * self.labels.float()[:, None, None, None]
        self.batch_size = batch_size

    def __len__(self):
        return -(-len(self.labels) // self.batch_size)

    def epoch(self, number):
        order = torch.randperm(len(self.labels), generator=torch.Generator().manual_seed(number))
        for part in order.split(self.batch_size):
            yield self.images[part].contiguous(memory_format=torch.channels_last), self.labels[part]


def make_net(seed=0, sharing="layer", learns=True):
    torch.manual_seed(seed)
    knots = Knots(9, -3.0, 3.0)

    def activation(channels):
        if not learns:
            return nn.ReLU()
        return PiecewiseLinearActivation(knots, channels=channels if sharing == "channel" else None)

    return build("resnet10", width=0.0625, activation=activation, classes=4)


@pytest.fixture
def net():
    """Maker of a ResNet-10 of 4 to 32 channels: net(seed=0, sharing="layer", learns=True)."""
    return make_net


@pytest.fixture
def toy():
    """24 images of 4 classes in batches of 8."""
    return ToyBatches()
