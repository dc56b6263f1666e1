"""Redundant units: rows from the committed study, in order, drawn, and refused where damaged."""

import json
from pathlib import Path

import pytest

from pwlact.checks import InputError
from pwlact_figures.paper import MissingResultError, Results
from pwlact_figures.paper.redundant_units import MEASURES, compute, draw
from pwlact_figures.style import style


def write(folder: Path, **shares: float) -> Results:
    overall = [
        {"activation": name, **{measure: {"mean": share, "sd": None} for measure in MEASURES}}
        for name, share in shares.items()
    ]
    config = {"units": [4], "data": ["rings"], "tuning": {"seeds": 2}}
    (folder / "redundancy").mkdir()
    (folder / "redundancy" / "toy.json").write_text(json.dumps({"overall": overall, "config": config}))
    return Results(folder)


def test_the_committed_study_is_drawn_whole() -> None:
    data = compute(Results())
    means = [row["distinct"]["mean"] for row in data["rows"]]
    assert means == sorted(means, reverse=True)
    assert {"relu", "softmax", "piecewise-linear"} <= {row["activation"] for row in data["rows"]}
    with style():
        figure = draw(data)
        figure.draw_without_rendering()
    units, accuracy = figure.axes
    assert len(units.get_yticklabels()) == len(data["rows"])
    drawn = accuracy.containers[0].lines[0].get_xdata()
    assert list(drawn) == pytest.approx([100 * row["accuracy"]["mean"] for row in data["rows"]])
    assert all(axes.get_xlabel() for axes in figure.axes)


def test_the_most_distinct_come_first(tmp_path: Path) -> None:
    data = compute(write(tmp_path, relu=0.5, softmax=0.2, lwta=0.9))
    assert [row["activation"] for row in data["rows"]] == ["lwta", "relu", "softmax"]
    assert data["seeds"] == 2


def test_missing_and_damaged_studies_name_the_command(tmp_path: Path) -> None:
    with pytest.raises(MissingResultError, match="pwlact redundancy toy"):
        compute(Results(tmp_path))
    results = write(tmp_path, relu=0.5)
    path = tmp_path / "redundancy" / "toy.json"
    record = json.loads(path.read_text())
    del record["overall"][0]["dead"]
    path.write_text(json.dumps(record))
    with pytest.raises(InputError, match="pwlact redundancy toy"):
        compute(results)
