"""LocoProp in use: states, batches in parts, schedulers, types, finding transfer functions, bad input."""

import copy
import math

import pytest
import torch
from asserts import assert_close, assert_refused
from matching.locoprop_models import FLAT, backward, perceptron, stepped, weights
from matching.transfers import activation
from torch import nn

from pwlact.matching import LocoProp, transfer_of
from pwlact.matching.locoprop import INNER_RULES, preconditioned
from pwlact.matching.locoprop.inner import descend
from pwlact.matching.locoprop.rows import joint_weight, set_joint_weight

pytestmark = pytest.mark.usefixtures("double")


@pytest.mark.parametrize("inner", INNER_RULES)
@pytest.mark.parametrize("arguments", [{"kind": "matching"}, {"inner_steps": 3}], ids=["matching", "squared"])
def test_every_rule_learns_and_goes_on_from_its_state(inner, arguments):
    y = torch.rand(20, 3)
    model = perceptron()
    make = lambda m: LocoProp(m, lr=0.3, inner=inner, momentum=0.5, decay=True, **arguments)
    optimiser, losses = make(model), []
    for step in range(12):
        if step == 6:
            twin = copy.deepcopy(model)
            for layer in twin:
                layer._forward_hooks.clear()
            other = make(twin)
            other.load_state_dict(copy.deepcopy(optimiser.state_dict()))
        optimiser.zero_grad()
        losses.append(backward(model, FLAT, y).item())
        optimiser.step()
        if step >= 6:
            other.zero_grad()
            backward(twin, FLAT, y)
            other.step()
    assert losses[-1] < 0.97 * losses[0]
    assert all(torch.equal(one, two) for one, two in zip(weights(model), weights(twin), strict=True))


def test_local_rules_are_those_of_torch():
    kinds = {
        "momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.8),
        "adam": lambda p: torch.optim.Adam(p, lr=0.1, betas=(0.8, 0.95)),
    }
    f, inputs, w = transfer_of("linear"), torch.randn(1, 10, 4), torch.randn(1, 3, 4)
    target = torch.randn(10, 3)
    for rule, make in kinds.items():
        v = w.clone().requires_grad_()
        optimiser = make([v])
        for _ in range(5):
            optimiser.zero_grad()
            ((inputs @ v.mT - target).square().sum() / 20 + (v - w).square().sum() / 4).backward()
            optimiser.step()
        found = descend(w, inputs, target, f, eta=2.0, rates=[0.1] * 5, rule=rule, betas=(0.8, 0.95))
        assert_close(found, v.detach(), rtol=1e-6)
    # RMSProp's average divided by 1 - beta^steps: the first step has size 1 in every weight
    found = descend(w, inputs, target, f, eta=2.0, rates=[0.1], rule="rmsprop")
    assert_close((found - w).abs(), torch.full_like(w, 0.1), rtol=1e-5)


def test_memory_averages_the_second_moments():
    layer, w = nn.Linear(3, 2, bias=False), None
    optimiser = LocoProp(layer, lr=0.2, eta=4.0, memory=0.75)
    moments = torch.zeros(3, 3)
    for k in range(1, 4):
        x, y = torch.randn(5, 3), torch.randn(5, 2)
        w = layer.weight.detach().clone()
        optimiser.zero_grad()
        backward(layer, x, y)
        gradient = layer.weight.grad.clone()
        optimiser.step()
        moments = 0.75 * moments + 0.25 * x.mT @ x / 5
        inverse = torch.linalg.inv(torch.eye(3) + 4.0 * moments / (1 - 0.75**k))
        assert_close(layer.weight.detach(), w - 0.8 * gradient @ inverse, rtol=1e-10)


def test_momentum_adds_the_last_update():
    x, y = torch.randn(5, 3), torch.randn(5, 2)
    plain, heavy = nn.Linear(3, 2), None
    heavy = copy.deepcopy(plain)
    optimiser = LocoProp(heavy, lr=0.2, momentum=0.5)
    start = joint_weight(heavy)
    backward(heavy, x, y)
    optimiser.step()
    first = joint_weight(heavy) - start
    with torch.no_grad():
        set_joint_weight(plain, joint_weight(heavy))
    optimiser.zero_grad()
    backward(heavy, x, y)
    optimiser.step()
    before = joint_weight(plain)
    stepped(plain, x, y, lr=0.2)
    assert_close(joint_weight(heavy) - before, joint_weight(plain) - before + first / 2, rtol=1e-11)


def test_batches_in_parts_are_the_whole_batch():
    whole, parts = perceptron(), perceptron()
    y = torch.rand(20, 3)
    stepped(whole, FLAT, y, lr=0.3)
    optimiser = LocoProp(parts, lr=0.3)
    for half in (slice(0, 10), slice(10, 20)):
        ((parts(FLAT[half]) - y[half]).square().sum(-1).mean() / 2).backward()
    optimiser.step()
    for one, other in zip(weights(whole), weights(parts), strict=True):
        assert_close(one, other, rtol=1e-10)


def test_only_passes_with_a_gradient_since_the_last_step_count():
    model, other = perceptron(), perceptron()
    y = torch.rand(20, 3)
    optimiser = LocoProp(model, lr=0.3)
    with torch.no_grad():
        model(FLAT * 5)
    model(FLAT * 7)  # never goes back
    backward(model, FLAT * 9, y)
    optimiser.zero_grad()  # forgotten
    backward(model, FLAT, y)
    optimiser.step()
    stepped(other, FLAT, y, lr=0.3)
    assert all(torch.equal(one, two) for one, two in zip(weights(model), weights(other), strict=True))
    assert_refused(optimiser.step, "no layer has seen a batch")
    optimiser.close()
    backward(model, FLAT, y)
    assert_refused(optimiser.step, "no layer has seen a batch")


def test_closure_and_schedulers():
    model, y = perceptron(), torch.rand(20, 3)
    optimiser = LocoProp(model, lr=0.4)
    schedule = torch.optim.lr_scheduler.StepLR(optimiser, 1, 0.5)

    def closure():
        optimiser.zero_grad()
        return backward(model, FLAT, y)

    first = optimiser.step(closure)
    schedule.step()
    assert optimiser.param_groups[0]["lr"] == 0.2
    assert optimiser.step(closure) < first


@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)], ids=str)
def test_other_types_keep_their_type(dtype, rtol):
    model = perceptron().to(dtype)
    before = weights(model)
    x, y = FLAT.to(dtype), torch.rand(20, 3, dtype=dtype)
    stepped(model, x, y, lr=0.5)
    exact = perceptron().to(dtype).double()
    stepped(exact, x.double(), y.double(), lr=0.5)
    for new, expected, old in zip(weights(model), weights(exact), before, strict=True):
        assert new.dtype == dtype
        assert_close(new.double(), expected, rtol=rtol)
        assert not torch.equal(new, old)


def test_sequences_and_shared_calls():
    layer = nn.Linear(4, 4)
    x = torch.randn(3, 5, 4)
    optimiser = LocoProp(layer, lr=0.1)
    layer(layer(x)).square().mean().backward()
    inputs, gradients = optimiser.layers[""].rows()
    assert inputs.shape == (1, 30, 5)
    assert_close((gradients.mT @ inputs)[0, :, :-1], layer.weight.grad, rtol=1e-12)


class Block(nn.Module):
    """A model whose order of calls cannot be read off."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(6, 5), nn.Linear(5, 3)
        self.head = nn.Sequential(nn.Linear(3, 3), nn.Sequential(nn.Identity(), nn.Sigmoid()), nn.Linear(3, 3))

    def forward(self, x):
        return self.head(self.second(self.first(x).tanh()))


def test_transfer_functions_are_found_or_asked_for():
    assert_refused(
        lambda: LocoProp(Block(), kind="matching"), "'first', 'second', 'head.2'", "transfers={'first': 'tanh'"
    )
    given = {"first": "tanh", "second": nn.Identity(), "head.2": "linear"}
    optimiser = LocoProp(Block(), kind="matching", transfers=given)
    assert [layer.transfer.name for layer in optimiser.layers.values()] == ["tanh", "linear", "sigmoid", "linear"]
    stepped(Block(), FLAT, torch.rand(20, 3))  # the squared kind asks for none
    normed = nn.Sequential(nn.Linear(6, 3), nn.BatchNorm1d(3), nn.Tanh())
    assert_refused(lambda: LocoProp(normed, kind="matching"), "'0' (then BatchNorm1d)", "kind='squared'")
    assert [len(p) for p in LocoProp(normed).rest()] == [3, 3]
    chain = nn.Sequential(nn.Linear(6, 3), nn.Linear(3, 3), nn.Identity(), nn.Tanh(), nn.Linear(3, 3))
    names = [layer.transfer.name for layer in LocoProp(chain, kind="matching").layers.values()]
    assert names == ["linear", "tanh", "linear"]


def _tied():
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight = model[0].weight
    return model


def _half_frozen():
    layer = nn.Linear(2, 2)
    layer.bias.requires_grad_(False)
    return layer


@pytest.mark.parametrize(
    ("call", "fragments"),
    [
        (lambda: LocoProp(nn.Tanh()), ("nothing to update",)),
        (lambda: LocoProp(nn.Linear(2, 2).requires_grad_(False)), ("nothing to update",)),
        (lambda: LocoProp(_tied()), ("'0' and '1'", "share")),
        (lambda: LocoProp(_half_frozen()), ("bias", "freeze")),
        (lambda: LocoProp(nn.Linear(2, 2), lr=0.0), ("lr", "0.0")),
        (lambda: LocoProp(nn.Linear(2, 2), eta=math.inf), ("eta", "inf")),
        (lambda: LocoProp(nn.Linear(2, 2), kind="cubed"), ("kind", "'cubed'")),
        (lambda: LocoProp(nn.Linear(2, 2), inner="lbfgs"), ("inner", "'lbfgs'")),
        (lambda: LocoProp(nn.Linear(2, 2), large="ignore"), ("large", "'ignore'")),
        (lambda: LocoProp(nn.Linear(2, 2), targets="wild"), ("targets", "'wild'")),
        (lambda: LocoProp(nn.Linear(2, 2), inner_steps=0), ("inner_steps", "0")),
        (lambda: LocoProp(nn.Linear(2, 2), inner_lr=-1.0), ("inner_lr", "-1.0")),
        (lambda: LocoProp(nn.Linear(2, 2), momentum=1.0), ("momentum", "1.0")),
        (lambda: LocoProp(nn.Linear(2, 2), memory=0.5, inner_steps=2), ("memory", "exact")),
        (lambda: LocoProp(nn.Linear(2, 2), betas=(0.9, 1.0)), ("betas[1]", "1.0")),
        (lambda: LocoProp(nn.Linear(2, 2), kind="matching", transfers={"a": "tanh"}), ("transfers", "'a'")),
        (
            lambda: LocoProp(nn.Sequential(nn.Linear(2, 2), activation([1.0, 0.0])), kind="matching"),
            ("isotonic",),
        ),
    ],
)
def test_bad_arguments_are_refused(call, fragments, unchecked):
    assert_refused(call, *fragments)


def test_several_processes_are_refused(monkeypatch):
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    assert_refused(lambda: LocoProp(nn.Linear(2, 2)), "one process", "2")


@pytest.mark.parametrize("kind", ["squared", "matching"])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("where", ["input", "target"])
def test_what_is_not_finite_leaves_the_weights_alone(where, bad, kind):
    model, x, y = perceptron(), FLAT.clone(), torch.rand(20, 3)
    (x if where == "input" else y)[3, 1] = bad
    before = weights(model)
    optimiser = LocoProp(model, kind=kind)
    backward(model, x, y)
    assert_refused(optimiser.step, "layer '", "not finite")
    assert all(torch.equal(new, old) for new, old in zip(weights(model), before, strict=True))


def test_an_empty_batch_and_a_step_function_are_refused():
    layer = nn.Linear(3, 2)
    optimiser = LocoProp(layer)
    layer(torch.zeros(0, 3)).sum().backward()
    assert_refused(optimiser.step, "empty")
    optimiser = LocoProp(layer, kind="matching", transfers={"": "step"})
    backward(layer, torch.randn(4, 3), torch.zeros(4, 2))
    assert_refused(optimiser.step, "f has steps")


def test_a_learned_activation_that_stops_rising_is_refused():
    model = nn.Sequential(nn.Linear(3, 2), activation([0.0, 1.0, 2.0]), nn.Linear(2, 2))
    optimiser = LocoProp(model, kind="matching")
    with torch.no_grad():
        model[1].values[1] = 5.0
    backward(model, torch.randn(4, 3), torch.zeros(4, 2))
    assert_refused(optimiser.step, "layer '0'", "isotonic")


def test_a_state_of_the_other_kind_is_refused():
    state = LocoProp(perceptron(), kind="matching").state_dict()
    assert_refused(lambda: LocoProp(perceptron()).load_state_dict(state), "'matching'", "'squared'")
    foreign = torch.optim.SGD(perceptron().parameters(), lr=0.1).state_dict()
    assert_refused(lambda: LocoProp(perceptron()).load_state_dict(foreign), "None")


def test_both_forms_of_the_exact_solution_agree():
    inputs, gradients = torch.randn(2, 5, 8), torch.randn(2, 5, 3)
    padded = torch.cat([inputs, torch.zeros(2, 5, 8)], 1), torch.cat([gradients, torch.zeros(2, 5, 3)], 1)
    assert_close(preconditioned(inputs, gradients, 2.0), preconditioned(*padded, 2.0), rtol=1e-12)
