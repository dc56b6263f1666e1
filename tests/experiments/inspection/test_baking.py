"""Baking a run: McNemar's test by hand, the run's own accuracy, and activations that are Swishes already."""

from dataclasses import replace
from importlib import import_module
from math import comb

import numpy as np
import pytest
import torch
from asserts import assert_refused

from pwlact.conversion import bake
from pwlact.data import Images
from pwlact.experiments.inspection import baking as measure
from pwlact.experiments.inspection.baking import compare, mcnemar
from pwlact.files import to_json
from pwlact.models import activations
from pwlact.swish import fit_swish
from pwlact.training import read_result


@pytest.fixture(scope="module", params=["local", "channel"])
def record(request, runs):
    return runs[request.param], measure(runs[request.param])


@pytest.mark.parametrize(("b", "c"), [(0, 0), (1, 0), (0, 1), (3, 3), (10, 2), (2, 10), (0, 12)])
def test_mcnemar_by_hand(b, c):
    agree = [(True, True)] * 5 + [(False, False)] * 4
    pairs = torch.tensor(agree + [(True, False)] * b + [(False, True)] * c)
    n = b + c
    tail = sum(comb(n, i) for i in range(min(b, c) + 1)) / 2**n
    assert mcnemar(pairs[:, 0], pairs[:, 1]) == {"b": b, "c": c, "p": pytest.approx(min(1.0, 2 * tail))}


def test_as_it_is_the_run_has_its_own_accuracy(record):
    run, found = record
    stored = read_result(run.folder)
    for mine, theirs in (("validation", "val"), ("test", "test")):
        assert found[mine]["n"] == stored[theirs]["n"]
        assert found[mine]["learnt"]["accuracy"] == stored[theirs]["accuracy"]
        assert found[mine]["learnt"]["loss"] == pytest.approx(stored[theirs]["loss"], rel=1e-6)
    assert (found["epoch"], found["precision"]) == (2, "bf16")
    to_json(found)


def test_layers_tell_the_error_of_the_fit(record):
    run, found = record
    model = run.model()
    x = torch.linspace(-3, 3, 2001, dtype=torch.float64)
    assert [layer["name"] for layer in found["layers"]] == [name for name, _ in activations(model)]
    for layer, (_, module) in zip(found["layers"], activations(model), strict=True):
        rows = module.values.detach().double().reshape(-1, 9)
        errors = []
        for row in rows:
            fit = fit_swish(np.linspace(-3, 3, 9), row.numpy())
            u = x - fit.x0
            swish = fit.scale * u * torch.sigmoid(fit.beta * u) + fit.offset
            errors.append((swish - torch.from_numpy(np.interp(x, np.linspace(-3, 3, 9), row))).abs().max().item())
        assert layer["worst"] == pytest.approx(max(errors), abs=0.02)
        assert 0 < layer["mean"] < layer["worst"]
        assert "R^2" in layer["note"]


def test_swishes_fitted_to_the_inputs(record):
    run, found = record
    inputs = found["inputs"]
    assert inputs["images"] == len(run.train) < 1000
    assert inputs["validation"]["learnt"] == found["validation"]["learnt"]
    model = run.model()
    ((images, _),) = run.batches(run.train, len(run.train)).epoch(0)
    report = bake(model, to="swish", example=images).report
    for layer, (name, _), expected in zip(inputs["layers"], activations(model), report.layers, strict=True):
        assert layer["name"] == name
        assert (layer["worst"], layer["mean"]) == (expected.seen_worst, expected.seen_mean)
        assert layer["note"] == expected.note
    baked = bake(model, to="swish", example=images).model
    assert inputs["test"] == compare(run, model, baked, run.test, None)


def test_pair_of_models_by_hand(runs):
    run = runs["local"]
    first, second = run.model(1), run.model(2)
    found = compare(run, first, second, run.val, None)
    run32 = replace(run, config=replace(run.config, precision="fp32"))
    assert compare(run32, first, second, run.val, None) != found
    found = compare(run32, first, second, run.val, None)
    (x, labels), *_ = run.batches(run.val, 100).epoch(0)
    with torch.no_grad():
        logits = [model(x) for model in (first, second)]
    right = [(z.argmax(1) == labels).numpy() for z in logits]
    assert (right[0] & ~right[1]).sum() == found["b"]
    assert (right[1] & ~right[0]).sum() == found["c"]
    paired = 100 * (right[1].astype(float) - right[0].astype(float))
    assert found["difference"] == pytest.approx(paired.mean())
    assert found["standard_error"] == pytest.approx(paired.std() / 10)
    for name, z, hits in zip(("learnt", "swish"), logits, right, strict=True):
        assert found[name]["accuracy"] == pytest.approx(hits.mean())
        assert found[name]["loss"] == pytest.approx(torch.nn.functional.cross_entropy(z, labels).item(), rel=1e-4)


@pytest.mark.parametrize(("b", "c"), [(30, 2), (0, 25), (7, 7)])
def test_difference_and_its_error(runs, monkeypatch, b, c):
    right = torch.zeros(2, 100, dtype=torch.bool)
    right[0, :b], right[1, b : b + c], right[:, 90:] = True, True, True
    answers = iter(right)
    module = import_module("pwlact.experiments.inspection.baking")  # the package gives the function of that name
    monkeypatch.setattr(module, "_answers", lambda *_: (torch.ones(100), next(answers)))
    found = compare(runs["local"], None, None, runs["local"].val, None)
    paired = 100 * (right[1].double() - right[0].double()).numpy()
    assert (found["b"], found["c"]) == (b, c)
    assert found["difference"] == pytest.approx(paired.mean())
    assert found["standard_error"] == pytest.approx(paired.std() / 10)
    assert (found["learnt"]["accuracy"], found["swish"]["accuracy"]) == pytest.approx(((b + 10) / 100, (c + 10) / 100))


def test_swishes_stay_what_they_are(runs):
    """Knot values that lie on a Swish: baking changes what the fit cannot follow between the knots, and no more."""
    run = runs["local"]
    model = run.model()
    with torch.no_grad():
        for _, module in activations(model):
            module.values.copy_(torch.nn.functional.silu(torch.linspace(-3, 3, 9)))

    class Silu(type(run)):
        def model(self, epoch=None):
            return model

    found = measure(Silu(**vars(replace(run, config=replace(run.config, precision="fp32")))))
    # h^2 max|f''| / 8 = 0.75^2 * 0.5 / 8
    assert all(layer["worst"] < 0.0352 for layer in found["layers"])
    assert all("R^2 1.0000" in layer["note"] for layer in found["layers"])
    for name in ("validation", "test"):
        pair = found[name]
        assert pair["swish"]["loss"] == pytest.approx(pair["learnt"]["loss"], abs=0.02)
        assert abs(pair["difference"]) <= 5
        assert pair["p"] > 0.05
    same = compare(run, model, model, run.val, None)
    assert (same["b"], same["c"], same["p"], same["difference"], same["standard_error"]) == (0, 0, 1, 0, 0)


def test_limit(runs):
    found = measure(runs["local"], limit=10)
    assert (found["validation"]["n"], found["test"]["n"]) == (10, 10)
    assert found["inputs"]["images"] == found["inputs"]["test"]["n"] == 10
    many = measure(runs["local"], limit=50)
    assert (many["validation"]["n"], many["test"]["n"]) == (50, 12)
    alone = replace(runs["local"], val=Images(runs["local"].val.images[:10], runs["local"].val.labels[:10]))
    assert measure(alone, limit=10)["validation"] == found["validation"]


@pytest.mark.parametrize("limit", [0, -3, 1.5, True])
def test_bad_limits(runs, limit):
    assert_refused(lambda: measure(runs["local"], limit=limit), "limit", repr(limit))


def test_fixed_activations(runs):
    assert_refused(lambda: measure(runs["silu"]), "silu", "nothing to bake")
