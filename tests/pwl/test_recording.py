"""record_inputs: every learnable activation of any model, each call once, and no hook left behind."""

import pytest
import torch
from asserts import assert_refused
from torch import nn

from pwlact.pwl import PiecewiseLinearActivation
from pwlact.pwl.recording import record_inputs


def hooks(model):
    return sum(len(module._forward_pre_hooks) for module in model.modules())


class Twice(nn.Module):
    """One activation under two names, called twice, once by keyword; and one never called."""

    def __init__(self):
        super().__init__()
        self.first = PiecewiseLinearActivation()
        self.second = self.first
        self.idle = PiecewiseLinearActivation()

    def forward(self, x):
        return self.second(x=self.first(x))


def test_every_activation_sees_its_own_input():
    model = nn.Sequential(
        PiecewiseLinearActivation(start="abs"),
        nn.Sequential(nn.Tanh(), PiecewiseLinearActivation(channels=3)),
        nn.ReLU(),
    )
    with record_inputs(model) as seen:
        out = model(torch.linspace(-5, 5, 300).reshape(100, 3))
    assert list(seen) == ["0", "1.1"]
    assert [histogram.count for histogram in seen.values()] == [300, 300]
    assert seen["0"].quantile(0.0) == pytest.approx(-5, rel=0.01)
    assert seen["1.1"].quantile(1.0) == pytest.approx(1, rel=0.01)
    assert seen["1.1"].quantile(0.0) >= 0
    assert torch.equal(out, model(torch.linspace(-5, 5, 300).reshape(100, 3)))


def test_shared_modules_count_once_a_call():
    model = Twice()
    with record_inputs(model) as seen:
        model(torch.randn(7))
    assert {name: histogram.count for name, histogram in seen.items()} == {"first": 14, "idle": 0}


def test_the_model_may_be_the_activation():
    with record_inputs(model := PiecewiseLinearActivation()) as seen:
        model(torch.randn(5, dtype=torch.bfloat16))
        model(torch.empty(0))
    assert seen[""].count == 5


def test_hooks_go_when_the_context_ends():
    model = Twice()
    with record_inputs(model) as seen:
        assert hooks(model) == 2
    model(torch.randn(7))
    assert hooks(model) == 0
    assert seen["first"].count == 0


def test_hooks_go_after_an_error():
    model = Twice()

    def record():
        with record_inputs(model):
            model(torch.randn(2))
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        record()
    assert hooks(model) == 0


def test_hooks_of_others_and_outer_contexts_stay():
    model = Twice()
    calls = []
    model.first.register_forward_pre_hook(lambda module, arguments: calls.append(1))
    with record_inputs(model) as outer:
        with record_inputs(model) as inner:
            model(torch.randn(3))
        model(torch.randn(3))
    assert (outer["first"].count, inner["first"].count, len(calls)) == (12, 6, 4)


def test_nothing_to_record_is_refused():
    def record():
        with record_inputs(nn.Sequential(nn.ReLU())):
            pass

    assert_refused(record, "nothing to record")


def test_realign_fits_the_range_to_what_was_seen():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), PiecewiseLinearActivation(start="silu"))
    x = torch.randn(5000, 4) * 4
    with record_inputs(model) as seen:
        model(x)
    hidden = model[0](x).detach().flatten()
    before = model[1](hidden)
    error = model[1].realign(seen["1"], coverage=0.99)
    low, high = torch.quantile(hidden[:40000], torch.tensor([0.005, 0.995])).tolist()
    knots = model[1].knots
    assert (knots.low, knots.high) == pytest.approx((low, high), rel=0.02, abs=knots.spacing)
    assert knots.positions().abs().min() < 1e-12
    inside = (hidden > min(low, -3)) & (hidden < max(high, 3))
    assert (model[1](hidden) - before)[inside].abs().max() <= error + 1e-5


def test_realign_keeps_the_bend_at_zero():
    activation = PiecewiseLinearActivation(start="relu")
    model = nn.Sequential(activation)
    with record_inputs(model) as seen:
        model(torch.randn(1000) * 0.7 + 0.31)
    assert activation.realign(seen["0"], coverage=0.9) < 1e-6
    assert activation.knots.high < 2
