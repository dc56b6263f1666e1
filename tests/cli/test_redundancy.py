"""`pwlact redundancy`: the records, the files, resumed and forced runs, and bad input."""

import json
from pathlib import Path

import pytest
from redundancy.mnist_files import write_mnist

from pwlact.experiments import kept_rows as rows

FEW = ("--seeds", 2, "--rates", "0.1", "--steps", 4, "--points", 12)
TOY = ("redundancy", "toy", "--data", "rings", "--units", "4", "--activations", "relu, softmax", *FEW)
GROUPS = ("redundancy", "groups", "--data", "rings", "--units", "4", "--sizes", "2,4", "--kinds", "lwta", *FEW)
TABLE = ("redundancy", "table", "--activations", "relu,softmax", "--units", 4, "--repeats", 0)


def test_toy(pwlact, tmp_path: Path) -> None:
    out, kept = tmp_path / "deep" / "run", tmp_path / "results"
    outcome = pwlact(*TOY, "--out", out, "--results", kept, "--json")
    assert outcome.status == 0
    assert outcome.stdout.count("\n") == 1
    record = outcome.json
    assert [(row["activation"], row["units"], row["accuracy"]["n"]) for row in record["rows"]] == [
        ("relu", 4, 2),
        ("softmax", 4, 2),
    ]
    assert {"overall", "config", "environment"} <= set(record)
    assert {path.name for path in out.iterdir()} == {
        "config.json", "result.json", "rows.json", "redundancy.png", "cuts-rings.png",
    }  # fmt: skip
    assert json.loads((out / "result.json").read_text()) == json.loads((kept / "toy.json").read_text()) == record
    lines = [line for line in outcome.stderr.splitlines() if "relu" in line]
    assert f"{record['overall'][0]['accuracy']['mean']:.3f}" in lines[0]
    assert str(out) in outcome.stderr.replace("\n", "")


def test_a_stopped_run_goes_on_and_a_finished_one_is_not_overwritten(pwlact, tmp_path: Path, monkeypatch) -> None:
    out = tmp_path / "run"
    write, count = rows.write_text, []

    def stop(path, text):
        write(path, text)
        count.append(path)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(rows, "write_text", stop)
        assert pwlact(*TOY, "--out", out).status == 130
    assert not (out / "result.json").exists()
    assert "--resume" in pwlact(*TOY, "--out", out).error
    other = pwlact(*TOY, "--out", out, "--resume", "--steps", 5)
    assert other.status == 2
    assert "tuning" in other.error
    assert pwlact(*TOY, "--out", out, "--resume").status == 0
    first = (out / "result.json").read_bytes()
    assert pwlact(*TOY, "--out", tmp_path / "whole").status == 0
    assert (tmp_path / "whole" / "result.json").read_bytes() == first
    assert "--force" in pwlact(*TOY, "--out", out).error
    # forced, the rows that were kept go too
    kept = json.loads((out / "rows.json").read_text())
    (out / "rows.json").write_text(json.dumps({name: {"old": True} for name in kept}))
    assert pwlact(*TOY, "--out", out, "--force").status == 0
    assert (out / "result.json").read_bytes() == first


def test_mlp(pwlact, tmp_path: Path) -> None:
    write_mnist(tmp_path / "images", train=40, test=10)
    outcome = pwlact(
        "redundancy", "mlp", "--data-dir", tmp_path / "images", "--depths", "1,2", "--units", 4, "--activations",
        "relu", "--train", 20, "--validation", 10, "--test", 10, "--epochs", 1, "--batch-size", 5, "--seeds", 1,
        "--rates", "0.01", "--out", tmp_path / "run", "--json",
    )  # fmt: skip
    assert outcome.status == 0
    assert [row["depth"] for row in outcome.json["rows"]] == [1, 2]
    assert {"redundancy.png", "depth.png", "result.json"} <= {path.name for path in (tmp_path / "run").iterdir()}
    assert "no MNIST" in pwlact("redundancy", "mlp", "--data-dir", tmp_path).error


def test_groups_and_table(pwlact, tmp_path: Path) -> None:
    outcome = pwlact(*GROUPS, "--out", tmp_path / "run", "--json")
    assert outcome.status == 0
    assert [row["size"] for row in outcome.json["rows"]] == [1, 2, 4]
    assert (tmp_path / "run" / "groups.png").read_bytes().startswith(b"\x89PNG")
    assert "groups of 4" in outcome.stderr
    outcome = pwlact(*TABLE, "--json", "--results", tmp_path / "kept")
    assert outcome.status == 0
    assert [row["activation"] for row in outcome.json["rows"]] == ["relu", "softmax"]
    assert json.loads((tmp_path / "kept" / "table.json").read_text()) == outcome.json
    assert "at most 37" in outcome.stderr


BAD = [
    ("toy", ("--data", "squares"), "'squares'"),
    ("toy", ("--data", ""), "data"),
    ("toy", ("--units", "8,x"), "'8,x'"),
    ("toy", ("--units", ""), "units"),
    ("toy", ("--units", "1"), "got 1"),
    ("toy", ("--activations", "relu,swish"), "'swish'"),
    ("toy", ("--rates", "0.1;0.2"), "'0.1;0.2'"),
    ("toy", ("--rates", "nan"), "nan"),
    ("toy", ("--rates", "0.1,0.01"), "ascend"),
    ("toy", ("--seeds", 0), "got 0"),
    ("toy", ("--steps", 0), "got 0"),
    ("toy", ("--target", -1), "-1.0"),
    ("toy", ("--points", 1), "got 1"),
    ("mlp", ("--data", "letters"), "'letters'"),
    ("mlp", ("--depths", "0"), "got 0"),
    ("mlp", ("--depths", "1.5"), "'1.5'"),
    ("mlp", ("--batch-size", 20_000), "20000"),
    ("groups", ("--sizes", "3"), "got 3"),
    ("groups", ("--kinds", "softmax"), "'softmax'"),
    ("table", ("--repeats", -1), "-1"),
    ("table", ("--seed", -1), "-1"),
    ("table", ("--colour", "red"), "--colour"),
]


@pytest.mark.parametrize(("command", "arguments", "named"), BAD, ids=str)
def test_bad_arguments_are_one_line_and_write_nothing(pwlact, tmp_path: Path, command, arguments, named: str) -> None:
    outcome = pwlact("redundancy", command, *arguments, "--out", tmp_path / "out", "--json")
    assert outcome.status == 2
    assert named in outcome.error
    assert outcome.stdout == ""
    assert not (tmp_path / "out").exists()


def test_resume_needs_a_folder(pwlact) -> None:
    assert "--resume needs --out" in pwlact(*TOY, "--resume").error


def test_without_a_command_it_is_the_toy_study(pwlact) -> None:
    assert "without a command, toy" in " ".join(pwlact("redundancy", "--help").stdout.replace("`", "").split())
    outcome = pwlact("redundancy", "--json", "table")
    assert outcome.status == 2
    assert "redundancy table" in outcome.stderr
