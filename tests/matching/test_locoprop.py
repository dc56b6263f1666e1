"""What a step of LocoProp is: against backprop, the closed form of the slides, and minimisers found by other means."""

import copy
import itertools

import pytest
import torch
from asserts import assert_close, assert_refused
from matching.locoprop_models import FLAT, X, backward, network, perceptron, stepped, weights
from matching.transfers import activation
from torch import nn

from pwlact.matching import LocoProp, transfer_of
from pwlact.matching.locoprop.inner import curvature, descend
from pwlact.matching.locoprop.rows import input_rows, joint_weight, output_rows, set_joint_weight, units_last

pytestmark = pytest.mark.usefixtures("double")


@pytest.mark.parametrize(
    ("arguments", "rate"),
    [
        ({"kind": "squared", "inner_steps": 1, "eta": 0.01, "large": "refuse"}, 0.001),
        ({"kind": "matching", "inner_steps": 1, "inner_lr": 0.02, "targets": "free", "large": "refuse"}, 0.002),
        ({"kind": "matching", "inner_steps": 1, "inner_lr": 0.02, "inner": "momentum", "targets": "free"}, 0.002),
    ],
    ids=["squared", "matching", "momentum"],
)
def test_one_local_step_is_a_step_of_backprop(arguments, rate):
    model, other = network(), network()
    optimiser = stepped(model, lr=0.1, **arguments)
    sgd = torch.optim.SGD([p for layer in other if hasattr(layer, "weight") for p in layer.parameters()], lr=rate)
    backward(other)
    sgd.step()
    for new, expected, old in zip(weights(model), weights(other), weights(network()), strict=True):
        assert_close(new, expected, rtol=1e-13)
        assert not torch.equal(new, old) or new.shape == (3,)  # the activation is not updated
    assert [parameter.shape for parameter in optimiser.rest()] == [(3,)]


def test_rows_times_weights_are_the_layers_output():
    x = X
    for layer in network():
        out = layer(x)
        if isinstance(layer, nn.Conv2d | nn.Linear):
            product = input_rows(layer, x) @ joint_weight(layer).mT
            assert_close(product, output_rows(layer, out), rtol=1e-12)
            before = weights(layer)
            with torch.no_grad():
                set_joint_weight(layer, joint_weight(layer) * 2)
            assert all(torch.equal(new, 2 * old) for new, old in zip(weights(layer), before, strict=True))
        x = out.detach()
    one = nn.Conv2d(2, 3, 2)
    image = torch.randn(2, 4, 4)
    assert_close(input_rows(one, image) @ joint_weight(one).mT, output_rows(one, one(image)))


@pytest.mark.parametrize(("samples", "inputs"), [(20, 6), (4, 9), (1, 3), (5, 5)])
@pytest.mark.parametrize("eta", [1e-3, 1.0, 1e3])
def test_squared_kind_is_the_closed_form_and_the_minimiser(samples, inputs, eta):
    lr, layer = 0.3, nn.Linear(inputs, 4, bias=False)
    y, x = torch.randn(samples, 4), torch.randn(samples, inputs)
    w = layer.weight.detach().clone()
    # in the slides' terms, for sums over the samples
    seed_eta, gamma = eta / samples, lr * samples
    pre = (x @ w.mT).requires_grad_()
    (g,) = torch.autograd.grad((pre - y).square().sum(-1).mean(), pre)
    stated = w - seed_eta * gamma * (g.mT @ x) @ torch.linalg.inv(torch.eye(inputs) + seed_eta * x.mT @ x)
    target = pre.detach() - gamma * g
    system = torch.cat([x, torch.eye(inputs) / seed_eta**0.5])
    minimiser = torch.linalg.lstsq(system, torch.cat([target, w.mT / seed_eta**0.5])).solution.mT
    stepped(layer, x, y, lr=lr, eta=eta)
    assert (layer.weight - stated).abs().max() < 1e-10
    assert (layer.weight - minimiser).abs().max() < 1e-10


def test_squared_kind_minimises_the_local_loss_of_every_layer():
    model, eta, lr = network(), 0.7, 0.2
    optimiser = LocoProp(model, lr=lr, eta=eta)
    before = {name: joint_weight(layer.module) for name, layer in optimiser.layers.items()}
    backward(model)
    rows = {name: layer.rows() for name, layer in optimiser.layers.items()}
    optimiser.step()
    for name, layer in optimiser.layers.items():
        inputs, gradients = rows[name]
        n = inputs.shape[1]
        v = joint_weight(layer.module).requires_grad_()
        target = inputs @ before[name].mT - n * lr * gradients
        local = (inputs @ v.mT - target).square().sum() / (2 * n) + (v - before[name]).square().sum() / (2 * eta)
        (slope,) = torch.autograd.grad(local, v)
        assert slope.abs().max() < 1e-10
        assert len(gradients) == (2 if name == "0" else 1)


def test_fixed_point_iteration_converges_to_it_inside_its_range():
    exact, iterated = perceptron(), perceptron()
    y = torch.rand(20, 3)
    rows = [input_rows(layer, x) for layer, x in _linear_inputs(perceptron())]
    top = max(float(torch.linalg.eigvalsh(r.mT @ r / 20).max()) for r in rows)
    stepped(exact, FLAT, y, lr=0.3, eta=0.9 / top)
    stepped(iterated, FLAT, y, lr=0.3, eta=0.9 / top, inner_steps=300, large="refuse")
    for one, other in zip(weights(exact), weights(iterated), strict=True):
        assert_close(one, other, rtol=1e-9)


def _linear_inputs(model):
    x = FLAT
    for layer in model:
        if isinstance(layer, nn.Linear):
            yield layer, x
        x = layer(x).detach()


def test_outside_its_range_the_iteration_is_refused_or_damped():
    y = torch.rand(20, 3)
    model, before = perceptron(), weights(perceptron())
    optimiser = LocoProp(model, lr=0.3, eta=8.0, inner_steps=4, large="refuse")
    backward(model, FLAT, y)
    assert_refused(optimiser.step, "layer '0'", "rate 8", "diverge", "damp")
    assert all(torch.equal(new, old) for new, old in zip(weights(model), before, strict=True))
    exact, damped = perceptron(), perceptron()
    stepped(exact, FLAT, y, lr=0.3, eta=8.0)
    stepped(damped, FLAT, y, lr=0.3, eta=8.0, inner_steps=900)
    for one, other in zip(weights(exact), weights(damped), strict=True):
        assert_close(one, other, rtol=1e-6)


def test_the_bound_of_the_range_is_sharp():
    x = torch.randn(9, 4)
    layer = nn.Linear(4, 2, bias=False)
    top = float(torch.linalg.eigvalsh(x.mT @ x / 9).max())
    stepped(copy.deepcopy(layer), x, torch.zeros(9, 2), eta=0.999 / top, inner_steps=2, large="refuse")
    optimiser = LocoProp(copy.deepcopy(layer), eta=1.001 / top, inner_steps=2, large="refuse")
    backward(optimiser._model, x, torch.zeros(9, 2))
    assert_refused(optimiser.step, "diverge")


FOLLOWERS = {
    "tanh": nn.Tanh(), "sigmoid": nn.Sigmoid(), "softplus": nn.Softplus(), "elu": nn.ELU(), "leaky": nn.LeakyReLU(0.2),
    "softmax": nn.Softmax(-1), "learned": activation([-1.0, -0.2, 1.0, 1.5]),
    "learned-by-channel": activation(torch.rand(3, 5, dtype=torch.float64).cumsum(-1) - 1, channels=3),
}  # fmt: skip


@pytest.mark.parametrize("name", FOLLOWERS)
def test_matching_kind_finds_the_minimiser_of_the_local_matching_loss(name):
    follower, lr, eta = FOLLOWERS[name], 0.05, 0.8
    torch.manual_seed(1)
    layer = nn.Linear(6, 3)
    model = nn.Sequential(layer, copy.deepcopy(follower), nn.Linear(3, 2))
    w, f = joint_weight(layer), transfer_of(follower)
    optimiser = LocoProp(model, lr=lr, eta=eta, kind="matching", inner_steps=300)
    backward(model, FLAT, torch.rand(20, 2))
    inputs, gradients = (part[0] for part in optimiser.layers["0"].rows())
    target = f.clip(f(inputs @ w[0].mT) - 20 * lr * gradients)
    optimiser.step()
    v = joint_weight(layer).requires_grad_()
    local = f.loss(inputs @ v[0].mT, target).sum() / 20 + (v - w).square().sum() / (2 * eta)
    start = f.loss(inputs @ w[0].mT, target).sum() / 20
    (slope,) = torch.autograd.grad(local, v)
    assert slope.abs().max() < 1e-8
    assert local < start


def test_safe_steps_lower_the_local_loss_every_time():
    f, eta = transfer_of("elu"), 5.0
    inputs, w = torch.randn(1, 30, 6) * 3, torch.randn(1, 4, 6)
    target = f(torch.randn(30, 4))
    bound = curvature(inputs, f.lipschitz, eta)

    def local(v):
        return float(f.loss(units_last(inputs @ v.mT), target).sum() / 30 + (v - w).square().sum() / (2 * eta))

    losses = [local(descend(w, inputs, target, f, eta=eta, rates=[1 / bound] * steps)) for steps in range(12)]
    assert all(after < before for before, after in itertools.pairwise(losses))


def test_targets_free_clip_and_pre():
    results = {}
    for targets in ("free", "clip", "pre"):
        model = nn.Sequential(nn.Linear(6, 3), nn.Tanh())
        torch.manual_seed(0)
        nn.init.normal_(model[0].weight)
        optimiser = LocoProp(
            model, lr=50.0, eta=10.0, kind="matching", inner_steps=200, targets=targets, transfers={"0": "tanh"}
        )
        w = joint_weight(model[0])
        backward(model, FLAT, torch.ones(20, 3))
        inputs, gradients = (part[0] for part in optimiser.layers["0"].rows())
        optimiser.step()
        results[targets] = joint_weight(model[0])
        a, way = inputs @ w[0].mT, 50.0 * 20 * gradients
        target = {"free": a.tanh() - way, "clip": (a.tanh() - way).clamp(-1, 1), "pre": (a - way).tanh()}[targets]
        rates = [1 / curvature(inputs[None], 1.0, 10.0)] * 200
        assert_close(
            results[targets], descend(w, inputs[None], target, transfer_of("tanh"), eta=10.0, rates=rates), rtol=1e-9
        )
    assert (results["free"] - results["clip"]).abs().max() > 0.1
    assert (results["pre"] - results["clip"]).abs().max() > 1e-3
