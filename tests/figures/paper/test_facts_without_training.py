"""What the figures that need no training say is true: facts that the paper quotes."""

import numpy as np
import pytest
from paper_figures import small
from scipy.integrate import quad
from scipy.stats import norm

from pwlact_figures.paper import (
    beyond_gaussian,
    certificate,
    common_activations,
    correlations_against_activation,
    knots_study,
    noise_and_classes,
    objective_at_work,
    regimes,
    setup_diagrams,
    tails,
    unit_results,
)


def test_relu_reward_agrees_with_quadrature_of_another_library() -> None:
    data = small(common_activations)
    means, sigma = np.array(data["means"]), np.sqrt(0.5)
    by_class = [quad(lambda x, m=m: x * norm.pdf(x, m, sigma), 0, 12)[0] for m in means]
    squares = [quad(lambda x, m=m: x * x * norm.pdf(x, m, sigma), 0, 12)[0] for m in means]
    mean, p = np.mean(by_class), 1 / len(means)
    rho = p * (np.array(by_class) - mean) / np.sqrt((np.mean(squares) - mean**2) * p * (1 - p))
    assert data["rewards"]["relu"] == pytest.approx((rho * abs(rho)).sum(), abs=1e-9)


def test_odd_activations_earn_nothing_and_none_beats_the_optimum() -> None:
    data = small(common_activations)
    assert abs(data["rewards"]["tanh"]) < 1e-12
    assert abs(data["rewards"]["sigmoid"]) < 1e-12
    assert max(data["rewards"].values()) < data["optimum_reward"]
    assert data["shares"]["gelu"] == pytest.approx(data["rewards"]["gelu"] / data["optimum_reward"])
    np.testing.assert_allclose(np.trapezoid(np.array(data["densities"]).sum(0), data["x"]), 1, atol=0.01)


def test_budget_is_zero_and_the_plain_sum_is_not() -> None:
    data = small(objective_at_work)
    rho = np.array(data["rho"])
    assert (rho * abs(rho)).sum() == pytest.approx(data["reward"])
    assert data["gained"] - data["paid"] == pytest.approx(data["reward"])
    assert data["gaining"] + data["paying"] == data["classes"]
    assert data["reward"] == pytest.approx(0.12368, abs=5e-6)
    for budget in data["budgets"].values():
        p, rho = np.array(budget["priors"]), np.array(budget["rho"])
        assert abs((np.sqrt(p * (1 - p)) * rho).sum()) < 1e-12
        assert abs(budget["weighted"]["sum"]) < 1e-12
        assert budget["plain"]["sum"] == pytest.approx(rho.sum())
        assert budget["plain"]["positive"] + budget["plain"]["negative"] == pytest.approx(rho.sum())
    unequal = data["budgets"]["unequal"]
    assert abs(unequal["plain"]["sum"]) > 0.1
    assert unequal["priors"][0] / unequal["priors"][-1] == pytest.approx(data["skew"])


def test_posterior_form_is_f_and_the_integral_is_not() -> None:
    data = small(correlations_against_activation)
    f, form = np.array(data["f"]), np.array(data["posterior_form"])
    np.testing.assert_allclose(form, f, atol=1e-6)
    assert data["posterior_error"] < 1e-6
    assert data["knots_error"] < 0.05
    inside = np.array(data["inside"])
    there = np.interp(inside, data["x"], f)
    left = ((there - data["integral"]) ** 2).sum() / ((there - there.mean()) ** 2).sum()
    assert data["integral_r2"] == pytest.approx(1 - left, abs=2e-3)
    assert data["integral_r2"] < 0.1


def test_tail_decays_as_predicted_away_from_the_bend() -> None:
    data = small(correlations_against_activation)
    tail, far = data["tail"], data["tail"]["far"]
    assert far["b"] == pytest.approx(far["b_predicted"], rel=0.03)
    assert far["a"] == pytest.approx(far["a_predicted"], rel=0.03)
    sigma = data["measured"]["sigma"]
    assert far["b_predicted"] == pytest.approx(sigma * data["measured"]["b_predicted"])
    deviation, fitted = np.array(tail["deviation"]), np.array(tail["fitted"])
    rest = ((deviation - fitted) ** 2).sum() / ((deviation - deviation.mean()) ** 2).sum()
    assert 1 - rest == pytest.approx(data["measured"]["tail_r2"], abs=1e-9)
    assert 0.99 < tail["predicted_r2"] <= data["measured"]["tail_r2"]
    u = np.array(tail["left"])
    np.testing.assert_allclose(np.diff(u), np.diff(u)[0])
    assert u.max() < -0.5
    ramp = np.interp(tail["right"], tail["u"], tail["rho"])
    rest = ((ramp - tail["ramp"]) ** 2).sum() / ((ramp - ramp.mean()) ** 2).sum()
    assert 1 - rest == pytest.approx(data["measured"]["ramp_r2"], abs=1e-9)


def test_two_classes_have_no_reward_and_energy_gives_the_posterior() -> None:
    two = small(unit_results)["two"]
    assert two["signed"]["reward"] == 0.0
    assert two["signed"]["degenerate"]
    assert two["signed"]["values"] == [max(x, 0.0) for x in two["signed"]["knots"]]
    assert two["posterior_r2"] > 0.99999
    np.testing.assert_allclose(two["energy_as_posterior"], two["posterior"], atol=0.01)


def test_sweep_has_the_published_rows_and_solvers_agree() -> None:
    data = small(unit_results)
    rewards = {sigma: found["reward"] for sigma, found in data["sweep"].items()}
    assert rewards == pytest.approx({"0.6": 0.25582, "1": 0.12368, "10": 0.00032}, abs=5e-6)
    assert data["twenty"]["swish"]["beta"] == pytest.approx(2.5, abs=5e-3)
    assert data["twenty"]["swish"]["r2"] == pytest.approx(0.9946, abs=5e-5)
    bowl = data["sweep"]["10"]["values"]
    assert bowl[0] > min(bowl) + 0.25 * (max(bowl) - min(bowl))
    for found in data["solvers"].values():
        assert found["steps"][-1] == 40
        assert found["shortfall"][-1] == pytest.approx(1 - found["reward"] / data["twenty"]["reward"], abs=1e-9)
        assert 0 < found["shortfall"][-1] < 0.01 < found["shortfall"][0]
        assert found["r2"] > 0.99
    assert data["solvers"]["analytic"]["samples"] is None


def test_set_up_shows_a_solved_unit() -> None:
    data = small(setup_diagrams)
    assert len(data["values"]) == len(data["knots"]) == data["knot_count"]
    assert (data["knots"][0], data["knots"][-1]) == (data["low"], data["high"])
    assert len(data["densities"]) == len(data["rho"]) == data["classes"]
    assert abs(sum(data["rho"])) < 1e-12


def test_map_counts_its_own_rows() -> None:
    data = small(noise_and_classes)
    rows = data["rows"]
    assert data["pairs"] == len(rows) == 7 * 6
    assert data["identifiable"] == sum(row["identifiable"] for row in rows) < data["pairs"]
    assert data["at_bound"] == sum(row["at_bound"] != [] for row in rows) > 0
    assert data["best"]["r2"] == max(row["r2"] for row in rows if row["identifiable"])


def test_knots_close_in_on_the_optimum() -> None:
    data = small(knots_study)
    for study in data["studies"]:
        ratios = [row["ratio"] for row in study["rows"]]
        assert ratios == sorted(ratios)
        assert ratios[-1] < 1
    assert data["optimum"] == pytest.approx(0.282240, abs=5e-7)
    assert data["default"]["reward"] == pytest.approx(0.281975, abs=5e-7)
    assert data["default"]["knots"] == 33
    assert data["order"] == pytest.approx(4, abs=0.1)


def test_regimes_come_in_order_with_an_example_each() -> None:
    data = small(regimes)
    assert [(change["from"], change["to"]) for change in data["changes"]] == [("spike", "ramp"), ("ramp", "bowl")]
    sigmas = [row["sigma"] for row in data["rows"] if row["regime"] == "ramp"]
    assert data["changes"][0]["sigma"] < min(sigmas) <= max(sigmas) < data["changes"][1]["sigma"]
    assert [example["regime"] for example in data["examples"]] == ["spike", "ramp", "bowl"]


def test_certificate_agrees_with_the_enumeration() -> None:
    data = small(certificate)
    assert data["patterns"] == 2 ** data["classes"] == len(data["cases"][0]["rewards"])
    for case in data["cases"]:
        assert case["optima"][0] == max(case["rewards"])
        assert case["optima"][0] == pytest.approx(case["certified_reward"], rel=1e-9)
        assert case["solver_reward"] == pytest.approx(case["certified_reward"], rel=1e-9)
        assert len(case["optima"]) == case["certified_optima"]
        assert case["global_optima"] == 2
        assert [case["rewards"][rank - 1] for rank in case["ranks"]] == case["optima"]
        assert case["margin"] == pytest.approx(1 - case["optima"][2] / case["optima"][0])
        assert 0 < case["margin"] < 1


def test_tails_and_families_quote_their_own_rows() -> None:
    data = small(tails)
    for row in data["rows"]:
        assert row["b_excess"] == pytest.approx(row["b"] / row["b_predicted"] - 1)
        assert abs(row["b_excess"]) < 0.15
    assert data["ranges"]["a_excess"] == [f(row["a_excess"] for row in data["rows"]) for f in (min, max)]
    assert data["ranges"]["ramp_r2"][0] > 0.99

    data = small(beyond_gaussian)
    means = [row["r2_mean"] for row in data["rows"][1:]]
    assert (data["least_mean"], data["most_mean"]) == (min(means), max(means))
    for row in data["rows"]:
        assert row["n"] == len(row["draws"])
        assert row["r2_mean"] == pytest.approx(np.mean([draw["r2"] for draw in row["draws"]]))
