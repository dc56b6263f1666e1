"""The claims ledger: complete, computed, and able to say no."""

import math
import re
from itertools import pairwise
from math import comb
from pathlib import Path

import pytest
import torch

from pwlact.checks import InputError
from pwlact.theory.claims import (
    DRAFTS,
    Row,
    Verdict,
    above,
    all_claims,
    below,
    competitive,
    evaluate,
    exact,
    markdown,
    matching,
    near,
    read_verdict,
    select,
    totals,
    weigh,
)
from pwlact.theory.claims.maps import count_regions, jacobian, relumax, sparsemax
from pwlact.theory.claims.optima import optimum, read_out

ROOT = Path(__file__).resolve().parents[2]
HOLDS, CORRECTED, FAILS, UNMEASURED = Verdict


@pytest.fixture(scope="module")
def rows() -> dict[str, Row]:
    return {row.claim.id: row for row in evaluate(all_claims())}


def test_ids_are_unique_and_bear_their_draft(rows) -> None:
    claims = all_claims()
    assert len(rows) == len(claims) >= 150
    prefixes = {draft.seed: draft.prefix for draft in DRAFTS}
    for claim in claims:
        assert re.fullmatch(rf"{prefixes[claim.seed]}(-[a-z0-9]+)+", claim.id)
        assert claim.stated
        assert claim.command.startswith("pwlact ")
    assert {claim.seed for claim in claims} == prefixes.keys()


def test_every_measured_row_has_a_number_and_every_other_none(rows) -> None:
    for row in rows.values():
        record = row.to_dict()
        assert record["verdict"] in set(Verdict)
        # an accuracy on other letters than the draft's is given, without a verdict
        elsewhere = row.claim.command == "pwlact letters" and record["measured"].startswith("on EMNIST Letters not yet")
        assert bool(re.search(r"\d", record["measured"])) == (row.verdict is not UNMEASURED or elsewhere)
        assert not re.search(r"\bnan\b", record["measured"])


def test_totals_count_every_row(rows) -> None:
    counts = totals(rows.values())
    assert sum(counts.values()) == len(rows)
    assert list(counts) == list(Verdict)
    assert all(counts.values())


# what the errata in docs say, and the headline figures
KNOWN = {
    "correlation-two-class-shape": (FAILS, "below 1e-9"),
    "correlation-two-class-no-sigmoid": (FAILS, "0.99"),
    "correlation-zero-sum": (HOLDS, "below 1e-9"),
    "correlation-zero-sum-unequal-priors": (CORRECTED, "sqrt(p_k (1 - p_k))"),
    "correlation-swish-k20": (CORRECTED, "x0: 0.2691 (expected 0)"),
    "correlation-large-sigma-linear": (FAILS, "bowl"),
    "correlation-integral": (FAILS, "(expected at least 0.9)"),
    "correlation-knots-33": (HOLDS, "0.281975 and 0.282240"),
    "correlation-swish-optimal": (CORRECTED, "0.9946"),
    "correlation-optimum-global": (HOLDS, "256 sign patterns"),
    "correlation-analytic-equals-sample": (HOLDS, "100 steps, 2,000 samples"),
    "correlation-analytic-faster": (HOLDS, "medians of 7"),
    "competitive-relu-regions": (CORRECTED, "in 2 dimensions: 22"),
    "competitive-softmax-jacobian": (HOLDS, "below 1e-9"),
    "competitive-softmax-winner": (FAILS, "0.5 "),
    "competitive-softmax-scale": (FAILS, "0.006815"),
    "competitive-sparsemax-jacobian": (CORRECTED, "diag(s) - s s' / |S|"),
    "competitive-temperature-jacobian": (CORRECTED, "0.25"),
    "competitive-relu-softmax-dead": (FAILS, "revive"),
    "em-gradient-sign": (CORRECTED, "+r_j"),
    "em-gradient-is-em": (CORRECTED, "1 / sum_i r_ij"),
    "em-collapse": (CORRECTED, "-1.386"),
    "em-relu-regions": (CORRECTED, "22"),
    "homework-relumax-jacobian": (CORRECTED, "max z"),
    "homework-relumax-matrix": (FAILS, "symmetric"),
    "homework-relumax-limit": (FAILS, "0.08579"),
    "homework-relumax-is-sparsemax": (CORRECTED, "single value"),
    "matching-link-strict": (CORRECTED, "beta > 0"),
    "matching-closed-form": (HOLDS, "below 1e-9"),
    "matching-fixed-point": (CORRECTED, "lambda_max"),
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_verdicts(rows, name: str) -> None:
    verdict, said = KNOWN[name]
    assert rows[name].verdict is verdict
    assert said in rows[name].to_dict()["measured"]


def test_relumax_limit_is_where_the_algebra_puts_it(rows) -> None:
    text = rows["homework-relumax-limit"].to_dict()["measured"]
    assert f"{(3 - 2 * math.sqrt(2)) / 2:.4g}" in text
    assert f"{2 - math.sqrt(2):.4f}" in text


def test_every_row_of_the_matching_table_holds(rows) -> None:
    table = [row for name, row in rows.items() if name.startswith("matching-table-")]
    assert len(table) == 9
    assert {row.verdict for row in table} == {HOLDS}


@pytest.mark.parametrize(
    ("checks", "verdict"),
    [
        ([near("beta", 2.5, 2.5, 0.05)], HOLDS),
        ([near("beta", 2.5, 4.0, 0.05)], FAILS),
        ([near("beta", 2.5, 2.5, 0.05), near("x0", 0.27, 0.0, 0.05, core=False)], CORRECTED),
        ([near("beta", 9.0, 2.5, 0.05), near("x0", 0.0, 0.0, 0.05, core=False)], FAILS),
        ([above("R^2", 0.994, 0.99), below("error", 0.1, 0.2)], HOLDS),
        ([above("R^2", 0.98, 0.99)], FAILS),
        ([below("error", 0.3, 0.2)], FAILS),
        ([exact("error", 1e-15)], HOLDS),
        ([exact("error", 1e-8)], FAILS),
        ([exact("error", -1e-8)], FAILS),
        ([above("R^2", math.nan, 0.99)], FAILS),
    ],
)
def test_verdicts_follow_from_the_numbers(checks, verdict: Verdict) -> None:
    assert weigh(*checks).verdict is verdict


@pytest.mark.parametrize(
    ("stated", "verdict"), [((2.5, 0.27, 0.99), HOLDS), ((4.0, 0.27, 0.99), FAILS), ((2.5, 0.27, 0.999), FAILS)]
)
def test_a_false_figure_about_the_headline_fails(stated, verdict: Verdict) -> None:
    fit, (beta, x0, r2) = read_out(1.0), stated
    checks = near("beta", fit.beta, beta, 0.05), near("x0", fit.x0, x0, 0.05), above("R^2", fit.r2, r2)
    assert weigh(*checks).verdict is verdict


def test_a_false_formula_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    assert competitive.softmax_jacobian().verdict is HOLDS
    monkeypatch.setattr(competitive, "_softmax_formula", lambda z: torch.diag_embed(z.softmax(-1)))
    assert competitive.softmax_jacobian().verdict is FAILS
    monkeypatch.setitem(matching.TABLE, "tanh", (torch.tanh, lambda a: a.square() / 2))
    assert matching.table_row("tanh")().verdict is FAILS


def test_a_worse_optimum_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    from pwlact.theory.claims import correlation

    worse = optimum(8)._replace(solution=optimum(8, 2.0).solution)
    monkeypatch.setattr(correlation, "optimum", lambda *_: worse)
    assert correlation.optimum_is_global().verdict is FAILS


def test_rough_numbers_stay_out_of_the_page_and_failures_show() -> None:
    measured = weigh(above("ratio", 3.7, 1.0, rough=True), near("x0", 0.27, 0.0, 0.05))
    assert measured.text == "ratio: 3.7; x0: 0.27 (expected 0)"
    assert measured.steady == "ratio: at least 1; x0: 0.27 (expected 0)"
    assert weigh(above("ratio", 0.5, 1.0, rough=True)).steady == "ratio: not at least 1"


@pytest.mark.parametrize(("units", "dimensions"), [(6, 2), (6, 6), (5, 3), (7, 1)])
def test_regions_of_a_random_arrangement_are_as_many_as_can_be(units: int, dimensions: int) -> None:
    assert count_regions(units, dimensions) == sum(comb(units, i) for i in range(dimensions + 1))


def test_small_maps_at_points_done_by_hand() -> None:
    z = torch.tensor([[0.5, 0.25, -2.0]], dtype=torch.float64)
    torch.testing.assert_close(sparsemax(z), torch.tensor([[0.625, 0.375, 0.0]], dtype=torch.float64))
    torch.testing.assert_close(relumax(z), torch.tensor([[1, 0.75, 0]], dtype=torch.float64) / 1.75)
    square = jacobian(lambda v: v.square() + v.flip(-1), z)
    by_hand = torch.tensor([[[1.0, 0, 1], [0, 1.5, 0], [1, 0, -4]]], dtype=torch.float64)
    torch.testing.assert_close(square, by_hand)


def test_rows_are_chosen_by_draft_and_id() -> None:
    claims = all_claims()
    chosen = [len(select(claims, DRAFTS, None, name)) for draft in DRAFTS for name in (draft.prefix, draft.seed)]
    assert all(a == b > 10 for a, b in list(pairwise(chosen))[::2])
    assert sum(chosen) == 2 * len(claims)
    assert select(claims, DRAFTS, None, f"{DRAFTS[2].seed}.md") == select(claims, DRAFTS, None, "em")
    with pytest.raises(InputError, match="correlation-swish-k20"):
        select(claims, DRAFTS, "correlation-swish-k2", None)
    with pytest.raises(InputError, match="em-collapse"):
        select(claims, DRAFTS, "em-collapse", "matching")
    with pytest.raises(InputError, match="'nature'"):
        select(claims, DRAFTS, None, "nature")


def test_verdicts_are_read_with_blanks_or_hyphens() -> None:
    assert read_verdict("holds-with-a-correction") is read_verdict("holds with a correction") is CORRECTED
    with pytest.raises(InputError, match="got 'true'"):
        read_verdict("true")


def test_the_page_is_up_to_date(rows) -> None:
    page = (ROOT / "docs" / "claims.md").read_text(encoding="utf-8")
    assert page == markdown(list(rows.values()), DRAFTS), "run: pwlact claims --markdown docs/claims.md"
