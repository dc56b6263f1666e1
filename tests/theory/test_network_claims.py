"""Claims about trained networks: read from committed results, and able to say yes, no and not yet."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pwlact.checks import InputError
from pwlact.theory.claims import DRAFTS, Claim, Verdict, all_claims, evaluate, read_study, results_in, select

HOLDS, CORRECTED, FAILS, UNMEASURED = Verdict


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
        put(results, f"{arch}-local-moving-w1-s0", run_record(0.91))
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
    assert measured.endswith(
        "at full width, VGG-11, activations that move to the last step, one seed, standard error at most 0.41: 1"
    )
    put(results, "vgg11-local-moving-w1-s0", run_record(0.89))  # a detail: it does not make the claim fall
    measured = evaluate([claim_of(name)])[0].to_dict()["measured"]
    assert (
        "at full width, VGG-11, activations that move to the last step, one seed, standard error at most 0.43: -1 ("
        in measured
    )


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
