"""The page of a run as a browser draws it, at every width, in light and dark, and where the run has gaps."""

import json
import re

import numpy as np
import pytest
from browser import CHROMIUM
from drawn_page import assert_drawn, path, points, query, value
from generated_run import FIT, HOSTILE, KNOTS, knot_values, record, write_run

from pwlact.swish import swish
from pwlact.training import ActivationHistory
from pwlact_figures.report import write_report

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium, chromium-browser or google-chrome on the path")


def test_last_epoch_is_drawn_at_first(show):
    browser = show(layers=3, epochs=4)
    assert query(browser, ".panel .name b") == ["layer0", "layer1", "layer2"]
    assert browser.eval("document.getElementById('epoch').max") == "4"
    assert (value(browser), query(browser, "output")) == (4, ["4"])
    for i in range(3):
        assert_drawn(browser, i, "mean", KNOTS, knot_values(i, 4))
        assert_drawn(browser, i, "start", KNOTS, knot_values(i, 0))
        assert_drawn(browser, i, "fit", np.linspace(-3, 3, 65), swish(np.linspace(-3, 3, 65), **FIT))
    assert "β 1.5 ± 0.01" in query(browser, ".panel figcaption")[0]
    assert query(browser, ".caveat") == ["beta at the bound of the search"]


def test_channels(show):
    browser = show(layers=1, channels=5, address="#epoch=2")
    film = knot_values(0, 2, 5)
    assert_drawn(browser, 0, "mean", KNOTS, film.mean(axis=0))
    assert_drawn(browser, 0, "channels", np.tile(KNOTS, 5), film.ravel())
    (data,) = query(browser, "path.channels[d^=M]:not(.sample *)", "getAttribute('d')")
    assert data.count("M") == 5
    assert "mean of 5 channels, each thin" in query(browser, "figcaption")[-1]


def test_classes_look_different(show):
    browser = show(layers=1, names="abcdefghij")
    browser.eval("document.getElementById('by-class').click()")
    looks = browser.eval(
        "[...document.querySelectorAll('.panel path.class')].map((e) => getComputedStyle(e))"
        ".map((s) => s.stroke + s.strokeDasharray)"
    )
    assert len(set(looks)) == len(looks) == 10


def test_gaps_in_the_metrics_are_gaps_in_the_curve(show):
    def change(folder):
        result = json.loads((folder / "result.json").read_text())
        for place, bad in ((0, None), (3, float("nan"))):
            result["history"][place]["train_loss"] = bad
        (folder / "result.json").write_text(json.dumps(result))

    browser = show(change, epochs=7)
    whole, broken = (query(browser, f".curve.{kind}", "getAttribute('d')")[0] for kind in ("val", "train"))
    assert (whole.count("M"), whole.count("L")) == (1, 6)
    # epochs 2 and 3, then 5, 6, 7
    assert (broken.count("M"), broken.count("L")) == (2, 3)
    assert len(query(browser, ".chart:first-child circle.train")) == 5
    expected = [record(epoch)["val_loss"] for epoch in range(1, 8)]
    slope, start = np.polyfit(expected, points(whole)[:, 1], 1)
    np.testing.assert_allclose(start + slope * np.array(expected), points(whole)[:, 1], atol=0.02)
    assert slope < 0


@pytest.mark.parametrize("loss", [0.0, 2.0, -1e-9, 1e12])
def test_metrics_that_do_not_change(show, loss):
    def change(folder):
        result = json.loads((folder / "result.json").read_text())
        for score in (*result["history"], result["test"]):
            score.update({"train_loss": loss, "val_loss": loss, "loss": loss})
        (folder / "result.json").write_text(json.dumps(result))

    browser = show(change, epochs=1)
    (data,) = query(browser, ".chart:first-child .curve.train", "getAttribute('d')")
    # within the frame, which is 250 high
    assert 12 < points(data)[0, 1] < 214


def test_no_metric_is_known(show):
    def change(folder):
        result = json.loads((folder / "result.json").read_text())
        result["history"], result["test"] = [{}, {}, {}, {}], {}
        (folder / "result.json").write_text(json.dumps(result))

    browser = show(change)
    assert query(browser, ".curve", "getAttribute('d')") == [""] * 4
    assert query(browser, ".chart rect.test") == []


def test_knot_values_that_are_no_numbers(show):
    def change(folder):
        film = ActivationHistory(KNOTS)
        for bad in (0.0, np.nan, np.inf):
            values = knot_values(0, 0, 2)
            values[0, 4] = bad
            film.append({"layer0": values})
        film.write(folder / "activations.npz")

    browser = show(change, layers=1, epochs=2)
    assert len(path(browser, 0, "mean")) == 8
    assert len(points(query(browser, ".panel path.channels", "getAttribute('d')")[0])) == 17


def test_constant_layers_and_huge_values(show):
    def change(folder):
        film = ActivationHistory(KNOTS)
        for epoch in range(2):
            film.append({"layer0": np.zeros(9), "layer1": np.full(9, 1e15), "layer2": KNOTS * 1e-12 * epoch})
        film.write(folder / "activations.npz")

    browser = show(change, layers=3, epochs=1)
    assert [len(path(browser, i, "mean")) for i in range(3)] == [9, 9, 9]


def test_hostile_names_are_text(show):
    browser = show(names=[HOSTILE, "<img src=x onerror=alert(1)>", "c"])
    assert query(browser, ".chip")[:2] == [HOSTILE, "<img src=x onerror=alert(1)>"]
    assert browser.eval("document.images.length + document.scripts.length") == 2


@pytest.mark.parametrize("options", [{}, {"names": ["x" * 300, "b", "c"]}, {"channels": 3}, {"mode": "relu"}], ids=str)
@pytest.mark.parametrize("width", [320, 375, 1280])
def test_nothing_is_wider_than_the_window(show, width, options):
    browser = show(width=width, **options)
    browser.eval("document.getElementById('by-class').click()")
    assert browser.eval("document.documentElement.scrollWidth") <= width


def test_light_and_dark(show, browser):
    show()
    looks = []
    for dark in (False, True):
        browser.look(dark=dark)
        looks.append(browser.eval("[getComputedStyle(document.body)].map((s) => [s.backgroundColor, s.color])[0]"))
    brightness = [[sum(map(int, re.findall(r"\d+", colour))) for colour in look] for look in looks]
    assert brightness[0][0] > 700 > 200 > brightness[0][1]
    assert brightness[1][0] < 200 < 600 < brightness[1][1]


def test_everything_has_a_name_for_those_who_do_not_see_it(show):
    browser = show(layers=3)
    labels = query(browser, "svg[role=img]", "ariaLabel")
    assert len(labels) == 5
    assert labels[0].startswith("Loss (cross-entropy, nats) over 4 epochs: training from 2.000 to 0.500")
    assert labels[2].startswith("layer0: learnt activation at epoch 4, f(−3) = ")
    assert "beta 1.5" in labels[2]
    unlabelled = "[...document.querySelectorAll('input')].filter((e) => !e.labels.length).length"
    assert browser.eval(unlabelled) == 0
    assert browser.eval("[...document.querySelectorAll('svg:not([role=img])')].every((e) => e.ariaHidden === 'true')")


def test_runs_with_less(show):
    browser = show(mode="relu")
    assert query(browser, ".panel figcaption") == ["fixed: relu"] * 3
    assert query(browser, ".panel path.mean", "getAttribute('d')") == [""] * 3
    assert query(browser, ".key > span") == ["distribution of the input x"]
    assert len(query(browser, ".panel path.inputs")) == 3


def test_runs_without_histograms(show):
    browser = show(inputs=False)
    assert query(browser, ".panel path.inputs, #by-class") == []
    assert len(query(browser, ".panel path.mean")) == 3


def test_before_the_first_epoch(show):
    browser = show(lambda folder: (folder / "metrics.jsonl").unlink(), finished=False, epochs=0)
    assert query(browser, ".badge") == ["unfinished"]
    assert browser.eval("document.getElementById('epoch').disabled && document.querySelector('.play').disabled")
    assert_drawn(browser, 0, "mean", KNOTS, knot_values(0, 0))


def test_films_shorter_than_the_metrics(show):
    def change(folder):
        film = ActivationHistory(KNOTS)
        for epoch in range(3):
            film.append({"layer0": knot_values(0, epoch)})
        film.write(folder / "activations.npz")

    browser = show(change, layers=1)
    assert query(browser, ".panel path.mean", "getAttribute('d')") == [""]
    browser.eval("document.getElementById('epoch').focus()")
    for _ in range(2):
        browser.key("ArrowLeft", 37)
    assert_drawn(browser, 0, "mean", KNOTS, knot_values(0, 2))


def test_long_runs(show):
    browser = show(layers=1, epochs=300, address="#epoch=151")
    assert browser.eval("document.getElementById('epoch').max") == "60"
    epoch = int(query(browser, "output")[0])
    assert abs(epoch - 151) <= 3
    assert_drawn(browser, 0, "mean", KNOTS, knot_values(0, epoch))


def test_the_policy_bites(browser, tmp_path):
    url = write_report(write_run(tmp_path / "run")).as_uri()
    browser.open(url)
    browser.eval(
        "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.bad = 1'}))"
    )
    browser.eval(
        "document.body.append(Object.assign(document.createElement('img'), {src: 'http://127.0.0.1:9/x.png'}))"
    )
    assert browser.eval("fetch('http://127.0.0.1:9/').then(() => 'let through', () => 'refused')") == "refused"
    assert browser.eval("window.bad === undefined")
    errors = browser.eval("document.documentElement.dataset.errors")
    for rule in ("script-src", "connect-src", "img-src"):
        assert f"securitypolicyviolation: {rule}" in errors
