"""`pwlact unit`'s experiment: certificates of every solver, own samples, the posterior solver."""

import numpy as np
import pytest
import torch
from asserts import assert_refused
from oracles import best_of_patterns, mixture_statistics, rayleigh_parts

from pwlact.correlation import solve_eigen
from pwlact.experiments import unit
from pwlact.experiments.unit import UnitConfig, run, run_on_samples
from pwlact.files import to_json

CERTIFICATE = {"certified", "global_reward", "gap", "patterns", "local_optima", "seconds"}


def exact(classes, sigma, low=-3.0, high=3.0, count=33):
    """Global optimum of evenly spaced raw classes by quadrature and enumeration."""
    means, priors = np.linspace(low, high, classes), np.full(classes, 1 / classes)
    statistics = mixture_statistics(means, np.full(classes, sigma), priors, np.linspace(-3, 3, count))
    return best_of_patterns(*rayleigh_parts(*statistics, priors))


def raw(solver, **more):
    return UnitConfig(5, 1.0, solver, knots=9, raw=True, certify=True, steps=60, samples=500, **more)


@pytest.mark.parametrize("solver", ["eigen", "posterior", "analytic", "sample"])
def test_certificate_of_every_solver(solver):
    record = run(raw(solver))
    certificate = record["certificate"]
    assert certificate.keys() == CERTIFICATE
    assert certificate["patterns"] == 32
    assert certificate["gap"] == pytest.approx(certificate["global_reward"] - record["reward"], abs=1e-15)
    assert record["certified"] is certificate["certified"]
    best = exact(5, 1.0, count=9)
    if solver == "posterior":
        assert certificate["global_reward"] > best  # of all functions, not of 9 knots
    else:
        assert certificate["global_reward"] == pytest.approx(best, rel=1e-9)
    # 60 steps of Adam are short of the optimum, and are told so
    assert certificate["certified"] == (solver in {"eigen", "posterior"})
    assert (certificate["gap"] > 1e-9) == (solver in {"analytic", "sample"})
    to_json(record)


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("solver", ["eigen", "posterior", "analytic"])
def test_energy_has_one_pattern_to_certify(solver, classes):
    record = run(UnitConfig(classes, 1.0, solver, "energy", knots=9, steps=20, certify=True))
    certificate = record["certificate"]
    assert (certificate["patterns"], certificate["local_optima"]) == (1, 1)
    assert certificate["certified"] == (solver != "analytic")
    assert (certificate["gap"] > 1e-6) == (solver == "analytic")


@pytest.mark.parametrize("solver", ["eigen", "posterior", "analytic", "sample"])
def test_degenerate_problem_is_certified_as_such(solver):
    record = run(UnitConfig(2, 1.0, solver, certify=True))
    assert record["degenerate"]
    assert record["certified"]
    assert record["certificate"]["global_reward"] == pytest.approx(0, abs=1e-15)
    assert record["values"] == [max(t, 0.0) for t in record["knots"]]


def test_nothing_is_certified_unless_asked():
    record = run(UnitConfig(3, knots=9))
    assert (record["certified"], record["certificate"]) == (None, None)


def lopsided_samples(seed, count=6000):
    rng = np.random.default_rng(seed)
    classes = 5
    means, sigmas, priors = rng.uniform(-3, 3, classes), rng.uniform(0.3, 1.0, classes), rng.dirichlet(np.full(5, 5.0))
    labels = rng.choice(classes, count, p=priors)
    names = tuple("abcde")
    return torch.from_numpy(means[labels] + sigmas[labels] * rng.normal(size=count)), torch.from_numpy(labels), names


def test_certificate_replaces_a_worse_optimum(monkeypatch):
    """A solver that stops at what the ReLU leads to, on samples where that is not the best."""
    config = UnitConfig(solver="eigen", knots=9, certify=True)
    replaced = 0
    for seed in range(6):
        samples = lopsided_samples(seed)
        best = run_on_samples(config, *samples)
        assert best["certified"]
        with monkeypatch.context() as patch:
            patch.setattr(unit, "solve_eigen", lambda problem: solve_eigen(problem, thorough=False))
            caught = run_on_samples(UnitConfig(solver="eigen", knots=9), *samples)
            mended = run_on_samples(config, *samples)
        assert mended["reward"] == pytest.approx(best["reward"], rel=1e-9)
        np.testing.assert_allclose(np.abs(mended["rho"]), np.abs(best["rho"]), atol=1e-7)
        assert mended["certified"]
        # the picture shows what the record says: f of Var 1 from 0
        assert mended["values"][0] == 0
        replaced += caught["reward"] < best["reward"] * (1 - 1e-6)
    assert replaced >= 2  # about half of such inputs


def test_posterior_is_above_every_grid():
    rewards = [run(UnitConfig(6, 0.8, solver)).get("reward") for solver in ("eigen", "posterior")]
    assert rewards[0] < rewards[1] < rewards[0] * 1.002


def test_posterior_of_own_samples():
    """Kernel estimates widen every class a little: the reward is below that of the densities they come from."""
    rng = np.random.default_rng(0)
    labels = torch.from_numpy(rng.integers(0, 4, 2000))
    x = torch.from_numpy(rng.normal(size=2000)) * 0.5 + labels
    names = ("a", "b", "c", "d")
    estimated = run_on_samples(
        UnitConfig(solver="posterior", raw=True, low=-2.0, high=5.0, certify=True), x, labels, names
    )
    exact_reward = run(UnitConfig(4, 0.5, "posterior", raw=True, means=(0.0, 3.0)))["reward"]
    assert estimated["certified"]
    assert estimated["classes"] == 4
    # Scott's width is n^(-1/5) = 0.29 sigma: as if sigma were sqrt(1 + 0.29^2) = 1.04 as large; 2000 samples add 3 %
    widened = run(UnitConfig(4, 0.5 * np.hypot(1, 500**-0.2), "posterior", raw=True, means=(0.0, 3.0)))["reward"]
    assert estimated["reward"] == pytest.approx(widened, rel=0.05)
    assert widened < exact_reward
    values = np.array(estimated["values"])
    assert values[0] == 0
    assert np.isfinite(values).all()
    to_json(estimated)


@pytest.mark.parametrize(
    ("sigma", "knots"),
    [(1e-2, 33), (1e-4, 8), (1e-6, 33)],
    ids=str,
)
def test_posterior_of_classes_that_hardly_overlap(sigma, knots):
    """One class against the others: R = 1 - 1 / (K - 1)."""
    assert run(UnitConfig(5, sigma, "posterior", knots=knots))["reward"] == pytest.approx(0.75, rel=1e-6)


BAD = {
    "penalty and certificate": ({"certify": True, "smoothness": 0.1}, "certify"),
    "penalty and posterior": ({"solver": "posterior", "smoothness": 0.1}, "posterior"),
    "unknown solver": ({"solver": "newton"}, "'newton'"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_settings_are_refused(name):
    settings, named = BAD[name]
    assert_refused(lambda: UnitConfig(**settings), named)


def test_too_many_classes_to_certify():
    assert_refused(lambda: run(UnitConfig(23, certify=True)), "23 classes")


def test_samples_whose_classes_are_the_same_are_refused():
    """x that says nothing about the label: every f has R = 0."""
    x, labels = torch.tensor([0.0, 1.0, 2.0] * 30, dtype=torch.float64), torch.arange(3).repeat_interleave(30)
    assert_refused(lambda: run_on_samples(UnitConfig(knots=9), x, labels, ("a", "b", "c")), "class")
