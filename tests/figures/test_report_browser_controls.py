"""The page of a run in a browser: what slider, switches, mouse, keys and address do to it."""

import json
import re

import numpy as np
import pytest
from browser import CHROMIUM
from drawn_page import assert_drawn, query, value
from generated_run import KNOTS, counts, knot_values

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium, chromium-browser or google-chrome on the path")


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
