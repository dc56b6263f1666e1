"""The page of a report as its HTML says it."""

import base64
import json
from html.parser import HTMLParser

import numpy as np
import pytest


class Page(HTMLParser):
    """Elements of a page: tags with their attributes, tables as lists of rows, and texts by the tag around them."""

    VOID = ("meta", "input", "br")

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.texts, self.tables = [], [], [], []
        self.feed(text)
        assert self.open == [], "an element is not closed"

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in {"td", "th"}:
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in {"td", "th"}:
            self.tables[-1][-1][-1] += data
        self.texts.append((self.open[-1] if self.open else None, data))

    def text(self, *tags):
        return " ".join(data for tag, data in self.texts if not tags or tag in tags)

    @property
    def seen(self):
        return " ".join(data for tag, data in self.texts if tag not in {"script", "style"})

    @property
    def data(self):
        scripts = [data for tag, data in self.texts if tag == "script"]
        return json.loads(scripts[0], parse_constant=pytest.fail)


def unpacked(text, kind, shape):
    """Numbers that the page carries as bytes in base64."""
    return np.frombuffer(base64.b64decode(text), kind).reshape(shape)
