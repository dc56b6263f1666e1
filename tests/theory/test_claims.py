"""The claims ledger: complete, computed, and able to say no."""

import json
import math
import re
from collections.abc import Iterator
from itertools import pairwise
from math import comb
from pathlib import Path

import pytest
import torch

from pwlact.checks import InputError
from pwlact.theory.claims import (
    DRAFTS,
    Claim,
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
    read_study,
    read_verdict,
    results_in,
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


@pytest.fixture
def results(tmp_path: Path) -> Iterator[Path]:
    with results_in(tmp_path):
        yield tmp_path


def claim_of(name: str) -> Claim:
    return select(all_claims(), DRAFTS, name, None)[0]


def verdict_of(name: str) -> Verdict:
    return evaluate([claim_of(name)])[0].verdict


def run_record(
    accuracy: float,
    r2: float = 0.995,
    betas: tuple[float, ...] = (1.5,) * 3 + (2.5,) * 4,
    no_swish: tuple[int, ...] = (),
) -> dict:
    layers = [
        {"name": f"layer{i}", "beta": beta, "x0": 0.0, "r2": r2, "at_bound": ["x0"] if i in no_swish else []}
        for i, beta in enumerate(betas)
    ]
    history = [{"epoch": i + 1, "val_accuracy": accuracy * (1 - 0.5**i)} for i in range(20)]
    score = {"accuracy": accuracy, "n": 10_000}
    return {"test": score, "val": score, "layers": layers, "history": history}


def put(results: Path, name: str, record: dict) -> None:
    path = results / "networks" / name / "result.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record))


def put_seeds(results: Path, name: str, *records: dict) -> None:
    for seed in range(3):
        put(results, f"{name}-w0.25-s{seed}", records[seed % len(records)])


def test_networks_are_measured_from_their_result_files(results: Path) -> None:
    assert read_study("networks/vgg11-backprop-w1-s0/result") is None
    assert verdict_of("correlation-vgg11-accuracy") is UNMEASURED
    for accuracy, verdict in ((0.8765, HOLDS), (0.80, FAILS)):
        put(results, "vgg11-backprop-w1-s0", run_record(accuracy))
        assert verdict_of("correlation-vgg11-accuracy") is verdict
    assert verdict_of("correlation-vgg11-relu-parity") is UNMEASURED
    for other, verdict in ((0.805, HOLDS), (0.85, FAILS)):
        put(results, "vgg11-relu-w1-s0", {"summary": run_record(other)})
        assert verdict_of("correlation-vgg11-relu-parity") is verdict
    text = evaluate([claim_of("correlation-vgg11-relu-parity")])[0].to_dict()["measured"]
    assert "n = 10000" in text
    assert [f"{part}: -5 (" in text for part in ("at most 0.54", "over the last 5 epochs")] == [True, True]
    assert text.endswith("ReLU is ahead in each")


def test_kinds_are_compared_seed_by_seed(results: Path) -> None:
    name = "correlation-local-equals-backprop"
    put_seeds(results, "resnet10-backprop", *(run_record(accuracy) for accuracy in (0.80, 0.81, 0.82)))
    put_seeds(results, "vgg11-backprop", run_record(0.80))
    put_seeds(results, "vgg11-local", run_record(0.796))
    put(results, "resnet10-local-w0.25-s0", run_record(0.85))
    for arch in ("resnet10", "vgg11"):
        put(results, f"{arch}-backprop-w1-s0", run_record(0.90))
        put(results, f"{arch}-local-w1-s0", run_record(0.91))
    assert verdict_of(name) is UNMEASURED  # one seed is no comparison
    for locals_, verdict in (((0.80, 0.80, 0.82), HOLDS), ((0.79, 0.80, 0.82), FAILS)):
        put_seeds(results, "resnet10-local", *map(run_record, locals_))
        assert verdict_of(name) is verdict
    put_seeds(results, "vgg11-local", run_record(0.79))
    assert verdict_of(name) is FAILS
    put_seeds(results, "resnet10-local", run_record(0.85))
    assert verdict_of(name) is CORRECTED
    put_seeds(results, "resnet10-local", *(run_record(accuracy) for accuracy in (0.79, 0.80, 0.82)))
    text = evaluate([claim_of(name)])[0].to_dict()["measured"]
    assert "ResNet-10, after the last epoch, mean of 3 seeds, standard error 0.33" in text
    assert "VGG-11, over the last 5 epochs, mean of 3 seeds, standard error 0, n" in text
    assert ": -0.6667 (" in text
    early = run_record(0.85)
    for record in early["history"][:15]:
        record["val_accuracy"] = 0.0  # what came before the last five epochs does not count
    put_seeds(results, "vgg11-local", early)
    measured = evaluate([claim_of(name)])[0].to_dict()["measured"]
    assert "VGG-11, over the last 5 epochs, mean of 3 seeds, standard error 0, n = 10000 images: 5" in measured
    assert measured.endswith("at full width, VGG-11, one seed, standard error at most 0.41: 1")
    put(results, "vgg11-local-w1-s0", run_record(0.89))  # a detail: it does not make the claim fall
    measured = evaluate([claim_of(name)])[0].to_dict()["measured"]
    assert "at full width, VGG-11, one seed, standard error at most 0.43: -1 (" in measured


def inspection(cosines: tuple[float, ...], w: tuple[float, ...]) -> dict:
    def row(cosine: float) -> dict:
        agreement = {"projected": cosine}
        return {"epoch": 1, "gaussian": agreement, "sample": agreement, "chance": {"projected": 0.3}}

    layers = [{"name": f"layer{i}", "epochs": [row(cosine)]} for i, cosine in enumerate(cosines)]
    normality = [{"name": f"layer{i}", "within": {"w": {"median": median}}} for i, median in enumerate(w)]
    return {
        "gradients": {"n": 2000, "epochs": [1], "layers": layers},
        "gaussianity": {"layers": normality, "baselines": {"normal": {"w": {"median": 0.993}}}},
    }


def test_inspections_are_read(results: Path) -> None:
    names = ("gradient-approximates-ce", "early-layers-benefit", "gaussian-preactivations")
    assert [verdict_of(f"correlation-{name}") for name in names] == [UNMEASURED] * 3
    for cosines, w, expected in (
        ((0.1, 0.2, 0.9), (0.98, 0.99, 0.96), [FAILS, FAILS, CORRECTED]),
        ((0.9, 0.8, 0.7), (0.98, 0.99, 0.98), [HOLDS, HOLDS, HOLDS]),
        ((0.9, -0.8, 0.7), (0.98, 0.9, 0.9), [FAILS, HOLDS, FAILS]),
    ):
        for run in ("local", "backprop"):
            path = results / "networks" / f"resnet10-{run}-w0.25-s0" / "inspect.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(inspection(cosines, w)))
        assert [verdict_of(f"correlation-{name}") for name in names] == expected


def test_shapes_over_training_are_read(results: Path) -> None:
    path = results / "networks" / "resnet10-backprop-w0.25-s0" / "inspect.json"
    path.parent.mkdir(parents=True)
    optimal = {"share": 0.97, "r2": 0.95, "relu": 0.4, "reward": 0.5, "optimum": 0.51}
    poor = {"share": 0.3, "r2": 0.0, "relu": 0.6, "reward": 0.2, "optimum": 0.7}
    for end, distance, layer, expected in (
        (0.995, 0.01, optimal, [HOLDS, HOLDS]),
        (0.995, 0.3, poor, [CORRECTED, FAILS]),
        (0.9, 0.01, poor, [FAILS, FAILS]),
    ):
        film = {"r2": [0.5, 0.9, 0.995, 0.995, end], "distance": [1, 0.5, 0.3, distance, 0]}
        record = {
            "evolution": {"epochs": 4, "layers": [film, film]},
            "optimality": {"n": 2000, "layers": [layer, layer, optimal]},
        }
        path.write_text(json.dumps(record))
        assert [verdict_of(f"correlation-{name}") for name in ("evolution", "theory-matches-networks")] == expected
    text = evaluate([claim_of("correlation-theory-matches-networks")])[0].to_dict()["measured"]
    assert "more than the learnt activation in 2 layers" in text


def test_clean_convergence_is_no_falling_back(results: Path) -> None:
    steady, swinging = run_record(0.8), run_record(0.8)
    swinging["history"][15]["val_accuracy"] = 0.7
    put_seeds(results, "vgg11-backprop", steady)
    assert verdict_of("correlation-vgg11-convergence") is HOLDS
    put_seeds(results, "vgg11-backprop", steady, steady, swinging)
    assert verdict_of("correlation-vgg11-convergence") is FAILS


def test_layer_rows_read_the_layers(results: Path) -> None:
    betas = (1.4, 1.5, 1.7, 2.4, 2.5, 2.6, 2.7, 7.0, 8.0)
    put_seeds(results, "resnet10-backprop", run_record(0.9, betas=betas))
    put_seeds(results, "vgg11-backprop", run_record(0.88, r2=0.98))
    names = ("layer-beta-early", "layer-beta-mid", "layer-beta-late", "layer-progression", "resnet10-cleaner")
    found = [verdict_of(f"correlation-{name}") for name in (*names, "vgg11-swish-layers", "resnet10-faster")]
    assert found == [HOLDS, HOLDS, FAILS, HOLDS, HOLDS, FAILS, FAILS]
    late = claim_of("correlation-layer-beta-late").measure().text
    assert "mean beta of layers 7 to 8, 3 seeds, from 7 to 8: 7.5" in late
    assert "0 more of 6 fits" in late


def test_betas_of_curves_that_are_no_swish_do_not_count(results: Path) -> None:
    names = [f"correlation-{name}" for name in ("layer-beta-mid", "layer-beta-late", "layer-progression")]
    betas = (1.4, 1.5, 1.7, 0.2, 2.5, 2.6, 0.2, 3.5, 4.0)
    put_seeds(results, "resnet10-backprop", run_record(0.9, betas=betas))
    assert [verdict_of(name) for name in names] == [FAILS, HOLDS, HOLDS]
    put_seeds(results, "resnet10-backprop", run_record(0.9, betas=betas, no_swish=(3, 6)))
    assert [verdict_of(name) for name in names] == [HOLDS, HOLDS, HOLDS]
    assert "6 more of 12 fits end at a bound" in claim_of(names[0]).measure().text
    put_seeds(results, "resnet10-backprop", run_record(0.9, betas=betas, no_swish=(6, 7, 8)))
    assert [verdict_of(name) for name in names] == [FAILS, FAILS, FAILS]
    for name in names[1:]:
        assert "that end at a bound of the search, of" in claim_of(name).measure().text


@pytest.mark.parametrize("content", ["{", "[]", '{"test": {}}', '{"test": 3}'])
def test_damaged_results_are_refused(results: Path, content: str) -> None:
    place = results / "networks" / "vgg11-backprop-w1-s0"
    place.mkdir(parents=True)
    (place / "result.json").write_text(content)
    with pytest.raises(InputError, match="vgg11-backprop-w1-s0"):
        verdict_of("correlation-vgg11-accuracy")


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
