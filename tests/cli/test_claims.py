"""`pwlact claims`: the contract, bad input, and the commands that the rows name."""

import shlex
from pathlib import Path

import pytest

from pwlact.theory.claims import DRAFTS, all_claims, markdown, results_in

KEYS = {"id", "seed", "stated", "measured", "verdict", "command"}
UNIT = sorted({claim.command for claim in all_claims() if claim.command.startswith("pwlact unit")})


def test_one_draft_as_json(pwlact) -> None:
    outcome = pwlact("claims", "--seed-paper", "em", "--json")
    record = outcome.json
    assert outcome.status == 0
    assert outcome.stdout.count("\n") == 1
    assert {row["seed"] for row in record["claims"]} == {"layerwise-implicit-em"}
    assert all(row.keys() == KEYS for row in record["claims"])
    verdicts = [row["verdict"] for row in record["claims"]]
    assert record["totals"] == {name: verdicts.count(name) for name in record["totals"]}
    assert sum(record["totals"].values()) == len(verdicts) == sum(c.seed == DRAFTS[2].seed for c in all_claims())


def test_the_table_is_for_people(pwlact) -> None:
    outcome = pwlact("claims", "--id", "homework-relumax-limit")
    assert outcome.stdout == ""
    for part in ("homework-perceptron-to-relumax", "homework-relumax-limit", "0.08579", "fails", "1 claims"):
        assert part in outcome.stderr


def test_rows_by_verdict(pwlact) -> None:
    arguments = ("claims", "--seed-paper", "competitive-activations", "--json", "--verdict")
    found = {name: pwlact(*arguments, name).json["claims"] for name in ("fails", "holds-with-a-correction")}
    assert {row["verdict"] for row in found["fails"]} == {"fails"}
    assert {row["verdict"] for row in found["holds-with-a-correction"]} == {"holds with a correction"}


def test_what_has_no_result_waits(pwlact, tmp_path: Path) -> None:
    arguments = ("claims", "--id", "correlation-vgg11-accuracy", "--json", "--verdict", "not yet measured")
    with results_in(tmp_path):
        waiting = pwlact(*arguments)
    assert {row["measured"] for row in waiting.json["claims"]} == {""}
    assert "pwlact study" in waiting.stderr


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--id", "em-colapse"), "em-collapse"),
        (("--id", "zzz"), "'zzz'"),
        (("--verdict", "true"), "'true'"),
        (("--seed-paper", "nature"), "'nature'"),
        (("--seed-paper", "em", "--id", "matching-dual"), "'matching-dual'"),
        (("--seed-paper", "em", "--markdown", "page.md"), "page.md"),
    ],
)
def test_bad_arguments_are_one_line(pwlact, tmp_path: Path, arguments, named: str) -> None:
    outcome = pwlact("claims", *arguments, "--json")
    assert outcome.status == 2
    assert named in outcome.error
    assert outcome.stdout == ""
    assert not (tmp_path / "page.md").exists()


def test_markdown_writes_the_page(pwlact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = [claim for claim in all_claims() if claim.id.startswith("em-")]
    monkeypatch.setattr("pwlact.theory.claims.all_claims", lambda: few)
    assert pwlact("claims", "--markdown", "page.md").status == 0
    page = (tmp_path / "page.md").read_text()
    assert page.startswith(markdown([], DRAFTS)[:40])
    assert page.count("| `em-") == len(few)
    assert pwlact("claims", "--markdown", "nowhere/page.md").status == 2


@pytest.mark.parametrize("command", UNIT)
def test_the_commands_that_rows_name_run(pwlact, command: str) -> None:
    assert pwlact(*shlex.split(command)[1:]).status == 0
