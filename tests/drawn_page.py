"""What a browser has drawn of the page of a report: its elements, paths and scales."""

import json
import re

import numpy as np


def query(browser, selector, what="textContent"):
    """A property of all elements that a selector finds."""
    return browser.eval(f"[...document.querySelectorAll({json.dumps(selector)})].map((e) => e.{what})")


def path(browser, panel, kind):
    """Points of a path of a panel, shape (points, 2), in the units of the drawing."""
    (data,) = query(browser, f".panel:nth-child({panel + 1}) path.{kind}", "getAttribute('d')")
    return points(data)


def points(data):
    """Points (points, 2) of the data of a path."""
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
    """The path of a panel goes through these points of its function."""
    x, y = scales(browser, panel)
    np.testing.assert_allclose(path(browser, panel, kind), np.stack([x(xs), y(ys)], axis=1), atol=0.05)


def value(browser):
    """Where the slider of epochs stands."""
    return browser.eval("Number(document.getElementById('epoch').value)")
