"""Swish of each layer over the seeds: means of what the fits tell, and nothing of what they do not."""

import pytest

from pwlact.experiments.layer_swishes import layer_swishes


def run(*fits):
    return {"layers": [{"name": f"layer{i}", **fit} for i, fit in enumerate(fits)]}


def fit(beta, x0, r2=0.99, at_bound=()):
    return {"beta": beta, "x0": x0, "r2": r2, "at_bound": list(at_bound)}


def test_means_and_deviations_over_the_runs():
    runs = [run(fit(1.0, -0.5, 0.9), fit(2.0, 0.0)), run(fit(3.0, 0.5, 0.8), fit(2.0, 1.0))]
    first, second = layer_swishes(runs)
    assert (first["name"], second["name"]) == ("layer0", "layer1")
    assert (first["beta"]["mean"], first["beta"]["sd"], first["beta"]["n"]) == (2.0, pytest.approx(2**0.5, rel=1e-5), 2)
    assert (first["x0"]["mean"], first["x0"]["values"]) == (0.0, [-0.5, 0.5])
    assert first["r2"]["mean"] == pytest.approx(0.85)
    assert (second["beta"]["sd"], second["x0"]["mean"]) == (0.0, 0.5)


def test_a_fit_at_a_bound_tells_neither_but_counts_in_r2():
    (layer,) = layer_swishes([run(fit(1.0, 0.25)), run(fit(0.2, 6.0, 0.5, ["x0"]))])
    assert (layer["beta"]["mean"], layer["beta"]["sd"], layer["beta"]["n"]) == (1.0, None, 1)
    assert layer["x0"]["values"] == [0.25, None]
    assert layer["r2"]["mean"] == pytest.approx(0.745)
    (layer,) = layer_swishes([run(fit(0.2, 6.0, 0.5, ["x0"]))])
    assert (layer["beta"]["mean"], layer["x0"]["n"], layer["r2"]["n"]) == (None, 0, 1)


@pytest.mark.parametrize("layers", [None, [], "none", [3]])
def test_runs_that_learn_nothing(layers):
    assert layer_swishes([{"layers": layers}, {}]) == []


def test_fits_that_lack_what_older_versions_did_not_write():
    (layer,) = layer_swishes([{"layers": [{"r2": 0.75}]}])
    assert (layer["name"], layer["beta"]["mean"], layer["r2"]["mean"]) == ("0", None, 0.75)
