"""PiecewiseLinearActivation: starts, projection, and its life as a module."""

import copy
import math

import pytest
import torch
from asserts import assert_close, assert_refused
from golden import STARTS_AT_1, STARTS_AT_MINUS_1

from pwlact.pwl import STARTS, Knots, PiecewiseLinearActivation, pwl
from pwlact.pwl.start import start_values

KNOTS = Knots(9, -2.0, 2.0)
AT_MINUS_1, AT_1 = 2, 6  # places of the knots at -1 and 1 on KNOTS


def module(start="silu", dtype=torch.float64, **more):
    return PiecewiseLinearActivation(KNOTS, start=start, **more).to(dtype)


def weighted_variance(values):
    """Variance of f(t) over the knots with weights in proportion to the standard normal density."""
    t = torch.linspace(-2, 2, 9, dtype=torch.float64)
    weights = torch.exp(-(t**2) / 2)
    weights /= weights.sum()
    mean = (weights * values).sum(-1, keepdim=True)
    return (weights * (values - mean) ** 2).sum(-1)


def test_every_start_has_its_golden_numbers():
    assert set(STARTS) == set(STARTS_AT_1) == set(STARTS_AT_MINUS_1)


@pytest.mark.parametrize("name", STARTS)
def test_named_starts(name):
    values = module(name).values
    assert values[AT_1].item() == pytest.approx(STARTS_AT_1[name], rel=1e-6)
    assert values[AT_MINUS_1].item() == pytest.approx(STARTS_AT_MINUS_1[name], rel=1e-6)


@pytest.mark.parametrize("name", STARTS)
def test_starts_leave_the_positions_that_they_are_given_alone(name):
    positions = KNOTS.positions()
    start_values(name, positions)
    assert torch.equal(positions, KNOTS.positions())


def test_callable_start_sees_the_positions():
    values = module(lambda t: t**2 + 1).values
    assert_close(values.detach(), torch.linspace(-2, 2, 9, dtype=torch.float64) ** 2 + 1, rtol=1e-6)


def test_default_is_relu_on_33_knots_of_the_default_type():
    activation = PiecewiseLinearActivation()
    x = torch.linspace(-5, 5, 41)
    assert activation.knots == Knots(33, -3.0, 3.0)
    assert activation.values.dtype == torch.get_default_dtype()
    assert_close(activation(x), x.relu())


def test_forward_uses_every_setting():
    activation = module(channels=3, channel_dim=-1)
    with torch.no_grad():
        activation.values.normal_()
    x = torch.randn(4, 5, 3, dtype=torch.float64)
    for channel, values in enumerate(activation.values):
        assert_close(activation(x)[..., channel], pwl(x[..., channel], values, -2.0, 2.0))


def test_channels_start_equal_but_are_their_own():
    activation = module(channels=2)
    assert activation.values.shape == (2, 9)
    assert torch.equal(activation.values[0], activation.values[1])
    activation.values.data[0] += 1
    assert not torch.equal(activation.values[0], activation.values[1])


@pytest.mark.parametrize(
    ("arguments", "fragments"),
    [
        ({"start": "swoosh"}, ("start", "'swoosh'", "relu", "gelu")),
        ({"start": lambda t: t[:3]}, ("start", "(9,)", "(3,)")),
        ({"channels": 0}, ("channels", "0")),
        ({"channels": -2}, ("channels", "-2")),
        ({"channels": True}, ("channels", "True")),
        ({"channels": 6, "groups": 4}, ("groups", "channels=6", "4")),
        ({"channels": 6, "groups": 12}, ("groups", "channels=6", "12")),
        ({"channels": 6, "groups": 0}, ("groups", "0")),
        ({"groups": 2}, ("groups=2", "channels")),
    ],
    ids=["name", "shape", "none", "negative", "bool", "no-divisor", "too-many", "no-group", "no-channels"],
)
def test_bad_settings_are_refused(arguments, fragments):
    assert_refused(lambda: PiecewiseLinearActivation(KNOTS, **arguments), *fragments)


@pytest.mark.parametrize("channels", [None, 3], ids=["shared", "per_channel"])
@pytest.mark.parametrize("anchor", [False, True])
@pytest.mark.parametrize("target", [1.0, 0.25, 40.0], ids=str)
@pytest.mark.parametrize(
    ("normalise", "size"),
    [("l2", lambda y: y.square().sum(-1).sqrt()), ("variance", weighted_variance)],
    ids=["l2", "variance"],
)
def test_projection_reaches_its_target_in_every_function(normalise, size, target, anchor, channels):
    activation = module(channels=channels)
    with torch.no_grad():
        activation.values.normal_().mul_(7)
    before = activation.values.detach().clone()
    assert activation.project_(anchor=anchor, normalise=normalise, target=target) is activation
    values = activation.values.detach()
    assert_close(size(values), torch.full_like(size(values), target))
    # nothing but shift and positive scale
    shifted = before - before[..., :1] if anchor else before
    scale = values[..., -1:] / shifted[..., -1:]
    assert (scale > 0).all()
    assert_close(values, shifted * scale)


def test_projection_alone_anchors_and_keeps_the_shape():
    activation = module("abs")
    activation.project_()
    assert_close(activation.values.detach(), torch.linspace(-2, 2, 9, dtype=torch.float64).abs() - 2)


def test_projection_without_anchor_or_norm_does_nothing():
    activation = module("abs")
    before = activation.values.detach().clone()
    activation.project_(anchor=False)
    assert torch.equal(activation.values, before)


@pytest.mark.parametrize("normalise", ["l2", "variance"])
@pytest.mark.parametrize("level", [0.0, 1.0, 0.1, 1e6], ids=str)
def test_projection_leaves_a_constant_function_without_scale(normalise, level):
    activation = module(lambda t: torch.full_like(t, level))
    activation.project_(normalise=normalise)
    assert torch.equal(activation.values, torch.zeros(9, dtype=torch.float64))


def test_projection_leaves_a_constant_channel_beside_a_curved_one():
    activation = module(channels=2)
    activation.values.data[0] = 3.0
    activation.project_(anchor=False, normalise="variance")
    assert_close(activation.values[0].detach(), torch.full((9,), 3.0, dtype=torch.float64))
    assert weighted_variance(activation.values[1]).item() == pytest.approx(1)


@pytest.mark.parametrize("target", [0.0, -1.0, math.nan, math.inf], ids=str)
def test_bad_targets_are_refused(target):
    assert_refused(lambda: module().project_(target=target), "target", repr(target))


@pytest.mark.usefixtures("unchecked")
def test_unknown_normalisation_is_refused_and_changes_nothing():
    activation = module()
    before = activation.values.detach().clone()
    assert_refused(lambda: activation.project_(normalise="l1"), "normalise", "'l1'", "l2", "variance")
    assert torch.equal(activation.values, before)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("level", [0.1, 0.7, 1.0, 3.0, 1e6, -0.3], ids=str)
def test_projection_to_a_variance_leaves_an_unanchored_constant(level, dtype):
    activation = module(lambda t: torch.full_like(t, level), dtype)
    before = activation.values.detach().clone()
    activation.project_(anchor=False, normalise="variance")
    assert torch.equal(activation.values, before)


@pytest.mark.parametrize(
    ("activation", "text"),
    [
        (module("relu"), "shared, increasing, tail slopes 0 and 1"),
        (module("silu", channels=5), "channels=5, not monotone, tail slopes -0.0705 and 1.07"),
        (module(lambda t: -t, channels=6, groups=2), "channels=6, groups=2, decreasing, tail slopes -1 and -1"),
        (module("zero", torch.bfloat16), "shared, constant, tail slopes 0 and 0"),
        (module().to("meta"), "shared"),
    ],
    ids=["shared", "channels", "groups", "constant", "meta"],
)
def test_print_tells_grid_sharing_and_shape(activation, text):
    assert repr(activation) == f"PiecewiseLinearActivation(knots=9, low=-2, high=2, {text})"


def test_print_tells_how_functions_differ():
    activation = module(channels=3, start="relu")
    activation.values.data[1] = KNOTS.positions().abs()
    activation.values.data[2] = -KNOTS.positions()
    assert repr(activation).endswith("channels=3, 2 of 3 monotone, tail slopes -1..0 and -1..1)")
    activation.values.data[0, 3] = math.nan
    assert repr(activation).endswith("channels=3, not finite)")


@pytest.mark.parametrize("channel_dim", [0, 1, -1])
@pytest.mark.parametrize("groups", [1, 2, 3, 6])
def test_consecutive_channels_of_a_group_share_a_function(groups, channel_dim):
    activation = module(channels=6, groups=groups, channel_dim=channel_dim)
    assert activation.values.shape == (groups, 9)
    with torch.no_grad():
        activation.values.normal_()
    shape = [2, 3, 4]
    shape[channel_dim] = 6
    x = torch.randn(shape, dtype=torch.float64)
    for channel, part in enumerate(x.unbind(channel_dim)):
        expected = pwl(part, activation.values[channel // (6 // groups)], -2.0, 2.0)
        assert_close(activation(x).select(channel_dim, channel), expected)


def test_groups_without_a_number_are_the_channels():
    assert (module(channels=4).groups, module().groups) == (4, None)


@pytest.mark.parametrize("sharing", [{"channels": 4}, {"channels": 4, "groups": 2}, {"channels": 4, "groups": 1}])
@pytest.mark.parametrize("method", ["forward", "derivative", "antiderivative", "inverse"])
@pytest.mark.parametrize("shape", [(2, 8), (2, 2), (4,), (2, 0), (2, 5, 4)], ids=str)
def test_other_channels_than_built_for_are_refused(shape, method, sharing):
    activation = module("identity", **sharing)
    assert_refused(lambda: getattr(activation, method)(torch.zeros(shape)), "4 channels", "dimension 1", str(shape))


def test_deep_copy_is_independent():
    first = module()
    second = copy.deepcopy(first)
    second.values.data += 1
    assert torch.equal(first.values + 1, second.values)
    assert (second.knots, second.channel_dim) == (first.knots, first.channel_dim)


def test_gradient_descent_fits_a_target_function():
    activation = module("relu")
    x = torch.linspace(-2, 2, 401, dtype=torch.float64)
    optimiser = torch.optim.SGD(activation.parameters(), lr=4.0)
    for _ in range(60):
        optimiser.zero_grad()
        (activation(x) - x.tanh()).square().mean().backward()
        optimiser.step()
    # the interpolation error of 9 knots on tanh is h^2 max|f''| / 8 = 0.024
    assert (activation(x) - x.tanh()).abs().max() < 0.03
