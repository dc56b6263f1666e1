"""The ablation of `pwlact layerwise`: arms, probe, rows and summary on small home-made images."""

import json
from dataclasses import replace

import pytest
import torch
from asserts import assert_refused
from redundancy.mnist_files import write_mnist

from pwlact.experiments.layerwise import pictures
from pwlact.experiments.layerwise.ablation import MEASURES, overall, run
from pwlact.experiments.layerwise.arms import ARMS
from pwlact.experiments.layerwise.config import LayerwiseConfig
from pwlact.experiments.layerwise.probe import linear_probe
from pwlact.experiments.redundancy.vectors import load_vectors

TINY = LayerwiseConfig(units=3, depth=2, epochs=1, batch_size=10, train=30, test=20, seeds=2, probe_steps=20)


@pytest.fixture
def images(tmp_path):
    return write_mnist(tmp_path / "images", train=40, test=20)


def test_probe_reaches_the_one_optimum():
    x = torch.randn(60, 3, dtype=torch.float64)
    y = (x[:, 0] + 0.5 * torch.randn(60) > 0).long()
    found = linear_probe(x, y, x, y, decay=0.01)
    assert found.gradient < 1e-5
    moved = linear_probe(x.flip(1) * 1e3 + 5, y, x.flip(1) * 1e3 + 5, y, decay=0.01)
    assert moved.loss == pytest.approx(found.loss, abs=1e-9)  # standardised, and unique
    assert found.accuracy == moved.accuracy > 0.8
    assert linear_probe(x, y, x, 1 - y, decay=0.01).accuracy == pytest.approx(1 - found.accuracy)
    assert linear_probe(x, y, x, y, decay=0.01, steps=1).gradient > 1e-3


def test_probe_on_dead_features_answers_the_commonest_class():
    y = torch.tensor([1, 1, 0])
    found = linear_probe(torch.ones(3, 2), y, torch.ones(3, 2), y)
    assert found.accuracy == pytest.approx(2 / 3)
    assert found.gradient < 1e-5


def test_every_arm_has_a_row_a_seed(images, tmp_path):
    heard = []
    record = run(TINY, images, tmp_path, lambda done, whole: heard.append((done, whole)))
    expected = [(name, seed) for name in ARMS for seed in ([0] if name == "pixels" else [0, 1])]
    assert [(row["arm"], row["seed"]) for row in record["rows"]] == expected
    assert heard[-1] == (15, 15)
    for row in record["rows"]:
        assert [layer["layer"] for layer in row["layers"]] == ([0] if row["arm"] == "pixels" else [1, 2])
        for layer in row["layers"]:
            assert all(0 <= layer[name] <= 1 for name in MEASURES)
    assert {row["arm"] for row in record["rows"] if "prototypes" in row} == set(ARMS) - {"pixels"}
    assert all(row["seed"] == 0 for row in record["rows"] if "prototypes" in row)
    by = {(line["arm"], line["layer"]): line for line in record["overall"]}
    assert by["pixels", 0]["accuracy_sd"] is None
    assert by["lse", 2]["seeds"] == 2
    assert record["config"]["units"] == 3
    json.dumps(record)
    first = {row["arm"]: row["layers"][0]["accuracy"] for row in record["rows"]}
    again = run(replace(TINY, arms=("lse+both", "random")), images)["rows"]
    assert again == [row for row in record["rows"] if row["arm"] in ("lse+both", "random")]
    assert len(set(first.values())) > 1


def test_arms_differ_in_what_they_should():
    x = torch.randn(30, 12)
    stacks = {name: ARMS[name](x, TINY, 0) for name in ARMS}
    assert stacks["pixels"] == []
    outputs = {name: stack[0](x).detach() for name, stack in stacks.items() if stack}
    names = list(outputs)
    for i, left in enumerate(names):
        for right in names[i + 1 :]:
            assert not torch.equal(outputs[left], outputs[right])
    assert torch.equal(outputs["random"], ARMS["random"](x, TINY, 0)[0](x))
    assert not torch.equal(outputs["random"], ARMS["random"](x, TINY, 1)[0](x))


def test_autoencoder_learns_to_reconstruct():
    x = torch.randn(60, 2) @ torch.randn(2, 6)

    def error(layer):
        a = layer(x).detach()
        return (x - a @ torch.linalg.lstsq(a, x).solution).square().mean()

    config = LayerwiseConfig(units=4, epochs=60, batch_size=20, lr=0.02)
    (trained,), (start,) = (ARMS[name](x, config, 0) for name in ("autoencoder", "random"))
    assert error(trained) < 0.5 * error(start)


def test_means_of_known_rows():
    rows = [
        {"arm": "lse", "seed": seed, "layers": [{"layer": 1, **dict.fromkeys(MEASURES, value)}]}
        for seed, value in enumerate((0.25, 0.75))
    ]
    (line,) = overall(rows)
    assert (line["arm"], line["layer"], line["seeds"], line["accuracy"]) == ("lse", 1, 2, 0.5)
    assert line["accuracy_sd"] == pytest.approx(0.125**0.5)


def test_bad_settings(images):
    for name, value in (("data", "svhn"), ("units", 1), ("depth", 0), ("lr", 0.0), ("strength", -1.0), ("seeds", 0)):
        assert_refused(lambda name=name, value=value: LayerwiseConfig(**{name: value}), name)
    assert_refused(lambda: run(LayerwiseConfig(arms=("gan",), train=30, test=20), images), "gan", "pixels")
    assert_refused(lambda: run(LayerwiseConfig(), images), "40 training images")


def test_all_published_images_may_train(images):
    record = run(replace(TINY, arms=("pixels", "random"), train=40, seeds=1), images)
    assert record["rows"][0]["layers"][0]["probe"]["steps"] > 0
    assert LayerwiseConfig().train == 60_000


def test_the_first_layers_of_a_stack_are_those_of_one_layer_alone(images):
    for arm in ("lse+both", "random", "autoencoder"):
        one, three = (run(replace(TINY, arms=(arm,), depth=depth, seeds=1), images)["rows"][0] for depth in (1, 3))
        assert one["layers"] == three["layers"][:1]
        assert len(three["layers"]) == 3


def test_the_kept_weights_are_the_first_layers(images):
    row = run(replace(TINY, arms=("random",), seeds=1), images)["rows"][0]
    x = load_vectors("mnist", images, (30, 0, 20)).train.x
    weight = ARMS["random"](x, TINY, 0)[0].weight.detach()
    expected = (weight / weight.abs().amax(1, keepdim=True)).reshape(3, 1, 4, 3)
    torch.testing.assert_close(torch.tensor(pictures.read(row["prototypes"])).float(), expected, atol=0.005, rtol=0)
