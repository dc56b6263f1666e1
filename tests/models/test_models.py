"""Architectures: shapes, sizes, order of the activations, bad arguments."""

import pytest
import torch
from torch import nn

from pwlact.checks import InputError
from pwlact.models import ARCHITECTURES, activations, build
from pwlact.models.resnet import PreActivationBlock

# by hand: 3x3 convolution 9 C_in C_out, 1x1 C_in C_out, BN 2 C, classifier 10 C + 10; for example resnet10 is
# 1,728 + 73,984 + 229,760 + 918,272 + 3,671,552 (stem, blocks) + 1,024 + 5,130 (BN, classifier)
SIZES = {
    "resnet10": (4_901_450, 9),
    "resnet18": (11_172_170, 17),
    "vgg11": (9_228_362, 8),
    "vgg13": (9_413_066, 10),
    "vgg16": (14_724_042, 13),
}


def relu(channels):
    return nn.ReLU()


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_size_and_number_of_activations(arch):
    model = build(arch, width=1.0, activation=relu)
    parameters, layers = SIZES[arch]
    assert sum(p.numel() for p in model.parameters()) == parameters
    assert [name for name, _ in activations(model)] == [f"layer{i}" for i in range(layers)]


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_activations_come_in_order_of_use_and_know_their_channels(arch):
    class Probe(nn.Module):
        def __init__(self, channels):
            super().__init__()
            self.channels = channels

        def forward(self, x):
            used.append(self)
            assert x.shape[1] == self.channels
            return x.relu()

    used = []
    model = build(arch, width=0.125, activation=Probe, classes=7)
    assert model(torch.randn(2, 3, 32, 32)).shape == (2, 7)
    assert used == [module for _, module in activations(model)]


def test_shortcut_takes_the_first_activation_or_the_identity():
    x = torch.randn(2, 4, 8, 8)
    same, halved = PreActivationBlock(4, 4, 1, relu).eval(), PreActivationBlock(4, 4, 2, relu).eval()
    for block in (same, halved):
        nn.init.zeros_(block.conv2.weight)  # only the shortcut is left
    assert torch.equal(same(x), x)
    assert torch.equal(halved(x), halved.shortcut(halved.norm1(x).relu()))
    assert halved(x).shape == (2, 4, 4, 4)


def test_every_parameter_gets_a_gradient():
    for arch in ARCHITECTURES:
        model = build(arch, width=0.0625, activation=relu)
        model(torch.randn(4, 3, 32, 32)).square().sum().backward()
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_convolutions_start_as_he_et_al_propose():
    torch.manual_seed(0)
    weight = build("resnet10", activation=relu).blocks[3].conv2.weight
    assert weight.std().item() == pytest.approx((2 / (9 * 512)) ** 0.5, rel=0.01)


def test_width_keeps_at_least_one_channel():
    assert build("vgg11", width=1e-6, activation=relu)(torch.randn(2, 3, 32, 32)).shape == (2, 10)


@pytest.mark.parametrize("arch", sorted(SIZES))
@pytest.mark.parametrize("side", [20, 24, 28])
def test_smaller_images_get_through(arch, side):
    assert build(arch, width=0.05, activation=relu)(torch.randn(2, 3, side, side)).shape == (2, 10)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"arch": "resnet50"}, "arch must be one of vgg11, vgg13, vgg16, resnet10, resnet18; got 'resnet50'"),
        ({"width": 0.0}, "width must be a finite number above 0, got 0.0"),
        ({"width": float("nan")}, "width must be a finite number above 0, got nan"),
        ({"classes": 1}, "classes must be a whole number of at least 2, got 1"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(InputError) as error:
        build(**{"arch": "resnet10", "activation": relu, **arguments})
    assert str(error.value) == message
