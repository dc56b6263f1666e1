"""`pwlact unit`, `swish` and `bench unit`: the contract, and every bad input."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

KEYS = {
    "classes", "sigma", "solver", "objective", "reward", "rho", "means", "knots", "values", "swish", "degenerate",
    "certified", "steps", "seconds",
}  # fmt: skip


@pytest.mark.parametrize("solver", ["eigen", "analytic"])
def test_headline(pwlact, solver: str) -> None:
    record = pwlact("unit", "--classes", 20, "--sigma", 1.0, "--solver", solver, "--json").json
    assert record.keys() >= KEYS
    assert record["swish"].keys() >= {"beta", "x0", "scale", "offset", "r2", "stderr"}
    assert record["reward"] == pytest.approx(0.12368, abs=2e-5)
    assert record["swish"]["beta"] == pytest.approx(2.50, abs=0.02)
    assert record["swish"]["x0"] == pytest.approx(0.27, abs=0.02)
    assert record["swish"]["r2"] >= 0.994
    assert len(record["rho"]) == len(record["means"]) == 20
    assert len(record["knots"]) == len(record["values"]) == 33


def test_sample_solver_repeats_bit_for_bit_with_its_seed(pwlact) -> None:
    arguments = ("unit", "--classes", 5, "--solver", "sample", "--steps", 20, "--samples", 500, "--json")
    first, again, other = (pwlact(*arguments, "--seed", seed).json["values"] for seed in (3, 3, 4))
    assert first == again
    assert first != other


def test_two_classes_are_degenerate_and_keep_the_start(pwlact) -> None:
    outcome = pwlact("unit", "--classes", 2, "--json")
    record = outcome.json
    assert outcome.status == 0
    assert record["degenerate"] is True
    assert record["reward"] == pytest.approx(0, abs=1e-15)
    assert record["values"] == [max(t, 0.0) for t in record["knots"]]
    assert "energy" in outcome.stderr


def test_two_classes_under_energy_give_a_sigmoid(pwlact) -> None:
    record = pwlact("unit", "--classes", 2, "--objective", "energy", "--json").json
    values = np.array(record["values"])
    assert record["degenerate"] is False
    assert (np.diff(values) > 0).all()
    assert np.diff(values)[[0, -1]].max() < 0.2 * np.diff(values).max()


def test_json_is_all_that_is_on_standard_output(pwlact) -> None:
    outcome = pwlact("unit", "--classes", 3, "--json")
    assert outcome.stdout.count("\n") == 1
    assert "Swish fit" in outcome.stderr
    assert pwlact("unit", "--classes", 3).stdout == ""


def test_out_holds_result_and_picture_and_is_not_overwritten(pwlact, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "run"
    assert pwlact("unit", "--classes", 3, "--out", out).status == 0
    before = (out / "result.json").read_bytes()
    assert json.loads(before)["classes"] == 3
    assert (out / "unit.png").read_bytes().startswith(b"\x89PNG")
    refused = pwlact("unit", "--classes", 4, "--out", out)
    assert refused.status == 2
    assert "--force" in refused.error
    assert (out / "result.json").read_bytes() == before
    assert pwlact("unit", "--classes", 4, "--out", out, "--force").status == 0
    assert json.loads((out / "result.json").read_bytes())["classes"] == 4


BAD = [
    (("--solver", "newton"), "'newton'"),
    (("--objective", "both"), "'both'"),
    (("--classes", 1), "got 1"),
    (("--classes", "many"), "'many'"),
    (("--sigma", 0), "got 0.0"),
    (("--sigma", -1), "got -1.0"),
    (("--sigma", "nan"), "got nan"),
    (("--sigma", "inf"), "got inf"),
    (("--knots", 1), "got 1"),
    (("--low", 3, "--high", -3), "low=3.0"),
    (("--low", 2, "--high", 2), "high=2.0"),
    (("--steps", 0), "got 0"),
    (("--lr", 0), "got 0.0"),
    (("--samples", 1), "got 1"),
    (("--smoothness", -1), "got -1.0"),
    (("--seed", -1), "-1"),
    (("--means", 0, 1), "--raw"),
    (("--raw", "--means", 1, 0), "1.0"),
    (("--colour", "red"), "--colour"),
    (("--data", "nothing.csv"), "nothing.csv"),
]


@pytest.mark.parametrize(("arguments", "named"), BAD, ids=[" ".join(map(str, bad[0])) for bad in BAD])
def test_bad_arguments_are_one_line_and_write_nothing(pwlact, tmp_path: Path, arguments, named: str) -> None:
    outcome = pwlact("unit", *arguments, "--out", tmp_path / "out", "--json")
    assert outcome.status == 2
    assert named in outcome.error
    assert outcome.stdout == ""
    assert not (tmp_path / "out").exists()


def test_debug_shows_the_traceback(pwlact) -> None:
    assert "Traceback" in pwlact("unit", "--classes", 1, "--debug").stderr


def test_out_where_a_file_lies(pwlact, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        outcome = pwlact("unit", "--classes", 3, "--out", out)
        assert outcome.status == 2
        assert str(tmp_path / "file") in outcome.error
    assert (tmp_path / "file").read_text() == "mine"


def write_samples(path: Path, n: int = 3000) -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, n)
    x = 100 + 7 * (labels + rng.normal(size=n))
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["width", "kind"])
        writer.writerows(zip(x, (f"kind {label}" for label in labels), strict=True))


def test_own_samples(pwlact, tmp_path: Path) -> None:
    write_samples(tmp_path / "samples.csv")
    record = pwlact("unit", "--data", "samples.csv", "--x", "width", "--y", "kind", "--json").json
    assert (record["classes"], record["n"]) == (5, 3000)
    assert record["class_names"] == [f"kind {k}" for k in range(5)]
    # five classes 1 apart with noise 1: the means' own deviation is sqrt 2
    assert record["sigma"] == pytest.approx(1 / np.sqrt(2), rel=0.05)
    assert 0.1 < record["reward"] < 0.6
    raw = pwlact(
        "unit",
        "--data",
        "samples.csv",
        "--x",
        "width",
        "--y",
        "kind",
        "--raw",
        "--low",
        80,
        "--high",
        150,
        "--json",
    )
    assert raw.json["means"][0] == pytest.approx(100, abs=1)


@pytest.mark.parametrize(
    ("columns", "named"), [(("--x", "height"), "'height'"), (("--y", "sort"), "'sort'")], ids=["x", "y"]
)
def test_missing_column(pwlact, tmp_path: Path, columns, named: str) -> None:
    write_samples(tmp_path / "samples.csv", 20)
    defaults = {"--x": "width", "--y": "kind", columns[0]: columns[1]}
    outcome = pwlact("unit", "--data", "samples.csv", *(part for pair in defaults.items() for part in pair))
    assert outcome.status == 2
    assert columns[1] in outcome.error
    assert "width" in outcome.error or "kind" in outcome.error


def test_empty_and_constant_samples(pwlact, tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "constant.csv").write_text("x,y\n" + "1.5,a\n1.5,b\n" * 3)
    for name in ("empty.csv", "constant.csv"):
        outcome = pwlact("unit", "--data", name, "--out", tmp_path / "out")
        assert outcome.status == 2
        assert outcome.error
        assert not (tmp_path / "out").exists()


def test_swish_reads_a_unit_result_and_a_csv(pwlact, tmp_path: Path) -> None:
    record = pwlact("unit", "--out", "run", "--json").json
    for path in ("run", "run/result.json"):
        (layer,) = pwlact("swish", path, "--json").json["layers"]
        assert layer["beta"] == pytest.approx(record["swish"]["beta"], rel=1e-9)
    rows = "".join(f"{t},{y}\n" for t, y in zip(record["knots"], record["values"], strict=True))
    (tmp_path / "curve.csv").write_text("x,y\n" + rows)
    (layer,) = pwlact("swish", "curve.csv", "--json").json["layers"]
    assert layer["r2"] == pytest.approx(record["swish"]["r2"], rel=1e-9)
    np.savez(tmp_path / "curve.npz", x=record["knots"], y=record["values"])
    assert pwlact("swish", "curve.npz", "--json").json["layers"][0]["name"] == "curve"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.csv", b""),
        ("words.csv", b"x,y\n1,one\n"),
        ("short.csv", b"x,y\n1,2\n2,3\n"),
        ("other.json", b"{}"),
        ("broken.json", b"{"),
        ("broken.npz", b"PK\x03\x04nonsense"),
        ("curve.txt", b"1 2"),
    ],
)
def test_swish_refuses_what_is_no_curve(pwlact, tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    outcome = pwlact("swish", name)
    assert outcome.status == 2
    assert outcome.error


def test_bench_unit(pwlact) -> None:
    rows = pwlact("bench", "unit", "--classes", 3, "--repeats", 1, "--json").json["rows"]
    assert [row["name"] for row in rows] == ["eigen", "analytic", "sample", "posterior"]
    assert all(row["total_ms"] > 0 for row in rows)
    assert rows[0]["vs_eigen"] == 1
    assert rows[1]["reward"] == pytest.approx(rows[0]["reward"], rel=1e-6)


def test_info(pwlact) -> None:
    record = pwlact("info", "--json").json
    assert record.keys() >= {"torch", "backend", "data"}
    assert record["data"] == {"cifar10": None}
