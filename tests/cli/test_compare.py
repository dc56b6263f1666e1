"""`pwlact compare`: the table, the picture, the JSON, and what it refuses."""

import json
from pathlib import Path

import pytest

RECORD = {"train_loss": 1.25, "val_accuracy": 0.6}


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A folder of finished runs of two modes and two seeds, and one that is not finished."""
    for mode, shift in (("local", 0.05), ("relu", 0.0)):
        for seed in (0, 1):
            folder = tmp_path / "study" / f"{mode}-[bold]{seed}"
            folder.mkdir(parents=True)
            result = {
                "arch": "resnet10",
                "mode": mode,
                "seed": seed,
                "parameters": 5,
                "history": [RECORD | {"epoch": e} for e in range(6)],
                "val": {"accuracy": 0.6 + shift + 0.02 * seed, "n": 5000},
                "test": {"accuracy": 0.5 + 2 * shift + 0.01 * seed, "n": 1000},
                "layers": [{"r2": 0.75}] if mode == "local" else [],
                "images_per_second": 1234.5,
                "config": {"width": 0.25, "epochs": 6},
            }
            (folder / "result.json").write_text(json.dumps(result))
    (tmp_path / "study" / "later").mkdir()
    (tmp_path / "study" / "later" / "config.json").write_text("{}")
    return tmp_path / "study"


def test_table(pwlact, study: Path) -> None:
    outcome = pwlact("compare", study)
    assert (outcome.status, outcome.stdout) == (0, "")
    local, relu = (line.split() for line in outcome.stderr.splitlines() if line.split()[:1] in (["local"], ["relu"]))
    assert local == [
        "local", "2", "66.00", "±", "1.41", "60.00", "±", "0.00", "60.50", "±", "0.71", "-", "-", "-",
        "1.250", "1,234", "0.750",
    ]  # fmt: skip
    assert relu == [
        "relu", "2", "61.00", "±", "1.41", "60.00", "±", "0.00", "50.50", "±", "0.71",
        "-5.00", "±", "0.00", "+0.00", "±", "0.00", "-10.00", "±", "0.00",
        "1.250", "1,234", "-",
    ]  # fmt: skip
    assert "4 finished runs in 2 groups" in outcome.stderr
    assert "later is left out: not finished" in outcome.stderr
    assert "n = 5,000 images is 0.67 points" in outcome.stderr


def test_layers_only_where_asked(pwlact, study: Path) -> None:
    layers = [[{"name": "layer0", "beta": 1.0 + seed, "x0": -0.25, "r2": 0.75} for seed in (0, 1)]]
    layers += [[{"name": "layer1", "beta": 9.0, "x0": 6.0, "r2": 0.5, "at_bound": ["x0"] * seed} for seed in (0, 1)]]
    for seed in (0, 1):
        path = study / f"local-[bold]{seed}" / "result.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"layers": [layer[seed] for layer in layers]}))
    assert "layer0" not in pwlact("compare", study).stderr
    outcome = pwlact("compare", study, "--layers")
    assert outcome.stdout == ""
    rows = [line.split() for line in outcome.stderr.splitlines() if " layer" in line and "Swish" not in line]
    assert [row for row in rows if row[0] != "group"] == [
        ["local", "layer0", "1.50", "±", "0.71", "-0.25", "±", "0.00", "0.7500"],
        ["layer1", "9.00", "[1]", "6.00", "[1]", "0.5000"],
    ]


def test_json_is_one_object_and_pictures_come_only_if_asked(pwlact, study: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    outcome = pwlact("compare", study, "--json")
    assert {"runs", "groups", "notes"} <= outcome.json.keys()
    assert [run["val_accuracy"] for run in outcome.json["runs"]] == pytest.approx([0.65, 0.67, 0.6, 0.62])
    assert sorted(tmp_path.rglob("*")) == before


def test_out(pwlact, study: Path, tmp_path: Path) -> None:
    outcome = pwlact("compare", study, "--out", tmp_path / "new" / "pictures", "--json")
    assert outcome.status == 0
    out = tmp_path / "new" / "pictures"
    assert sorted(file.name for file in out.iterdir()) == ["compare.json", "compare.png"]
    assert json.loads((out / "compare.json").read_text()) == outcome.json
    assert (out / "compare.png").read_bytes().startswith(b"\x89PNG")


def test_names_with_brackets_are_shown(pwlact, study: Path) -> None:
    folder = study / "relu-[bold]0"
    result = json.loads((folder / "result.json").read_text())
    result["config"]["recipe"] = "[b]x"
    (folder / "result.json").write_text(json.dumps(result))
    outcome = pwlact("compare", study)
    assert outcome.status == 0
    assert "[b]x" in outcome.stderr


def test_one_run(pwlact, study: Path) -> None:
    outcome = pwlact("compare", study / "relu-[bold]1")
    assert outcome.status == 0
    assert "1 finished run in 1 group," in outcome.stderr


def test_refusals(pwlact, study: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for arguments, message in (
        (("nowhere",), "nowhere is no folder"),
        ((study / "later",), "no finished run to compare"),
        ((study, "--out", tmp_path / "file"), "cannot be a folder for pictures"),
        ((study, "--out", tmp_path / "file" / "below"), "cannot be a folder for pictures"),
    ):
        outcome = pwlact("compare", *arguments)
        assert (outcome.status, outcome.stdout) == (2, "")
        assert message in outcome.stderr.splitlines()[-1]
    assert pwlact("compare").status == 2
    assert (tmp_path / "file").read_text() == "mine"
