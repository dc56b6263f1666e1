"""The tables of the letters study, each next to what the draft reports of EMNIST Letters."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pwlact.experiments.letters.reported import LOGISTIC_GRID, reported

Row = Mapping[str, Any]
Table = tuple[str, Sequence[str], Sequence[Sequence[str]]]

_OTHER = ("calibration", "brier", "dead_targets", "support")


def tables(record: Mapping[str, Any]) -> list[Table]:
    """Title, columns and lines of every table that the record has rows for.

    Args:
        record: of `pwlact letters`.
    """
    makers = {"linear": _linear, "logistic": _grid, "width": _width, "depth": _depth, "outputs": _outputs}
    rows = record["rows"]
    groups = {
        "linear": [row for row in rows if row["study"] in ("perceptron", "logistic")],
        **{name: [row for row in rows if row["study"] == name] for name in ("logistic", "width", "depth", "outputs")},
    }
    return [makers[name](group, record) for name, group in groups.items() if group]


def _linear(rows: Sequence[Row], record: Row) -> Table:
    return (
        "linear classifiers: accuracy after the best epoch on validation images (%)",
        ("classifier", "validation", "test", "draft, EMNIST: test"),
        [
            (name, spread(found["validation"]), spread(found["test"]), _percent(stated))
            for row in rows
            for name, found, stated in _classifiers(row)
        ],
    )


def _classifiers(row: Row) -> list[tuple[str, Mapping[str, Any], float | None]]:
    own = (row["name"], row, (reported(row) or {}).get("test"))
    return [own, ("averaged perceptron", row["averaged"], None)] if row["study"] == "perceptron" else [own]


def _grid(rows: Sequence[Row], record: Row) -> Table:
    lines = [
        (
            row["features"],
            f"{cell['rate']:g}",
            f"{cell['penalty']:g}",
            _percent(cell["validation"]),
            _percent(LOGISTIC_GRID.get((row["features"], cell["rate"], cell["penalty"]))),
            _percent(cell["test"]),
        )
        for row in rows
        for cell in row["grid"]
    ]
    head = ("features", "rate", "penalty", "validation", "draft, EMNIST: validation", "test")
    return "logistic regression: the grid (%)", head, lines


def _width(rows: Sequence[Row], record: Row) -> Table:
    lines = [
        (str(row["width"]), *_chosen(row), *_accuracies(row), *(_draft(row, part) for part in ("validation", "test")))
        for row in rows
    ]
    head = ("width", "rate", "dropout", "decay", "validation", "train", "test", "draft: validation", "draft: test")
    return f"one hidden layer: best of {len(rows[0]['grid']) or 1} settings (%)", head, lines


def _depth(rows: Sequence[Row], record: Row) -> Table:
    depths = sorted({row["depth"] for row in rows})
    variants = list(dict.fromkeys(row["variant"] for row in rows))
    found = {(row["variant"], row["depth"]): row for row in rows}

    def line(name: str, read: Callable[[Row], str]) -> Sequence[str]:
        cells = [read(found[name, depth]) if (name, depth) in found else "" for depth in depths]
        return (name, *cells)

    lines = [line(name, lambda row: spread(row["test"])) for name in variants]
    if "as-draft" in variants:
        lines.insert(0, ("draft, EMNIST", *line("as-draft", lambda row: _draft(row, "test"))[1:]))
    width = record["config"]["depth_width"]
    return f"hidden layers of {width}: test accuracy (%)", ("variant", *map(str, depths)), lines


def _outputs(rows: Sequence[Row], record: Row) -> Table:
    lines = [
        (row["output"], spread(row["test"]), *(spread(row[name], 1 if name == "support" else 100) for name in _OTHER))
        for row in rows
    ]
    head = ("output", "test (%)", "calibration error (%)", "Brier (%)", "dead targets (%)", "classes with a share")
    return "maps from scores to shares, on test images", head, lines


def _chosen(row: Row) -> list[str]:
    return [f"{row['chosen'][name]:g}" for name in ("rate", "dropout", "decay")]


def _accuracies(row: Row) -> list[str]:
    return [spread(row[part]) for part in ("validation", "train", "test")]


def _draft(row: Row, part: str) -> str:
    return _percent((reported(row) or {}).get(part))


def spread(value: Mapping[str, Any], scale: float = 100) -> str:
    """Mean and, of several, standard deviation over seeds: "87.3 (0.2)".

    Args:
        value: {mean, sd, ...}.
        scale: what both are multiplied by.
    """
    if value["mean"] is None:
        return "-"
    mean = f"{scale * value['mean']:.1f}"
    return mean if value["sd"] is None else f"{mean} ({scale * value['sd']:.1f})"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"
