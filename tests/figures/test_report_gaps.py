"""The page of a run that lacks something: films, epochs, metrics, finite numbers."""

import json

import numpy as np
import pytest
from generated_run import EDGES, KNOTS, knot_values
from report_page import unpacked

from pwlact.swish import fit_swish
from pwlact.training import ActivationHistory, InputHistory
from pwlact_figures.report.packing import MISSING


def test_fixed_activations(page):
    found = page(mode="gelu")
    data = found.data
    assert data["fixed"] == "gelu"
    assert data["view"] == [-5, 5]
    assert len(data["bins"]) == 21
    assert [(layer["mean"], layer["fit"]) for layer in data["layers"]] == [([], None)] * 3
    assert all(layer["inputs"] for layer in data["layers"])
    assert "The activations are fixed (gelu)" in found.seen
    assert "There are none" in found.seen


def test_no_histograms(page):
    found = page(inputs=False)
    assert "keeps no inputs.npz" in found.seen
    assert found.data["bins"] == []
    assert [layer["inputs"] for layer in found.data["layers"]] == [""] * 3


def test_learnt_activations_that_are_lost(page):
    found = page(lambda folder: (folder / "activations.npz").unlink())
    assert "keeps no activations.npz" in found.seen
    assert [layer["mean"] for layer in found.data["layers"]] == [[]] * 3


def test_neither_film(page):
    found = page(mode="relu", inputs=False)
    assert found.data["layers"] == []
    assert found.data["epochs"] == [0, 1, 2, 3, 4]


def test_unfinished(page):
    def change(folder):
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | {"epochs": 20}))

    found = page(change, finished=False)
    assert "This run is unfinished: 4 of 20 epochs are stored; the Swish fits are those of epoch 4." in found.seen
    assert found.text("title").endswith(", unfinished")
    assert found.text("dd").split() == ["77.5", "%", "–", "4", "192", "–"]
    assert found.data["test"] == {"loss": None, "accuracy": None}
    assert found.data["classes"] == ["a", "b", "c"]
    for i, layer in enumerate(found.data["layers"]):
        expected = fit_swish(KNOTS, knot_values(i, 4))
        assert layer["fit"]["beta"] == pytest.approx(expected.beta, rel=1e-3)
        assert layer["fit"]["x0"] == pytest.approx(0.4, abs=1e-3)


def test_before_the_first_epoch(page):
    def change(folder):
        (folder / "metrics.jsonl").unlink()

    found = page(change, finished=False, epochs=0)
    assert found.data["epochs"] == [0]
    assert found.data["history"]["train_loss"] == []
    assert "0 of 0 epochs" in found.seen


def test_films_shorter_than_the_metrics(page):
    def change(folder):
        film = ActivationHistory(KNOTS)
        for epoch in range(2):
            film.append({"layer0": knot_values(0, epoch)})
        film.write(folder / "activations.npz")

    data = page(change, finished=False, layers=1).data
    assert data["epochs"] == [0, 1, 2, 3, 4]
    assert len(data["layers"][0]["mean"]) == 2


def test_missing_metrics_are_gaps(page):
    def change(folder):
        result = json.loads((folder / "result.json").read_text())
        history = result["history"]
        history[0]["train_loss"] = None
        history[1]["train_loss"] = float("nan")
        history[2]["train_loss"] = "0.5"
        del history[3]["train_loss"]
        history[0]["images_per_second"], history[1]["images_per_second"] = float("inf"), -1.0
        history[2]["images_per_second"] = history[3]["images_per_second"] = 80.0
        result["test"]["accuracy"] = None
        (folder / "result.json").write_text(json.dumps(result))

    found = page(change)
    assert found.data["history"]["train_loss"] == [None] * 4
    assert found.data["history"]["val_loss"][0] == 2.2
    assert [row[1] for row in found.tables[0][1:]] == ["–"] * 4
    assert "not known" in found.text("small")
    assert "80" in found.text("dd").split()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e308])
@pytest.mark.parametrize("channels", [None, 2])
def test_knot_values_that_are_no_numbers(page, bad, channels):
    def change(folder):
        film = ActivationHistory(KNOTS)
        for epoch in range(3):
            values = knot_values(0, epoch, channels).astype(np.float64)
            values[..., 3] = bad if epoch == 1 else values[..., 3]
            film.append({"layer0": values})
        film.write(folder / "activations.npz")

    (layer,) = page(change, layers=1, epochs=2, channels=channels).data["layers"]
    if bad != 1e308:
        assert layer["mean"][1][3] is None
        assert sum(value is None for curve in layer["mean"] for value in curve) == 1
        if channels:
            steps = unpacked(layer["curves"], "<u2", (3, channels, 9))
            assert np.argwhere(steps == MISSING).tolist() == [[1, 0, 3], [1, 1, 3]]
    assert -2 < layer["range"][0] < layer["range"][1] < 10


def test_constant_and_unfittable_layers(page):
    def change(folder):
        film = ActivationHistory(KNOTS)
        film.append({"layer0": np.zeros(9), "layer1": np.full(9, np.nan)})
        film.write(folder / "activations.npz")

    data = page(change, finished=False, layers=2).data
    # the fit of a constant has no R^2, and says nothing
    assert [layer["fit"] for layer in data["layers"]] == [None, None]
    assert [layer["range"] for layer in data["layers"]] == [[-0.5, 0.5], [-0.06, 1.06]]


def test_no_input_within_the_knots(page):
    def change(folder):
        film = InputHistory(np.linspace(10, 20, 5))
        film.append({"layer0": np.ones((3, 4), int)})
        film.write(folder / "inputs.npz")

    data = page(change, layers=1).data
    assert (data["bins"], data["layers"][0]["inputs"]) == ([], "")


def test_empty_histogram(page):
    def change(folder):
        film = InputHistory(EDGES)
        film.append({"layer0": np.zeros((3, 20), int)})
        film.write(folder / "inputs.npz")

    (layer,) = page(change, layers=1).data["layers"]
    assert not unpacked(layer["inputs"], np.uint8, (36,)).any()
