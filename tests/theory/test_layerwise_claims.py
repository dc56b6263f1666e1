"""Claims about layers that compete: read from committed records, and able to say yes, no and not yet."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pwlact.checks import InputError
from pwlact.theory.claims import DRAFTS, Verdict, all_claims, evaluate, results_in, select
from pwlact.theory.claims.layerwise import ABLATION, COMPETITIVE, END_TO_END, LAYERWISE_CLAIMS, TOY

HOLDS, CORRECTED, FAILS, UNMEASURED = Verdict


@pytest.fixture
def results(tmp_path: Path) -> Iterator[Path]:
    with results_in(tmp_path):
        yield tmp_path


def row_of(name: str):
    return evaluate(select(all_claims(), DRAFTS, f"em-{name}", None))[0]


def put(results: Path, name: str, record: dict) -> None:
    path = results / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(record))


ARMS = {
    "lse": (0.2, 0.6, 0.1, 0.1), "lse+variance": (0.8, 0.5, 0.0, 0.4), "lse+decorrelation": (0.6, 0.7, 0.0, 0.0),
    "lse+both": (0.9, 0.95, 0.0, 0.0), "random": (0.8, 0.9, 0.0, 0.0), "autoencoder": (0.95, 0.9, 0.0, 0.0),
}  # fmt: skip


def ablation(depth: int = 1, gain: float = 0.0, **changed: tuple[float, ...]) -> dict:
    """Accuracy, rank, dead, duplicates of each arm; two seeds, a point apart; `gain` a layer for lse+both."""

    def layer(number: int, numbers: tuple[float, ...], shift: float) -> dict:
        keys = ("accuracy", "effective_rank", "dead", "duplicates")
        return {"layer": number, **dict(zip(keys, numbers, strict=True)), "accuracy": numbers[0] + shift}

    rows = [
        {
            "arm": arm,
            "seed": seed,
            "layers": [
                layer(n, numbers, 0.01 * seed + gain * (n - 1) * (arm == "lse+both")) for n in range(1, depth + 1)
            ],
        }
        for arm, numbers in (ARMS | {name.replace("_", "+"): value for name, value in changed.items()}).items()
        for seed in (1, 0)
    ]
    pixels = {"arm": "pixels", "seed": 0, "layers": [layer(0, (0.93, 0.4, 0.1, 0.0), 0.0)]}
    return {"rows": [*rows, pixels], "overall": [], "config": {"depth": depth}}


def end_to_end(**changed: tuple[float, ...]) -> dict:
    """Accuracy, rank before and after, and distinct units after, of each arm; two seeds, two layers."""
    usual = {"relu": (0.95, 0.8, 0.7, 1.0), "attention": (0.95, 0.8, 0.7, 1.0)}
    usual |= dict.fromkeys(COMPETITIVE, (0.93, 0.8, 0.4, 0.8))
    usual |= {"pretrained": (0.96, 0.95, 0.7, 1.0), "pretrained+control": (0.95, 0.95, 0.9, 1.0)}
    rows = []
    for arm, (accuracy, before, after, distinct) in (usual | changed).items():
        for seed in (0, 1):
            epochs = [
                {
                    "epoch": epoch,
                    "accuracy": accuracy + 0.01 * seed,
                    "layers": [
                        {"layer": n, "effective_rank": rank, "dead": (1 - whole) / 2, "duplicates": (1 - whole) / 2}
                        for n in (1, 2)
                    ],
                }
                for epoch, (rank, whole) in enumerate(((before, 1.0), (after, distinct)))
            ]
            rows.append({"arm": arm, "seed": seed, "epochs": epochs})
    return {"rows": rows, "overall": [], "config": {}}


def test_nothing_is_measured_without_results(results: Path) -> None:
    rows = evaluate(LAYERWISE_CLAIMS)
    assert len(rows) == 11
    assert {row.verdict for row in rows} == {UNMEASURED}
    assert sum("question" in row.claim.id for row in rows) == 5
    assert all(row.claim.command.startswith("pwlact layerwise ") for row in rows)


@pytest.mark.parametrize(
    ("name", "changed", "verdict"),
    [
        ("greedy-specialises", {}, FAILS),
        ("greedy-specialises", {"lse": (0.9, 0.95, 0.0, 0.0)}, HOLDS),
        ("greedy-specialises", {"lse": (0.9, 0.85, 0.0, 0.0)}, FAILS),
        ("greedy-misaligned", {}, HOLDS),
        ("greedy-misaligned", {"lse_both": (0.94, 0.9, 0.0, 0.0)}, FAILS),
        ("greedy-misaligned", {"autoencoder": (0.85, 0.9, 0.0, 0.0)}, FAILS),
        ("question-volume", {}, HOLDS),
        ("question-volume", {"lse": (0.75, 0.9, 0.0, 0.0)}, FAILS),
        ("question-volume", {"lse_both": (0.9, 0.9, 0.02, 0.0)}, FAILS),
        ("question-volume", {"lse_decorrelation": (0.85, 0.9, 0.0, 0.0)}, FAILS),
        ("question-volume", {"lse_variance": (0.85, 0.9, 0.0, 0.0)}, FAILS),
    ],
)
def test_verdicts_on_layers_trained_one_by_one(results: Path, name: str, changed: dict, verdict: Verdict) -> None:
    put(results, ABLATION, ablation(**changed))
    assert row_of(name).verdict is verdict


def test_numbers_are_means_over_seeds_paired(results: Path) -> None:
    put(results, ABLATION, ablation())
    text = row_of("greedy-specialises").to_dict()["measured"]
    assert "2 seeds, standard error 0: -60 " in text.replace("standard error 1.4e-15", "standard error 0")
    assert "gains 10.0 points" in text
    # against the pixels, one value: their difference has the spread of the layers
    assert "standard error 0.5: -2.5" in row_of("greedy-misaligned").to_dict()["measured"]


def test_depth_needs_two_layers(results: Path) -> None:
    put(results, ABLATION, ablation(1))
    assert row_of("question-depth").verdict is UNMEASURED
    for gain, verdict in ((0.02, HOLDS), (-0.02, FAILS)):
        put(results, ABLATION, ablation(3, gain))
        assert row_of("question-depth").verdict is verdict
    worse = ablation(3, -0.0)
    for row in worse["rows"]:
        if row["arm"] == "random":
            row["layers"][1]["accuracy"] += 0.05
    put(results, ABLATION, worse)
    assert row_of("question-depth").verdict is CORRECTED


@pytest.mark.parametrize(
    ("name", "changed", "verdict"),
    [
        ("competition-specialises", {}, FAILS),
        ("competition-specialises", dict.fromkeys(COMPETITIVE, (0.9, 0.8, 0.9, 1.0)), HOLDS),
        ("competition-specialises", dict.fromkeys(COMPETITIVE, (0.9, 0.8, 0.9, 0.9)), FAILS),
        ("expressiveness-cost", {}, HOLDS),
        ("expressiveness-cost", dict.fromkeys(COMPETITIVE, (0.95, 0.8, 0.9, 1.0)), FAILS),
        ("fine-tuning-undoes", {}, CORRECTED),
        ("fine-tuning-undoes", {"pretrained": (0.96, 0.95, 0.7, 0.9)}, HOLDS),
        ("fine-tuning-undoes", {"pretrained": (0.96, 0.95, 0.95, 1.0)}, FAILS),
        ("question-end-to-end", {}, CORRECTED),
        ("question-end-to-end", {"pretrained": (0.96, 0.95, 0.95, 1.0)}, HOLDS),
        ("question-end-to-end", {"pretrained": (0.96, 0.95, 0.95, 0.9)}, FAILS),
        ("question-output", {"z-times-softmax": (0.94, 0.8, 0.4, 0.8)}, HOLDS),
        ("question-output", {"z-times-softmax": (0.92, 0.8, 0.4, 0.8)}, FAILS),
        ("question-attention", {}, HOLDS),
        ("question-attention", {"attention": (0.94, 0.8, 0.4, 0.8)}, FAILS),
    ],
)
def test_verdicts_on_training_end_to_end(results: Path, name: str, changed: dict, verdict: Verdict) -> None:
    put(results, END_TO_END, end_to_end(**changed))
    assert row_of(name).verdict is verdict


def test_the_worst_activation_is_named_and_control_is_told(results: Path) -> None:
    put(results, END_TO_END, end_to_end(sparsemax=(0.9, 0.8, 0.4, 0.8)))
    assert "most with sparsemax, -5.0" in row_of("expressiveness-cost").to_dict()["measured"]
    assert "with control kept the rank changes by -5.0" in row_of("question-end-to-end").to_dict()["measured"]


def test_redundancy_of_relu_is_that_of_both_settings(results: Path) -> None:
    put(results, END_TO_END, end_to_end())
    assert row_of("relu-redundancy").verdict is UNMEASURED
    for plane, mnist, verdict in ((0.3, 1.0, CORRECTED), (0.3, 0.7, HOLDS), (0.05, 0.7, FAILS)):
        values = {"duplicate_units": {"values": [plane, plane]}}
        put(results, TOY, {"overall": [{"activation": "tanh"}, {"activation": "relu", **values}]})
        put(results, END_TO_END, end_to_end(relu=(0.95, 0.8, 0.7, mnist)))
        assert row_of("relu-redundancy").verdict is verdict


@pytest.mark.parametrize("damage", [{"rows": [{}]}, {"rows": []}, {"rows": 3}])
def test_damaged_records_are_refused(results: Path, damage: dict) -> None:
    put(results, ABLATION, ablation() | damage)
    put(results, END_TO_END, end_to_end() | damage)
    for name in ("greedy-specialises", "greedy-misaligned", "fine-tuning-undoes", "expressiveness-cost"):
        with pytest.raises(InputError, match=r"layerwise/.*again"):
            row_of(name)
