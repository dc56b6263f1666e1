"""Claims of the homework draft about classifiers of handwritten letters, measured from committed runs of the study.

The draft's figures are of EMNIST Letters. Where that run is not committed, orders and differences are measured on the
Devanagari letters of DHCD instead and named so; an accuracy on other letters says nothing of the draft's, so it is
given and no verdict with it.
"""

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

from pwlact.checks import InputError
from pwlact.theory.claims.drafts import HOMEWORK
from pwlact.theory.claims.ledger import Check, Claim, Measurement, Verdict, above, below, near, weigh
from pwlact.theory.claims.studies import Study, read_study

EMNIST, DHCD = "letters/emnist", "letters/dhcd"
Row = dict[str, Any]
Read = Callable[[Study], float]


class _NotThere(LookupError):
    """The run left out what a claim is about."""


class _Curve(dict[int, float]):
    """Percentages by width or depth."""

    def __missing__(self, key: int) -> float:
        raise _NotThere(key)


def _guarded(read: Callable[[Study], Any], name: str, study: Study) -> Any:
    """What is read, None where the run left it out.

    Raises:
        InputError: the record is damaged.
    """
    try:
        return read(study)
    except _NotThere:
        return None
    except (KeyError, IndexError, TypeError, ValueError, StopIteration) as error:
        raise InputError(f"figures/results/{name}.json lacks {error!r}; run `pwlact letters` again") from error


def _figure(read: Read, stated: float) -> Callable[[], Measurement | None]:
    """An accuracy in %, within a point of the stated one; on other letters, given without a verdict."""

    def measured() -> Measurement | None:
        own = read_study(EMNIST)
        if own is not None:
            found = _guarded(read, EMNIST, own)
            what = f"accuracy in % on EMNIST Letters, n = {own['data']['test']:,}:"
            return None if found is None else weigh(near(what, 100 * found, stated, 1.0))
        other = read_study(DHCD)
        found = None if other is None else _guarded(read, DHCD, other)
        if other is None or found is None:
            return None
        data = other["data"]
        text = (
            f"on EMNIST Letters not yet; on DHCD, {data['classes']} other letters, n = {data['test']:,} test and "
            f"{data['validation']:,} validation images: {100 * found:.1f} %"
        )
        return Measurement(text, Verdict.UNMEASURED, text)

    return measured


def _finding(measure: Callable[[Study, str], Measurement]) -> Callable[[], Measurement | None]:
    """An order or a difference, on EMNIST Letters if they are there, else on DHCD."""

    def measured() -> Measurement | None:
        for name in (EMNIST, DHCD):
            study = read_study(name)
            if study is not None:
                on = f"on {study['data']['name']}, {study['config']['seeds']} seeds"
                return _guarded(lambda found, on=on: measure(found, on), name, study)
        return None

    return measured


def _row(of: Study, /, **keys: Any) -> Row:
    found = next((row for row in of["rows"] if all(row.get(key) == value for key, value in keys.items())), None)
    if found is None:
        raise _NotThere(keys)
    return found


def _mean(of: Study, part: str, /, **keys: Any) -> float:
    return _row(of, **keys)[part]["mean"]


def _by_width(study: Study, part: str) -> _Curve:
    return _curve((row["width"], 100 * row[part]["mean"]) for row in study["rows"] if row["study"] == "width")


def _by_depth(study: Study, variant: str, part: str) -> _Curve:
    rows = (row for row in study["rows"] if row["study"] == "depth" and row["variant"] == variant)
    return _curve((row["depth"], 100 * row[part]["mean"]) for row in rows)


def _curve(points: Iterable[tuple[int, float]]) -> _Curve:
    found = _Curve(sorted(points))
    if len(found) < 2:
        raise _NotThere("two points")
    return found


def _logistic(study: Study, features: str) -> Row:
    """The row that has a grid: the first logistic regression has none."""
    found = next((row for row in study["rows"] if row.get("features") == features and row["grid"]), None)
    if found is None:
        raise _NotThere(features)
    return found


def _tuned(study: Study, features: str, part: str) -> float:
    return _logistic(study, features)[part]["mean"]


def _pooling(study: Study, on: str) -> Measurement:
    full, pooled = (100 * _tuned(study, features, "validation") for features in ("pixels", "2 x 2 maxima"))
    what = f"validation accuracy with 2 x 2 maxima less that without in points, best of each grid, {on}:"
    return weigh(above(what, pooled - full, -1.0))


def _averages(study: Study, on: str) -> Measurement:
    maxima, means = (100 * _tuned(study, features, "validation") for features in ("2 x 2 maxima", "4 x 4 means"))
    what = f"validation accuracy with 4 x 4 means less that with 2 x 2 maxima in points, best of each grid, {on}:"
    return weigh(below(what, means - maxima, -1.0))


def _pooling_time(study: Study, on: str) -> Measurement:
    full, pooled = (_logistic(study, features)["seconds"] for features in ("pixels", "2 x 2 maxima"))
    what = f"training time with 2 x 2 maxima over that without, one run each, {on}:"
    return weigh(Check(what, pooled / full, 0, 0.5, "at most 0.5", rough=True))


def _saturates(study: Study, on: str) -> Measurement:
    validation, train = _by_width(study, "validation"), _by_width(study, "train")
    return weigh(
        below(
            f"gain in validation accuracy from width 128 to 256 in points, {on}:",
            validation[256] - validation[128],
            1.5,
        ),
        above("that from 64 to 128", validation[128] - validation[64], validation[256] - validation[128]),
        above("gain in training accuracy from 128 to 256", train[256] - train[128], 0.5),
    )


def _interpolates(study: Study, on: str) -> Measurement:
    train = list(_by_width(study, "train").values())
    steps = [after - before for before, after in pairwise(train)]
    return weigh(
        above(f"least gain in training accuracy from one width to the next in points, {on}:", min(steps), -0.5),
        above("training accuracy at the largest width in %", train[-1], 94.0),
    )


def _dropout(study: Study, on: str) -> Measurement:
    widest = max(_by_width(study, "test"))
    cells = _row(study, study="width", width=widest)["grid"]
    without, dropped = (
        100 * max(cell["validation"] for cell in cells if bool(cell["dropout"]) == flag) for flag in (False, True)
    )
    what = f"best validation accuracy with dropout less that without in points, width {widest}, one seed, {on}:"
    return weigh(above(what, dropped - without, 0.1))


def _best_width(study: Study, on: str) -> Measurement:
    validation = _by_width(study, "validation")
    return weigh(
        near(f"width with the highest validation accuracy, {on}:", max(validation, key=validation.__getitem__), 32, 0)
    )


def _declines(study: Study, on: str) -> Measurement:
    curve = list(_by_depth(study, "as-draft", "validation").values())
    steps = [after - before for before, after in pairwise(curve)]
    return weigh(
        below(f"largest gain in validation accuracy from a depth to the next in points, {on}:", max(steps), 0.0),
        below("from depth 1 to 9", curve[-1] - curve[0], -10.0),
    )


def _vanishing(study: Study, on: str) -> Measurement:
    deep = max(_by_depth(study, "plain", "test"))
    ratios = _row(study, study="depth", variant="as-draft", depth=deep)["gradient_ratio"]

    def lost(variant: str) -> float:
        curve = _by_depth(study, variant, "test")
        return curve[1] - curve[deep]

    there = {row["variant"] for row in study["rows"] if row["study"] == "depth"}
    others = {
        "with neither": "plain",
        "with larger starting weights alone": "he",
        "with normalisation alone": "normalised",
        "with residual connections alone": "residual",
    }
    what = f"test accuracy lost from depth 1 to {deep} in points, rate tuned, residual connections and normalisation:"
    return weigh(
        below(f"gradient at the first of {deep} layers over that at the last, at the start, {on}:", max(ratios), 0.1),
        below(what, lost("both"), lost("plain") / 2),
        note="; ".join(f"{said} {lost(name):.1f}" for said, name in others.items() if name in there),
    )


def _shallow(study: Study, on: str) -> Measurement:
    drafted = _by_depth(study, "as-draft", "validation")
    tuned = {name: _by_depth(study, name, "validation") for name in ("plain", "both")}
    best = {name: max(curve, key=curve.__getitem__) for name, curve in tuned.items()}
    return weigh(
        near(f"best depth with the draft's settings, {on}:", max(drafted, key=drafted.__getitem__), 1, 0),
        note=f"with the rate tuned for each depth the best depth is {best['plain']}, with residual connections and "
        f"normalisation {best['both']}",
    )


_FIGURES = (
    ("perceptron", "the perceptron reaches 61.1 % test accuracy", lambda s: _mean(s, "test", study="perceptron"), 61.1),
    (
        "logistic",
        "logistic regression reaches 69.6 % test accuracy",
        lambda s: _mean(s, "test", study="logistic", grid=[]),
        69.6,
    ),
    (
        "logistic-grid",
        "tuned logistic regression reaches 72.1 % test accuracy (rate 1e-3, penalty 1e-4, 71.95 % validation)",
        lambda s: _tuned(s, "pixels", "test"),
        72.1,
    ),
    (
        "mlp",
        "the multilayer perceptron reaches 87.8 % validation and test accuracy",
        lambda s: _mean(s, "test", study="width", width=64),
        87.8,
    ),
    *(
        (
            f"width-{width}",
            f"width {width} reaches {stated} % validation accuracy",
            lambda s, width=width: _mean(s, "validation", study="width", width=width),
            stated,
        )
        for width, stated in ((16, 78.1), (32, 84.4), (64, 88.1), (128, 89.8))
    ),
    (
        "width-256",
        "width 256, one layer, reaches 90.9 % validation and 90.8 % test accuracy",
        lambda s: _mean(s, "validation", study="width", width=256),
        90.9,
    ),
)

_FINDINGS = (
    ("pooling-accuracy", "2 x 2 max pooling costs negligible accuracy (70.95 against 71.95 % validation)", _pooling),
    ("pooling-time", "max pooling halves the training time (about 80 to 35 seconds)", _pooling_time),
    ("pooling-average", "4 x 4 average pooling washes images out and costs accuracy", _averages),
    (
        "width-saturates",
        "accuracy rises up to width 128 and then saturates, while training accuracy rises on",
        _saturates,
    ),
    ("width-interpolates", "training accuracy rises near-monotonically towards 1 with width", _interpolates),
    ("dropout-wide", "dropout helps at the widest setting", _dropout),
    ("best-width", "width 32 is the best of the width study (its own table puts 256 first)", _best_width),
    (
        "depth-declines",
        "accuracy falls from 81.7 to 52.4 % validation as depth grows from 1 to 9 at width 32",
        _declines,
    ),
    ("depth-vanishing", "vanishing gradients and the lack of residual paths and normalisation explain it", _vanishing),
    ("depth-shallow-best", "the shallow network is the best under identical hyperparameters", _shallow),
)

LETTER_CLAIMS: tuple[Claim, ...] = (
    *(HOMEWORK.claim(name, said, _figure(read, stated), "pwlact letters") for name, said, read, stated in _FIGURES),
    *(HOMEWORK.claim(name, said, _finding(measure), "pwlact letters") for name, said, measure in _FINDINGS),
)
