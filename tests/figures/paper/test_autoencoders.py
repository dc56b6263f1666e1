"""The autoencoder's figure: losses from the committed record where they belong, refused where damaged."""

import json
from pathlib import Path

import pytest

from pwlact.checks import InputError
from pwlact_figures.paper import MissingResultError, Results
from pwlact_figures.paper.autoencoders import RESULT, compute, draw
from pwlact_figures.style import style


def row(name: str, scale: float, relative: float | None) -> dict:
    curves = [[scale * (4 - step) + seed for step in range(3)] for seed in (0, 2)]
    return {
        "name": name,
        "diverged": [],
        "curves": {"steps": [0, 5, 10], "train": curves, "test": [[v + 1 for v in curve] for curve in curves]},
        "train": {"values": [curve[-1] for curve in curves]},
        "test": {"values": [curve[-1] + 1 for curve in curves]},
        "time": None if relative is None else {"relative": relative, "ms": 3.0},
        "what": "in words",
    }


def write(folder: Path, *rows: dict) -> Results:
    path = folder / f"{RESULT}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"rows": list(rows)}))
    return Results(folder)


def test_the_committed_record_is_drawn() -> None:
    data = compute(Results())
    assert {"adam", "soap", "locoprop-s", "locoprop-m", "locoprop-m-learned"} <= {row["name"] for row in data["rows"]}
    assert all(len(row["curves"]["train"]) >= 3 for row in data["rows"])
    assert all(row["time"]["relative"] > 0 for row in data["rows"])
    with style():
        figure = draw(data)
        figure.draw_without_rendering()
    assert len(figure.axes) == 3


def test_every_number_is_drawn_where_it_belongs(tmp_path: Path) -> None:
    data = compute(write(tmp_path, row("adam", 1, 1.0), row("locoprop-m", 2, 8.0), row("rmsprop", 3, None)))
    json.dumps(data)
    assert "what" not in data["rows"][0]
    with style():
        figure = draw(data)
    steps, time, test = figure.axes
    assert list(steps.lines[1].get_xdata()) == [0, 5, 10]
    assert list(steps.lines[1].get_ydata()) == [9, 7, 5]  # mean of two seeds
    assert [len(axes.lines) for axes in figure.axes] == [3, 2, 3]  # without a time there is none to draw over
    assert list(time.lines[1].get_xdata()) == [0, 40, 80]
    assert list(test.lines[0].get_ydata()) == [6, 5, 4]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["adam", "locoprop-m", "rmsprop"]


def test_missing_and_damaged_records_name_the_command(tmp_path: Path) -> None:
    with pytest.raises(MissingResultError, match="pwlact locoprop"):
        compute(Results(tmp_path))
    broken = row("adam", 1, 1.0)
    del broken["curves"]
    with pytest.raises(InputError, match="pwlact locoprop"):
        compute(write(tmp_path, broken))
