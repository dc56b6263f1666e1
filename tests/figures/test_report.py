"""The page of a run: what it says, what it carries for its script, and how it is written."""

import base64
import hashlib
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from generated_run import EDGES, FIT, HOSTILE, KNOTS, counts, knot_values, record, write_run
from report_page import Page, unpacked

from pwlact.swish import swish
from pwlact.training import ActivationHistory, InputHistory
from pwlact_figures.report import write_report
from pwlact_figures.report.packing import MISSING, shorten


def test_headline(page):
    found = page()
    assert found.text("h1").split() == ["resnet10,", "local,", "width", "0.25,", "seed", "7"]
    assert found.text("title") == "resnet10, local, width 0.25, seed 7"
    assert found.text("b") == "my-run"
    values = dict(zip(found.text("dt").split("  "), found.text("dd").split("  "), strict=False))
    assert found.text("dd").split() == ["77.5", "%", "64.0", "%", "4", "192", "12,345"], values
    # by hand: sqrt(0.775 * 0.225 / 400) = 0.0209, sqrt(0.64 * 0.36 / 50) = 0.0679
    notes = found.text("small")
    assert "± 2.1 points (one standard error), n = 400" in notes
    assert "± 6.8 points (one standard error), n = 50" in notes
    assert "of 4" in notes
    assert "unfinished" not in found.seen


def test_tables(page):
    metrics, fits, settings, environment = page().tables
    assert metrics[1] == ["1", "2.0000", "2.2000", "20.00", "10.00", "10.5"]
    assert len(metrics) == 5
    assert fits[1] == ["layer0", "1.500 ± 0.01", "0.250 ± 0.01", "1.250 ± 0.01", "−0.125 ± 0.01", "0.9900", "–"]
    assert fits[2][-1] == "beta at the bound of the search"
    assert ["data classes", "a, b, c"] in settings
    assert ["width", "0.25"] in settings
    assert ["torch", "2.13.0"] in environment


def test_data_of_the_script(page):
    data = page(layers=2, epochs=3).data
    assert data["epochs"] == [0, 1, 2, 3]
    assert data["classes"] == ["a", "b", "c"]
    assert data["history"]["val_loss"] == shorten(record(e)["val_loss"] for e in (1, 2, 3))
    assert data["test"] == {"loss": 0.75, "accuracy": 0.64}
    np.testing.assert_allclose(data["knots"], KNOTS)
    assert data["view"] == [-3, 3]
    assert [layer["name"] for layer in data["layers"]] == ["layer0", "layer1"]
    for i, layer in enumerate(data["layers"]):
        expected = [knot_values(i, epoch) for epoch in range(4)]
        np.testing.assert_allclose(layer["mean"], expected, rtol=1e-4, atol=1e-6)
        low, high = layer["range"]
        assert low < np.min(expected) < np.max(expected) < high
        assert layer["curves"] == ""
        np.testing.assert_allclose(layer["fit"]["curve"], swish(np.linspace(-3, 3, 65), **FIT), rtol=1e-4, atol=1e-5)
        assert layer["fit"]["beta_error"] == 0.01


def test_histograms_within_the_knots(page):
    data = page(layers=2, epochs=3).data
    np.testing.assert_allclose(data["bins"], EDGES[4:17])
    for i, layer in enumerate(data["layers"]):
        expected = np.stack([counts(i, epoch)[:, 4:16] for epoch in range(4)])
        heights = unpacked(layer["inputs"], np.uint8, expected.shape)
        assert np.abs(heights / 255 - expected / expected.max()).max() <= 0.5 / 255
        assert heights.max() == 255


def test_bins_of_unequal_width_count_by_density(page):
    edges = np.array([-5.0, -1.0, 0.0, 5.0])

    def change(folder):
        film = InputHistory(edges)
        film.append({"layer0": np.array([[40, 20, 50]])})
        film.write(folder / "inputs.npz")

    data = page(change, layers=1).data
    assert data["bins"] == [-5, -1, 0, 5]
    assert unpacked(data["layers"][0]["inputs"], np.uint8, (3,)).tolist() == [128, 255, 128]


def test_channels_are_a_mean_and_some_of_them(page):
    data = page(layers=2, epochs=2, channels=100).data
    for i, layer in enumerate(data["layers"]):
        assert (layer["channels"], layer["drawn"]) == (100, 32)
        film = np.stack([knot_values(i, epoch, 100) for epoch in range(3)])
        np.testing.assert_allclose(layer["mean"], film.mean(axis=1), rtol=1e-4, atol=1e-6)
        low, high = layer["range"]
        steps = unpacked(layer["curves"], "<u2", (3, 32, 9))
        some = low + steps / (MISSING - 1) * (high - low)
        # the first and the last channel are among them, the rest evenly spread
        expected = film[:, np.linspace(0, 99, 32).round().astype(int)]
        assert np.abs(some - expected).max() <= (high - low) / (MISSING - 1)


def test_page_of_a_large_run_is_small(tmp_path):
    folder = write_run(tmp_path / "run", layers=13, epochs=20, channels=40, names="abcdefghij")
    knots, film = np.linspace(-3, 3, 33), ActivationHistory(np.linspace(-3, 3, 33))
    received, rng = InputHistory(), np.random.default_rng(0)
    for _ in range(21):
        film.append({f"layer{i}": np.maximum(knots, 0) + rng.normal(size=(40, 33)) for i in range(13)})
        received.append({f"layer{i}": rng.integers(0, 9999, (10, 80)) for i in range(13)})
    film.write(folder / "activations.npz")
    received.write(folder / "inputs.npz")
    assert write_report(folder).stat().st_size < 1_000_000


def test_long_runs_are_thinned(page):
    data = page(layers=1, epochs=300).data
    assert len(data["epochs"]) == len(data["layers"][0]["mean"]) == 61
    assert (data["epochs"][0], data["epochs"][-1]) == (0, 300)
    for place in (0, 17, 60):
        epoch = data["epochs"][place]
        np.testing.assert_allclose(data["layers"][0]["mean"][place], knot_values(0, epoch), rtol=1e-4, atol=1e-6)
    assert len(data["history"]["epoch"]) == 300


def test_page_loads_nothing_and_runs_only_its_own(page):
    found = page()
    (policy,) = [a["content"] for _, a in found.tags if a.get("http-equiv") == "Content-Security-Policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    for tag, rule in (("script", "script-src"), ("style", "style-src")):
        text = [data for around, data in found.texts if around == tag][-1]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"
    # in head, before anything that it rules
    order = [tag for tag, _ in found.tags]
    assert order.index("meta") < order.index("style")
    names = {name for _, attributes in found.tags for name in attributes}
    assert not names & {"src", "href", "style", "onclick", "onload", "action"}
    text = " ".join(data for tag, data in found.texts if tag in {"script", "style"})
    addresses = set(re.findall(r"\w+://[^\"'\s]+", text))
    assert addresses == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"\bfetch\(|XMLHttpRequest|\bimport\b|@import|url\(\s*[\"']?http|innerHTML|eval\(", text)


def test_hostile_names_are_text(page):
    def change(folder):
        result = json.loads((folder / "result.json").read_text())
        result["config"]["note" + HOSTILE] = HOSTILE
        result["layers"][0]["caveat"] = HOSTILE
        (folder / "result.json").write_text(json.dumps(result))

    found = page(change, names=[HOSTILE, "b", "c"])
    assert [tag for tag, _ in found.tags].count("script") == 2
    assert found.data["classes"][0] == HOSTILE
    assert found.data["layers"][0]["fit"]["caveat"] == HOSTILE
    _, fits, settings, _ = found.tables
    assert ["note" + HOSTILE, HOSTILE] in settings
    assert fits[1][-1] == HOSTILE


def test_a_folder_whose_name_is_no_text(tmp_path):
    folder = write_run(tmp_path / os.fsdecode(b"<b>\xff&run"), epochs=1)
    found = Page(write_report(folder).read_text(encoding="utf-8"))
    assert "<b>?&run" in found.seen


def test_lone_surrogates_in_names(page):
    found = page(names=["\ud800", "b", "c"])
    assert found.data["classes"][0] == "\ud800"


def test_more_classes_than_names_and_fewer(page):
    def more(folder):
        film = InputHistory(EDGES)
        film.append({"layer0": counts(0, 0, 5)})
        film.write(folder / "inputs.npz")

    assert page(more, layers=1).data["classes"] == ["a", "b", "c", "class 3", "class 4"]


def test_same_run_same_bytes(tmp_path):
    folder = write_run(tmp_path / "run", channels=40)
    first = write_report(folder).read_bytes()
    assert write_report(folder, tmp_path / "other.html") == tmp_path / "other.html"
    assert (tmp_path / "other.html").read_bytes() == first


def test_what_was_there_stays_where_writing_fails(tmp_path, monkeypatch):
    folder = write_run(tmp_path / "run")
    (folder / "report.html").write_bytes(b"old")
    names = sorted(folder.iterdir())

    def fail(*arguments):
        raise OSError(28, "no space left")

    monkeypatch.setattr("pwlact.files.os.fsync", fail)
    with pytest.raises(OSError, match="no space left"):
        write_report(folder)
    assert (folder / "report.html").read_bytes() == b"old"
    assert sorted(folder.iterdir()) == names


def test_every_part_is_shipped():
    """What the page is made of lies beside its code, where setuptools finds it as package data."""
    folder = Path(__import__("pwlact_figures.report", fromlist=["page"]).__file__).parent
    source = (folder / "page.py").read_text(encoding="utf-8")
    for path in folder.iterdir():
        if path.suffix in {".js", ".css", ".html"}:
            assert path.name in source
