"""Many models side by side are what each is by itself: parameters, gradients, Adam, and who stops when."""

import pytest
import torch
from asserts import assert_close
from torch import nn
from torch.nn import functional

from pwlact.competitive import Softmax, TemperatureSoftmax
from pwlact.experiments.perceptrons import Shape, Stack
from pwlact.experiments.redundancy.fitting import fit, losses
from pwlact.pwl import PiecewiseLinearActivation

ACTIVATIONS = {
    "relu": lambda units: nn.ReLU(),
    "softmax": lambda units: Softmax(),
    "temperature": lambda units: TemperatureSoftmax(learn=True),
    "layer": lambda units: PiecewiseLinearActivation(),
    "unit": lambda units: PiecewiseLinearActivation(channels=units, channel_dim=-1),
}
SHAPE = Shape(2, 6, 2, 3)


def single(stack, parameters, model):
    """The model of the stack as an ordinary module."""
    widths = [stack.shape.inputs, *[stack.outputs] * stack.shape.depth]
    outs = [*[stack.shape.units] * stack.shape.depth, stack.shape.classes]
    layers = []
    for layer, (inputs, outputs) in enumerate(zip(widths, outs, strict=True)):
        linear = nn.Linear(inputs, outputs)
        linear.weight.data = parameters[f"layer{layer}.weight"][model].clone()
        linear.bias.data = parameters[f"layer{layer}.bias"][model].clone()
        layers.append(linear)
        if layer < stack.shape.depth:
            layers.append(stack.activations[layer].__class__.__new__(stack.activations[layer].__class__))
            layers[-1].__dict__ = {**stack.activations[layer].__dict__}
            own = {
                name: nn.Parameter(parameters[f"activation{layer}.{name}"][model].clone())
                for name, _ in stack.activations[layer].named_parameters()
            }
            layers[-1]._parameters = {**stack.activations[layer]._parameters, **own}
    return nn.Sequential(*layers)


def points(models, count=30):
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(models, count, 2, generator=generator)
    return x, (x[..., 0] * x[..., 1] > 0).long() + (x[..., 0] > 1).long()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_training_equals_that_of_each_model_by_itself(name):
    stack = Stack(SHAPE, ACTIVATIONS[name], [0, 1, 0])
    x, y = points(3)
    rates = torch.tensor([0.003, 0.01, 0.02])
    start = stack.parameters()
    trained = fit(stack, lambda _: (x, y), rates, 12)
    assert trained.steps.tolist() == [12] * 3
    assert not trained.reached.any()
    assert not trained.diverged.any()
    for model in range(3):
        alone = single(stack, start, model)
        adam = torch.optim.Adam(alone.parameters(), lr=float(rates[model]))
        for _ in range(12):
            adam.zero_grad()
            loss = functional.cross_entropy(alone(x[model]), y[model])
            loss.backward()
            adam.step()
        assert_close(trained.loss[model], loss.detach(), rtol=1e-4)
        after = functional.cross_entropy(alone(x[model]), y[model]).detach()
        assert_close(losses(stack, trained.parameters, x, y)[model], after, rtol=1e-4)
        assert_close(trained.parameters["layer0.weight"][model], alone[0].weight.detach(), rtol=1e-3)


def test_models_stop_one_by_one_and_keep_what_they_had_then():
    stack = Stack(SHAPE, ACTIVATIONS["relu"], [0, 1, 2, 3])
    x, y = points(4, 12)
    rates = torch.tensor([0.1, 1e-5, 0.03, 0.1])
    trained = fit(stack, lambda _: (x, y), rates, 60, target=0.5)
    assert trained.reached.tolist() == [True, False, True, True]
    assert trained.steps[1] == 60
    assert len(set(trained.steps.tolist())) >= 3
    assert (trained.loss[trained.reached] <= 0.5).all()
    # the loss is that of the parameters kept
    own = losses(stack, trained.parameters, x, y)
    assert_close(own[trained.reached], trained.loss[trained.reached], rtol=1e-5)
    for model in range(4):
        own = x[[model]], y[[model]]
        lone = fit(Stack(SHAPE, ACTIVATIONS["relu"], [model]), lambda _, own=own: own, rates[[model]], 60, 0.5)
        assert lone.steps == trained.steps[model]
        assert_close(lone.parameters["layer1.weight"][0], trained.parameters["layer1.weight"][model], rtol=1e-4)


def test_a_model_that_diverges_harms_no_other():
    stack = Stack(SHAPE, ACTIVATIONS["relu"], [0, 1, 2])
    x, y = points(3)
    bad = x.clone()
    bad[1, 4] = torch.nan

    def batch(step):
        return (bad if step == 3 else x), y

    trained = fit(stack, batch, torch.full((3,), 0.03), 8)
    alone = fit(stack, lambda _: (x, y), torch.full((3,), 0.03), 8)
    assert trained.diverged.tolist() == [False, True, False]
    assert trained.steps.tolist() == [8, 3, 8]
    assert trained.loss[1].isnan()
    for name, p in trained.parameters.items():
        assert p.isfinite().all()
        assert_close(p[[0, 2]], alone.parameters[name][[0, 2]], rtol=1e-5)


def test_nothing_is_done_where_all_are_good_at_once():
    stack = Stack(SHAPE, ACTIVATIONS["relu"], [0, 1])
    x, y = points(2)
    trained = fit(stack, lambda _: (x, y), torch.full((2,), 0.1), 5, target=100.0)
    assert trained.steps.tolist() == [0, 0]
    assert trained.reached.all()
    for name, p in stack.parameters().items():
        assert torch.equal(p, trained.parameters[name])


def test_one_seed_one_first_layer_whatever_the_activation():
    wide = Stack(SHAPE, lambda units: nn.Sequential(nn.ReLU(), nn.Linear(units, 9)), [5, 6]).parameters()
    narrow = Stack(SHAPE, ACTIVATIONS["relu"], [6, 5, 5]).parameters()
    assert torch.equal(wide["layer0.weight"][0], narrow["layer0.weight"][1])
    assert torch.equal(narrow["layer0.weight"][1], narrow["layer0.weight"][2])
    assert not torch.equal(narrow["layer0.weight"][0], narrow["layer0.weight"][1])
    assert wide["layer1.weight"].shape == (2, 6, 9)
    assert not torch.equal(narrow["layer1.weight"][0, :, 0], narrow["layer0.weight"][0, :, 0])
    for layer, inputs in ((0, 2), (1, 6), (2, 6)):
        for part in ("weight", "bias"):
            drawn = narrow[f"layer{layer}.{part}"]
            assert drawn.abs().max() <= inputs**-0.5
            assert drawn.min() < 0 < drawn.max()
