"""`pwlact report`: the page of a run, and every bad input."""

import pytest
from generated_run import write_run


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / "my-run", layers=2, epochs=2)


def test_page_beside_the_run(pwlact, run):
    before = {path.name for path in run.iterdir()}
    outcome = pwlact("report", run, "--json")
    assert outcome.status == 0
    assert outcome.json == {"files": [str(run / "report.html")]}
    assert (run / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert {path.name for path in run.iterdir()} == before | {"report.html"}
    assert "report.html" in outcome.stderr


def test_page_elsewhere(pwlact, run, tmp_path):
    out = tmp_path / "deep" / "down" / "page.html"
    outcome = pwlact("report", run, "--out", out)
    assert (outcome.status, outcome.stdout) == (0, "")
    assert out.exists()
    assert not (run / "report.html").exists()
    assert [path.name for path in out.parent.iterdir()] == ["page.html"]


def test_run_by_a_relative_path_has_its_name(pwlact, run, monkeypatch):
    monkeypatch.chdir(run)
    assert pwlact("report", ".").status == 0
    assert "training run <b>my-run</b>" in (run / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", ["nowhere", "empty", "file"])
def test_no_run(pwlact, tmp_path, path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("mine")
    outcome = pwlact("report", tmp_path / path, "--json")
    assert (outcome.status, outcome.stdout) == (2, "")
    assert path in outcome.error
    assert "no run folder" in outcome.error
    assert {file.name for file in tmp_path.iterdir()} == {"empty", "file"}


def test_a_run_of_another_command(pwlact, tmp_path):
    assert pwlact("unit", "--classes", 5, "--out", tmp_path / "unit").status == 0
    outcome = pwlact("report", tmp_path / "unit")
    assert outcome.status == 2
    assert "pwlact cifar" in outcome.error.splitlines()[0]


def test_out_where_no_file_can_be(pwlact, run, tmp_path):
    (tmp_path / "file").write_text("mine")
    for out, said in ((tmp_path, "--out takes the file"), (tmp_path / "file" / "page.html", "choose another --out")):
        outcome = pwlact("report", run, "--out", out)
        assert outcome.status == 2
        assert said in outcome.error
    assert (tmp_path / "file").read_text() == "mine"
