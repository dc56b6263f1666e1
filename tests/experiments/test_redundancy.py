"""The four experiments from end to end, at small size: records, repeats, resumed runs, bad settings."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from asserts import assert_close, assert_refused
from redundancy.mnist_files import write_mnist

from pwlact.experiments.perceptrons import Shape, Stack
from pwlact.experiments.redundancy import groups, mlp, table, toy
from pwlact.experiments.redundancy.fitting import fit
from pwlact.experiments.redundancy.maps import seen_part
from pwlact.experiments.redundancy.measuring import LAYER_MEASURES, measure
from pwlact.experiments.redundancy.tuning import Tuning, measured, tune
from pwlact.experiments.redundancy.vectors import load_vectors
from pwlact.files import to_json
from pwlact.redundancy import count_regions, dead_units, duplicate_units, most_regions

QUICK = Tuning(2, (0.01, 0.1), 6, 0.1)
SMALL = toy.ToyConfig(("rings",), (6,), ("relu", "softmax", "parallel-paths", "piecewise-linear-unit"), 20, QUICK)


def test_toy_record():
    seen = []
    record = json.loads(to_json(toy.run(SMALL, progress=lambda *state: seen.append(state))))
    assert seen[-1] == (4, 4)
    assert [row["activation"] for row in record["rows"]] == list(SMALL.activations)
    relu, softmax, parallel, _ = record["rows"]
    assert [row["outputs"] for row in record["rows"]] == [6, 6, 12, 6]
    assert [row["unseen"] for row in record["rows"]] == [0, 1, 0, 0]
    assert set(softmax["trained"]) == set(softmax["untrained"]) == set(LAYER_MEASURES)
    assert softmax["trained"]["crossing"]["mean"] == pytest.approx(0.5, abs=1e-4)
    assert relu["trained"]["crossing"]["mean"] == 0
    assert 0 < parallel["trained"]["crossing"]["mean"] < 0.5
    assert 0 < softmax["trained"]["largest_share"]["mean"] <= 0.5
    for row in record["rows"]:
        assert row["rate"] in QUICK.rates
        assert row["rate_at_edge"] is True
        assert [tried["rate"] for tried in row["tried"]] == list(QUICK.rates)
        assert len(row["accuracy"]["values"]) == 2
        assert 0.2 < row["accuracy"]["mean"] < 1
        assert row["regions"]["most"] == most_regions(6, 2)
        assert 1 <= row["regions"]["trained"]["mean"] <= row["regions"]["most"]
        assert all(w1 * w1 + w2 * w2 == pytest.approx(1, abs=1e-4) for w1, w2, _ in row["lines"])
    assert relu["against"]["accuracy"]["mean"] == 0
    assert softmax["against"]["accuracy"]["n"] == 2
    # the same first layer: before training, relu's and the learnt one's cuts are one
    assert record["rows"][3]["untrained"]["duplicate_cuts"] == relu["untrained"]["duplicate_cuts"]
    assert record["rows"][3]["regions"]["untrained"] == relu["regions"]["untrained"]
    assert [line["activation"] for line in record["overall"]] == list(SMALL.activations)
    assert record["config"]["tuning"]["steps"] == 6


def test_a_run_that_was_stopped_ends_in_the_same_bytes(tmp_path: Path, monkeypatch):
    whole = to_json(toy.run(SMALL))
    assert to_json(toy.run(SMALL)) == whole

    def stop(done, _):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        toy.run(SMALL, tmp_path, stop)
    assert len(json.loads((tmp_path / "rows.json").read_text())) == 2
    assert to_json(toy.run(SMALL, tmp_path)) == whole
    monkeypatch.setattr(toy, "tune", None)  # nothing is computed again
    assert to_json(toy.run(SMALL, tmp_path)) == whole


def test_more_seeds_do_not_change_those_there_were():
    two = toy.row("blobs", 6, "relu", lambda _: torch.nn.ReLU(), replace(SMALL, tuning=replace(QUICK, rates=(0.1,))))
    three = toy.row(
        "blobs", 6, "relu", lambda _: torch.nn.ReLU(), replace(SMALL, tuning=replace(QUICK, rates=(0.1,), seeds=3))
    )
    assert three["accuracy"]["values"][:2] == pytest.approx(two["accuracy"]["values"])
    assert three["untrained"]["dead"]["values"][:2] == two["untrained"]["dead"]["values"]
    assert two["rate_at_edge"] is False  # one rate has no edge


def test_training_teaches_and_is_measured_on_the_end():
    config = replace(SMALL, points=60, tuning=Tuning(2, (0.03, 0.1), 150, 0.1), units=(16,))
    row = toy.row("blobs", 16, "relu", lambda _: torch.nn.ReLU(), config)
    assert row["accuracy"]["mean"] > 0.9
    assert row["reached"] == 1
    assert row["train_loss"]["mean"] <= 0.1
    assert row["steps"]["mean"] < 150
    assert row["trained"]["effective_rank"] != row["untrained"]["effective_rank"]


def test_measures_are_those_of_each_model_by_itself():
    shape = Shape(2, 7, 2, 3)
    stack = Stack(shape, lambda _: torch.nn.ReLU(), [0, 1, 2])
    x, y = toy.points_of("rings", 90, 3, "test")
    parameters = stack.parameters()
    parameters["layer1.bias"][1, :2] = -9.0  # two dead units in the second layer of the second model
    fits, layers = measure(stack, parameters, x, y, torch.eye(7, dtype=torch.float64))
    assert layers[1]["dead"][1] >= 2 / 7
    for model in range(3):
        z = x[model] @ parameters["layer0.weight"][model].T + parameters["layer0.bias"][model]
        a = z.relu()
        live = int((~dead_units(a)).sum())
        assert float(layers[0]["duplicate_units"][model]) == pytest.approx(int(duplicate_units(a)) / live)
        second = (a @ parameters["layer1.weight"][model].T + parameters["layer1.bias"][model]).relu()
        assert float(layers[1]["dead"][model]) == pytest.approx(float(dead_units(second).double().mean()))
        logits = second @ parameters["layer2.weight"][model].T + parameters["layer2.bias"][model]
        assert float(fits["accuracy"][model]) == pytest.approx((logits.argmax(1) == y[model]).double().mean().item())
        loss = torch.nn.functional.cross_entropy(logits, y[model])
        assert float(fits["loss"][model]) == pytest.approx(loss.item(), rel=1e-5)
    assert (fits["gradient_ratio"] > 0).all()


def test_the_best_rate_is_chosen_on_validation_data_and_lost_seeds_count():
    x, y = toy.points_of("blobs", 60, 2, "train")
    shape = Shape(2, 12, 1, 3)
    relu = lambda _: torch.nn.ReLU()
    tuning = Tuning(2, (1e-5, 0.05, 1e30), 40, 0.0)
    tuned = tune(shape, relu, lambda _: (x, y), (x, y), tuning)
    assert tuned.record["rate"] == 0.05
    assert tuned.record["rate_at_edge"] is False
    accuracies = [tried["val_accuracy"] for tried in tuned.record["tried"]]
    assert max(accuracies) == accuracies[1]
    alone = fit(Stack(shape, relu, [0, 1]), lambda _: (x, y), torch.full((2,), 0.05), 40)
    for name, p in alone.parameters.items():
        assert_close(tuned.end[name], p, rtol=1e-4)
        assert_close(tuned.start[name], Stack(shape, relu, [0, 1]).parameters()[name])
    # a rate at which everything is lost: measured as nothing, not as an error
    lost = tune(shape, relu, lambda _: (x, y), (x, y), Tuning(2, (1e38,), 40, 0.0))
    assert lost.record["diverged"] == 1
    found = measured(lost, (x, y), seen_part(relu, 12))
    assert found["accuracy"] == {"mean": None, "sd": None, "n": 0, "values": [None, None]}
    assert found["trained"]["dead"]["n"] == 0
    assert found["untrained"]["dead"]["n"] == 2


def test_lines_and_regions_are_those_of_the_first_layer():
    relu = lambda _: torch.nn.ReLU()
    config = replace(SMALL, tuning=Tuning(1, (1e-12,), 1, 0.0))  # as good as untrained
    row = toy.row("rings", 6, "relu", relu, config)
    start = Stack(Shape(2, 6, 1, 3), relu, [0]).parameters()
    weight, bias = start["layer0.weight"][0].double(), start["layer0.bias"][0].double()
    box = (-toy.REACH, -toy.REACH), (toy.REACH, toy.REACH)
    assert row["regions"]["untrained"]["values"] == [count_regions(weight, bias, *box)]
    lines = torch.tensor(row["lines"], dtype=torch.float64)
    assert_close(lines, torch.cat([weight, bias[:, None]], 1) / weight.norm(dim=1, keepdim=True), atol=2e-5)


def test_mlp_on_generated_images(tmp_path: Path):
    write_mnist(tmp_path, train=60, test=30)
    config = mlp.MlpConfig("mnist", (1, 3), 6, ("relu", "softmax"), 40, 20, 30, 2, 8, 2, (0.01, 0.1))
    assert config.tuning.steps == 10
    record = mlp.run(config, tmp_path, tmp_path)
    assert [(row["depth"], row["activation"]) for row in record["rows"]] == [
        (1, "relu"), (1, "softmax"), (3, "relu"), (3, "softmax"),
    ]  # fmt: skip
    deep = record["rows"][3]
    assert len(deep["trained_layers"]) == 3
    assert "trained_layers" not in record["rows"][0]
    mean = sum(layer["dead"]["mean"] for layer in deep["trained_layers"]) / 3
    assert deep["trained"]["dead"]["mean"] == pytest.approx(mean)
    assert record["rows"][0]["gradient_ratio"]["mean"] == pytest.approx(1)
    assert 0 < deep["gradient_ratio"]["mean"] < 1  # softmax on softmax: hardly anything arrives at the first layer
    assert deep["steps"]["values"] == [10, 10]
    assert to_json(mlp.run(config, tmp_path, tmp_path)) == to_json(record) == to_json(mlp.run(config, tmp_path))


def test_batches_are_epochs_of_all_images_in_an_order_a_seed(tmp_path: Path):
    write_mnist(tmp_path, train=23)
    part = load_vectors("mnist", tmp_path, (11, 2, 2)).train
    batch = mlp.batches(part, 5, 3)
    first = [batch(step) for step in range(4)]
    assert first[0][0].shape == (3, 5, 12)
    for seed in range(3):
        for epoch in range(2):
            rows = torch.cat([first[2 * epoch + step][0][seed] for step in range(2)])
            assert len(torch.unique(rows, dim=0)) == 10
            assert all((row == part.x).all(1).any() for row in rows)
    assert not torch.equal(first[0][0][0], first[0][0][1])
    assert not torch.equal(first[0][0], first[2][0])
    assert torch.equal(mlp.batches(part, 5, 2)(3)[0], first[3][0][:2])
    for x, y in first:
        place = (x[1][:, None] == part.x).all(-1).int().argmax(1)
        assert torch.equal(part.y[place], y[1])


def test_groups():
    config = groups.GroupsConfig(("grouped-softmax", "lwta"), (2, 6), ("rings",), 6, 20, QUICK)
    record = groups.run(config)
    assert [(row["kind"], row["size"]) for row in record["rows"]] == [
        ("relu", 1), ("grouped-softmax", 2), ("grouped-softmax", 6), ("lwta", 2), ("lwta", 6),
    ]  # fmt: skip
    assert [row["unseen"] for row in record["rows"]] == [0, 3, 1, 0, 0]
    pairs = record["rows"][1]
    assert pairs["trained"]["duplicate_cuts"]["mean"] == pytest.approx(0.5)  # both units of a pair have one line
    assert pairs["trained"]["duplicate_units"]["mean"] >= 0.5
    assert record["overall"][2]["activation"] == "grouped-softmax, groups of 6"
    assert record["overall"][2]["size"] == 6
    assert record["overall"][4]["against"]["accuracy"]["n"] == 2


def test_table():
    config = table.TableConfig(("softmax", "relu"), 6, 5, 8, 6, 2, 0)
    seen = []
    record = table.run(config, lambda *state: seen.append(state))
    assert seen == [(done, 6) for done in range(1, 7)]
    softmax, relu = record["rows"]
    assert softmax["crossing"] == pytest.approx(0.5)
    assert softmax["shift_invariant"] is True
    assert softmax["growth"] == pytest.approx(0, abs=0.01)
    assert relu["growth"] == pytest.approx(1)
    assert relu["crossing"] == 0
    assert relu["time"] == relu["time_low"] == relu["time_high"] == 1
    assert softmax["time_low"] <= softmax["time"] <= softmax["time_high"]
    assert record["bounds"] == {"pieces": 16, "patterns": 32}
    assert softmax["pieces"] < relu["pieces"] <= 16
    seen.clear()
    record = table.run(replace(config, activations=("softmax",)), lambda *state: seen.append(state))
    assert seen[-1] == (3, 3)
    assert len(seen) == 3
    assert record["rows"][0]["time"] > 0
    assert table.run(replace(config, repeats=0))["rows"][1]["time"] is None


@pytest.mark.parametrize(
    ("call", "parts"),
    [
        (lambda: replace(SMALL, data=("squares",)), ("data", "'squares'")),
        (lambda: replace(SMALL, data=()), ("data", "none")),
        (lambda: replace(SMALL, units=()), ("units", "none")),
        (lambda: replace(SMALL, units=(1,)), ("units", "1")),
        (lambda: replace(SMALL, activations=("swish",)), ("activations", "'swish'")),
        (lambda: replace(SMALL, points=1), ("points", "1")),
        (lambda: Tuning(seeds=0), ("seeds", "0")),
        (lambda: Tuning(rates=()), ("rates", "0")),
        (lambda: Tuning(rates=(0.1, 0.01)), ("ascend", "0.1, 0.01")),
        (lambda: Tuning(rates=(0.1, 0.1)), ("ascend",)),
        (lambda: Tuning(rates=(float("nan"),)), ("rates", "nan")),
        (lambda: Tuning(rates=(-0.1,)), ("rates", "-0.1")),
        (lambda: Tuning(steps=0), ("steps", "0")),
        (lambda: Tuning(target=-1.0), ("target", "-1.0")),
        (lambda: mlp.MlpConfig("letters"), ("data", "'letters'")),
        (lambda: mlp.MlpConfig(depths=()), ("depths", "none")),
        (lambda: mlp.MlpConfig(depths=(0,)), ("depths", "0")),
        (lambda: mlp.MlpConfig(units=1), ("units", "1")),
        (lambda: mlp.MlpConfig(epochs=0), ("epochs", "0")),
        (lambda: mlp.MlpConfig(train=50, batch_size=51), ("batch_size", "51")),
        (lambda: mlp.MlpConfig(seeds=0), ("seeds", "0")),
        (lambda: groups.GroupsConfig(kinds=("softmax",)), ("kinds", "'softmax'")),
        (lambda: groups.GroupsConfig(kinds=()), ("kinds", "none")),
        (lambda: groups.GroupsConfig(sizes=()), ("sizes", "none")),
        (lambda: groups.GroupsConfig(sizes=(3,)), ("sizes", "units=32", "3")),
        (lambda: groups.GroupsConfig(sizes=(1,)), ("sizes", "1")),
        (lambda: groups.GroupsConfig(units=0), ("units", "0")),
        (lambda: table.TableConfig(("swish",)), ("activations", "'swish'")),
        (lambda: table.TableConfig(units=1), ("units", "1")),
        (lambda: table.TableConfig(repeats=-1), ("repeats", "-1")),
        (lambda: table.TableConfig(seed=-1), ("seed", "-1")),
    ],
)
def test_bad_settings(call, parts):
    assert_refused(call, *parts)
