"""Activations by name, as experiments use them."""

import pytest
import torch
from asserts import assert_close, assert_refused
from torch import nn

from pwlact.competitive import ACTIVATIONS, MAPS, make, output_width
from pwlact.competitive.registry import group_count


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("units", [1, 2, 7, 12])
def test_every_name_makes_a_module_that_trains(name, units):
    net = nn.Sequential(nn.Linear(3, units), make(name, units), nn.Linear(output_width(name, units), 2))
    net(torch.randn(5, 3)).square().sum().backward()
    for parameter in net.parameters():
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_state_and_text(name):
    first, second = make(name, 6), make(name, 6)
    for parameter in first.parameters():
        parameter.data += 0.3
    second.load_state_dict(first.state_dict())
    z = torch.randn(4, 6)
    assert_close(first(z), second(z))
    assert "\n" not in repr(first)


def test_every_map_has_a_name():
    assert set(MAPS) <= set(ACTIVATIONS)


@pytest.mark.parametrize("name", sorted(set(MAPS) - {"entmax", "temperature-softmax", "grouped-softmax", "lwta"}))
def test_modules_are_the_maps(name):
    z = torch.randn(4, 6)
    assert_close(make(name, 6)(z), MAPS[name].function(z))


@pytest.mark.parametrize("name", [n for n in ACTIVATIONS if output_width(n, 3) == 3 and n in MAPS])
def test_modules_take_another_dimension(name):
    module = make(name, 6)
    z = torch.randn(4, 6, 5)
    expected = module(z.mT).mT
    module.dim = 1
    assert_close(module(z), expected)


def test_learnable_ones_have_parameters():
    learnable = {name for name in ACTIVATIONS if list(make(name, 4).parameters())}
    assert learnable == {"piecewise-linear", "entmax", "temperature-softmax", "gated-relu-softmax", "learnable-relumax"}


def test_groups_divide_the_units():
    assert [group_count(n, 4) for n in (1, 3, 4, 6, 7, 8, 12, 30)] == [1, 1, 1, 1, 1, 2, 3, 6]
    assert [group_count(n, 2) for n in (1, 2, 3, 9, 10)] == [1, 1, 1, 3, 5]


def test_refused():
    assert_refused(lambda: make("softmacks", 4), "softmacks", "sparsemax", "relu")
    assert_refused(lambda: make("relu", 0), "units")
    assert_refused(lambda: output_width("softmacks", 4), "softmacks")
    assert_refused(lambda: output_width("relu", 0), "units")
