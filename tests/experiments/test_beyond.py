"""Beyond Gaussians: rows, spread, seeds, and densities that are what they claim."""

import numpy as np
import pytest
from asserts import assert_refused
from scipy.integrate import quad

from pwlact.experiments import beyond
from pwlact.files import to_json
from pwlact.pwl import Knots
from pwlact.swish import fit_swish


@pytest.fixture(scope="module")
def record():
    return beyond.run(4, 1.0, 2)


def test_rows(record):
    assert [row["family"] for row in record["rows"]] == list(beyond.FAMILIES)
    assert [row["n"] for row in record["rows"]] == [1] + [2] * 6
    to_json(record)


def test_summaries_are_those_of_the_draws(record):
    for row in record["rows"]:
        r2 = [draw["r2"] for draw in row["draws"]]
        assert len(r2) == row["n"]
        assert (row["r2_mean"], row["r2_min"]) == pytest.approx((np.mean(r2), min(r2)))
        assert row["r2_sd"] == (None if len(r2) == 1 else pytest.approx(abs(r2[0] - r2[1]) / np.sqrt(2)))
        assert row["reward_mean"] == pytest.approx(np.mean([draw["reward"] for draw in row["draws"]]))
        assert row["beta_median"] == pytest.approx(np.median([draw["beta"] for draw in row["draws"]]))
        if row["n"] > 1:
            assert r2[0] != r2[1]


def test_seed_decides(record):
    again, other = beyond.run(4, 1.0, 2), beyond.run(4, 1.0, 2, seed=1)
    assert again["rows"] == record["rows"]
    assert other["rows"][0] == record["rows"][0]  # nothing is drawn there
    assert all(a != b for a, b in zip(other["rows"][1:], record["rows"][1:], strict=True))


def test_equal_gaussians_by_hand(record):
    """The same optimum by numpy: four classes, all 16 patterns, then the fit over 33 points."""
    means = np.linspace(-1, 1, 4) * 3 / np.sqrt(5)
    x = np.linspace(-11, 11, 8001)
    joint = np.exp(-((x[:, None] - means) ** 2) / 2) / np.sqrt(2 * np.pi) / 4
    weight = joint.sum(-1, keepdims=True) * (x[1] - x[0])
    centred = (joint / joint.sum(-1, keepdims=True) - 0.25) / np.sqrt(3 / 16)
    spectrum, vectors = np.linalg.eigh(centred.T @ (weight * centred))
    root = (vectors * np.sqrt(spectrum.clip(0))) @ vectors.T
    found = []
    for code in range(16):
        signs = np.array([1.0 if code >> k & 1 else -1.0 for k in range(4)])
        rho = root @ np.linalg.eigh(root * signs @ root)[1][:, -1]
        rho = rho * np.sign((rho * abs(rho)).sum())
        found.append(((rho * abs(rho)).sum(), tuple(rho)))
    top = max(found)[0]
    # the mirror image that rises to the right, as ties go
    rho = max((rho for reward, rho in found if reward > top * (1 - 1e-9)), key=lambda rho: rho[-1])
    row = record["rows"][0]["draws"][0]
    assert row["reward"] == pytest.approx(top, rel=1e-10)
    t = Knots().positions().numpy()
    f = np.interp(t * np.sqrt(2), x, centred @ np.abs(rho) / top)
    assert row["r2"] == pytest.approx(fit_swish(t, f).r2, abs=1e-5)


@pytest.mark.parametrize("sigma", [0.5, 1.0], ids=str)
@pytest.mark.parametrize("family", beyond.FAMILIES)
def test_families_are_densities_with_the_stated_means_and_variances(family, sigma):
    means = np.linspace(-1.2, 1.2, 4)
    densities, priors = beyond.FAMILIES[family](np.random.default_rng(3), means, sigma)
    assert priors.sum() == pytest.approx(1)
    for k, density in enumerate(densities):
        edges = (-np.inf, -3.0, 0.0, 3.0, np.inf)
        moments = [
            sum(quad(lambda x: x**n * density(x), a, b, epsabs=1e-11)[0] for a, b in zip(edges, edges[1:]))  # noqa: B023, B905, RUF007
            for n in range(3)
        ]
        assert moments[0] == pytest.approx(1, abs=1e-8)
        if family != "random means":
            assert moments[1] == pytest.approx(means[k], abs=1e-6)
        if family != "unequal variances":
            # x^2 times a t of 3 degrees of freedom falls as slowly as x^-2: quad gives 1e-5 there
            assert moments[2] - moments[1] ** 2 == pytest.approx(sigma**2, rel=1e-4)


@pytest.mark.parametrize("family", ["unequal priors", "unequal variances", "random means"])
def test_families_differ_from_equal_gaussians_as_they_say(family):
    means = np.linspace(-1.2, 1.2, 6)
    densities, priors = beyond.FAMILIES[family](np.random.default_rng(0), means, 1.0)
    tops = np.array([density(np.linspace(-6, 6, 2001)).max() for density in densities])
    places = np.array([np.linspace(-6, 6, 2001)[density(np.linspace(-6, 6, 2001)).argmax()] for density in densities])
    assert (np.ptp(priors) > 0.01) == (family == "unequal priors")
    assert (np.ptp(tops) > 0.01) == (family == "unequal variances")
    assert (abs(places - means).max() > 0.01) == (family == "random means")
    if family == "random means":
        assert (places.mean(), places.std()) == pytest.approx((0, 1), abs=0.01)


def test_heavy_tails_lose_no_mass(monkeypatch):
    lost = []
    solve = beyond.solve_posterior
    monkeypatch.setattr(
        beyond, "solve_posterior", lambda d: lost.append(abs(d.expect(lambda _, p: p) / d.priors - 1).max()) or solve(d)
    )
    monkeypatch.setattr(beyond, "FAMILIES", {"heavy tails": beyond.FAMILIES["heavy tails"]})
    beyond.run(4, 1.0, 2)
    # the interval should "hold all but a negligible part of the mass"
    assert max(lost) < 1e-6


def test_progress():
    calls = []
    beyond.run(3, 1.0, 1, progress=lambda *call: calls.append(call))
    assert calls == [(n, 7) for n in range(1, 8)]


@pytest.mark.parametrize(
    ("arguments", "named"), [((2,), "degenerate"), ((4, 0.0), "sigma"), ((4, 1.0, 0), "draws")], ids=str
)
def test_bad_settings_are_refused(arguments, named):
    assert_refused(lambda: beyond.run(*arguments), named)
