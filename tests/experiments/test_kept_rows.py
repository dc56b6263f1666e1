"""Rows that are kept one by one, and what is made of them: spread, differences, lines over all conditions."""

import json
from pathlib import Path

import pytest
from asserts import assert_refused

from pwlact.experiments.kept_rows import FILE_NAME, compute, forget
from pwlact.experiments.redundancy.comparison import MEASURES, against_base, overall
from pwlact.experiments.redundancy.measuring import LAYER_MEASURES
from pwlact.experiments.spread import difference, spread


class Stop(Exception):
    pass


def stopping():
    raise Stop


def tasks(calls, broken=()):
    def task(name):
        calls.append(name)
        if name in broken:
            raise Stop
        return {"name": name, "pair": (1, 2), "nan": float("nan")}

    return {name: lambda name=name: task(name) for name in ("a", "b", 'c "$<'.strip())}


def test_stopped_it_goes_on(tmp_path: Path):
    calls, seen = [], []
    with pytest.raises(Stop):
        compute(tasks(calls, broken=("b",)), tmp_path)
    assert calls == ["a", "b"]
    kept = (tmp_path / FILE_NAME).read_bytes()
    with pytest.raises(Stop):
        compute(tasks(calls, broken=("b",)), tmp_path)
    assert calls == ["a", "b", "b"]
    assert (tmp_path / FILE_NAME).read_bytes() == kept
    rows = compute(tasks(calls), tmp_path, lambda *state: seen.append(state))
    assert calls == ["a", "b", "b", "b", 'c "$<']
    assert seen[0] == (1, 3)
    assert seen[-1] == (3, 3)
    assert seen == sorted(seen)
    assert rows == compute(tasks([]))
    assert rows[0] == {"name": "a", "pair": [1, 2], "nan": None}
    assert compute(tasks(calls), tmp_path) == rows
    assert len(calls) == 5
    forget(tmp_path)
    forget(tmp_path)
    compute(tasks(calls), tmp_path)
    assert len(calls) == 8


def test_rows_in_the_order_of_the_tasks_whatever_is_stored(tmp_path: Path):
    (tmp_path / FILE_NAME).write_text(json.dumps({"z": {"old": 1}, "b": {"name": "stored"}}))
    rows = compute(tasks([]), tmp_path)
    assert [row["name"] for row in rows] == ["a", "stored", 'c "$<']


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"a": 1}', b"\xff\xfe"])
def test_damaged_rows(tmp_path: Path, content):
    (tmp_path / FILE_NAME).write_bytes(content)
    assert_refused(lambda: compute({"a": stopping}, tmp_path), FILE_NAME, "damaged", "--force")


def test_spread():
    assert spread([1.0, 2.0, 4.0]) == {"mean": 2.33333, "sd": 1.52753, "n": 3, "values": [1.0, 2.0, 4.0]}
    assert spread([0.123456789]) == {"mean": 0.123457, "sd": None, "n": 1, "values": [0.123457]}
    assert spread([1.0, float("nan"), float("inf")]) == {"mean": 1.0, "sd": None, "n": 1, "values": [1.0, None, None]}
    assert spread([float("nan")]) == {"mean": None, "sd": None, "n": 0, "values": [None]}


def test_difference_is_taken_seed_by_seed():
    found = difference([1.0, 3.0, 5.0, 9.0], [0.0, 1.0, 4.0, None])
    assert found == {"mean": 1.33333, "stderr": 0.333333, "n": 3}
    assert difference([1.0], [0.5]) == {"mean": 0.5, "stderr": None, "n": 1}
    assert difference([None], [0.5]) == {"mean": None, "stderr": None, "n": 0}
    with pytest.raises(ValueError, match="argument 2"):
        difference([1.0], [1.0, 2.0])


def row(activation, place, accuracy, dead):
    measures = {name: spread(dead) for name in LAYER_MEASURES}
    return {
        "activation": activation,
        "place": place,
        "reached": 0.5,
        "diverged": 0.0,
        "accuracy": spread(accuracy),
        "steps": spread([10.0, 20.0]),
        "trained": measures,
        "untrained": {name: spread([1.0, 1.0]) for name in LAYER_MEASURES},
    }


def test_rows_are_compared_under_one_condition():
    rows = [
        row("relu", 1, [0.5, 0.6], [0.0, 0.2]),
        row("softmax", 1, [0.6, 0.7], [0.1, 0.3]),
        row("softmax", 2, [0.9, float("nan")], [0.5, 0.5]),
    ]
    compared = against_base(rows, "relu", ("place",))
    assert compared[1]["against"]["accuracy"] == {"mean": 0.1, "stderr": 0.0, "n": 2}
    assert compared[1]["against"]["dead"]["mean"] == pytest.approx(0.1)
    assert compared[0]["against"]["dead"]["mean"] == 0
    assert set(compared[0]["against"]) == set(MEASURES)
    assert compared[2]["against"] is None
    assert "against" not in rows[0]


def test_overall_is_a_mean_over_conditions_for_every_seed():
    rows = [
        row("relu", 1, [0.5, 0.6], [0.0, 0.2]),
        row("relu", 2, [0.7, 0.8], [0.0, 0.0]),
        row("softmax", 1, [0.6, 0.7], [0.1, 0.3]),
        row("softmax", 2, [0.9, float("nan")], [0.5, 0.5]),
        row("tanh", 1, [0.6, 0.7], [0.1, 0.3]),
    ]
    relu, softmax, tanh = overall(rows, "relu", ("place",))
    assert [line["activation"] for line in (relu, softmax, tanh)] == ["relu", "softmax", "tanh"]
    assert relu["accuracy"]["values"] == [0.6, 0.7]
    assert relu["dead"]["values"] == [0.0, 0.1]
    assert relu["distinct"]["values"] == [1.0, 0.82]  # dead and duplicates are alike here: (1 + 1) / 2, (0.64 + 1) / 2
    assert relu["untrained"]["distinct"]["mean"] == 0
    assert softmax["accuracy"]["values"] == [0.75, None]  # a seed that lacks a condition has no mean
    assert softmax["against"]["accuracy"] == {"mean": 0.15, "stderr": None, "n": 1}
    assert softmax["against"]["dead"]["mean"] == pytest.approx(0.3)
    assert tanh["conditions"] == 1
    assert tanh["against"] is None  # relu's mean is over more conditions
    assert relu["untrained"]["dead"]["mean"] == 1
    assert overall(rows, "nothing", ("place",))[0]["against"] is None
