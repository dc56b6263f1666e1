"""The page of a run as a browser shows it: what is drawn, and what slider, mouse, keys and address do to it."""

import json
import re

import numpy as np
import pytest
from browser import CHROMIUM, Browser
from generated_run import FIT, HOSTILE, KNOTS, counts, knot_values, record, write_run

from pwlact.swish import swish
from pwlact.training import ActivationHistory
from pwlact_figures.report import write_report

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium, chromium-browser or google-chrome on the path")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture
def show(browser, tmp_path):
    """Write a run and its report and open it; the page must draw without a complaint and ask for nothing else."""

    def show(change=None, address="", width=1280, dark=False, **options):
        folder = write_run(tmp_path / "run", **options)
        if change:
            change(folder)
        url = write_report(folder).as_uri()
        browser.look(width=width, dark=dark)
        browser.open(url + address)
        assert browser.requests() == [url]
        return browser

    yield show
    assert browser.complaints() == []
    assert browser.eval("document.documentElement.dataset.errors ?? ''") == ""
    assert browser.eval("document.documentElement.dataset.ready") == "true"
    drawn = browser.eval("[...document.querySelectorAll('svg, svg *')].map((e) => e.outerHTML).join('')")
    assert not re.search("NaN|Infinity|undefined|null", drawn)


def query(browser, selector, what="textContent"):
    """A property of all elements that a selector finds."""
    return browser.eval(f"[...document.querySelectorAll({json.dumps(selector)})].map((e) => e.{what})")


def path(browser, panel, kind):
    """Points of a path of a panel, shape (points, 2), in the units of the drawing."""
    (data,) = query(browser, f".panel:nth-child({panel + 1}) path.{kind}", "getAttribute('d')")
    return points(data)


def points(data):
    return np.array([[float(x), float(y)] for x, y in re.findall(r"[ML](\S+?) ([-\d.e]+)", data)])


def scales(browser, panel):
    """Maps from x and f(x) to places, read off the ticks."""
    maps = []
    for kind, side in ((".tick.middle", "x"), (".tick.end", "y")):
        selector = f".panel:nth-child({panel + 1}) {kind}"
        values = [float(text.replace("−", "-")) for text in query(browser, selector)]
        places = [float(place) for place in query(browser, selector, f"getAttribute('{side}')")]
        # letters of a tick at y hang 4 below it
        slope, start = np.polyfit(values, np.array(places) - (4 if side == "y" else 0), 1)
        maps.append(lambda v, slope=slope, start=start: start + slope * np.asarray(v))
    return maps


def assert_drawn(browser, panel, kind, xs, ys):
    x, y = scales(browser, panel)
    np.testing.assert_allclose(path(browser, panel, kind), np.stack([x(xs), y(ys)], axis=1), atol=0.05)


def value(browser):
    return browser.eval("Number(document.getElementById('epoch').value)")


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


@pytest.mark.parametrize(("address", "epoch"), [("#epoch=0", 0), ("#epoch=3", 3), ("#epoch=99", 4), ("#epoch=x", 4),
                                                ("#epoch=-1", 4), ("#epoch=", 4), ("#a=1&epoch=2", 2)])  # fmt: skip
def test_address_chooses_the_epoch(show, address, epoch):
    browser = show(address=address, layers=2)
    assert value(browser) == epoch
    for i in range(2):
        assert_drawn(browser, i, "mean", KNOTS, knot_values(i, epoch))
        assert_drawn(browser, i, "start", KNOTS, knot_values(i, 0))


def test_a_new_address_moves_all(show):
    browser = show(layers=2)
    browser.eval(
        "new Promise((done) => { addEventListener('hashchange', () => done(0), {once: true});"
        "location.hash = 'epoch=1'; })"
    )
    assert value(browser) == 1
    for i in range(2):
        assert_drawn(browser, i, "mean", KNOTS, knot_values(i, 1))


def test_keys_move_the_slider_and_all_that_hangs_on_it(show):
    browser = show(layers=2)
    browser.eval("document.getElementById('epoch').focus()")
    browser.key("ArrowLeft", 37)
    assert value(browser) == 3
    assert query(browser, "output") == ["3"]
    for i in range(2):
        assert_drawn(browser, i, "mean", KNOTS, knot_values(i, 3))
    assert browser.eval("location.hash") == "#epoch=3"
    assert query(browser, "#epoch", "getAttribute('aria-valuetext')") == ["epoch 3 of 4"]
    assert all("at epoch 3" in label for label in query(browser, ".panel svg[role=img]", "ariaLabel"))
    assert [text.split()[:2] for text in query(browser, ".chart .at")] == [["epoch", "3"]] * 2
    browser.key("Home", 36)
    assert value(browser) == 0
    assert "–" in query(browser, ".chart .readout")[0]


def test_channels(show):
    browser = show(layers=1, channels=5, address="#epoch=2")
    film = knot_values(0, 2, 5)
    assert_drawn(browser, 0, "mean", KNOTS, film.mean(axis=0))
    assert_drawn(browser, 0, "channels", np.tile(KNOTS, 5), film.ravel())
    (data,) = query(browser, "path.channels[d^=M]:not(.sample *)", "getAttribute('d')")
    assert data.count("M") == 5
    assert "mean of 5 channels, each thin" in query(browser, "figcaption")[-1]


def heights(data):
    """Heights of the steps of a histogram over its floor."""
    floor = float(re.match(r"M\S+ (\S+?)V", data)[1])
    return floor - np.array([float(y) for y in re.findall(r"V([-\d.e]+)H", data)])


def test_histograms_together_and_by_class(show):
    browser = show(layers=2, address="#epoch=3")
    for i in range(2):
        (data,) = query(browser, f".panel:nth-child({i + 1}) path.inputs", "getAttribute('d')")
        film = np.stack([counts(i, epoch)[:, 4:16] for epoch in range(5)])
        sums = film.sum(axis=1)
        # half the frame of 152 is the highest of all epochs; a byte is the resolution of each class
        np.testing.assert_allclose(heights(data), 76 * sums[3] / sums.max(), atol=76 * 1.5 * 3 / 255)
    browser.eval("document.getElementById('by-class').click()")
    assert query(browser, ".panel path.inputs") == []
    for i in range(2):
        lines = query(browser, f".panel:nth-child({i + 1}) path.class", "getAttribute('d')")
        film = np.stack([counts(i, epoch)[:, 4:16] for epoch in range(5)])
        assert len(lines) == 3
        for row, data in zip(film[3], lines, strict=True):
            np.testing.assert_allclose(heights(data), 76 * row / film.max(), atol=76 / 255)
    browser.eval("document.getElementById('by-class').click()")
    assert len(query(browser, ".panel path.inputs")) == 2


def test_a_class_is_lifted_and_put_back(show):
    browser = show(layers=2)
    assert query(browser, ".chip", "checkVisibility()") == [False] * 3
    browser.eval("document.getElementById('by-class').click()")
    assert query(browser, ".chip", "checkVisibility()") == [True] * 3
    lifted = "[data-class='1'].lifted, .faded:not([data-class='1'])"
    browser.eval("document.querySelectorAll('.chip')[1].click()")
    assert query(browser, ".chip", "ariaPressed") == ["false", "true", "false"]
    assert len(query(browser, lifted)) == 6
    # also at another epoch
    browser.eval("document.getElementById('epoch').focus()")
    browser.key("ArrowLeft", 37)
    assert len(query(browser, lifted)) == 6
    browser.eval("document.querySelectorAll('.chip')[1].click()")
    assert query(browser, ".lifted, .faded") == []


def test_classes_look_different(show):
    browser = show(layers=1, names="abcdefghij")
    browser.eval("document.getElementById('by-class').click()")
    looks = browser.eval(
        "[...document.querySelectorAll('.panel path.class')].map((e) => getComputedStyle(e))"
        ".map((s) => s.stroke + s.strokeDasharray)"
    )
    assert len(set(looks)) == len(looks) == 10


def middle(browser, selector, number=0):
    return browser.eval(
        f"(() => {{ const e = document.querySelectorAll({json.dumps(selector)})[{number}]; e.scrollIntoView();"
        "const b = e.getBoundingClientRect(); return [b.left, b.top, b.width, b.height]; })()"
    )


def test_pointing_at_a_curve_reads_it_out(show):
    browser = show(epochs=4)
    left, top, width, height = middle(browser, ".chart svg")
    # the axis runs from 46 to 508 of 520: epoch 1 of 4
    x, y = left + width * (46 + 462 / 4 + 20) / 520, top + height / 2
    browser.pointer("mouseMoved", x, y)
    assert query(browser, ".chart .readout")[0] == "epoch 1training 2.000validation 2.200test 0.750"
    assert query(browser, ".chart .readout")[1].startswith("epoch 4")
    browser.pointer("mousePressed", x, y)
    browser.pointer("mouseReleased", x, y)
    assert value(browser) == 1
    assert query(browser, ".chart .readout")[1] == "epoch 1training 20.0 %validation 10.0 %test 64.0 %"
    browser.pointer("mouseMoved", left + width * (46 + 462 * 3 / 4) / 520, y)
    assert query(browser, ".chart .at") == ["epoch 3", "epoch 1"]
    browser.pointer("mouseMoved", 2, 2)
    assert query(browser, ".chart .at") == ["epoch 1"] * 2


def test_pointing_at_a_panel_reads_all_out(show):
    browser = show(layers=2, address="#epoch=2")
    left, top, width, height = middle(browser, ".panel svg")
    # the frame runs from 32 to 252 of 260; x = 1.2 lies between two knots
    browser.pointer("mouseMoved", left + width * (32 + 220 * 0.7) / 260, top + height / 2)
    said = query(browser, ".panel .readout")
    for i, text in enumerate(said):
        x, y = re.fullmatch(r"f\((.+)\) = (.+)", text.replace("−", "-")).groups()
        assert float(x) == 1.2
        assert float(y) == pytest.approx(np.interp(1.2, KNOTS, knot_values(i, 2)), rel=0.02)
    assert query(browser, ".panel .dot", "getAttribute('visibility')") == ["visible"] * 2
    browser.pointer("mouseMoved", 2, 2)
    assert query(browser, ".panel .readout") == ["", ""]


def test_playing_goes_through_all_epochs_and_stops(show):
    browser = show(layers=1, epochs=2)
    browser.eval("document.querySelector('.play').click()")
    assert (value(browser), query(browser, ".play", "ariaLabel")) == (0, ["pause"])
    seen = browser.eval(
        "new Promise((done) => { const seen = []; const look = new MutationObserver(() => {"
        "seen.push(Number(document.querySelector('output').textContent));"
        "if (seen.length === 2) setTimeout(() => done(seen), 500); });"
        "look.observe(document.querySelector('output'), {childList: true}); })"
    )
    assert seen == [1, 2]
    assert query(browser, ".play", "ariaLabel") == ["play all epochs"]
    assert browser.eval("location.hash") == "#epoch=2"


def test_playing_is_paused(show):
    browser = show(layers=1, epochs=4)
    browser.eval("document.querySelector('.play').click()")
    browser.eval("document.querySelector('.play').click()")
    assert query(browser, ".play", "ariaLabel") == ["play all epochs"]
    assert browser.eval("new Promise((done) => setTimeout(() => done(Number(epoch.value)), 500))") == 0


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
