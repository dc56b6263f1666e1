"""How near a layer is to its own optimum: known inputs, and whole runs."""

import pytest
import torch

from pwlact import PiecewiseLinearActivation
from pwlact.checks import InputError
from pwlact.correlation import ESTIMATORS, Problem, solve_eigen
from pwlact.correlation.statistics import HatStatistics
from pwlact.experiments.inspection import optimality
from pwlact.experiments.inspection.optimality import agreement, compare, optimum
from pwlact.moments import GaussianMixture
from pwlact.pwl import Knots

KNOTS = Knots(17, -3.0, 3.0)
KEYS = {"name", "functions", "reward", "relu", "silu", "optimum", "share", "r2", "swish_r2", "optimum_swish_r2"}


@pytest.fixture
def statistics() -> HatStatistics:
    """Of two channels that see ten classes, the second with less noise."""
    module = PiecewiseLinearActivation(KNOTS)
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(10, (4000,), generator=generator)
    means = torch.linspace(-1.2, 1.2, 10)[labels][:, None]
    noise = torch.tensor([0.8, 0.5])
    x = means + noise * torch.randn(4000, 2, generator=generator)
    summary = ESTIMATORS["sample"].summarise(x[:, None], labels, 10, module.knots)
    return ESTIMATORS["sample"].statistics(summary, module.knots).double()


def test_the_optimum_of_one_channel_is_the_exact_solvers() -> None:
    module = PiecewiseLinearActivation(KNOTS)
    statistics = HatStatistics.from_mixture(GaussianMixture.standardised(8, 1.0), module.knots)
    exact = solve_eigen(Problem(statistics, module.knots))
    one_channel = HatStatistics(
        statistics.counts[None], statistics.sums[None], statistics.squares[None], statistics.neighbours[None]
    )
    found = compare(module, one_channel)
    assert found["optimum"] == pytest.approx(exact.reward.item(), rel=1e-3)
    assert found["optimum"] <= exact.reward.item() * (1 + 1e-9)


@pytest.mark.parametrize("name", ["local", "channel", "silu"])
def test_no_activation_beats_the_optimum_of_its_layer(runs, name: str) -> None:
    record = optimality(runs[name], images=100)
    assert record["n"] == 100
    assert record["epoch"] == runs[name].last
    for layer in record["layers"]:
        assert set(layer) == KEYS
        for other in ("reward", "relu", "silu"):
            assert layer[other] <= layer["optimum"] + 1e-9
        assert 0 <= layer["r2"] <= 1 + 1e-9


def test_the_optimum_itself_has_share_one_and_agrees(statistics: HatStatistics) -> None:
    module = PiecewiseLinearActivation(KNOTS)
    first = compare(module, statistics)
    assert first["share"] < 0.999
    best = optimum(module.values.detach().double()[None], [], statistics)
    with torch.no_grad():
        module.values.copy_(best[0])
    second = compare(module, statistics)
    assert second["share"] == pytest.approx(1, abs=1e-4)
    assert second["r2"] == pytest.approx(1, abs=1e-3)
    assert second["reward"] == pytest.approx(first["optimum"], rel=1e-4)


def test_the_optimum_is_found_from_the_wrong_side(statistics: HatStatistics) -> None:
    t = torch.linspace(-3, 3, 17, dtype=torch.float64)
    right, wrong = torch.relu(t)[None], torch.relu(-t)[None]
    from_right = compare_reward(optimum(right, [], statistics), statistics)
    from_both = compare_reward(optimum(wrong, [right], statistics), statistics)
    assert from_both >= from_right * (1 - 1e-9)


def compare_reward(values: torch.Tensor, statistics: HatStatistics) -> float:
    module = PiecewiseLinearActivation(KNOTS)
    with torch.no_grad():
        module.values.copy_(values[0])
    return compare(module, statistics)["reward"]


def test_agreement_sees_neither_shift_nor_scale_but_the_side(statistics: HatStatistics) -> None:
    generator = torch.Generator().manual_seed(1)
    a, b = torch.randn(2, 1, 17, generator=generator, dtype=torch.float64)
    r2 = agreement(a, b, statistics)
    torch.testing.assert_close(agreement(3 * a - 7, 0.1 * b + 2, statistics), r2)
    assert agreement(a, -a, statistics).item() == 0
    assert agreement(a, a, statistics).item() == pytest.approx(1)
    assert 0 <= r2.item() < 1


def test_the_same_seed_gives_the_same_record(runs) -> None:
    assert optimality(runs["local"], images=60, seed=3) == optimality(runs["local"], images=60, seed=3)


def test_too_few_images_are_refused(runs) -> None:
    with pytest.raises(InputError, match="images must be a whole number of at least 20"):
        optimality(runs["local"], images=19)
