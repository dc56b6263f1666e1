"""`pwlact theory` and `pwlact unit --certify`, `--solver posterior`: the contract, and bad input."""

import json
from pathlib import Path

import pytest

from pwlact.data import write_binary

KEYS = {
    "tails": {"classes", "sigma", "half_width", "eigenvalue", "b", "b_predicted", "a", "a_predicted", "tail_r2",
              "exponential_r2", "n_tail", "ramp_r2", "n_ramp"},
    "regimes": {"sigma", "regime", "reward", "top_share", "ramp_r2", "left_end", "swish_r2", "beta", "x0", "at_bound"},
    "beyond": {"family", "n", "r2_mean", "r2_sd", "r2_min", "beta_median", "reward_mean", "draws"},
}  # fmt: skip
ARGUMENTS = {"tails": (), "regimes": ("--classes", 4, "--count", 3), "beyond": ("--classes", 3, "--draws", 1)}


@pytest.fixture(autouse=True)
def _fewer_settings(monkeypatch):
    """The dense settings take seconds; what they measure is the experiment's test."""
    monkeypatch.setattr("pwlact.experiments.tails.DENSE", ((40, 1.0, 6.0),))


@pytest.mark.parametrize("command", KEYS)
def test_record_is_all_that_is_on_standard_output(pwlact, command: str) -> None:
    outcome = pwlact("theory", command, *ARGUMENTS[command], "--json")
    assert outcome.status == 0
    assert outcome.stdout.count("\n") == 1
    rows = outcome.json["rows"]
    assert len(rows) == {"tails": 1, "regimes": 3, "beyond": 7}[command]
    assert all(row.keys() == KEYS[command] for row in rows)
    assert {"torch", "pwlact"} <= outcome.json["environment"].keys()
    assert outcome.stderr.strip()


@pytest.mark.parametrize("command", ["regimes", "beyond"])
def test_without_json_only_the_table_is_shown(pwlact, command: str) -> None:
    outcome = pwlact("theory", command, *ARGUMENTS[command])
    assert outcome.status == 0
    assert outcome.stdout == ""
    assert {"regimes": "ramp", "beyond": "heavy tails"}[command] in outcome.stderr


def test_options_arrive(pwlact) -> None:
    record = pwlact("theory", "regimes", "--classes", 3, "--low", 0.5, "--high", 2, "--count", 3, "--json").json
    assert [row["sigma"] for row in record["rows"]] == pytest.approx([0.5, 1, 2])
    arguments = ("theory", "beyond", "--classes", 3, "--sigma", 0.7, "--draws", 1, "--json")
    first, other = (pwlact(*arguments, "--seed", seed).json for seed in (1, 2))
    assert (first["classes"], first["sigma"], first["rows"][1]["n"]) == (3, 0.7, 1)
    assert first["rows"] != other["rows"]


BAD = [
    (("regimes", "--classes", 2), "got 2"),
    (("regimes", "--low", 0), "got 0.0"),
    (("regimes", "--low", 3, "--high", 1), "low=3.0"),
    (("regimes", "--count", 1), "got 1"),
    (("regimes", "--count", "many"), "'many'"),
    (("beyond", "--classes", 2), "got 2"),
    (("beyond", "--sigma", "nan"), "got nan"),
    (("beyond", "--draws", 0), "got 0"),
    (("beyond", "--seed", -1), "-1"),
    (("tails", "--colour", "red"), "--colour"),
    (("heads",), "heads"),
    (("network",), "RUN"),
    (("network", "nowhere"), "no CIFAR-10"),
    (("network", "nowhere", "--data", "nothing"), "nothing"),
]


@pytest.mark.parametrize(("arguments", "named"), BAD, ids=[" ".join(map(str, bad[0])) for bad in BAD])
def test_bad_input_is_one_line(pwlact, arguments, named: str) -> None:
    outcome = pwlact("theory", *arguments)
    assert outcome.status == 2
    assert named in outcome.error
    assert outcome.stdout == ""


@pytest.fixture
def images(tmp_path: Path) -> Path:
    write_binary(tmp_path / "images", 60, 10, 0)
    return tmp_path / "images"


def test_network(pwlact, tmp_path: Path, images: Path) -> None:
    trained = (
        "cifar", "--mode", "relu", "--width", 0.0625, "--epochs", 1, "--batch-size", 16, "--limit", 32,
        "--val-size", 20, "--device", "cpu", "--data", images, "--out", tmp_path / "run",
    )  # fmt: skip
    assert pwlact(*trained).status == 0
    outcome = pwlact("theory", "network", tmp_path / "run", "--data", images, "--images", 20, "--json")
    assert outcome.status == 0
    assert outcome.stdout.count("\n") == 1
    assert outcome.json["n"] == 20
    assert [layer["channels"] for layer in outcome.json["layers"]] == [4, 4, 4, 8, 8, 16, 16, 32, 32]
    assert "n = 20 images" in outcome.stderr
    refused = pwlact("theory", "network", tmp_path / "run", "--data", images, "--images", 3)
    assert refused.status == 2
    assert "got 3" in refused.error


def test_network_without_a_finished_run(pwlact, tmp_path: Path, images: Path) -> None:
    outcome = pwlact("theory", "network", tmp_path / "nowhere", "--data", images)
    assert outcome.status == 2
    assert "no finished run" in outcome.error


def test_network_that_is_no_network(pwlact, tmp_path: Path, images: Path) -> None:
    assert pwlact("unit", "--classes", 3, "--out", tmp_path / "unit").status == 0
    outcome = pwlact("theory", "network", tmp_path / "unit", "--data", images)
    assert outcome.status == 2
    assert str(tmp_path / "unit") in outcome.error


def test_knots(pwlact) -> None:
    record = pwlact("theory", "knots", "--json").json
    assert record["optimum"] == pytest.approx(0.282240, abs=2e-6)
    assert [row["knots"] for row in record["rows"]] == [5, 9, 17, 33, 65, 129]
    assert record["rows"][3]["reward"] == pytest.approx(0.281975, abs=2e-6)
    refused = pwlact("theory", "knots", "--classes", 2)
    assert refused.status == 2
    assert "two classes" in refused.error


# --- unit -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", ["eigen", "posterior"])
def test_unit_certified(pwlact, tmp_path: Path, solver: str) -> None:
    arguments = ("unit", "--classes", 6, "--solver", solver, "--certify", "--out", tmp_path / "run", "--json")
    outcome = pwlact(*arguments)
    record = outcome.json
    assert record["certified"] is True
    assert record["certificate"]["patterns"] == 64
    assert record["certificate"]["global_reward"] == pytest.approx(record["reward"], rel=1e-9)
    assert "the optimum is global" in outcome.stderr
    assert json.loads((tmp_path / "run" / "result.json").read_text())["certificate"] == record["certificate"]


def test_unit_says_what_is_not_the_optimum(pwlact) -> None:
    outcome = pwlact("unit", "--classes", 4, "--solver", "analytic", "--steps", 3, "--certify", "--json")
    assert outcome.status == 0
    assert outcome.json["certified"] is False
    assert "not the optimum, by" in outcome.stderr


def test_unit_posterior(pwlact) -> None:
    arguments = ("unit", "--classes", 20, "--raw", "--means", -3, 3, "--json")
    record = pwlact(*arguments, "--solver", "posterior").json
    # SCIENCE.md section 1, fact 6
    assert record["reward"] == pytest.approx(0.282240, abs=2e-6)
    assert record["certified"] is None
    assert record["values"][0] == 0
    assert pwlact(*arguments).json["reward"] == pytest.approx(0.281975, abs=2e-6)


BAD_UNIT = [
    (("--classes", 23, "--certify"), "23 classes"),
    (("--certify", "--smoothness", 0.1), "certify"),
    (("--solver", "posterior", "--smoothness", 0.1), "posterior"),
]


@pytest.mark.parametrize(("arguments", "named"), BAD_UNIT, ids=[" ".join(map(str, bad[0])) for bad in BAD_UNIT])
def test_bad_unit_is_one_line_and_writes_nothing(pwlact, tmp_path: Path, arguments, named: str) -> None:
    outcome = pwlact("unit", *arguments, "--out", tmp_path / "out", "--json")
    assert outcome.status == 2
    assert named in outcome.error
    assert not (tmp_path / "out").exists()
