"""Directions of the learner: slopes against autograd of the written-out objective, eigen steps that never lose."""

import pytest
import torch
from asserts import assert_close
from cases import MIXTURES
from learning import CLASSES, cloud_statistics, clouds, objective, written_out

from pwlact.correlation import HatStatistics, Problem, ascent, solve_eigen
from pwlact.moments import GaussianMixture
from pwlact.pwl import Knots

KNOTS = Knots(9, -2.0, 2.0)
OBJECTIVES = ["signed", "energy"]
# name -> (functions, channels)
SHARINGS = {"one": (None, 1), "shared": (None, 4), "own": (4, 4), "groups": (2, 6), "one group": (1, 3)}


def start(functions, knots=KNOTS, dtype=torch.float64):
    """ReLU and a little of its own for each function, left knots at 0."""
    y = knots.positions().relu() if functions is None else knots.positions().relu().repeat(functions, 1)
    y = y + 0.1 * torch.randn(y.shape, dtype=torch.float64)
    return (y - y[..., :1]).to(dtype)


@pytest.fixture(params=SHARINGS)
def sharing(request):
    return SHARINGS[request.param]


# --- slopes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("smoothness", [0.0, 0.07, 3.0], ids=str)
def test_slope_is_autograd_of_the_written_out_objective(sharing, name, smoothness):
    functions, channels = sharing
    x, labels = clouds(1, channels, n=200)
    y = start(functions).requires_grad_()
    j = written_out(y, x, labels, KNOTS, name, smoothness)
    (expected,) = torch.autograd.grad(j, y)
    statistics = HatStatistics.from_samples(x, labels, CLASSES, KNOTS)
    slope, mean_reward = ascent.gradient(y.detach(), statistics, name, smoothness)
    assert (slope.shape, slope.dtype) == (y.shape, y.dtype)
    assert not slope.requires_grad
    assert (slope - expected).abs().max() < 2e-5 * expected.abs().max()  # y is taken in float32
    assert mean_reward.item() == pytest.approx(written_out(y, x, labels, KNOTS, name).item(), rel=1e-5)


def test_slope_on_float32_statistics(sharing):
    functions, channels = sharing
    x, labels = clouds(2, channels, n=200, dtype=torch.float32)
    y = start(functions).requires_grad_()
    (expected,) = torch.autograd.grad(written_out(y, x, labels, KNOTS, "signed", 0.05), y)
    statistics = HatStatistics.from_samples(x, labels, CLASSES, KNOTS)
    slope, _ = ascent.gradient(y.detach().float(), statistics, "signed", 0.05)
    assert (slope.double() - expected).abs().max() < 1e-3 * expected.abs().max()


def test_slope_with_an_absent_class():
    x, labels = clouds(3, 2, classes=3, n=200)
    y = start(None).requires_grad_()
    (expected,) = torch.autograd.grad(written_out(y, x, 2 * labels, KNOTS), y)
    statistics = HatStatistics.from_samples(x, 2 * labels, 5, KNOTS)
    slope, _ = ascent.gradient(y.detach(), statistics, "signed", 0.0)
    assert (slope - expected).abs().max() < 2e-5 * expected.abs().max()


@pytest.mark.parametrize("name", OBJECTIVES)
def test_flat_and_constant_channels_have_no_slope(name):
    x, labels = clouds(4, 3)
    x[1] = 0.3711
    x[2] = -1 - x[2].abs()  # ReLU is flat there
    y = KNOTS.positions().relu()
    statistics = HatStatistics.from_samples(x, labels, CLASSES, KNOTS)
    slope, mean_reward = ascent.gradient(y, statistics, name, 0.0)
    alone, its_reward = ascent.gradient(y, HatStatistics.from_samples(x[:1], labels, CLASSES, KNOTS), name, 0.0)
    assert_close(slope, alone / 3, rtol=1e-4, atol=1e-6)
    assert_close(mean_reward.double(), its_reward.double() / 3, rtol=1e-4)


# --- eigen steps: where they lead -----------------------------------------------------------------------------


def iterate(y, statistics, name, smoothness, rate=1.0, steps=8):
    """Relaxed steps as the learner takes them; the values on the way."""
    size, way = y.norm(dim=-1, keepdim=True), [y]
    for _ in range(steps):
        y = y + rate * (ascent.optimum(y, statistics, name, smoothness)[0] - y)
        y = y - y[..., :1]
        y = y * size / y.norm(dim=-1, keepdim=True)
        way.append(y)
    return way


def of_mixture(case):
    made = GaussianMixture(*(torch.as_tensor(part, dtype=torch.float64)[None] for part in case))
    return HatStatistics.from_mixture(made, KNOTS)


@pytest.mark.parametrize("mixture", MIXTURES)
def test_one_channel_without_smoothness_ends_at_the_exact_optimum_of_energy(mixture):
    statistics = of_mixture(MIXTURES[mixture])
    exact = solve_eigen(Problem(statistics, KNOTS, objective="energy")).reward
    reached = iterate(start(None), statistics, "energy", 0.0, steps=3)[-1]
    assert objective(reached, statistics, "energy").item() == pytest.approx(exact.item(), rel=1e-3)  # the ridge


@pytest.mark.parametrize("classes", [3, 5, 20])
@pytest.mark.parametrize("sigma", [0.3, 1.0])
def test_one_channel_without_smoothness_ends_at_the_exact_optimum(classes, sigma):
    made = GaussianMixture.standardised(classes, sigma)
    statistics = of_mixture((made.means, made.sigmas, made.priors))
    exact = solve_eigen(Problem(statistics, KNOTS)).reward
    reached = iterate(start(None), statistics, "signed", 0.0, steps=3)[-1]
    assert objective(reached, statistics).item() == pytest.approx(exact.item(), rel=1e-3)


@pytest.mark.parametrize("smoothness", [0.0, 0.05], ids=str)
@pytest.mark.parametrize("name", OBJECTIVES)
def test_ends_where_a_patient_climber_does(sharing, name, smoothness):
    functions, channels = sharing
    statistics = cloud_statistics(5, channels, KNOTS)
    y = start(functions)
    size = y.norm(dim=-1, keepdim=True)
    reached = objective(iterate(y, statistics, name, smoothness)[-1], statistics, name, smoothness)
    climber = torch.nn.Parameter(y.clone())
    adam = torch.optim.Adam([climber], lr=2e-2)
    for _ in range(200):
        climber.grad = -ascent.gradient(climber, statistics, name, smoothness)[0]
        adam.step()
        with torch.no_grad():
            climber -= climber[..., :1].clone()
            climber *= size / climber.norm(dim=-1, keepdim=True)
    before = objective(y, statistics, name, smoothness)
    climbed = objective(climber.detach(), statistics, name, smoothness)
    assert climbed > before + 0.01
    assert reached > climbed - 0.02 * (climbed - before)


@pytest.mark.parametrize(("name", "smoothness"), [("signed", 0.0), ("signed", 0.05), ("energy", 1.0)])
def test_a_whole_step_never_lowers_the_objective_of_any_function(sharing, name, smoothness):
    functions, channels = sharing
    for seed in range(3):
        statistics = cloud_statistics(seed, channels, KNOTS)
        way = iterate(start(functions), statistics, name, smoothness)
        steps = torch.stack([objective(y, statistics, name, smoothness) for y in way]).diff()
        assert steps.min() > -1e-12
        assert steps.sum() > 1e-3


@pytest.mark.parametrize("rate", [0.03, 0.3])
@pytest.mark.parametrize("smoothness", [0.0, 0.05], ids=str)
def test_a_part_of_a_step_does_not_lower_it_either(sharing, rate, smoothness):
    functions, channels = sharing
    for seed in range(3):
        statistics = cloud_statistics(seed, channels, KNOTS)
        way = iterate(start(functions), statistics, "signed", smoothness, rate)
        steps = torch.stack([objective(y, statistics, "signed", smoothness) for y in way]).diff()
        assert steps.min() > -1e-6
        assert steps.sum() > 1e-3


# --- eigen steps: what they keep ------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_left_knot_norm_shape_and_type_are_kept(sharing, dtype):
    functions, channels = sharing
    y = start(functions, dtype=dtype) + 0.7  # not anchored
    y = y * torch.linspace(1, 3, y.shape[0])[:, None].to(dtype) if y.ndim == 2 else y
    before = y.clone()
    best, mean_reward = ascent.optimum(y, cloud_statistics(6, channels, KNOTS), "signed", 0.05)
    assert torch.equal(y, before)
    assert (best.shape, best.dtype, mean_reward.dtype) == (y.shape, dtype, dtype)
    assert (best - y).abs().max() > 0.05
    assert_close(best[..., 0], y[..., 0])
    assert_close((best - best[..., :1]).norm(dim=-1), (y - y[..., :1]).norm(dim=-1))


def test_reported_reward_is_that_of_the_values_given(sharing):
    functions, channels = sharing
    y, statistics = start(functions), cloud_statistics(7, channels, KNOTS)
    for name in OBJECTIVES:
        expected = objective(y, statistics, name)
        assert_close(ascent.optimum(y, statistics, name, 0.5)[1], expected)
        assert_close(ascent.gradient(y, statistics, name, 0.5)[1].double(), expected, rtol=1e-4, atol=1e-6)


def test_functions_of_other_groups_do_not_matter():
    x, labels = clouds(8, 4)
    y = start(2)
    both, _ = ascent.optimum(y, HatStatistics.from_samples(x, labels, CLASSES, KNOTS), "signed", 0.05)
    for g in range(2):
        part = HatStatistics.from_samples(x[2 * g : 2 * g + 2], labels, CLASSES, KNOTS)
        assert_close(both[g], ascent.optimum(y[g], part, "signed", 0.05)[0], rtol=1e-6)


# --- eigen steps: hard statistics -----------------------------------------------------------------------------


@pytest.mark.parametrize("count", [2, 3, 33, 257])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("smoothness", [0.0, 0.05], ids=str)
def test_all_inputs_in_one_segment(count, dtype, smoothness):
    knots = Knots(count, -3.0, 3.0)
    x, labels = clouds(9, 3, dtype=dtype)
    y = knots.positions().relu().to(dtype)
    statistics = HatStatistics.from_samples(1.01 + 1e-3 * x, labels, CLASSES, knots)
    for reached in iterate(y, statistics, "signed", smoothness, 0.5, steps=5):
        assert reached.isfinite().all()
        assert_close(reached.norm(), y.norm())


def test_knots_without_mass_stay_in_range_and_bridge_if_smooth():
    x, labels = clouds(10, 1)
    x = (x * 0.1).clamp(-0.4, 0.4)  # two segments of nine
    statistics = HatStatistics.from_samples(x, labels, CLASSES, KNOTS)
    y = iterate(start(None), statistics, "signed", 0.05)[-1]
    seen = slice(2, 7)
    bends = y.diff(n=2).abs()
    # the tails go on as they came
    assert bends[[0, 6]].max() < 0.1 * y.diff()[seen].abs().max()
    free = iterate(start(None), statistics, "signed", 0.0)[-1]
    assert free.isfinite().all()
    assert objective(free, statistics) >= objective(y, statistics) - 1e-6


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_a_channel_that_tells_nothing_has_no_vote(dtype):
    x, labels = clouds(11, 3, dtype=dtype)
    y = KNOTS.positions().relu().to(dtype)
    alone = ascent.optimum(y, HatStatistics.from_samples(x[:1], labels, CLASSES, KNOTS), "signed", 0.0, 1)[0]
    x[1] = 0.3711  # constant
    x[2] = -1 - x[2].abs()  # ReLU is flat there
    among = ascent.optimum(y, HatStatistics.from_samples(x, labels, CLASSES, KNOTS), "signed", 0.0, 1)[0]
    assert_close(among, alone, rtol=1e-2)
    assert (alone - y).abs().max() > 0.05


@pytest.mark.parametrize("present", [[2], [0, 4], [0, 2, 3]], ids=str)
@pytest.mark.parametrize("smoothness", [0.0, 0.05], ids=str)
def test_absent_classes(present, smoothness):
    x, labels = clouds(12, 2, classes=len(present))
    y = start(None)
    whole = ascent.optimum(y, HatStatistics.from_samples(x, labels, len(present), KNOTS), "energy", smoothness)[0]
    gaps = HatStatistics.from_samples(x, torch.tensor(present)[labels], 5, KNOTS)
    assert_close(ascent.optimum(y, gaps, "energy", smoothness)[0], whole, rtol=1e-3)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_one_class_alone_moves_nothing(name):
    x, _ = clouds(13, 2)
    only = HatStatistics.from_samples(x, torch.zeros(1000, dtype=torch.int64), CLASSES, KNOTS)
    y = start(None)
    assert torch.equal(ascent.optimum(y, only, name, 0.0)[0], y)
    assert torch.equal(ascent.gradient(y, only, name, 0.0)[0], torch.zeros_like(y))


def test_a_loss_that_cannot_be_mended_does_not_end_in_a_flat_function():
    """On one segment only slopes of one sign are left; knots without mass could make f flat, which R = 0 rewards."""
    knots = Knots(3, -2.0, 2.0)
    x, labels = clouds(16, 1)
    statistics = HatStatistics.from_samples((0.2 * x - 1).clamp(-1.9, -0.1), labels, CLASSES, knots)
    y = torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64)
    y = -y if objective(y, statistics) > 0 else y
    assert objective(y, statistics) < -1e-3
    best, _ = ascent.optimum(y, statistics, "signed", 0.0)
    assert statistics.variance(best).min() > 0.1 * statistics.variance(y).min()


@pytest.mark.parametrize("bad", [torch.nan, torch.inf], ids=str)
def test_statistics_that_are_not_finite_give_nan_and_no_exception(bad):
    x, labels = clouds(14, 4)
    x[1, 5] = bad
    statistics = HatStatistics.from_samples(x, labels, CLASSES, KNOTS)
    shared = start(None)
    assert ascent.optimum(shared, statistics, "signed", 0.05)[0].isnan().all()
    own = ascent.optimum(start(2), statistics, "signed", 0.05)[0]
    assert own[0].isnan().all()
    assert own[1].isfinite().all()


def test_a_stiff_penalty_makes_lines():
    statistics = cloud_statistics(15, 2, KNOTS)
    y = iterate(start(None), statistics, "signed", 1e6)[-1]
    assert y.diff(n=2).abs().max() < 1e-3 * y.diff().abs().max()


def test_spread_repeats_each_function_for_its_neighbours():
    y = torch.randn(2, 9)
    assert torch.equal(ascent.spread(y, 6), y[[0, 0, 0, 1, 1, 1]])
    assert torch.equal(ascent.spread(y, 2), y)
    assert torch.equal(ascent.spread(y[0], 3), y[[0, 0, 0]])
