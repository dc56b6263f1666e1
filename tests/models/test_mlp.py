"""Multi-layer perceptrons: against an independent one, shapes, dropout, shortcuts, and bad arguments."""

import copy

import pytest
import torch
from asserts import assert_close, assert_refused
from torch import nn

from pwlact.competitive import ACTIVATIONS, make, output_width
from pwlact.experiments.perceptrons import Shape, Stack
from pwlact.models import MLP, activations


def named(name):
    return lambda units: make(name, units)


def copied(parameters):
    """Parameters of the first model of a stack under the names of ours."""
    last = max(int(name.partition(".")[0].removeprefix("layer")) for name in parameters if name.startswith("layer"))
    kinds = {"weight": "linear.weight", "bias": "linear.bias", "scale": "norm.weight", "shift": "norm.bias"}
    state = {}
    for name, values in parameters.items():
        place, _, rest = name.partition(".")
        if place == f"layer{last}":
            state[f"classifier.{rest}"] = values[0]
        elif place.startswith("layer"):
            state[f"layers.{place.removeprefix('layer')}.{kinds[rest]}"] = values[0]
        else:
            state[f"layers.{place.removeprefix('activation')}.activation.{rest}"] = values[0]
    return state


@pytest.mark.parametrize("normalise", [False, True])
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("activation", ["relu", "sparsemax", "parallel-paths", "piecewise-linear", "lwta"])
@pytest.mark.parametrize(("depth", "inputs"), [(1, 6), (4, 5)])
def test_same_as_the_stack(normalise, residual, activation, depth, inputs):
    shape = Shape(inputs, 6, depth, 3, gain=2.0, normalise=normalise, residual=residual)
    stack = Stack(shape, named(activation), [0])
    parameters = {name: p + 0.3 * torch.randn_like(p) for name, p in stack.parameters().items()}
    model = MLP(
        inputs, 3, width=6, depth=depth, activation=named(activation), normalise=normalise, residual=residual
    )  # fmt: skip
    model.load_state_dict(copied(parameters))
    x = torch.randn(9, inputs)
    assert_close(model(x), stack.forward(parameters, x).logits[0])


def test_starts_as_linear_layers_of_torch_and_with_relu():
    torch.manual_seed(4)
    model = MLP(5, 3, width=7, depth=2)
    torch.manual_seed(4)
    twin = nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 7), nn.ReLU(), nn.Linear(7, 3))
    x = torch.randn(4, 5)
    assert torch.equal(model(x), twin(x))


def test_no_hidden_layer_is_linear():
    model = MLP(5, 3, depth=0, normalise=True, residual=True, dropout=0.5)
    x = torch.randn(4, 5)
    assert torch.equal(model(x), x @ model.classifier.weight.T + model.classifier.bias)
    assert not activations(model)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_learns_at_every_depth(name):
    model = MLP(5, 3, width=8, depth=3, activation=named(name), normalise=True, residual=True)
    assert model(torch.randn(2, 4, 5)).shape == (2, 4, 3)
    assert [layer.linear.in_features for layer in model.layers] == [5] + 2 * [output_width(name, 8)]
    assert [place for place, _ in activations(model)] == ["layer0", "layer1", "layer2"]
    model(3 * torch.randn(64, 5)).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    assert sum(bool(p.grad.any()) for p in model.parameters()) > 10


def test_shortcuts_begin_at_the_second_layer_and_need_equal_sizes():
    x = torch.randn(4, 6)
    for inputs, activation, shortcuts in ((6, "relu", [0, 1, 1]), (6, "parallel-paths", [0, 1, 1])):
        model = MLP(inputs, 2, width=6, depth=3, activation=named(activation), residual=True)
        for layer in model.layers:
            nn.init.zeros_(layer.linear.weight)
            nn.init.constant_(layer.linear.bias, -1.0)
        a, given = x, []
        for layer in model.layers:
            given.append(layer(a))
            # without the shortcut, all that is left is what the bias gives
            rest = layer.activation(torch.full((4, 6), -1.0))
            assert_close(given[-1], rest + a if shortcuts[len(given) - 1] else rest)
            a = given[-1]


def test_a_width_that_changes_from_layer_to_layer_has_no_shortcut():
    widths = iter([nn.Identity(), nn.Linear(6, 4), nn.Linear(6, 4), nn.Identity()])
    model = MLP(6, 2, width=6, depth=4, activation=lambda units: next(widths), residual=True)
    assert [layer.outputs for layer in model.layers] == [6, 4, 4, 6]
    assert [layer.residual for layer in model.layers] == [False, False, True, False]
    assert model(torch.randn(3, 6)).shape == (3, 2)


def test_dropout_in_training_only():
    model = MLP(4, 2, width=1000, depth=1, dropout=0.3)
    nn.init.constant_(model.layers[0].linear.bias, 100.0)
    x = torch.randn(1, 4)
    whole = model.eval().layers(x)
    assert (whole > 0).all()
    dropped = model.train().layers(x)
    assert 0.25 < (dropped == 0).float().mean() < 0.35
    assert_close(dropped[dropped > 0], (whole / 0.7)[dropped > 0])


def test_normalised_over_units_so_that_one_example_can_train():
    model = MLP(4, 2, width=50, depth=2, activation=lambda units: nn.Identity(), normalise=True)
    x = 100 + 30 * torch.randn(8, 4)
    h = model.layers[0](x)
    assert_close(h.mean(1), torch.zeros(8), atol=1e-5)
    assert_close(h.var(1, correction=0), torch.ones(8), rtol=1e-4)
    assert_close(model(x[:1])[0], model(x)[0])
    assert_close(model.eval()(x), model.train()(x))


def test_looking_for_the_width_leaves_the_activation_as_it_was():
    class Counting(nn.BatchNorm1d):
        pass

    model = MLP(4, 2, width=6, depth=2, activation=Counting)
    for layer in model.layers:
        assert layer.activation.training
        assert int(layer.activation.num_batches_tracked) == 0


def test_copies_compute_the_same():
    model = MLP(5, 3, width=8, depth=2, activation=named("parallel-paths"), residual=True).double()
    x = torch.randn(4, 5, dtype=torch.float64)
    assert torch.equal(copy.deepcopy(model)(x), model(x))


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ({"inputs": 0}, ("inputs", "at least 1", "0")),
        ({"classes": 1}, ("classes", "at least 2", "1")),
        ({"width": 0}, ("width", "at least 1", "0")),
        ({"depth": -1}, ("depth", "at least 0", "-1")),
        ({"dropout": 1.0}, ("dropout", "below 1", "1.0")),
        ({"dropout": -0.1}, ("dropout", "-0.1")),
        ({"dropout": float("nan")}, ("dropout", "nan")),
    ],
)
def test_bad_arguments(arguments, parts):
    assert_refused(lambda: MLP(**{"inputs": 5, "classes": 3, **arguments}), *parts)
