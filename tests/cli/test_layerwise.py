"""`pwlact layerwise`: the two commands, the files, resumed and forced runs, and bad input."""

import json
from pathlib import Path

import pytest
from redundancy.mnist_files import write_mnist

from pwlact.experiments import kept_rows as rows

FEW = ("--units", 3, "--train", 30, "--test", 20, "--epochs", 1, "--seeds", 2)
ABLATION = ("--arms", "random, pixels", *FEW)
END_TO_END = (
    "layerwise", "end-to-end", "--arms", "scratch,softmax", *FEW, "--validation", 10, "--rates", "0.01",
    "--pretrain-epochs", 1, "--data-dir", "images",
)  # fmt: skip


@pytest.fixture(autouse=True)
def images(tmp_path: Path) -> None:
    write_mnist(tmp_path / "images", train=40, test=20)


def test_without_a_command_it_is_the_ablation(pwlact, tmp_path: Path) -> None:
    out, kept = tmp_path / "deep" / "run", tmp_path / "results"
    outcome = pwlact("layerwise", *ABLATION, "--data-dir", "images", "--out", out, "--results", kept, "--json")
    assert outcome.status == 0
    assert outcome.stdout.count("\n") == 1
    record = outcome.json
    assert [line["arm"] for line in record["overall"]] == ["random", "pixels"]
    assert [(row["arm"], row["seed"]) for row in record["rows"]] == [("random", 0), ("random", 1), ("pixels", 0)]
    assert {path.name for path in out.iterdir()} == {
        "config.json", "rows.json", "result.json", "ablation.png", "prototypes.png",
    }  # fmt: skip
    stored = [json.loads(path.read_text()) for path in (out / "result.json", kept / "ablation-mnist.json")]
    assert stored == [record, record]
    line = next(line for line in outcome.stderr.splitlines() if "random" in line)
    assert f"{record['overall'][0]['accuracy']:.1%}" in line
    named = pwlact("layerwise", "ablation", *ABLATION, "--data-dir", "images", "--json")
    assert named.json == record


def test_end_to_end(pwlact, tmp_path: Path) -> None:
    outcome = pwlact(*END_TO_END, "--out", "run", "--results", "kept", "--json")
    assert outcome.status == 0
    assert [row["arm"] for row in outcome.json["rows"]] == ["scratch", "scratch", "softmax", "softmax"]
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        "config.json", "rows.json", "result.json", "epochs.png", "prototypes.png",
    }  # fmt: skip
    assert json.loads((tmp_path / "kept" / "end-to-end-mnist.json").read_text()) == outcome.json
    assert "softmax" in outcome.stderr


def test_help_names_both_commands(pwlact) -> None:
    for arguments in (["layerwise", "--help"], ["layerwise", "-h"]):
        said = pwlact(*arguments).stdout
        assert "ablation" in said
        assert "end-to-end" in said
    assert "--rates" in pwlact("layerwise", "end-to-end", "--help").stdout


@pytest.mark.parametrize(
    "command", [("layerwise", *ABLATION, "--data-dir", "images"), END_TO_END], ids=["ablation", "end-to-end"]
)
def test_a_stopped_run_goes_on_to_the_same_bytes(pwlact, tmp_path: Path, monkeypatch, command) -> None:
    out = tmp_path / "run"
    write = rows.write_text

    def stop(path, text):
        write(path, text)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(rows, "write_text", stop)
        assert pwlact(*command, "--out", out).status == 130
    assert not (out / "result.json").exists()
    assert len(json.loads((out / "rows.json").read_text())) == 1
    assert "--resume" in pwlact(*command, "--out", out).error
    other = pwlact(*command, "--out", out, "--resume", "--units", 4)
    assert other.status == 2
    assert "units" in other.error
    assert pwlact(*command, "--out", out, "--resume").status == 0
    first = (out / "result.json").read_bytes()
    assert pwlact(*command, "--out", tmp_path / "whole").status == 0
    assert (tmp_path / "whole" / "result.json").read_bytes() == first
    assert "--force" in pwlact(*command, "--out", out).error
    # forced, the rows that were kept go too
    kept = json.loads((out / "rows.json").read_text())
    (out / "rows.json").write_text(json.dumps({name: {"old": True} for name in kept}))
    assert pwlact(*command, "--out", out, "--force").status == 0
    assert (out / "result.json").read_bytes() == first


def test_bad_input_is_one_line(pwlact, tmp_path: Path) -> None:
    assert "--out" in pwlact("layerwise", "--resume").error
    assert "no MNIST" in pwlact("layerwise", "--data-dir", tmp_path / "none").error
    assert "gan" in pwlact(*END_TO_END, "--arms", "gan").error
    assert "--rates" in pwlact(*END_TO_END, "--rates", "fast").error
    assert "rates" in pwlact(*END_TO_END, "--rates", ",").error
    wrong = pwlact("layerwise", "sideways")
    assert wrong.status == 2
    assert "sideways" in wrong.error
    assert pwlact("layerwise", "--no-such-option").status == 2
    started = ("layerwise", *ABLATION, "--data-dir", "images", "--out", "run")
    assert pwlact(*started).status == 0
    (tmp_path / "run" / "result.json").unlink()
    (tmp_path / "run" / "rows.json").write_text("[1]")
    assert "damaged" in pwlact(*started, "--resume").error
