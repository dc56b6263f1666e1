"""Claims about letters: figures of other letters bear no verdict, orders do, and what was left out is not measured."""

import json
from pathlib import Path

import pytest

from pwlact.checks import InputError
from pwlact.theory.claims import Verdict, evaluate, results_in
from pwlact.theory.claims.letters import LETTER_CLAIMS

HOLDS, CORRECTED, FAILS, UNMEASURED = Verdict
CLAIMS = {claim.id.removeprefix("homework-"): claim for claim in LETTER_CLAIMS}


def mean(value):
    return {"mean": value, "sd": 0.01, "n": 3, "values": [value] * 3}


def parts(validation, test=None, train=0.99):
    return {"validation": mean(validation), "test": mean(validation if test is None else test), "train": mean(train)}


def depth(variant, curve, ratio=1e-4):
    rows = [{"study": "depth", "variant": variant, "depth": layers, **parts(value)} for layers, value in curve.items()]
    return [row | {"gradient_ratio": [ratio, ratio / 2]} for row in rows]


def record(name="EMNIST Letters"):
    """As the draft has it."""
    widths = {16: (0.781, 0.793), 32: (0.844, 0.864), 64: (0.881, 0.909), 128: (0.898, 0.938), 256: (0.909, 0.949)}
    grid = [{"rate": 1e-3, "penalty": 0.0, "validation": 0.7, "test": 0.7}]
    dropped = [{"dropout": 0.0, "validation": 0.90}, {"dropout": 0.2, "validation": 0.909}]
    rows = [
        {"study": "perceptron", **parts(0.6, 0.611)},
        {"study": "logistic", "features": "pixels", "grid": [], "seconds": 9.0, **parts(0.69, 0.696)},
        {"study": "logistic", "features": "pixels", "grid": grid, "seconds": 80.0, **parts(0.7195, 0.721)},
        {"study": "logistic", "features": "2 x 2 maxima", "grid": grid, "seconds": 35.0, **parts(0.7095)},
        {"study": "logistic", "features": "4 x 4 means", "grid": grid, "seconds": 35.0, **parts(0.6)},
        *(
            {"study": "width", "width": width, "grid": dropped, **parts(value, value, train)}
            for width, (value, train) in widths.items()
        ),
        *depth("as-draft", {1: 0.817, 3: 0.792, 5: 0.717, 7: 0.63, 9: 0.524}),
        *depth("plain", {1: 0.82, 9: 0.62}),
        *depth("he", {1: 0.82, 9: 0.8}),
        *depth("both", {1: 0.82, 9: 0.83}),
    ]
    data = {"name": name, "classes": 26, "train": 100, "validation": 20, "test": 20_800}
    return {"data": data, "rows": rows, "config": {"seeds": 3}, "environment": {}}


@pytest.fixture
def verdicts(tmp_path: Path):
    def measured(kept, name="emnist"):
        (tmp_path / "letters").mkdir(exist_ok=True)
        (tmp_path / "letters" / f"{name}.json").write_text(json.dumps(kept))
        with results_in(tmp_path):
            return {row.claim.id.removeprefix("homework-"): row for row in evaluate(LETTER_CLAIMS)}

    return measured


def test_the_drafts_own_figures_hold(verdicts) -> None:
    rows = verdicts(record())
    found = {name: row.verdict for name, row in rows.items()}
    # the draft's multilayer perceptron has no width of its own: that of width 64 stands for it
    assert found.pop("best-width") is FAILS
    assert set(found.values()) == {HOLDS}
    assert "lost" not in rows["depth-vanishing"].to_dict()["measured"].split(";")[-1]
    assert "with larger starting weights alone 2.0" in rows["depth-vanishing"].to_dict()["measured"]
    assert "n = 20,800" in rows["width-256"].to_dict()["measured"]


def test_other_letters_give_orders_and_figures_without_a_verdict(verdicts) -> None:
    rows = verdicts(record("DHCD"), "dhcd")
    assert rows["width-256"].verdict is UNMEASURED
    assert "on EMNIST Letters not yet; on DHCD, 26 other letters" in rows["width-256"].to_dict()["measured"]
    assert "90.9 %" in rows["width-256"].to_dict()["measured"]
    assert rows["depth-declines"].verdict is HOLDS
    assert "on DHCD, 3 seeds" in rows["depth-declines"].to_dict()["measured"]
    # where EMNIST is there, other letters do not count
    assert verdicts(record())["width-256"].verdict is HOLDS


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("perceptron", lambda r: r["study"] == "perceptron" and r.update(parts(0.6, 0.65))),
        ("logistic", lambda r: r.get("grid") == [] and r.update(parts(0.6, 0.72))),
        ("logistic-grid", lambda r: r.get("seconds") == 80 and r.update(parts(0.6, 0.65))),
        ("mlp", lambda r: r.get("width") == 64 and r.update(parts(0.881, 0.91))),
        ("width-16", lambda r: r.get("width") == 16 and r.update(parts(0.75))),
        ("width-256", lambda r: r.get("width") == 256 and r.update(parts(0.93))),
        ("pooling-accuracy", lambda r: r.get("features") == "2 x 2 maxima" and r.update(parts(0.68))),
        ("pooling-time", lambda r: r.get("features") == "2 x 2 maxima" and r.update(seconds=60.0)),
        ("pooling-average", lambda r: r.get("features") == "4 x 4 means" and r.update(parts(0.705))),
        ("width-saturates", lambda r: r.get("width") == 256 and r.update(parts(0.93))),
        ("width-interpolates", lambda r: r.get("width") == 64 and r.update(parts(0.88, 0.88, 0.5))),
        ("dropout-wide", lambda r: r.get("width") == 256 and r["grid"][1].update(validation=0.9)),
        ("best-width", None),
        ("depth-declines", lambda r: r.get("variant") == "as-draft" and r["depth"] == 9 and r.update(parts(0.75))),
        ("depth-vanishing", lambda r: r.get("variant") == "as-draft" and r.update(gradient_ratio=[0.5])),
        ("depth-vanishing", lambda r: r.get("variant") == "both" and r["depth"] == 9 and r.update(parts(0.6))),
        ("depth-shallow-best", lambda r: r.get("variant") == "as-draft" and r["depth"] == 3 and r.update(parts(0.9))),
    ],
)  # fmt: skip
def test_a_claim_falls_with_its_figure(verdicts, name, change) -> None:
    kept = record()
    for row in kept["rows"]:
        if change is not None:
            change(row)
    assert verdicts(kept)[name].verdict is FAILS


def test_what_a_run_left_out_is_not_measured(verdicts) -> None:
    kept = record()
    kept["rows"] = [row for row in kept["rows"] if row["study"] == "width" and row["width"] != 256]
    found = {name: row.verdict for name, row in verdicts(kept).items()}
    assert {name for name, verdict in found.items() if verdict is not UNMEASURED} == {
        "mlp", "width-16", "width-32", "width-64", "width-128", "dropout-wide", "best-width", "width-interpolates",
    }  # fmt: skip
    assert {row.verdict for row in verdicts(record() | {"rows": []}).values()} == {UNMEASURED}


def test_damaged_records_name_the_command(verdicts) -> None:
    kept = record()
    del kept["rows"][0]["test"]
    with pytest.raises(InputError, match="pwlact letters"):
        verdicts(kept)


def test_nothing_there_nothing_said(tmp_path: Path) -> None:
    with results_in(tmp_path):
        assert {row.verdict for row in evaluate(LETTER_CLAIMS)} == {UNMEASURED}
