"""`pwlact letters`: the record, the files, resumed runs, bad input."""

import json
from pathlib import Path

import pytest
from data.letter_files import drawn, write_idx

TINY = (
    "letters", "--validation", 12, "--seeds", 2, "--epochs", 1, "--short-epochs", 1, "--linear-epochs", 1,
    "--batch-size", 12, "--jobs", 1, "--widths", 4, "--depths", "1, 2", "--variants", "plain,both", "--activations", "",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return write_idx(tmp_path_factory.mktemp("letters"), drawn(60, 3), drawn(12, 3, seed=1))


def test_record_files_and_tables(pwlact, folder, tmp_path: Path) -> None:
    out, kept = tmp_path / "run", tmp_path / "results"
    call = (*TINY, "--studies", "perceptron,width,depth", "--data-dir", folder, "--out", out)
    outcome = pwlact(*call, "--results", kept, "--json")
    assert outcome.status == 0, outcome.stderr
    assert outcome.stdout.count("\n") == 1
    record = outcome.json
    assert [row["study"] for row in record["rows"]] == ["perceptron", "width"] + ["depth"] * 6
    assert record["config"]["activations"] == []
    assert {path.name for path in out.iterdir()} == {
        "config.json", "result.json", "rows.json", "curves.png", "width.png", "depth.png",
    }  # fmt: skip
    assert json.loads((kept / "letters.json").read_text()) == json.loads((out / "result.json").read_text()) == record
    assert "minutes of one core, 1 at work" in outcome.stderr
    assert "48 training, 12 validation, 12 test" in outcome.stderr
    assert "compare orders, not accuracies" in outcome.stderr.replace("\n", " ")
    assert f"{100 * record['rows'][0]['test']['mean']:.1f}" in outcome.stderr
    assert "--force" in pwlact(*call).error
    assert "--resume needs --out" in pwlact(*TINY, "--data-dir", folder, "--resume").error
    (out / "result.json").unlink()
    other = pwlact(*call, "--resume", "--seeds", 3)
    assert other.status == 2
    assert "seeds" in other.error
    assert pwlact(*call, "--resume", "--json").json == record


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--studies", "widths"), "widths"),
        (("--widths", "4,x"), "--widths"),
        (("--depths", "0"), "depths"),
        (("--variants", "deep"), "deep"),
        (("--activations", "rely"), "rely"),
        (("--jobs", 0), "jobs"),
        (("--seeds", 0), "seeds"),
        (("--batch-size", 49), "batch_size"),
        (("--limit", 2), "limit"),
        (("--validation", 60), "validation"),
    ],
)
def test_bad_input(pwlact, folder, arguments, said: str) -> None:
    outcome = pwlact(*TINY, "--data-dir", folder, *arguments)
    assert outcome.status == 2
    assert said in outcome.error


def test_no_letters(pwlact, tmp_path: Path) -> None:
    outcome = pwlact(*TINY, "--data-dir", tmp_path)
    assert outcome.status == 2
    assert str(tmp_path) in outcome.error
