"""The page: markup, style, script and data of a run in one file that asks the network for nothing."""

import base64
import hashlib
import json
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from pwlact.files import write_text
from pwlact_figures.report import static
from pwlact_figures.report.payload import payload
from pwlact_figures.report.reading import Run, read_run
from pwlact_figures.style import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION

FILE_NAME = "report.html"
_SCRIPTS = ("dom.js", "scale.js", "data.js", "chart.js", "panel.js", "player.js", "main.js")
_COLOURS = {
    "blue": BLUE, "vermilion": VERMILION, "green": GREEN, "orange": ORANGE, "purple": PURPLE, "sky": SKY,
}  # fmt: skip


def write_report(folder: Path, path: Path | None = None) -> Path:
    """Write the report of the run in `folder`, whole or not at all.

    The same run gives the same bytes. The page holds all it needs and loads nothing.

    Args:
        folder: of a training run, finished or not.
        path: file to write; report.html in the folder unless given.

    Returns:
        The file written.

    Raises:
        InputError: the folder holds no training run, or one of its files is damaged.
        OSError: the file cannot be written; the one that was there is untouched.
    """
    path = folder / FILE_NAME if path is None else path
    write_text(path, page(read_run(folder)))
    return path


def page(run: Run) -> str:
    """The report as HTML."""
    style = f":root {{{_palette()}}}\n{_part('report.css')}"
    script = "\n".join(_part(name) for name in _SCRIPTS)
    title = static.title(run)
    filled = Template(_part("page.html")).substitute(
        policy=f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; "
        "base-uri 'none'; form-action 'none'",
        title=escape(title if run.finished else f"{title}, unfinished"),
        heading=escape(title),
        state="" if run.finished else '<span class="badge">unfinished</span>',
        name=escape(run.name),
        headline=static.headline(run),
        notes=static.notes(run),
        swish=static.swish_table(run),
        metrics=static.metrics_table(run),
        settings=static.settings_table("Settings", {**run.config, "data": run.data}),
        environment=_environment(run),
        style=style,
        script=script,
        data=_embedded(run),
    )
    # a name on disk may hold bytes, and JSON escapes, that are no text
    return filled.encode("utf-8", "replace").decode()


def _part(name: str) -> str:
    return files("pwlact_figures.report").joinpath(name).read_text(encoding="utf-8")


def _palette() -> str:
    """The house colours that show on light and on dark ground."""
    return " ".join(f"--{name}: {colour};" for name, colour in _COLOURS.items())


def _embedded(run: Run) -> str:
    """The data as JSON; without a "<" nothing in it can end the element that holds it."""
    return json.dumps(payload(run), separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _environment(run: Run) -> str:
    environment = run.result.get("environment")
    if not isinstance(environment, dict):
        return "<p>It is stored with the result, at the end of a run.</p>"
    return static.settings_table("Versions and device", environment)


def _digest(text: str) -> str:
    """By which the policy knows an inline script or style as the page's own."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
