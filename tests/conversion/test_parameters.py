"""activation_parameters: every parameter once, in its group, with its settings."""

import pytest
import torch
from asserts import assert_refused
from torch import nn

from pwlact.conversion import activation_parameters
from pwlact.pwl import PiecewiseLinearActivation


def net():
    shared = PiecewiseLinearActivation()
    model = nn.Sequential(nn.Linear(2, 3), shared, nn.Linear(3, 3), shared, PiecewiseLinearActivation(channels=3))
    model[2].weight = nn.Parameter(torch.ones(3, 3))
    model.tied = nn.Linear(3, 3)
    model.tied.weight = model[2].weight
    return model


def test_each_parameter_once_and_in_its_group():
    model = net()
    activations, rest = activation_parameters(model)
    assert [id(p) for p in activations["params"]] == [id(model[1].values), id(model[4].values)]
    everything = [id(p) for p in (*activations["params"], *rest["params"])]
    assert sorted(everything) == sorted(id(p) for p in model.parameters())
    assert len(set(everything)) == len(everything)


def test_settings_reach_the_optimiser_and_the_rest_is_its_own():
    groups = activation_parameters(net(), lr=1e-3, activation_lr=1e-2, weight_decay=0.1, activation_weight_decay=0.05)
    optimiser = torch.optim.AdamW(groups)
    got = [(g["name"], g["lr"], g["weight_decay"]) for g in optimiser.param_groups]
    assert got == [("activations", 1e-2, 0.05), ("rest", 1e-3, 0.1)]
    optimiser = torch.optim.AdamW(activation_parameters(net()), lr=7e-3, weight_decay=0.3)
    got = [(g["name"], g["lr"], g["weight_decay"]) for g in optimiser.param_groups]
    assert got == [("activations", 7e-3, 0.0), ("rest", 7e-3, 0.3)]


def test_decay_does_not_touch_the_knots():
    model = net()
    before = model[1].values.detach().clone()
    optimiser = torch.optim.SGD(activation_parameters(model), lr=0.1, weight_decay=0.5)
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    optimiser.step()
    assert torch.equal(model[1].values, before)
    assert not torch.equal(model[2].weight, torch.ones(3, 3))


def test_a_model_of_activations_alone_is_one_group():
    (group,) = activation_parameters(PiecewiseLinearActivation())
    assert group["name"] == "activations"


@pytest.mark.parametrize(
    ("arguments", "fragments"),
    [
        ({"model": nn.Linear(2, 2)}, ("PiecewiseLinearActivation", "convert(model)")),
        ({"lr": -1.0}, ("lr", "-1.0")),
        ({"activation_lr": float("nan")}, ("activation_lr", "nan")),
        ({"weight_decay": -0.1}, ("weight_decay", "-0.1")),
        ({"activation_weight_decay": -0.1}, ("activation_weight_decay", "-0.1")),
    ],
    ids=["none", "lr", "activation_lr", "decay", "activation_decay"],
)
def test_bad_arguments(arguments, fragments):
    assert_refused(lambda: activation_parameters(**{"model": net(), **arguments}), *fragments)
