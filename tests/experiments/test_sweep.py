"""The sweep and the study of knots: batched results against single ones, golden numbers, parsing."""

import json
import math

import numpy as np
import pytest
import torch
from asserts import assert_refused

from pwlact.correlation import HatStatistics, Problem, solve_eigen
from pwlact.experiments import knots_study
from pwlact.experiments.knots_study import KnotsConfig
from pwlact.experiments.sweep import SweepConfig, parse_classes, parse_sigmas, run, standardised_mixtures
from pwlact.files import to_json
from pwlact.moments import GaussianMixture
from pwlact.pwl import Knots
from pwlact.swish import fit_swish

KEYS = {
    "classes",
    "sigma",
    "reward",
    "beta",
    "x0",
    "scale",
    "offset",
    "r2",
    "at_bound",
    "identifiable",
    "degenerate",
}


def alone(classes, sigma, config):
    statistics = HatStatistics.from_mixture(GaussianMixture.standardised(classes, sigma), config.grid)
    solution = solve_eigen(Problem(statistics, config.grid, config.objective, config.smoothness))
    return solution.reward.item(), fit_swish(config.grid.positions().numpy(), solution.values.numpy())


@pytest.mark.parametrize(
    ("objective", "smoothness", "grid"),
    [("signed", 0.0, (33, -3.0, 3.0)), ("energy", 0.0, (33, -3.0, 3.0)), ("signed", 1e-3, (17, -4.0, 2.0))],
    ids=["signed", "energy", "smooth"],
)
def test_batched_is_what_each_problem_gives_alone(objective, smoothness, grid):
    config = SweepConfig((3, 8, 20), (0.3, 0.7, 1.0, 1.5, 4.0), objective, *grid, smoothness)
    rows = run(config)["rows"]
    assert [(row["classes"], row["sigma"]) for row in rows] == [(k, s) for k in (3, 8, 20) for s in config.sigmas]
    sure = 0
    for row in rows:
        reward, fit = alone(row["classes"], row["sigma"], config)
        assert row["reward"] == pytest.approx(reward, rel=1e-9)
        assert row["r2"] >= fit.r2 - 1e-6
        assert row["identifiable"] == fit.identifiable
        if fit.identifiable:
            sure += 1
            assert row["beta"] == pytest.approx(fit.beta, rel=1e-4)
            assert row["x0"] == pytest.approx(fit.x0, abs=1e-4)
            assert row["scale"] == pytest.approx(fit.scale, rel=1e-3)
            assert row["at_bound"] == []
    assert sure >= 3


def test_narrow_classes_whose_pattern_cycles_reach_the_optimum_too():
    config = SweepConfig((7, 8, 9), (0.1, 0.1, 0.11))
    for row in run(config)["rows"]:
        reward, _ = alone(row["classes"], row["sigma"], config)
        assert row["reward"] == pytest.approx(reward, rel=1e-9)


def test_headline():
    (row,) = run(SweepConfig((20,), (1.0,)))["rows"]
    assert row["reward"] == pytest.approx(0.12368, abs=5e-6)
    assert row["beta"] == pytest.approx(2.50, abs=0.01)
    assert row["x0"] == pytest.approx(0.27, abs=0.01)
    assert row["r2"] == pytest.approx(0.9946, abs=5e-5)


def test_two_classes_are_degenerate_under_signed_only():
    signed, energy = (run(SweepConfig((2,), (1.0,), objective))["rows"][0] for objective in ("signed", "energy"))
    assert signed.keys() == energy.keys() == KEYS
    assert (signed["degenerate"], signed["reward"]) == (True, 0.0)
    assert [signed[name] for name in ("beta", "x0", "scale", "offset", "r2")] == [None] * 5
    assert not energy["degenerate"]
    assert energy["reward"] > 0.1


def test_a_broad_bowl_says_which_parameter_sits_at_a_bound():
    (row,) = run(SweepConfig((20,), (10.0,)))["rows"]
    assert row["at_bound"] == ["x0"]
    assert not row["identifiable"]


def test_record_is_json_and_progress_counts_problems():
    seen = []
    record = run(SweepConfig((2, 3, 4), (1.0, 2.0)), lambda done, total: seen.append((done, total)))
    assert seen == [(2, 6), (4, 6), (6, 6)]
    assert json.loads(to_json(record)).keys() == {"rows", "seconds", "config", "environment"}
    assert record["config"]["classes"] == (2, 3, 4)


def test_batched_mixtures_are_the_standardised_ones():
    sigmas = [0.1, 1.0, 30.0]
    batch = standardised_mixtures(7, torch.tensor(sigmas, dtype=torch.float64))
    for i, sigma in enumerate(sigmas):
        single = GaussianMixture.standardised(7, sigma)
        for name in ("means", "sigmas", "priors"):
            torch.testing.assert_close(getattr(batch, name)[i], getattr(single, name), rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize(
    ("settings", "fragment"),
    [
        ({"classes": ()}, "pairs"),
        ({"sigmas": ()}, "pairs"),
        ({"classes": (3, 1)}, "got 1"),
        ({"sigmas": (1.0, 0.0)}, "got 0.0"),
        ({"sigmas": (math.nan,)}, "nan"),
        ({"knots": 4}, "got 4"),
        ({"low": 3.0}, "low"),
        ({"smoothness": -1.0}, "-1.0"),
        ({"sigmas": tuple(range(1, 1002)), "classes": tuple(range(2, 102))}, "100,100"),
    ],
    ids=str,
)
def test_bad_settings_are_refused(settings, fragment):
    assert_refused(lambda: SweepConfig(**{"classes": (3,), "sigmas": (1.0,), **settings}), fragment)


def test_unknown_objective_is_refused(unchecked):
    assert_refused(lambda: SweepConfig((3,), (1.0,), "both"), "'both'")


@pytest.mark.parametrize(
    ("text", "counts"),
    [("20", (20,)), ("2,8,20", (2, 8, 20)), ("3:6", (3, 4, 5, 6)), (" 2, 4:5 ,4", (2, 4, 5))],
    ids=str,
)
def test_classes_are_read(text, counts):
    assert parse_classes(text) == counts


@pytest.mark.parametrize(
    "text", ["", "a,b", "3,", "2.5", "3:", ":3", "3:20:2", "20:3", "5:5", "1", "1:4", "-3", "0", "3;4"]
)
def test_bad_classes_are_refused(text):
    assert_refused(lambda: parse_classes(text), "classes")


def test_a_range_of_classes_that_cannot_be_meant_is_refused():
    assert_refused(lambda: SweepConfig(parse_classes("3:900000000"), (1.0,)), "pairs")


def test_sigmas_are_read():
    assert parse_sigmas("0.5,1, 2,1") == (0.5, 1.0, 2.0)
    levels = parse_sigmas("0.3:10:50")
    assert (len(levels), levels[0], levels[-1]) == (50, 0.3, 10.0)
    ratios = np.array(levels[1:]) / levels[:-1]
    np.testing.assert_allclose(ratios, (10 / 0.3) ** (1 / 49), rtol=1e-12)


@pytest.mark.parametrize(
    "text",
    ["", "a,b", "1,", "0", "-1", "nan", "inf", "0.3:10", "0.3:10:", "0.3:10:1", "0.3:10:2.5", "10:0.3:5", "1:1:3",
     "0:1:3", "-1:1:3", "1:2:3:4", "1:2:x", "0.3:10:50,1", "1:2:999999999"],
)  # fmt: skip
def test_bad_sigmas_are_refused(text):
    assert_refused(lambda: parse_sigmas(text), "sigma")


def test_knots_against_the_best_of_all_functions():
    record = knots_study.run(KnotsConfig())
    assert record["optimum"] == pytest.approx(0.282240, abs=2e-6)
    by_count = {row["knots"]: row for row in record["rows"]}
    assert list(by_count) == [5, 9, 17, 33, 65, 129]
    assert by_count[33]["reward"] == pytest.approx(0.281975, abs=2e-6)
    assert by_count[33]["ratio"] >= 0.999
    ratios = [row["ratio"] for row in record["rows"]]
    assert ratios == sorted(ratios)
    assert ratios[-1] <= 1
    json.loads(to_json(record))


def test_what_knots_lack_is_what_lies_beyond_them():
    wide = KnotsConfig(counts=(33, 65, 129), low=-8.0, high=8.0)
    lack = [1 - row["ratio"] for row in knots_study.run(wide)["rows"]]
    # piecewise-linear interpolation: the error of f falls as h^2, that of a reward at its optimum as h^4
    assert 0 < lack[-1] < 1e-5
    assert lack[0] / lack[1] == pytest.approx(16, rel=0.35)
    assert lack[1] / lack[2] == pytest.approx(16, rel=0.35)


@pytest.mark.parametrize(
    ("settings", "fragment"),
    [
        ({"classes": 2}, "energy"),
        ({"counts": ()}, "counts"),
        ({"counts": (33, 1)}, "got 1"),
        ({"sigma": 0.0}, "sigma"),
        ({"low": 5.0}, "low"),
        ({"means": (1.0, 0.0)}, "mean"),
    ],
    ids=str,
)
def test_bad_study_is_refused(settings, fragment):
    assert_refused(lambda: KnotsConfig(**settings), fragment)


def test_standardised_study_and_its_progress():
    seen = []
    record = knots_study.run(KnotsConfig(raw=False, counts=(33,)), lambda done, total: seen.append((done, total)))
    assert seen == [(1, 1)]
    assert record["rows"][0]["reward"] == pytest.approx(0.12368, abs=5e-6)
    assert record["rows"][0]["spacing"] == Knots().spacing
