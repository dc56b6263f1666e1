"""`pwlact inspect`: the record, the tables, the files it writes, and bad input."""

import json
import shutil
from pathlib import Path

import pytest

from pwlact.data import write_binary
from pwlact_cli.main import main

PARTS = ("gaussianity", "gradients", "optimality", "evolution", "baking")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """Folder of images, of a run with learnt and of one with fixed activations."""
    root = tmp_path_factory.mktemp("inspect")
    write_binary(root / "images", 180, 12, 0)
    for mode in ("backprop", "relu"):
        arguments = (
            "cifar", "--mode", mode, "--width", 0.0625, "--epochs", 2, "--batch-size", 16, "--limit", 32,
            "--val-size", 120, "--knots", 9, "--device", "cpu", "--data", root / "images", "--out", root / mode,
            "--keep-epochs",
        )  # fmt: skip
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        assert stop.value.code == 0
    return root / "images", root / "backprop", root / "relu"


def test_all_parts(pwlact, trained, tmp_path: Path) -> None:
    images, run, _ = trained
    out = tmp_path / "deep" / "out"
    outcome = pwlact("inspect", run, "--data", images, "--images", 100, "--out", out, "--json")
    assert outcome.status == 0
    assert outcome.stdout.count("\n") == 1
    record = outcome.json
    assert list(record) == ["run", "seed", *PARTS, "environment"]
    assert record["run"]["name"] == "backprop"
    assert record["run"]["finished"] is True
    assert (record["gaussianity"]["n"], record["gradients"]["epochs"]) == (100, [1, 2])
    assert (record["baking"]["validation"]["n"], record["baking"]["test"]["n"]) == (120, 12)
    assert json.loads((out / "inspect.json").read_text()) == record
    assert (out / "inspect.png").read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in out.iterdir()} == {"inspect.json", "inspect.png"}
    text = outcome.stderr
    assert "resnet10 backprop, after epoch 2 of 2, finished" in text
    for shown in ("layer8", "(laplace)", "n = 100 images", "after epoch 2", "validation", "McNemar", str(out)):
        assert shown in text
    for layer in record["baking"]["layers"]:
        assert any(
            line.split()[:1] == [layer["name"]] and line.rstrip().endswith(layer["note"]) for line in text.splitlines()
        )
    median = record["gaussianity"]["layers"][0]["within"]["w"]["median"]
    assert f"{median:.3f}" in next(line for line in text.splitlines() if "layer0" in line)
    assert max(map(len, text.splitlines()[:1] + [line for line in text.splitlines() if "layer" in line])) <= 120
    assert next(line for line in text.splitlines() if "layer8" in line).count("(") >= 3  # on one line


def test_folder_of_the_run_unless_given(pwlact, trained, tmp_path: Path) -> None:
    images, run, _ = trained
    copy = Path(shutil.copytree(run, tmp_path / '<b> "$x"'))
    outcome = pwlact("inspect", copy, "--data", images, "--images", 100, "--part", "gaussianity")
    assert outcome.status == 0
    assert outcome.stdout == ""
    assert {path.name for path in (copy / "inspect").iterdir()} == {"inspect.json", "inspect.png"}
    assert "[" not in outcome.stderr
    # baking has no picture, and that of another inspection goes
    outcome = pwlact("inspect", copy, "--data", images, "--part", "baking", "--limit", 10, "--json")
    assert {path.name for path in (copy / "inspect").iterdir()} == {"inspect.json"}
    assert outcome.json["baking"]["validation"]["n"] == 10
    assert outcome.json["gaussianity"] is outcome.json["gradients"] is None
    assert "inspect.png" not in outcome.stderr


def test_options_arrive(pwlact, trained, tmp_path: Path) -> None:
    images, _, run = trained
    arguments = ("inspect", run, "--data", images, "--part", "gradients", "--images", 40, "--out", tmp_path, "--json")
    first, other = (pwlact(*arguments, "--epochs", 1, "--seed", seed).json for seed in (1, 2))
    assert first["seed"] == 1
    assert first["gradients"]["epochs"] == [2]
    assert first["gradients"]["layers"] != other["gradients"]["layers"]
    assert first["baking"] is None


def test_kept_inspection_is_shown_as_it_was(pwlact, trained, tmp_path: Path) -> None:
    images, run, _ = trained
    kept = tmp_path / "kept"
    made = pwlact("inspect", run, "--data", images, "--images", 100, "--out", kept, "--json")
    before = (kept / "inspect.json").read_bytes()
    shown = pwlact("inspect", kept, "--json")
    assert shown.status == 0
    assert shown.json == made.json
    assert shown.stderr == made.stderr[: made.stderr.index("wrote")]
    assert (kept / "inspect.json").read_bytes() == before
    # a part of it, elsewhere
    baking = pwlact("inspect", kept, "--part", "baking", "--out", tmp_path / "baking", "--json")
    assert baking.json["baking"] == made.json["baking"]
    assert [name for name in PARTS if baking.json[name] is not None] == ["baking"]
    assert {path.name for path in (tmp_path / "baking").iterdir()} == {"inspect.json"}
    missing = pwlact("inspect", tmp_path / "baking", "--part", "gradients")
    assert missing.status == 2
    assert "has nothing on gradients" in missing.error
    # a run that holds an inspection is a run
    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    for limit in (7, 5):
        arguments = ("--data", images, "--part", "baking", "--limit", limit, "--out", copy, "--json")
        assert pwlact("inspect", copy, *arguments).json["baking"]["validation"]["n"] == limit


@pytest.mark.parametrize(
    ("options", "named"),
    [(("--images", 30), "--images"), (("--seed", 1), "--seed"), (("--part", "all-of-it"), "'all-of-it'"),
     (("--out", "kept"), "the inspection itself")],
)  # fmt: skip
def test_kept_inspection_with_settings_of_another(pwlact, tmp_path: Path, options, named: str) -> None:
    (tmp_path / "kept").mkdir()
    content = json.dumps({"run": {}} | dict.fromkeys(PARTS))
    (tmp_path / "kept" / "inspect.json").write_text(content)
    outcome = pwlact("inspect", "kept", *options)
    assert outcome.status == 2
    assert named in outcome.error
    assert (tmp_path / "kept" / "inspect.json").read_text() == content


def test_kept_inspection_with_a_number_that_was_not_finite(pwlact, trained, tmp_path: Path) -> None:
    images, run, _ = trained
    pwlact("inspect", run, "--data", images, "--images", 100, "--part", "gradients", "--out", tmp_path / "kept")
    file = tmp_path / "kept" / "inspect.json"
    record = json.loads(file.read_text())
    rows = [row["sample"] for layer in record["gradients"]["layers"] for row in layer["epochs"]]
    assert len(rows) == 18
    for number, row in enumerate(rows):
        row["cosine"] = (-1) ** number / 4
    rows[1]["cosine"] = None  # layer 0 after the last epoch
    file.write_text(json.dumps(record))
    outcome = pwlact("inspect", tmp_path / "kept")
    assert outcome.status == 0
    first = {line.split()[0]: line for line in outcome.stderr.splitlines() if line.strip()}
    assert first["layer0"].split()[1] == "nan"
    assert first["(mean)"].split()[1] == "0.01"  # (9 - 8) / 4 / 17
    assert first["(mean"].split()[2] == "0.25"


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "{}", '{"run": {}}', json.dumps({"run": {}} | {part: {} for part in PARTS}),
     json.dumps({"run": 3} | dict.fromkeys(PARTS))],
)  # fmt: skip
def test_damaged_inspection_is_one_line(pwlact, tmp_path: Path, content: str) -> None:
    (tmp_path / "inspect.json").write_text(content)
    outcome = pwlact("inspect", ".")
    assert outcome.status == 2
    assert "inspect.json" in outcome.error


def test_fixed_activations(pwlact, trained, tmp_path: Path) -> None:
    images, _, run = trained
    outcome = pwlact("inspect", run, "--data", images, "--images", 100, "--out", tmp_path / "a", "--json")
    assert outcome.status == 0
    assert outcome.json["baking"] is None
    assert "McNemar" not in outcome.stderr
    refused = pwlact("inspect", run, "--data", images, "--part", "baking", "--out", tmp_path / "b")
    assert refused.status == 2
    assert "nothing to bake" in refused.error
    assert not (tmp_path / "b").exists()


BAD = [
    (("--part", "all-of-it"), "'all-of-it'"),
    (("--images", 19), "got 19"),
    (("--images", "many"), "'many'"),
    (("--epochs", 0), "got 0"),
    (("--limit", 0), "got 0"),
    (("--seed", -1), "-1"),
    (("--data", "nothing"), "nothing"),
    (("--out", "file"), "file"),
    (("--out", "file/below"), "file"),
    (("--colour", "red"), "--colour"),
]


@pytest.mark.parametrize(("options", "named"), BAD, ids=[" ".join(map(str, bad[0])) for bad in BAD])
def test_bad_options_are_one_line(pwlact, trained, tmp_path: Path, options, named: str) -> None:
    images, run, _ = trained
    (tmp_path / "file").write_text("mine")
    data = () if "--data" in options else ("--data", images)
    outcome = pwlact("inspect", run, *data, *options)
    assert outcome.status == 2
    assert named in outcome.error
    assert outcome.stdout == ""
    assert not (run / "inspect").exists()
    assert (tmp_path / "file").read_text() == "mine"


def test_bad_runs(pwlact, trained, tmp_path: Path) -> None:
    images, _, _ = trained
    for name in ("nowhere", "."):
        outcome = pwlact("inspect", name, "--data", images)
        assert outcome.status == 2
        assert "no run" in outcome.error
    assert not list(tmp_path.iterdir())
    assert "no CIFAR-10" in pwlact("inspect", "nowhere").error
    assert "RUN" in pwlact("inspect").error
