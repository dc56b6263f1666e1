"""The parts of the page that need no script: headline figures, notes and tables."""

import math
from collections.abc import Iterable, Sequence
from html import escape
from statistics import harmonic_mean
from typing import Any

from pwlact.swish import PARAMETERS
from pwlact_figures.report.payload import CURVES
from pwlact_figures.report.reading import Run, finite

NONE = "–"


def title(run: Run) -> str:
    """What was trained, in one line of text."""
    width = run.config.get("width")
    parts = [run.config["arch"], run.config["mode"], f"width {width}" if width is not None else ""]
    return ", ".join([*filter(None, parts), f"seed {run.config.get('seed', NONE)}"])


def headline(run: Run) -> str:
    """The figures that count, as a list of terms and values."""
    rates = [finite(record.get("images_per_second")) for record in run.history]
    known = [rate for rate in rates if rate is not None and rate > 0]
    figures = [
        ("validation accuracy", *_accuracy(*_validation(run))),
        ("test accuracy", *_accuracy(finite(run.score("test").get("accuracy")), finite(run.score("test").get("n")))),
        ("epochs", f"{len(run.history)}", f"of {run.config.get('epochs', NONE)}"),
        ("images a second", f"{harmonic_mean(known):,.0f}" if known else NONE, "in training"),
        ("parameters", _whole(run.result.get("parameters")), "weights and activations"),
    ]
    return "\n".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}<small>{escape(note)}</small></dd></div>"
        for name, value, note in figures
    )


def notes(run: Run) -> str:
    """What the reader should know of what is missing, as paragraphs."""
    said = [
        "" if run.finished else _unfinished(run),
        f"The activations are fixed ({run.fixed}): the panels show what they receive." if run.fixed else "",
        "This run keeps no activations.npz: the learnt curves are not known."
        if not run.fixed and run.activations is None
        else "",
        "This run keeps no inputs.npz, as those of older versions: there are no histograms of the layers' inputs."
        if run.inputs is None
        else "",
    ]
    return "\n".join(f'<p class="note">{escape(text)}</p>' for text in said if text)


def swish_table(run: Run) -> str:
    """The Swish fits, a row a layer."""
    if not run.fits:
        return "<p>There are none: no learnt activation is known.</p>"
    head = ("layer", "beta", "x0", "scale", "offset", "R²", "what the fit does not tell")
    rows = [
        (name, *(_with_error(fit, key) for key in PARAMETERS), _number(fit.get("r2"), 4), fit.get("caveat") or NONE)
        for name, fit in run.fits.items()
    ]
    return _table("f(x) = scale (x − x0) σ(beta (x − x0)) + offset; ± one standard error", head, rows)


def metrics_table(run: Run) -> str:
    """Loss and accuracy of every epoch."""
    head = ("epoch", "training loss", "validation loss", "training accuracy", "validation accuracy", "seconds")
    rows = [
        (str(epoch), *(_metric(record, key) for key in CURVES), _number(record.get("seconds"), 1))
        for epoch, record in enumerate(run.history, 1)
    ]
    return _table("cross-entropy in nats; accuracy in percent", head, rows, "numbers")


def settings_table(caption: str, settings: dict[str, Any]) -> str:
    """Names and values; nested settings a row each."""
    return _table(caption, ("name", "value"), list(_flat(settings)))


def _unfinished(run: Run) -> str:
    done, wanted = len(run.history), run.config.get("epochs", NONE)
    epoch = run.activations.epochs if run.activations else 0
    fits = f"; the Swish fits are those of epoch {epoch}" if run.fits else ""
    return f"This run is unfinished: {done} of {wanted} epochs are stored{fits}."


def _validation(run: Run) -> tuple[float | None, float | None]:
    """Accuracy of the last epoch and number of images."""
    if run.finished:
        return finite(run.score("val").get("accuracy")), finite(run.score("val").get("n"))
    accuracy = finite(run.history[-1].get("val_accuracy")) if run.history else None
    return accuracy, finite(run.config.get("val_size"))


def _accuracy(accuracy: float | None, n: float | None) -> tuple[str, str]:
    """Percent; number of images and standard error sqrt(p (1 - p) / n) of the share p that is right."""
    if accuracy is None:
        return NONE, "not known"
    percent = f"{100 * accuracy:.1f} %"
    if n is None or n < 1 or not 0 <= accuracy <= 1:
        return percent, ""
    error = math.sqrt(accuracy * (1 - accuracy) / n)
    return percent, f"± {100 * error:.1f} points (one standard error), n = {n:,.0f}"


def _with_error(fit: dict[str, Any], key: str) -> str:
    errors = fit.get("stderr")
    error = finite(errors.get(key)) if isinstance(errors, dict) else None
    value = _number(fit.get(key), 3)
    # two digits, but 1600 and not 1.6e+03
    return value if error is None or value == NONE else f"{value} ± {float(f'{error:.2g}'):g}"


def _metric(record: dict[str, Any], key: str) -> str:
    value = finite(record.get(key))
    if value is None:
        return NONE
    return f"{100 * value:.2f}" if key.endswith("accuracy") else f"{value:.4f}"


def _number(value: Any, places: int) -> str:
    number = finite(value)
    return NONE if number is None else f"{number:.{places}f}".replace("-", "−")


def _whole(value: Any) -> str:
    number = finite(value)
    return NONE if number is None else f"{number:,.0f}"


def _flat(settings: dict[str, Any], before: str = "") -> Iterable[tuple[str, str]]:
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{key} ")
        else:
            yield f"{before}{key}", _said(value)


def _said(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_said(item) for item in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return NONE if value is None else str(value)


def _table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "") -> str:
    """A table whose first column names the rows."""
    top = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    lines = [
        f'<tr><th scope="row">{escape(str(first))}</th>'
        + "".join(f"<td>{escape(str(cell))}</td>" for cell in cells)
        + "</tr>"
        for first, *cells in rows
    ]
    body = "\n".join(lines)
    return (
        f'<div class="scroll {kind}" tabindex="0" role="region" aria-label="{escape(caption)}"><table>'
        f"<caption>{escape(caption)}</caption>\n<thead><tr>{top}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )
