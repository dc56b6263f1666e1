"""The claim on LocoProp's training: read from the committed record, and able to say yes, no and not yet."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pwlact.checks import InputError
from pwlact.theory.claims import DRAFTS, Verdict, all_claims, evaluate, results_in, select
from pwlact.theory.claims.locoprop import AUTOENCODER

HOLDS, CORRECTED, FAILS, UNMEASURED = Verdict
BASES = {"adam": 110.0, "soap": 100.0}


@pytest.fixture
def results(tmp_path: Path) -> Iterator[Path]:
    with results_in(tmp_path):
        yield tmp_path


def row_of():
    return evaluate(select(all_claims(), DRAFTS, "matching-second-order", None))[0]


def put(results: Path, record: dict) -> None:
    path = results / f"{AUTOENCODER}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(record))


def record(m: float | None, s: float) -> dict:
    """Two seeds a method, two units of loss apart."""

    def row(name: str, loss: float | None) -> dict:
        values = [None, None] if loss is None else [loss - 1, loss + 1]
        return {"name": name, "train": {"mean": loss, "values": values}, "time": {"relative": 8.04}}

    losses = {**BASES, "locoprop-m": m, "locoprop-s": s}
    return {"rows": [row(*each) for each in losses.items()], "config": {"steps": 1500}}


@pytest.mark.parametrize(
    ("m", "s", "verdict"),
    [
        (100.9, 99.0, HOLDS),
        (100.9, 101.5, CORRECTED),  # the exact kind falls behind
        (101.1, 99.0, FAILS),
        (None, 99.0, FAILS),  # a run that diverged is not competitive
    ],
)
def test_the_verdict_is_that_of_the_losses(results: Path, m: float | None, s: float, verdict: Verdict) -> None:
    put(results, record(m, s))
    assert row_of().verdict is verdict


def test_numbers_are_shares_of_the_other_loss_with_their_spread(results: Path) -> None:
    put(results, record(99.0, 99.0))
    text = row_of().to_dict()["measured"]
    assert "locoprop-m less soap in %, 2 seeds, standard error 0: -1" in text
    assert "locoprop-m less adam in %, 2 seeds, standard error 0: -10" in text
    assert "after 1,500 steps" in text
    assert "locoprop-m 8.0" in text


def test_missing_and_damaged_records(results: Path) -> None:
    assert row_of().verdict is UNMEASURED
    put(results, {"rows": [], "config": {"steps": 1}})
    with pytest.raises(InputError, match="locoprop/mnist lacks"):
        row_of()
