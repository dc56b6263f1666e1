"""Checkpoints: a resumed run ends where an undisturbed one does, bit for bit; damage is told from fit."""

import contextlib
import copy

import pytest
import torch

from pwlact.checks import InputError
from pwlact.training import Backprop, LocalCorrelation, Score, checkpoint, fit

RULES = {
    "backprop": lambda model: Backprop(model, precision="bf16"),
    "local": lambda model: LocalCorrelation(model, classes=4, positions=4, precision="bf16"),
}


class Stop(Exception):
    pass


def train(model, rule, toy, epochs, history=(), stop=None):
    """Train up to the last epoch, or up to epoch `stop` of them."""
    records = []

    def note(history):
        records[:] = history
        if len(history) == stop:
            raise Stop

    with contextlib.suppress(Stop):
        fit(model, rule, toy, lambda: Score(0.0, 0.0, 1), epochs=epochs, history=history, after_epoch=note)
    return records


@pytest.mark.parametrize("rule_name", RULES)
@pytest.mark.parametrize("sharing", ["layer", "channel"])
def test_resumed_run_ends_bit_identical(net, toy, tmp_path, rule_name, sharing):
    path = tmp_path / "checkpoint.pt"
    whole = net(sharing=sharing)
    start = copy.deepcopy(whole.state_dict())
    train(whole, RULES[rule_name](whole), toy, 3)

    first = net(sharing=sharing)
    rule = RULES[rule_name](first)
    checkpoint.save(path, checkpoint.state_of(first, rule, train(first, rule, toy, 3, stop=1)))

    second = net(seed=5, sharing=sharing)  # other weights, which the checkpoint must replace
    rule = RULES[rule_name](second)
    history = checkpoint.load(path, second, rule)
    assert [record["epoch"] for record in history] == [1]
    train(second, rule, toy, 3, history)

    end = second.state_dict()
    assert all(torch.equal(tensor, end[name]) for name, tensor in whole.state_dict().items())
    assert any(not torch.equal(tensor, end[name]) for name, tensor in start.items())


def test_random_state_comes_back(net, tmp_path):
    model = net()
    rule = Backprop(model)
    checkpoint.save(tmp_path / "c.pt", checkpoint.state_of(model, rule, []))
    drawn = torch.rand(3)
    checkpoint.load(tmp_path / "c.pt", model, rule)
    assert torch.equal(torch.rand(3), drawn)


@pytest.fixture
def stored(net, tmp_path):
    model = net()
    path = tmp_path / "checkpoint.pt"
    checkpoint.save(path, checkpoint.state_of(model, Backprop(model), []))
    return path


def cut(content):
    return content[: len(content) // 2]


def flip_a_weight(content):
    place = len(content) // 2
    return content[:place] + bytes([content[place] ^ 64]) + content[place + 1 :]


@pytest.mark.parametrize(
    "damage", [cut, flip_a_weight, lambda _: b"", lambda _: b"PK\x03\x04 no archive", lambda _: b"\x80\x04."]
)
def test_damaged_file(stored, net, damage):
    stored.write_bytes(damage(stored.read_bytes()))
    model = net()
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(InputError) as error:
        checkpoint.load(stored, model, Backprop(model))
    assert str(error.value) == (f"checkpoint {stored} is damaged or of another version: start over with --force")
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize("content", [[1, 2], {"format": 999}, {"model": {}}])
def test_other_content(stored, net, content):
    torch.save(content, stored)
    model = net()
    with pytest.raises(InputError, match="is damaged or of another version"):
        checkpoint.load(stored, model, Backprop(model))


def test_file_cannot_run_code(stored, net):
    torch.save({"format": 1, "model": print}, stored)
    with pytest.raises(InputError, match="is damaged or of another version"):
        checkpoint.load(stored, model := net(), Backprop(model))


def test_missing_file(net, tmp_path):
    model = net()
    with pytest.raises(InputError, match=r"c\.pt cannot be read: No such file or directory$"):
        checkpoint.load(tmp_path / "c.pt", model, Backprop(model))


@pytest.mark.parametrize(
    ("changes", "rule"),
    [({"learns": False}, "backprop"), ({"sharing": "channel"}, "backprop"), ({}, "local")],
)
def test_other_model_or_rule(stored, net, changes, rule):
    model = net(**changes)
    with pytest.raises(InputError, match="does not fit this model and rule: ") as error:
        checkpoint.load(stored, model, RULES[rule](model))
    assert "\n" not in str(error.value)
