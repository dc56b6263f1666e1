"""bake: the same function without parameters, or the nearest Swish, and how far they are."""

import copy

import numpy as np
import pytest
import torch
from asserts import assert_close, assert_refused
from cases import DTYPES, GRIDS, LAYOUTS, grid_id, inputs
from torch import nn

from pwlact.conversion import FrozenPiecewiseLinear, FrozenSwish, bake, convert
from pwlact.models import build
from pwlact.pwl import Knots, PiecewiseLinearActivation, pwl_reference
from pwlact.swish import fit_swish, swish


def trained(sharing="channel"):
    """A small net after a few steps, so that its activations are no named functions any more."""
    model = nn.Sequential(nn.Linear(4, 6), nn.GELU(), nn.Linear(6, 6), nn.SiLU(), nn.Linear(6, 2))
    model = convert(model, sharing=sharing).model
    optimiser = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(10):
        optimiser.zero_grad()
        x = torch.randn(32, 4)
        (model(x) - x[:, :2].abs()).square().mean().backward()
        optimiser.step()
    return model


def drawn(knots, channels=None, dtype=torch.float64, **more):
    activation = PiecewiseLinearActivation(knots, channels=channels, **more).to(dtype)
    with torch.no_grad():
        activation.values.normal_()
    return activation


@pytest.mark.parametrize("sharing", ["layer", "channel"])
def test_pwl_is_the_trained_model_to_the_bit_and_has_no_values_to_learn(sharing):
    model = trained(sharing)
    x = torch.randn(64, 4) * 3
    baked, report = bake(model, example=x)
    assert torch.equal(baked(x), model(x))
    assert report.difference == 0
    assert all(layer.worst == layer.seen_worst == 0 for layer in report.layers)
    assert [layer.name for layer in report.layers] == ["1", "3"]
    assert [name for name, _ in baked.named_parameters()] == [
        "0.weight",
        "0.bias",
        "2.weight",
        "2.bias",
        "4.weight",
        "4.bias",
    ]
    assert isinstance(model[1], PiecewiseLinearActivation)


def test_pwl_of_the_resnet():
    model = build("resnet10", width=0.0625, activation=lambda c: drawn(Knots(), c, torch.float32)).eval()
    x = torch.randn(2, 3, 32, 32)
    baked, report = bake(model)
    assert torch.equal(baked(x), model(x))
    assert report.difference is None
    assert [layer.name for layer in report.layers] == [
        name for name, m in model.named_modules() if isinstance(m, PiecewiseLinearActivation)
    ]


@pytest.mark.parametrize("to", ["pwl", "swish"])
def test_the_rest_still_trains(to):
    baked = bake(trained(), to=to).model
    before = baked[0].weight.clone()
    baked(torch.randn(8, 4)).square().sum().backward()
    torch.optim.SGD(baked.parameters(), lr=0.1).step()
    assert not torch.equal(before, baked[0].weight)


@pytest.mark.parametrize("channels", [None, 3], ids=["shared", "per_channel"])
def test_swish_is_that_of_the_fit(channels):
    activation = drawn(Knots(), channels, start="silu")
    t = Knots().positions()
    with torch.no_grad():
        rows = [1.7 * torch.nn.functional.silu(b * (t - 0.4)) / b - 0.2 + 0.05 * t.cos() for b in (1.0, 2.0, 3.0)]
        activation.values.copy_(torch.stack(rows) if channels else rows[1])
    baked, report = bake(activation, to="swish")
    x = torch.randn(50, 3, dtype=torch.float64) * 2
    result = baked(x)
    errors = []
    for channel in range(3):
        values = activation.values[channel] if channels else activation.values
        fit = fit_swish(t.numpy(), values.detach().numpy())
        expected = swish(x[:, channel].numpy(), fit.beta, fit.x0, fit.scale, fit.offset)
        np.testing.assert_allclose(result[:, channel].numpy(), expected, rtol=1e-5, atol=1e-5)
        dense = np.linspace(-3, 3, 513)
        errors.append(
            np.abs(swish(dense, fit.beta, fit.x0, fit.scale, fit.offset) - np.interp(dense, t, values.detach()))
        )
    (layer,) = report.layers
    assert layer.worst == pytest.approx(np.max(errors), abs=1e-5)
    assert layer.mean == pytest.approx(np.mean(errors), abs=1e-5)
    assert np.isnan(layer.seen_worst)
    assert layer.note.startswith("R^2 0.9")


def test_report_says_where_a_swish_bends_outside_the_knots():
    t = Knots().positions()
    # a rise that grows: the far side of an upside-down Swish, which falls a little beyond the last knot
    curves = [torch.exp(t / 2), t * torch.sigmoid(2 * t), torch.zeros_like(t), torch.exp(-t / 2)]
    activation = PiecewiseLinearActivation(channels=4).double()
    with torch.no_grad():
        activation.values.copy_(torch.stack(curves))
    baked, report = bake(activation, to="swish")
    assert report.layers[0].note.endswith("2 of 4 bend outside the knots")
    far = torch.full((1, 4), 4 * Knots().high, dtype=torch.float64)
    assert baked(far)[0, 0] < 0 < activation(far)[0, 0]
    activation = PiecewiseLinearActivation(start="silu")
    assert "outside" not in bake(activation, to="swish").report.layers[0].note


def test_errors_at_the_inputs_seen():
    activation = PiecewiseLinearActivation(start="silu").double()
    x = torch.linspace(-12, 12, 1001, dtype=torch.float64)
    baked, report = bake(nn.Sequential(activation), to="swish", example=x)
    wrong = (baked(x) - activation(x)).abs().detach()
    assert report.layers[0].seen_worst == pytest.approx(wrong.max().item())
    assert report.layers[0].seen_mean == pytest.approx(wrong.mean().item())
    assert report.difference == pytest.approx(wrong.max().item())
    assert "seen worst" in str(report)
    assert report.to_dict()["layers"][0]["seen_mean"] == report.layers[0].seen_mean


class Rippled(nn.Module):
    """Three channels through functions that no Swish follows everywhere, called by keyword."""

    def __init__(self, channels, channel_dim=1, groups=None):
        super().__init__()
        self.act = drawn(Knots(), channels, channel_dim=channel_dim, **({"groups": groups} if groups else {}))
        t = Knots().positions()
        rows = [torch.nn.functional.silu(b * t) / b + 0.3 * (t - b).cos() for b in (1.0, 2.0, 3.0)]
        with torch.no_grad():
            self.act.values.copy_(torch.stack(rows)[: groups or 3] if channels else rows[1])

    def forward(self, x):
        return self.act(x=x)


@pytest.mark.parametrize("channels", [None, 3], ids=["shared", "per_channel"])
def test_swishes_are_fitted_where_the_inputs_are(channels):
    model = Rippled(channels)
    x = 0.4 * torch.randn(2000, 3, dtype=torch.float64) + torch.tensor([-1.0, 0.5, 2.0])
    near, report = bake(model, to="swish", example=x)
    far = bake(model, to="swish").model
    assert report.layers[0].seen_mean < 0.5 * (far(x) - model(x)).abs().mean()
    even, hundred = Knots().positions().numpy(), 100 / 33
    for channel in range(3):
        values = (model.act.values[channel] if channels else model.act.values).detach()
        seen = (x[:, channel] if channels else x.flatten()).numpy()
        points, weights = np.concatenate([even, seen]), np.concatenate([np.full(33, hundred), np.ones(len(seen))])
        fit = fit_swish(points, pwl_reference(torch.from_numpy(points), values, -3.0, 3.0).numpy(), weights)
        # 256 points in the place of the inputs, and another search
        here = torch.from_numpy(swish(x[:, channel].numpy(), fit.beta, fit.x0, fit.scale, fit.offset))
        assert_close(near(x)[:, channel], here, rtol=5e-3)


@pytest.mark.parametrize("channel_dim", [1, -1, 0])
def test_each_function_has_the_inputs_of_its_channels(channel_dim):
    """Inputs far apart by group: each Swish is near where its own lie, and would not be where another's do."""
    model = Rippled(4, channel_dim, groups=2)
    x = 0.2 * torch.randn(4, 500, 4, dtype=torch.float64).movedim(0, channel_dim)
    x = (x.movedim(channel_dim, 0) + torch.tensor([-2.0, -2.0, 2.0, 2.0])[:, None, None]).movedim(0, channel_dim)
    _, report = bake(model, to="swish", example=x)
    wrong = (bake(model, to="swish", example=-x).model(x) - model(x)).abs().mean()
    assert 3 * report.layers[0].seen_mean < wrong


def test_what_inputs_tell_and_do_not():
    model = Rippled(3)
    plain = bake(model, to="swish").model
    x = torch.randn(8, 3, dtype=torch.float64)
    for nothing in (torch.empty(0, 3, dtype=torch.float64), torch.full((4, 3), float("nan"), dtype=torch.float64)):
        assert_close(bake(model, to="swish", example=nothing).model(x), plain(x), rtol=1e-6)
    # an input far away counts where both functions have become straight lines, and hides none of the others
    seen = torch.randn(999, 3, dtype=torch.float64)
    with_outlier = torch.cat([seen, torch.tensor([[1e15, -1e15, float("inf")]], dtype=torch.float64)])
    one, other = (bake(model, to="swish", example=inputs).model(x) for inputs in (seen, with_outlier))
    assert (one - other).abs().max() < 0.15
    # one input, ever the same: the knots decide elsewhere
    same = bake(model, to="swish", example=torch.ones(1, 3, dtype=torch.float64)).model
    assert (same(x) - plain(x)).abs().max() < 0.1


def test_an_activation_that_the_example_misses_is_fitted_to_its_knots():
    class Branch(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused = Rippled(3), Rippled(3)

        def forward(self, x):
            return self.used(x)

    model = Branch()
    x = torch.randn(9, 3, dtype=torch.float64)
    baked, report = bake(model, to="swish", example=x)
    assert torch.equal(baked.unused(x), bake(model, to="swish").model.unused(x))
    assert np.isnan(report.layers[1].seen_mean)
    assert report.layers[0].seen_mean > 0


@pytest.mark.parametrize("value", [0.0, 2.5])
def test_a_constant_function_bakes_to_a_constant(value):
    baked, report = bake(PiecewiseLinearActivation(start=lambda t: torch.full_like(t, value)), to="swish")
    assert torch.equal(baked(torch.randn(9)), torch.full((9,), value))
    assert report.layers[0].note == "constant"


@pytest.mark.parametrize("channel_dim", [1, -1, 0, 2, -3])
@pytest.mark.parametrize("to", ["pwl", "swish"])
def test_any_channel_dim(channel_dim, to):
    activation = drawn(Knots(9, -2.0, 2.0), 4, channel_dim=channel_dim)
    if to == "swish":  # noise has no Swish that two searches would agree on
        with torch.no_grad():
            t = activation.knots.positions()
            activation.values.copy_(torch.stack([t * torch.sigmoid((1 + c) * t) - c for c in range(4)]))
    baked, report = bake(activation, to=to)
    assert report.layers[0].worst < 0.2
    x = torch.randn(4, 4, 4, dtype=torch.float64)
    for channel, values in enumerate(activation.values.detach()):
        expected = pwl_reference(x, values, -2.0, 2.0).select(channel_dim, channel)
        if to == "swish":
            fit = fit_swish(activation.knots.positions(), values)
            expected = torch.as_tensor(swish(x.select(channel_dim, channel), fit.beta, fit.x0, fit.scale, fit.offset))
        assert_close(baked(x).select(channel_dim, channel), expected, rtol=1e-3 if to == "swish" else None)


def test_swish_of_groups_of_channels():
    activation = PiecewiseLinearActivation(channels=4, groups=2, start="silu").double()
    with torch.no_grad():
        activation.values[1] *= -2
    baked, report = bake(activation, to="swish")
    x = torch.randn(9, 4, dtype=torch.float64).clamp(-3, 3)
    torch.testing.assert_close(baked(x), activation(x), atol=0.02, rtol=0)
    assert report.layers[0].worst < 0.01


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("to", ["pwl", "swish"])
def test_type_and_layout_of_the_input(dtype, to):
    baked = bake(PiecewiseLinearActivation(channels=3, start="silu"), to=to).model
    for arrange in LAYOUTS.values():
        x = arrange(torch.randn(2, 3, 4, 5)).to(dtype)
        result = baked(x)
        assert (result.dtype, result.shape) == (dtype, x.shape)
        near = torch.nn.functional.silu(x.double())
        torch.testing.assert_close(result.double(), near, atol=0.05, rtol=0.02)


@pytest.mark.parametrize("knots", GRIDS, ids=grid_id)
@pytest.mark.parametrize("channels", [None, 4, (4, 2)], ids=["shared", "per_channel", "grouped"])
def test_plain_operations_are_the_function(knots, channels):
    """What exporters see, in float64, against the readable definition."""
    channels, groups = channels if isinstance(channels, tuple) else (channels, None)
    activation = drawn(knots, channels, groups=groups)
    frozen = bake(activation).model
    x = inputs(knots)
    x = x[: len(x) // 4 * 4].reshape(-1, 4)
    rows = activation.values.detach().reshape(-1, knots.count)
    rows = rows.repeat_interleave(4 // len(rows), 0)
    for shaped in (x, x.T.reshape(1, 4, -1, 1).contiguous()):
        result = frozen._plain(shaped)
        flat = result if shaped is x else result.reshape(4, -1).T
        expected = torch.stack([pwl_reference(x[:, c], rows[c], knots.low, knots.high) for c in range(4)], 1)
        assert_close(flat, expected, rtol=1e-9)


def test_plain_operations_keep_nan_and_reach_infinity():
    frozen = bake(PiecewiseLinearActivation(start="leaky_relu")).model
    x = torch.tensor([float("nan"), float("inf"), -float("inf"), 0.0])
    expected = torch.tensor([float("nan"), float("inf"), -float("inf"), 0.0])
    torch.testing.assert_close(frozen._plain(x), expected, equal_nan=True)
    torch.testing.assert_close(frozen(x), expected, equal_nan=True)


def test_state_goes_from_one_baked_model_to_another():
    knots = Knots(7, -1.0, 1.0)
    first, second = bake(drawn(knots, 3)).model, bake(drawn(knots, 3)).model
    second.load_state_dict(first.state_dict())
    x = torch.randn(5, 3, dtype=torch.float64)
    assert torch.equal(second(x), first(x))
    assert_close(second._plain(x), first(x))
    assert list(first.state_dict()) == ["values"]
    assert torch.equal(copy.deepcopy(first)._plain(x), first._plain(x))


def test_shared_activations_stay_shared_and_hooks_and_modes_stay():
    activation, calls = PiecewiseLinearActivation(), []
    activation.register_forward_hook(lambda *_: calls.append(1))
    activation.eval()
    baked, report = bake(nn.Sequential(activation, nn.Sequential(activation)))
    assert baked[0] is baked[1][0]
    assert [layer.name for layer in report.layers] == ["0"]
    baked(torch.ones(1))
    assert len(calls) == 2
    assert (baked.training, baked[0].training) == (True, False)


def test_inplace_and_root():
    model = nn.Sequential(PiecewiseLinearActivation())
    assert bake(model, inplace=True).model is model
    assert isinstance(model[0], FrozenPiecewiseLinear)
    assert isinstance(bake(PiecewiseLinearActivation(), to="swish").model, FrozenSwish)
    assert "(model)" in str(bake(PiecewiseLinearActivation()).report)


def test_converted_forwards_bake():
    class Net(nn.Module):
        def forward(self, x):
            return x.relu() + torch.nn.functional.gelu(x)

    model = convert(Net()).model
    x = torch.randn(20)
    assert torch.equal(bake(model).model(x), model(x))


@pytest.mark.parametrize(
    ("arguments", "fragments"),
    [
        ({"model": nn.Linear(2, 2)}, ("nothing to bake",)),
        ({"to": "relu"}, ("to", "swish, pwl", "'relu'")),
        (
            {"model": nn.Sequential(PiecewiseLinearActivation(Knots(4))), "to": "swish"},
            ("Swish", "0", "got 4", "to='pwl'"),
        ),
        ({"example": "text"}, ("fails on the example",)),
    ],
    ids=["nothing", "to", "knots", "example"],
)
def test_bad_arguments(arguments, fragments):
    assert_refused(lambda: bake(**{"model": nn.Sequential(PiecewiseLinearActivation()), **arguments}), *fragments)


def test_print():
    text = repr(bake(PiecewiseLinearActivation(channels=4, groups=2)).model)
    assert text == "FrozenPiecewiseLinear(knots=33, low=-3, high=3, functions=2)"
    assert repr(bake(PiecewiseLinearActivation(channels=4), to="swish").model) == "FrozenSwish(channels=4)"
