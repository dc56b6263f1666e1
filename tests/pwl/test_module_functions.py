"""What the module does with its functions: it passes its own values, knots and channels on, and keeps its parameter."""

import pytest
import torch
from asserts import assert_close, assert_refused
from cases import DTYPES

from pwlact.pwl import Knots, PiecewiseLinearActivation, pwl_reference
from pwlact.pwl.calculus import antiderivative, derivative, inverse
from pwlact.pwl.histogram import InputHistogram
from pwlact.pwl.penalties import roughness, total_variation
from pwlact.pwl.pruning import prune
from pwlact.pwl.regrid import regrid

KNOTS = Knots(9, -2.0, 2.5)
SHARINGS = [{}, {"channels": 6}, {"channels": 6, "groups": 2}]


def made(dtype=torch.float64, knots=KNOTS, **sharing):
    activation = PiecewiseLinearActivation(knots, channel_dim=-1, **sharing).to(dtype)
    steps = torch.rand(activation.values.shape, dtype=torch.float64) + 0.3
    activation.values.data = (steps.cumsum(-1) - 2).to(dtype)
    return activation


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("sharing", SHARINGS, ids=str)
def test_calculus_is_that_of_its_functions(sharing, dtype):
    activation = made(dtype, **sharing)
    x = torch.randn(4, 5, 6).to(dtype)
    for name, function in {"derivative": derivative, "antiderivative": antiderivative, "inverse": inverse}.items():
        found = getattr(activation, name)(x)
        assert found.dtype == dtype
        assert torch.equal(found, function(x, activation.values, KNOTS, -1))


@pytest.mark.parametrize("sharing", SHARINGS, ids=str)
def test_calculus_agrees_with_forward(sharing):
    activation = made(**sharing)
    x = torch.randn(4, 5, 6, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(activation(x).sum(), x)
    assert_close(activation.derivative(x).detach(), slope)
    (value,) = torch.autograd.grad(activation.antiderivative(x).sum(), x)
    assert_close(value, activation(x).detach())
    assert_close(activation.inverse(activation(x)).detach(), x.detach(), rtol=1e-11)


@pytest.mark.parametrize("sharing", SHARINGS, ids=str)
def test_penalties_are_one_number_a_function_and_learn(sharing):
    activation = made(**sharing)
    assert torch.equal(activation.total_variation(), total_variation(activation.values, KNOTS))
    assert torch.equal(activation.roughness(), roughness(activation.values))
    assert activation.roughness().shape == activation.values.shape[:-1]
    (activation.total_variation() + activation.roughness()).sum().backward()
    assert activation.values.grad.abs().amax(-1).min() > 0


@pytest.mark.parametrize("sharing", SHARINGS, ids=str)
def test_pruning_is_row_by_row_and_reads_only(sharing):
    activation = made(**sharing)
    before = activation.values.detach().clone()
    pruned = activation.prune(0.2)
    rows = (pruned,) if not sharing else pruned
    assert len(rows) == activation.values.reshape(-1, 9).shape[0]
    for found, row in zip(rows, before.reshape(-1, 9), strict=True):
        expected = prune(row, KNOTS, 0.2)
        assert torch.equal(found.positions, expected.positions)
        assert torch.equal(found.values, expected.values)
    assert torch.equal(activation.values, before)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("sharing", SHARINGS, ids=str)
def test_pruned_functions_written_back_keep_tolerance_and_tails(sharing, dtype):
    activation = made(dtype, **sharing)
    before, parameter = activation.values.detach().clone().double(), activation.values
    pruned = activation.prune(0.25, write=True)
    assert activation.values is parameter
    after = activation.values.detach().double()
    rounding = 4 * torch.finfo(dtype).eps * before.abs().max().item()
    assert (after - before).abs().max() <= 0.25 + rounding
    torch.testing.assert_close(after.diff()[..., 0], before.diff()[..., 0], rtol=0, atol=rounding)
    torch.testing.assert_close(after.diff()[..., -1], before.diff()[..., -1], rtol=0, atol=rounding)
    x = torch.linspace(-9, 9, 101, dtype=torch.float64)
    for function, row in zip((pruned,) if not sharing else pruned, after.reshape(-1, 9), strict=True):
        torch.testing.assert_close(
            function(x),
            pwl_reference(x, row, KNOTS.low, KNOTS.high),
            rtol=8 * torch.finfo(dtype).eps,
            atol=8 * rounding,
        )
    assert not torch.equal(after, before)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("sharing", SHARINGS, ids=str)
def test_more_knots_in_the_same_place_keep_the_function(sharing, dtype):
    activation = made(dtype, **sharing)
    parameter, before = activation.values, activation.values.detach().clone()
    error = activation.resize(17)
    assert activation.knots == Knots(17, -2.0, 2.5)
    assert activation.values is parameter
    assert activation.values.dtype == dtype
    assert activation.values.shape == (*before.shape[:-1], 17)
    assert torch.equal(activation.values[..., ::2], before)
    assert error <= torch.finfo(dtype).eps * before.abs().max()


def test_more_steps_on_either_side_keep_the_function():
    activation = made()
    x = torch.linspace(-8, 8, 301, dtype=torch.float64)
    before = activation(x).detach()
    h = KNOTS.spacing
    assert activation.set_range(-2 - 3 * h, 2.5 + 2 * h, count=14) < 1e-13
    assert_close(activation(x).detach(), before)


def test_set_range_keeps_the_number_and_tells_the_error():
    activation = made(channels=6)
    x = torch.linspace(-2, 2.5, 2001, dtype=torch.float64)[:, None].expand(-1, 6)
    before, parameter, y = activation(x).detach(), activation.values, activation.values.detach().clone()
    error = activation.set_range(-1.0, 1.3)
    assert activation.knots == Knots(9, -1.0, 1.3)
    assert activation.values is parameter
    assert_close(activation.values.detach(), regrid(y, KNOTS, activation.knots))
    assert error == pytest.approx((activation(x) - before).abs().max().item(), rel=1e-2)
    assert error > 0.01


def test_error_includes_the_rounding_to_the_type():
    activation = made(torch.bfloat16)
    before = activation.values.detach().clone()
    error = activation.resize(11)
    exact = regrid(before, KNOTS, activation.knots)
    assert error >= (activation.values.detach().double() - exact).abs().max() > 0


def test_regridding_to_the_same_knots_changes_nothing():
    activation = made()
    activation.roughness().backward()
    before = activation.values.detach().clone()
    assert activation.regrid(KNOTS) == 0.0
    assert torch.equal(activation.values, before)
    assert activation.values.grad is not None


@pytest.mark.parametrize("knots", [Knots(9, -1.0, 1.0), Knots(17, -2.0, 2.5)], ids=str)
def test_the_gradient_of_old_knots_is_dropped_and_new_ones_flow(knots):
    activation = made()
    activation.roughness().backward()
    activation.regrid(knots)
    assert activation.values.grad is None
    activation.roughness().backward()
    assert activation.values.grad.shape == (knots.count,)


@pytest.mark.parametrize("knots", [Knots(9, -1.0, 1.0), Knots(17, -2.0, 2.5)], ids=str)
def test_a_backward_pass_over_old_knots_is_refused_by_torch(knots):
    activation = made()
    loss = activation(torch.randn(5, 6, dtype=torch.float64, requires_grad=True)).sum()
    activation.regrid(knots)
    with pytest.raises(RuntimeError):
        loss.backward()


@pytest.mark.parametrize(
    ("change", "fragments"),
    [
        (lambda a: a.resize(1), ("knots", "1")),
        (lambda a: a.set_range(1.0, 1.0), ("low", "high")),
        (lambda a: a.set_range(0.0, 1.0, count=0), ("knots", "0")),
        (lambda a: a.realign(InputHistogram()), ("no finite input",)),
        (lambda a: a.prune(-1.0, write=True), ("tolerance", "-1.0")),
    ],
)
def test_bad_changes_are_refused_and_change_nothing(change, fragments):
    activation = made()
    before = activation.values.detach().clone()
    assert_refused(lambda: change(activation), *fragments)
    assert torch.equal(activation.values, before)
    assert activation.knots == KNOTS


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_projection_in_every_type(dtype):
    activation = made(dtype, channels=6)
    activation.values.data.normal_()
    assert activation.project_(monotone="increasing", lipschitz=0.5) is activation
    assert activation.values.dtype == dtype
    assert (activation.values.diff(dim=-1) >= 0).all()
    assert (activation.values[..., 0] == 0).all()
    slopes = activation.values.detach().double().diff(dim=-1) / KNOTS.spacing
    assert slopes.max() <= 0.5 + 8 * torch.finfo(dtype).eps
