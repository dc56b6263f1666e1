"""Figures of trained networks: what they read of generated runs, what they say of missing and damaged ones."""

import json

import numpy as np
import pytest
from network_results import (
    KNOTS,
    LAYERS,
    accuracy,
    beta,
    change,
    cosine,
    counts,
    film,
    fit,
    w,
    write_bench,
    write_run,
    write_study,
)

from pwlact.checks import InputError
from pwlact.files import to_json
from pwlact.swish import fit_swish
from pwlact_figures.paper import FIGURES, MissingResultError, Results
from pwlact_figures.paper import gradient_agreement as s7
from pwlact_figures.paper import layer_snapshots as eight
from pwlact_figures.paper import networks_over_training as seven
from pwlact_figures.paper import preactivations as s8
from pwlact_figures.paper import speed as s10
from pwlact_figures.paper import training_comparison as s9
from pwlact_figures.paper.network_runs import finished, r2_text, seeds_text, widest

OF_RUNS = (seven, eight, s7, s8, s9)
ALL = (*OF_RUNS, s10)


def local_run(folder, seed=0):
    return folder / "networks" / f"resnet10-local-w0.25-s{seed}"


@pytest.fixture
def small(tmp_path):
    """One seed of both networks at width 0.25."""
    return write_study(tmp_path)


def test_figures_are_in_the_catalogue_in_order():
    names = [figure.name for figure in FIGURES]
    places = [names.index(name) for name in ("7", "8", "s7", "s8", "s9", "s10")]
    assert places == sorted(places)
    for module in ALL:
        assert module.FIGURE in FIGURES


def test_films_go_from_relu_to_the_known_swish(small):
    networks = seven.compute(Results(small))["networks"]
    assert [(one["arch"], one["layer"]) for one in networks] == [("VGG-11", "layer0"), ("ResNet-10", "layer3")]
    for network, layer, layers in zip(networks, (0, 3), (8, 9), strict=True):
        for kind in ("backprop", "local"):
            learnt = network["kinds"][kind]
            np.testing.assert_allclose(learnt["film"], film(kind, layer), atol=1e-12)
            np.testing.assert_allclose(learnt["film"][0], KNOTS.clip(0), atol=1e-12)
            assert fit_swish(learnt["knots"], learnt["film"][-1]).beta == pytest.approx(beta(kind, layer), rel=1e-6)
            assert learnt["fit"]["beta"] == beta(kind, layer)
            assert list(learnt["final"]) == [f"layer{i}" for i in range(layers)]
            assert learnt["final"]["layer2"] == pytest.approx(film(kind, 2)[-1])
            assert (learnt["epochs"], learnt["training_images"]) == (4, 45_000)


def test_channels_are_averaged(small):
    with np.load(local_run(small) / "activations.npz") as arrays:
        held = {name: arrays[name] for name in arrays.files}
    held = {name: np.stack([x - 1, x + 3], 1) if name.startswith("layer") else x for name, x in held.items()}
    np.savez(local_run(small) / "activations.npz", **held)
    learnt = seven.compute(Results(small))["networks"][1]["kinds"]["local"]
    np.testing.assert_allclose(learnt["film"], np.array(film("local", 3)) + 1, atol=1e-12)


def test_least_r2_is_over_all_layers_and_seeds(tmp_path):
    write_study(tmp_path, seeds=3)
    learnt = seven.compute(Results(tmp_path))["networks"][1]["kinds"]["local"]
    expected = {str(seed): pytest.approx(fit("local", 8, seed)["r2"]) for seed in range(3)}
    assert learnt["r2_least_by_seed"] == expected


def test_beta_of_all_seeds_by_layer(tmp_path):
    write_study(tmp_path, seeds=3)
    data = eight.compute(Results(tmp_path))
    assert (data["arch"], data["width"]) == ("ResNet-10", 0.25)
    for kind, learnt in data["kinds"].items():
        assert list(learnt["shown"]) == ["layer0", "layer3", "layer6", "layer7"]
        assert learnt["shown"]["layer6"]["values"] == pytest.approx(film(kind, 6)[-1])
        assert list(learnt["fits"]) == ["0", "1", "2"]
        for seed, fits in learnt["fits"].items():
            betas = [one["beta"] for one in fits.values()]
            assert betas == [beta(kind, layer, int(seed)) for layer in range(9)]
            assert all(one["error"] == 0.125 and not one["open"] for one in fits.values())


def test_prefers_the_widest_that_both_kinds_have(small):
    write_run(small, "resnet10", "backprop", 1.0)
    assert eight.compute(Results(small))["width"] == 0.25
    write_run(small, "resnet10", "local", 1.0)
    assert eight.compute(Results(small))["width"] == 1.0
    assert [one["width"] for one in seven.compute(Results(small))["networks"]] == [0.25, 1.0]
    assert s7.compute(Results(small))["rows"][0]["width"] == 1.0
    assert s8.compute(Results(small))["closer"]["width"] == 1.0
    write_run(small, "resnet10", "backprop", 0.5)
    write_run(small, "resnet10", "local", 0.5)
    assert eight.compute(Results(small))["width"] == 1.0  # not the newest


def test_only_the_study_s_own_folders_count(small):
    for name in ("resnet10-local-w0.25-every4-s0", "resnet10-other-w0.25-s0", "resnet10-local-w0.250-s3", "x"):
        place = small / "networks" / name
        place.mkdir()
        (place / "result.json").write_text("{}")
    (small / "networks" / "resnet10-gelu-w0.25-s0").mkdir()  # still being trained
    found = finished(Results(small), "resnet10")
    assert [run.name for run in found] == [
        f"networks/resnet10-{kind}-w0.25-s0" for kind in ("silu", "backprop", "local")
    ]


def test_seeds_rise_as_numbers(tmp_path):
    for seed in (10, 2, 0):
        write_run(tmp_path, "resnet10", "local", seed=seed)
    chosen = widest(Results(tmp_path), "resnet10", ["local"])["local"]
    assert [run.seed for run in chosen] == [0, 2, 10]


def test_cosines(small):
    rows = s7.compute(Results(small))["rows"]
    assert [(row["arch"], row["kind"]) for row in rows] == [
        ("ResNet-10", "local"), ("ResNet-10", "backprop"), ("VGG-11", "local"), ("VGG-11", "backprop"),
    ]  # fmt: skip
    for row in rows:
        expected = np.array(
            [[cosine(row["kind"], layer, e) for e in range(1, 5)] for layer in range(len(row["layers"]))]
        )
        np.testing.assert_allclose(row["cosines"]["sample"], expected)
        np.testing.assert_allclose(row["cosines"]["gaussian"], -expected)
        summary = row["summary"]
        assert summary["sample"]["mean_size"] == pytest.approx(np.abs(expected).mean())
        assert summary["sample"]["beyond_chance"] == pytest.approx((np.abs(expected) > 0.25).mean())
        assert summary["sample"]["mean"] == pytest.approx(0)
        assert summary["chance"]["mean"] == 0.25
        assert summary["ceiling"]["by_layer"] == [0.875] * len(row["layers"])
        assert row["n"] == 1500


def test_cosines_that_are_not_defined_are_left_out(small):
    def edit(record):
        for row in record["gradients"]["layers"][0]["epochs"]:
            row["sample"]["projected"] = None
        record["gradients"]["layers"][8]["epochs"][0]["chance"]["projected"] = float("nan")

    change(local_run(small) / "inspect.json", edit)
    row = s7.compute(Results(small))["rows"][0]
    assert row["cosines"]["sample"][0] == [None] * 4
    assert row["summary"]["sample"]["by_layer"][0] is None
    rest = np.array([[cosine("local", layer, e) for e in range(1, 5)] for layer in range(1, 9)])
    assert row["summary"]["sample"]["mean_size"] == pytest.approx(np.abs(rest).mean())
    known = np.abs(rest).ravel().tolist()
    known.remove(abs(cosine("local", 8, 1)))
    assert row["summary"]["sample"]["beyond_chance"] == pytest.approx((np.array(known) > 0.25).mean())


def test_one_network_is_enough_for_the_supplement(tmp_path):
    write_study(tmp_path, archs=("resnet10",))
    assert [row["arch"] for row in s7.compute(Results(tmp_path))["rows"]] == ["ResNet-10"] * 2
    assert len(s8.compute(Results(tmp_path))["networks"]) == 1
    assert len(s9.compute(Results(tmp_path))["groups"]) == 1
    with pytest.raises(MissingResultError, match=r"vgg11-backprop.*pwlact study --arch vgg11 --kinds backprop,local"):
        seven.compute(Results(tmp_path))


def test_w_by_layer_and_the_layers_looked_at(small):
    data = s8.compute(Results(small))
    assert data["closer"]["histograms"] is None
    assert data["closer"]["w"] == {"layer1": 0.9, "layer4": w("local", 4), "layer6": 0.992}
    resnet, vgg = data["networks"]
    assert [run["kind"] for run in resnet["runs"]] == ["local", "backprop", "silu"]
    for run in resnet["runs"]:
        assert [one["median"] for one in run["w"].values()] == [w(run["kind"], i) for i in range(9)]
        assert run["w_normal"]["median"] == 0.993
    assert list(vgg["runs"][0]["w"]) == [f"layer{i}" for i in range(LAYERS["vgg11"])]


def test_histograms_of_normals_are_normal_with_their_moments(tmp_path):
    write_study(tmp_path, inputs=True)
    histograms = s8.compute(Results(tmp_path))["closer"]["histograms"]
    assert list(histograms) == ["layer1", "layer4", "layer6"]
    for layer, classes in histograms.items():
        means = np.linspace(-0.5, 0.5, 10) + 0.1 * int(layer[-1])
        assert [one["mean"] for one in classes] == pytest.approx(means, abs=1e-3)
        assert [one["n"] for one in classes] == counts(int(layer[-1])).sum(axis=1).tolist()
        for one in classes:
            assert one["deviation"] == pytest.approx(0.8, rel=5e-3)
            edges, density = np.array(one["edges"]), np.array(one["density"])
            assert len(edges) == len(density) + 1 == 79  # without the outer bins
            z = (edges[1:] + edges[:-1]) / 2
            np.testing.assert_allclose(density, np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi), atol=2e-3)


def test_class_without_images_or_spread_has_no_density():
    edges = np.linspace(-1, 1, 5)
    assert s8._standardised(np.zeros(4, int), edges)["density"] == []
    one = s8._standardised(np.array([0, 7, 0, 0]), edges)
    assert (one["n"], one["mean"], one["deviation"], one["density"]) == (7, -0.25, 0.0, [])


def test_accuracies_and_paired_differences(tmp_path):
    write_study(tmp_path, archs=("resnet10",), kinds=("relu", "silu", "backprop", "local"), seeds=3)
    write_run(tmp_path, "resnet10", "local", seed=7)  # a seed that the others lack is in no difference
    (group,) = s9.compute(Results(tmp_path))["groups"]
    assert list(group["kinds"]) == ["relu", "silu", "backprop", "local"]
    local = group["kinds"]["local"]
    assert local["seeds"] == [0, 1, 2, 7]
    assert local["validation"]["values"] == pytest.approx([100 * accuracy("local", seed) for seed in (0, 1, 2, 7)])
    silu = group["kinds"]["silu"]["validation"]
    assert silu["mean"] == pytest.approx(82.5)
    assert silu["sd"] == pytest.approx(0.5)
    assert silu["binomial_error"] == pytest.approx(100 * np.sqrt(0.825 * 0.175 / 5000))
    found = group["differences"]["silu"]["local"]
    assert found["seeds"] == [0, 1, 2]
    assert found["values"] == pytest.approx([2.0, 2.25, 2.5])
    assert (found["mean"], found["error"]) == (pytest.approx(2.25), pytest.approx(0.25 / np.sqrt(3)))
    assert group["differences"]["backprop"]["silu"]["mean"] == pytest.approx(-1.0)
    assert "backprop" not in group["differences"]["backprop"]
    curve = group["kinds"]["relu"]["curves"][0]
    assert curve == pytest.approx([50.0, 60.0, 70.0, 80.0])
    assert list(group["baking"]["backprop"]["fitted"]) == ["knots"]
    assert group["baking"]["backprop"]["fitted"]["knots"] == pytest.approx(
        {"swish": 64.0, "difference": -20.0, "error": 0.5}
    )
    fitted = group["baking"]["local"]["fitted"]
    assert [(where, fit["difference"], fit["swish"]) for where, fit in fitted.items()] == [
        ("knots", -2.0, pytest.approx(82.0)), ("inputs", -1.0, pytest.approx(83.0)),
    ]  # fmt: skip
    assert set(group["baking"]) == {"backprop", "local"}


def test_one_seed_has_no_standard_error(small):
    group = s9.compute(Results(small))["groups"][0]
    assert group["kinds"]["local"]["validation"]["sd"] is None
    assert group["differences"]["silu"]["local"]["error"] is None


def test_every_width_is_a_group(small):
    for kind in ("relu", "local"):
        write_run(small, "resnet10", kind, 1.0)
    write_run(small, "vgg11", "local", 1.0)  # alone, nothing to compare it with
    groups = s9.compute(Results(small))["groups"]
    assert [(one["arch"], one["width"]) for one in groups] == [
        ("ResNet-10", 1.0), ("ResNet-10", 0.25), ("VGG-11", 0.25),
    ]  # fmt: skip
    assert groups[0]["differences"] == {}


@pytest.mark.parametrize(
    ("edit", "what"),
    [
        (lambda record: record["val"].update(n=400), "numbers of images"),
        (lambda record: record["history"].pop(), "epochs"),
    ],
)
def test_runs_that_do_not_compare(small, edit, what):
    change(local_run(small) / "result.json", edit)
    with pytest.raises(InputError, match=rf"resnet10-local-w0.25-s0 has other {what} than .*resnet10-silu"):
        s9.compute(Results(small))


def test_speed(tmp_path):
    write_bench(tmp_path)
    data = s10.compute(Results(tmp_path))
    assert data["operator"]["shape"] == [256, 64, 32, 32]  # the larger
    assert [row["ratio"] for row in data["operator"]["rows"]] == [0.5, 1.0, 1.5, 2.0]
    assert [row["kept"] for row in data["operator"]["rows"]] == [0, 0.5, 1, 1.5]
    assert [row["kind"] for row in data["step"]["rows"]] == ["baseline", "baseline", "ours", "ours"]
    assert [row["ratio"] for row in data["step"]["rows"]] == [0.9, 1.0, 1.1, 1.2]
    assert (data["operator"]["rounds"], data["step"]["rounds"], data["step"]["threads"]) == (11, 7, 2)
    (tmp_path / "bench" / "train.json").unlink()
    with pytest.raises(MissingResultError, match=r"`pwlact bench train --json > figures/results/bench/train\.json`"):
        s10.compute(Results(tmp_path))


@pytest.mark.parametrize("edit", [
    lambda record: record.pop("rows"),
    lambda record: record.update(rows=[]),
    lambda record: record["rows"][0].update(spread=[0.0, 1.0]),
    lambda record: record["rows"][0].update(vs_gelu="fast"),
    lambda record: record["rows"][0].update(kind="mine"),
    lambda record: record.pop("environment"),
])  # fmt: skip
def test_damaged_benchmark(tmp_path, edit):
    write_bench(tmp_path)
    change(tmp_path / "bench" / "activation.json", edit)
    with pytest.raises(
        InputError, match=r"activation\.json is damaged \(.*\); `pwlact bench activation --json"
    ) as info:
        s10.compute(Results(tmp_path))
    assert "\n" not in str(info.value)


@pytest.mark.parametrize("module", ALL)
def test_nothing_there(tmp_path, module):
    with pytest.raises(MissingResultError, match=r"`pwlact (study --arch|bench)") as info:
        module.compute(Results(tmp_path))
    assert "\n" not in str(info.value)


@pytest.mark.parametrize("module", [seven, eight, s9])
@pytest.mark.parametrize("edit", [
    lambda record: record.pop("layers") and record.pop("history"),
    lambda record: record.update(layers=[], history=[]),
    lambda record: (record["layers"][3].update(beta="sharp"), record["val"].update(accuracy=None)),
    lambda record: (record["layers"][3].pop("stderr"), record.update(val=3)),
    lambda record: record.update(seed=5),
    lambda record: record["config"].update(width=1.0),
])  # fmt: skip
def test_damaged_results_name_the_file_and_the_command(small, module, edit):
    change(local_run(small) / "result.json", edit)
    with pytest.raises(InputError, match=r"resnet10-local-w0\.25-s0/result\.json is (damaged|of another run)") as info:
        module.compute(Results(small))
    assert "\n" not in str(info.value)


@pytest.mark.parametrize("module", [s7, s8])
@pytest.mark.parametrize("edit", [
    lambda record: (record.pop("gradients"), record.pop("gaussianity")),
    lambda record: record.update(gradients=None, gaussianity=None),
    lambda record: (record["gradients"]["layers"][2]["epochs"].pop(), record["gaussianity"]["layers"][2].pop("within")),
    lambda record: (record["gradients"]["layers"].append(7), record["gaussianity"]["qq"]["layers"].clear()),
    lambda record: (record["gradients"].pop("n"), record["gaussianity"]["baselines"].clear()),
])  # fmt: skip
def test_damaged_inspection(small, module, edit):
    change(local_run(small) / "inspect.json", edit)
    with pytest.raises(InputError, match=r"resnet10-local-w0\.25-s0/inspect\.json is damaged .*`pwlact study") as info:
        module.compute(Results(small))
    assert "\n" not in str(info.value)


@pytest.mark.parametrize("text", ["", "{", "[1]", "null"])
@pytest.mark.parametrize("module", [seven, s7, s9])
def test_no_json(small, module, text):
    for name in ("result.json", "inspect.json"):
        (local_run(small) / name).write_text(text)
    with pytest.raises(InputError, match=r"pwlact study --arch resnet10 --kinds local --width 0\.25 --seeds 1"):
        module.compute(Results(small))


@pytest.mark.parametrize("module", [seven, eight])
def test_damaged_films(small, module):
    path = local_run(small) / "activations.npz"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(InputError, match=r"activations\.npz is damaged"):
        module.compute(Results(small))
    change(local_run(small) / "result.json", lambda record: record["layers"].pop())
    write_run(small / "other", "resnet10", "local")
    path.write_bytes((small / "other/networks/resnet10-local-w0.25-s0/activations.npz").read_bytes())
    with pytest.raises(InputError, match=r"activations\.npz and result\.json hold different layers"):
        module.compute(Results(small))


def test_damaged_inputs(tmp_path):
    write_study(tmp_path, inputs=True)
    (local_run(tmp_path) / "inputs.npz").write_bytes(b"PK")
    with pytest.raises(InputError, match=r"inputs\.npz is damaged"):
        s8.compute(Results(tmp_path))


@pytest.mark.parametrize("module", OF_RUNS)
def test_data_are_json_and_the_same_each_time(small, module):
    first, second = (module.compute(Results(small)) for _ in range(2))
    assert to_json(first) == to_json(second)
    assert json.loads(json.dumps(first, allow_nan=False)) == first


def test_texts():
    assert r2_text(0.99951) == "R² > 0.999"
    assert r2_text(0.6203) == "R² 0.620"
    assert r2_text(None) == "R² undefined"
    assert [seeds_text([3]), seeds_text([0, 1]), seeds_text([0, 1, 2])] == [
        "seed 3", "seeds 0 and 1", "seeds 0, 1 and 2",
    ]  # fmt: skip
