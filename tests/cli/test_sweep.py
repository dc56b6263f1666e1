"""`pwlact sweep`: the contract, and every bad input."""

import json
from pathlib import Path

import pytest


def test_record_on_standard_output(pwlact) -> None:
    outcome = pwlact("sweep", "--classes", "2,20", "--sigma", "1:2:3", "--json")
    record = outcome.json
    assert outcome.status == 0
    assert outcome.stdout.count("\n") == 1
    assert [(row["classes"], row["sigma"]) for row in record["rows"][2:4]] == [(2, 2.0), (20, 1.0)]
    assert record["rows"][0]["degenerate"]
    assert record["rows"][0]["beta"] is None
    assert record["rows"][3]["beta"] == pytest.approx(2.50, abs=0.01)
    assert record["seconds"] > 0


def test_table_shows_some_rows_and_says_where_the_others_are(pwlact, tmp_path: Path) -> None:
    outcome = pwlact("sweep", "--classes", "2,3:5", "--sigma", "0.5:2:20", "--out", tmp_path / "run")
    assert outcome.stdout == ""
    assert "80 problems" in outcome.stderr
    assert "degenerate" in outcome.stderr
    assert "60 more rows" in outcome.stderr
    assert "result.json holds all" in outcome.stderr.replace("\n", " ")
    short = pwlact("sweep", "--classes", "3", "--sigma", "1")
    assert "more rows" not in short.stderr


def test_out_holds_result_and_picture_and_is_not_overwritten(pwlact, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "run"
    assert pwlact("sweep", "--classes", "3", "--sigma", "1", "--out", out).status == 0
    before = (out / "result.json").read_bytes()
    assert len(json.loads(before)["rows"]) == 1
    assert (out / "sweep.png").read_bytes().startswith(b"\x89PNG")
    refused = pwlact("sweep", "--classes", "4", "--out", out)
    assert refused.status == 2
    assert "--force" in refused.error
    assert (out / "result.json").read_bytes() == before
    assert pwlact("sweep", "--classes", "4", "--sigma", "1", "--out", out, "--force").status == 0
    assert json.loads((out / "result.json").read_bytes())["rows"][0]["classes"] == 4


BAD = [
    (("--classes", ""), "''"),
    (("--classes", "a,b"), "'a,b'"),
    (("--classes", "1"), "got 1"),
    (("--classes", "20:3"), "'20:3'"),
    (("--sigma", ""), "''"),
    (("--sigma", "0.3:10"), "'0.3:10'"),
    (("--sigma", "a,b"), "'a,b'"),
    (("--sigma", "0"), "got 0.0"),
    (("--sigma", "-1:2:3"), "got -1.0"),
    (("--sigma", "2:1:3"), "2.0"),
    (("--sigma", "1:2:1"), "got 1"),
    (("--objective", "both"), "'both'"),
    (("--knots", 4), "got 4"),
    (("--low", 3, "--high", -3), "low=3.0"),
    (("--smoothness", -1), "got -1.0"),
    (("--classes", "2:1000", "--sigma", "1:2:1000"), "999,000"),
]


@pytest.mark.parametrize(("arguments", "named"), BAD, ids=[" ".join(map(str, bad[0])) for bad in BAD])
def test_bad_arguments_are_one_line_and_write_nothing(pwlact, tmp_path: Path, arguments, named: str) -> None:
    outcome = pwlact("sweep", *arguments, "--out", tmp_path / "out", "--json")
    assert outcome.status == 2
    assert named in outcome.error
    assert outcome.stdout == ""
    assert not (tmp_path / "out").exists()
