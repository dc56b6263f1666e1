"""The page of a run, parsed and in a browser, for the tests of reports."""

import re

import pytest
from browser import Browser
from generated_run import write_run
from report_page import Page

from pwlact_figures.report import write_report


@pytest.fixture
def page(tmp_path):
    """Write a run and its report, and read the page."""

    def make(change=None, **options):
        folder = write_run(tmp_path / "my-run", **options)
        if change:
            change(folder)
        return Page(write_report(folder).read_text(encoding="utf-8"))

    return make


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
