"""`pwlact locoprop`: the record, the files, stopped, resumed and forced runs, and bad input."""

import json
from pathlib import Path

import pytest
from redundancy.mnist_files import write_mnist

from pwlact.experiments.locoprop import kept

FEW = (
    "--sizes", "5,2", "--batch-size", 6, "--steps", 3, "--tuning-steps", 2, "--rates", 1, "--seeds", 2, "--points", 2,
    "--device", "cpu",
)  # fmt: skip
COMMAND = ("locoprop", "--methods", "adam, locoprop-s", *FEW)


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pwlact) -> None:
    write_mnist(tmp_path / "images")
    monkeypatch.setenv("PWLACT_DATA", str(tmp_path / "images"))


def test_locoprop(pwlact, images, tmp_path: Path) -> None:
    out, results = tmp_path / "deep" / "run", tmp_path / "results"
    outcome = pwlact(*COMMAND, "--rounds", 1, "--out", out, "--results", results, "--json")
    assert outcome.status == 0
    assert outcome.stdout.count("\n") == 1
    record = outcome.json
    assert [row["name"] for row in record["rows"]] == ["adam", "locoprop-s"]
    assert {"rows", "budget", "floor", "config", "environment"} <= set(record)
    assert {path.name for path in out.iterdir()} == {
        "config.json", "result.json", "losses.png", "tuning", "runs", "timing",
    }  # fmt: skip
    assert json.loads((out / "result.json").read_text()) == json.loads((results / "mnist.json").read_text()) == record
    line = next(line for line in outcome.stderr.splitlines() if "locoprop-s" in line)
    loco = record["rows"][1]
    for value in (loco["train"]["mean"], loco["test"]["mean"], loco["time"]["relative"]):
        assert f"{value:.2f}" in line
    assert f"eta {loco['chosen']['second']:g}" in line
    assert f"{record['floor']['train']:.1f}" in outcome.stderr
    assert "3 trials of 2 steps" in " ".join(outcome.stderr.split())
    assert str(out) in outcome.stderr.replace("\n", "")


def test_without_a_folder_nothing_is_written(pwlact, images, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    outcome = pwlact(*COMMAND, "--rounds", 0, "--limit", 6, "--loss", "squared")
    assert outcome.status == 0
    assert outcome.stdout == ""
    assert sorted(tmp_path.rglob("*")) == before


def test_a_stopped_run_goes_on_and_a_finished_one_is_not_overwritten(
    pwlact, images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, command = tmp_path / "run", (*COMMAND, "--rounds", 0)
    write, count = kept.write_text, []

    def stop(path, text):
        write(path, text)
        count.append(path)
        if len(count) == 4:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(kept, "write_text", stop)
        assert pwlact(*command, "--out", out).status == 130
    assert not (out / "result.json").exists()
    assert "--resume" in pwlact(*command, "--out", out).error
    other = pwlact(*command, "--out", out, "--resume", "--tuning-steps", 5)
    assert other.status == 2
    assert "tuning_steps" in other.error
    assert pwlact(*command, "--out", out, "--resume").status == 0
    first = (out / "result.json").read_bytes()
    assert pwlact(*command, "--out", tmp_path / "whole").status == 0
    assert (tmp_path / "whole" / "result.json").read_bytes() == first
    assert (tmp_path / "whole" / "losses.png").read_bytes() == (out / "losses.png").read_bytes()
    assert "--force" in pwlact(*command, "--out", out).error
    # forced, the records that were kept go too
    for path in out.glob("*/*.json"):
        path.write_text('{"old": true}')
    assert pwlact(*command, "--out", out, "--force").status == 0
    assert (out / "result.json").read_bytes() == first


def test_a_damaged_record_is_named(pwlact, images, tmp_path: Path) -> None:
    out, command = tmp_path / "run", (*COMMAND, "--rounds", 0)
    assert pwlact(*command, "--out", out).status == 0
    (out / "result.json").unlink()
    damaged = next((out / "runs").iterdir())
    damaged.write_text('{"steps": [')
    outcome = pwlact(*command, "--out", out, "--resume")
    assert outcome.status == 2
    assert damaged.name in outcome.error
    damaged.unlink()
    assert pwlact(*command, "--out", out, "--resume").status == 0


BAD = [
    (("--data", "letters"), "'letters'"),
    (("--loss", "hinge"), "'hinge'"),
    (("--methods", "adam,lion"), "'lion'"),
    (("--sizes", "8,x"), "'8,x'"),
    (("--sizes", ""), "sizes"),
    (("--sizes", "0"), "got 0"),
    (("--batch-size", 13), "12 training images, got 13"),
    (("--steps", 0), "steps"),
    (("--rates", 0), "rates"),
    (("--seeds", 0), "seeds"),
    (("--rounds", -1), "rounds"),
    (("--limit", 0), "limit"),
    (("--device", "abacus"), "'abacus'"),
    (("--data-dir", "nowhere"), "nowhere"),
    (("--colour", "red"), "--colour"),
]


@pytest.mark.parametrize(("arguments", "named"), BAD, ids=str)
def test_bad_arguments_are_one_line_and_write_nothing(pwlact, images, tmp_path: Path, arguments, named: str) -> None:
    outcome = pwlact(*COMMAND, *arguments, "--out", tmp_path / "out", "--json")
    assert outcome.status == 2
    assert named in outcome.error
    assert outcome.stdout == ""
    assert not (tmp_path / "out").exists()


def test_resume_needs_a_folder(pwlact, images) -> None:
    assert "--resume needs --out" in pwlact(*COMMAND, "--resume").error
