"""`convert` on forwards: calls found, modules used twice, and what cannot be traced."""

import pytest
import torch
from torch import nn
from unconverted import NOT_TRACED, Branching, Functional, Named, PreActivation, Reused, inputs, swapped_forward

from pwlact.conversion import convert
from pwlact.pwl import PiecewiseLinearActivation


def test_functional_calls_in_a_forward():
    old = Functional().eval()
    new, report = convert(old)
    x = inputs(20, 4)
    assert len(report.replaced) == 4
    assert isinstance(new, Functional)
    torch.testing.assert_close(new(x), old(x), atol=0.004, rtol=0)
    assert not any(isinstance(m, PiecewiseLinearActivation) for m in old.modules())


def test_train_and_eval_still_switch_dropout():
    model = convert(Functional()).model
    x = inputs(50, 4)
    assert not torch.equal(model(x), model(x))
    model.eval()
    assert torch.equal(model(x), model(x))


def test_reused_module_is_split_or_kept():
    old, x = Reused(), inputs(9, 4)
    split, report = convert(old)
    assert [row.name for row in report.replaced] == ["act", "activation_1"]
    assert split.act is not split.activation_1
    torch.testing.assert_close(split(x), old(x))
    with torch.no_grad():
        split.activation_1.values.zero_()
    assert (split(x) == 0).all()
    with torch.no_grad():
        split.act.values.fill_(1.0)
    assert (split(x) == 0).all()  # the second call is activation_1
    kept, report = convert(old, reused="keep")
    assert [row.name for row in report.replaced] == ["act"]
    assert "called several times" in report.replaced[0].note
    assert type(kept) is Reused
    torch.testing.assert_close(kept(x), old(x))


def test_one_module_under_several_names():
    relu = nn.ReLU()
    old = nn.Sequential(relu, nn.Sequential(nn.Linear(3, 3), relu))
    split = convert(old).model
    assert split[0] is not split[1][1]
    kept, report = convert(old, reused="keep")
    assert kept[0] is kept[1][1]
    assert [row.note for row in report.replaced] == ["also at 1.1"]


def test_a_block_used_twice_stays_one_block():
    block = nn.Sequential(nn.Linear(3, 3), nn.ReLU())
    model = convert(nn.Sequential(block, block)).model
    assert model[0] is model[1]
    assert len(list(model.parameters())) == 3


def test_untraceable_forward_is_reported_and_its_children_converted():
    old, x = Branching().eval(), inputs(9, 4).abs()
    old.inner.fc = nn.Linear(4, 4)
    new, report = convert(old)
    assert [row.name for row in report.replaced] == [*(f"inner.activation_{i}" for i in range(1, 5)), "act"]
    assert [(row.name, row.what) for row in report.left] == [("", "relu(x)"), ("", "silu(x)")]
    assert all("torch.fx cannot trace it" in row.why for row in report.left)
    assert "one for all its calls" in report.replaced[-1].note
    for sign in (1, -1):
        torch.testing.assert_close(new(sign * x), old(sign * x), atol=0.01, rtol=0)


@pytest.mark.parametrize("case", NOT_TRACED)
def test_what_tracing_would_get_wrong_is_left(case):
    make, reason = NOT_TRACED[case]
    old = make()
    attributes, state = dict(vars(old)), torch.get_rng_state()
    new, report = convert(old, inplace=True)
    assert new is old
    assert type(new) is make
    assert vars(new) == attributes
    assert torch.equal(torch.get_rng_state(), state)
    assert [row.what for row in report.left] == ["relu(x)"]
    assert reason in report.left[0].why
    assert not report.replaced


def test_a_forward_of_the_instance_is_left():
    model = convert(swapped_forward()).model
    assert model(torch.ones(1)).item() == -1


@pytest.mark.parametrize("module", [True, False])
def test_activation_in_place_changes_what_later_uses_see(module):
    old = PreActivation(module)
    new = convert(old).model
    x = inputs(9, 4)
    torch.testing.assert_close(new(x), old(x))
    assert not torch.allclose(old(x), old.fc(x.relu()) + x)


def test_name_that_is_taken_is_not_used():
    new, report = convert(Named())
    assert isinstance(new.activation_1, nn.Linear)
    assert [row.name for row in report.replaced] == ["activation_2"]
