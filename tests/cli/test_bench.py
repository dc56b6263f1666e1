"""`pwlact bench activation`: the contract, and every bad input; times themselves are not tested."""

import json
from pathlib import Path

import pytest
import torch

from pwlact.experiments import bench_activation

TINY = ("--shape", "2,16,2,2", "--repeats", 1, "--device", "cpu", "--no-compile")
KEYS = {"name", "forward_ms", "backward_ms", "total_ms", "vs_gelu", "vs_silu", "saved_bytes", "spread", "shape"}


def test_json(pwlact) -> None:
    outcome = pwlact("bench", "activation", *TINY, "--json")
    assert outcome.status == 0
    assert outcome.stdout.count("\n") == 1
    record = outcome.json
    assert record.keys() >= {"rows", "skipped", "dtype", "layout", "device", "threads", "repeats", "environment"}
    assert all(row.keys() >= KEYS for row in record["rows"])
    rows = {row["name"]: row for row in record["rows"]}
    assert rows.keys() >= {"pwl shared", "pwl per channel", "relu", "silu", "gelu", "prelu", "indexing", "searchsorted"}
    assert rows["gelu"]["vs_gelu"] == rows["silu"]["vs_silu"] == 1
    assert rows["relu"]["saved_bytes"] == 4 * 2 * 16 * 2 * 2
    assert rows["silu"]["saved_bytes"] == 0


def test_nothing_on_standard_output_unless_asked(pwlact) -> None:
    outcome = pwlact("bench", "activation", *TINY, "--only", "relu")
    assert outcome.stdout == ""
    assert "2,16,2,2, fp32, contiguous, cpu" in outcome.stderr


def test_one_shape_is_told_in_full_and_several_by_their_ratios(pwlact) -> None:
    one = pwlact("bench", "activation", *TINY, "--only", "relu,prelu").stderr
    for text in ("forward ms", "quartiles", "one slope a channel"):
        assert text in one
    several = pwlact("bench", "activation", *TINY, "--shape", "3,16", "--only", "relu,prelu")
    assert several.status == 0
    header = next(line for line in several.stderr.splitlines() if "activation" in line)
    assert header.split()[:3] == ["activation", "2,16,2,2", "3,16"]
    (relu,) = (line.split() for line in several.stderr.splitlines() if line.split()[:1] == ["relu"])
    assert relu[-1] == "1.00"
    assert len(relu) == 4


def test_a_shape_on_which_a_row_did_not_run_is_a_dash(pwlact, monkeypatch) -> None:
    monkeypatch.setattr(bench_activation, "free_bytes", lambda device: 4 * 16 * 150)
    outcome = pwlact("bench", "activation", *TINY, "--shape", "10,16", "--only", "relu,indexing", "--json")
    (cells,) = (line.split() for line in outcome.stderr.splitlines() if line.split()[:1] == ["indexing"])
    assert cells[1] != "-"
    assert cells[2] == "-"
    assert "without indexing on (10, 16)" in outcome.stderr
    assert [row["name"] for row in outcome.json["skipped"]] == ["indexing"]


def test_options_arrive(pwlact) -> None:
    before = torch.get_num_threads()
    record = pwlact(
        "bench", "activation", *TINY, "--dtype", "bf16", "--layout", "channels_last", "--threads", before + 1,
        "--seed", 3, "--only", "relu, pwl shared", "--json",
    ).json  # fmt: skip
    assert (record["dtype"], record["layout"], record["threads"]) == ("bf16", "channels_last", before + 1)
    assert record["config"]["seed"] == 3
    assert {row["name"] for row in record["rows"]} == {"relu", "silu", "gelu", "pwl shared"}
    assert torch.get_num_threads() == before


def test_compiling_is_on_unless_switched_off(pwlact, monkeypatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda function, **options: function)
    quick = TINY[:-1]
    outcome = pwlact("bench", "activation", *quick, "--only", "indexing compiled", "--json")
    assert "compiling indexing compiled for (2, 16, 2, 2)" in outcome.stderr
    assert outcome.json["rows"][-1]["name"] == "indexing compiled"


def test_out_holds_result_and_picture_and_is_not_overwritten(pwlact, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "bench"
    assert pwlact("bench", "activation", *TINY, "--only", "relu", "--out", out).status == 0
    before = (out / "result.json").read_bytes()
    assert {row["name"] for row in json.loads(before)["rows"]} == {"relu", "silu", "gelu"}
    assert (out / "activation.png").read_bytes().startswith(b"\x89PNG")
    refused = pwlact("bench", "activation", *TINY, "--out", out)
    assert refused.status == 2
    assert "--force" in refused.error
    assert (out / "result.json").read_bytes() == before
    assert pwlact("bench", "activation", *TINY, "--only", "prelu", "--out", out, "--force").status == 0
    assert (out / "result.json").read_bytes() != before


BAD = [
    (("--shape", "a,b"), "'a,b'"),
    (("--shape", "128x64"), "'128x64'"),
    (("--shape", "7"), "(7,)"),
    (("--shape", "0,3"), "got 0"),
    (("--shape", "2,3", "--layout", "channels_last"), "(2, 3)"),
    (("--dtype", "int8"), "'int8'"),
    (("--layout", "rows"), "'rows'"),
    (("--device", "tpu"), "'tpu'"),
    (("--threads", 0), "got 0"),
    (("--repeats", 0), "got 0"),
    (("--repeats", "many"), "'many'"),
    (("--only", "tanh"), "'tanh'"),
    (("--only", ""), "''"),
    (("--only", "indexing compiled", "--no-compile"), "'indexing compiled'"),
    (("--seed", -1), "-1"),
]


@pytest.mark.parametrize(("arguments", "named"), BAD, ids=[" ".join(map(str, bad[0])) for bad in BAD])
def test_bad_arguments_are_one_line_and_write_nothing(pwlact, tmp_path: Path, arguments, named: str) -> None:
    outcome = pwlact("bench", "activation", *arguments, "--out", tmp_path / "out", "--json")
    assert outcome.status == 2
    assert named in outcome.error
    assert outcome.stdout == ""
    assert not (tmp_path / "out").exists()


def test_what_is_too_large_is_told(pwlact, monkeypatch) -> None:
    monkeypatch.setattr(bench_activation, "free_bytes", lambda device: 10)
    outcome = pwlact("bench", "activation", *TINY, "--out", "run")
    assert outcome.status == 2
    assert not Path("run").exists()
    assert outcome.stderr.splitlines()[-1].startswith("error: nothing could be timed")


def test_training_steps(pwlact) -> None:
    outcome = pwlact("bench", "train", "--width", 0.0625, "--batch-size", 2, "--repeats", 1, "--json")
    assert {"name", "forward_ms", "backward_ms", "total_ms", "vs_gelu", "vs_silu", "saved_bytes"} <= outcome.json[
        "rows"
    ][0].keys()
    assert "x SiLU" in outcome.stderr
    assert pwlact("bench", "train", "--arch", "net", "--json").status == 2
