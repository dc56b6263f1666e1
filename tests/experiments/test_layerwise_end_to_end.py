"""`pwlact layerwise end-to-end`: arms, rates, rows, summary, on small home-made images."""

import json
from dataclasses import replace

import pytest
import torch
from asserts import assert_refused
from redundancy.mnist_files import write_mnist

from pwlact import redundancy
from pwlact.experiments.layerwise import arms, end_to_end
from pwlact.experiments.layerwise.config import EndToEndConfig
from pwlact.experiments.layerwise.contenders import CONTENDERS, DEFAULT
from pwlact.experiments.layerwise.end_to_end import MEASURES, observed, overall, row, run, tuned
from pwlact.experiments.redundancy.vectors import Part, load_vectors
from pwlact.training.loop import TrainingFailed

TINY = EndToEndConfig(
    arms=("scratch", "relu"), units=4, channels=3, depth=2, epochs=2, pretrain_epochs=1, batch_size=10, rates=(0.01,),
    train=30, validation=10, test=20, seeds=2,
)  # fmt: skip


@pytest.fixture
def images(tmp_path):
    return write_mnist(tmp_path / "images", train=40, test=20)


@pytest.fixture
def vectors(images):
    return load_vectors("mnist", images, (30, 10, 20))


def test_every_default_arm_has_rows_of_every_epoch_and_layer(images):
    record = run(replace(TINY, arms=(), seeds=1), images)
    assert [each["arm"] for each in record["rows"]] == list(DEFAULT)
    for each in record["rows"]:
        assert [epoch["epoch"] for epoch in each["epochs"]] == [0, 1, 2]
        assert each["rate"] == 0.01
        assert ("prototypes" in each) == (not each["arm"].startswith("convnet"))
        for epoch in each["epochs"]:
            assert [layer["layer"] for layer in epoch["layers"]] == [1, 2]
            assert all(0 <= layer[name] <= 1 for layer in epoch["layers"] for name in MEASURES[1:])
            assert 0 <= epoch["accuracy"] <= 1
    assert [(line["layer"], line["epoch"]) for line in record["overall"][:4]] == [(1, 0), (2, 0), (1, 2), (2, 2)]
    assert record["overall"][0]["accuracy_sd"] is None
    assert record["config"]["control"] == 1.0
    json.dumps(record, allow_nan=False)


def test_seeds_differ_and_rows_repeat_alone_or_among_others(images, tmp_path):
    whole = run(TINY, images)["rows"]
    assert [(each["arm"], each["seed"]) for each in whole] == [(arm, seed) for arm in TINY.arms for seed in (0, 1)]
    assert whole[2]["epochs"] != whole[3]["epochs"]
    assert "prototypes" in whole[2]
    assert "prototypes" not in whole[3]
    assert "rates" not in whole[3]
    alone = run(replace(TINY, arms=("relu",)), images, tmp_path)["rows"]
    assert alone == json.loads(json.dumps(whole[2:]))
    kept = json.loads((tmp_path / "rows.json").read_text())
    # a resumed run keeps what is there, and computes the rest with the rate it would have had
    (tmp_path / "rows.json").write_text(json.dumps({"mnist, relu, seed 0": kept["mnist, relu, seed 0"]}))
    assert run(replace(TINY, arms=("relu",)), images, tmp_path)["rows"] == alone


def test_the_rate_is_the_one_that_validates_best(vectors):
    config = replace(TINY, rates=(1e-9, 0.05, 1e30), epochs=8)
    found = tuned(vectors, "relu", config)
    validation = {each["rate"]: each["validation"] for each in found["rates"]}
    assert validation[1e30] is None
    assert found["validation"] == max(validation[1e-9], validation[0.05])
    assert found["rate"] == next(rate for rate in (1e-9, 0.05) if validation[rate] == found["validation"])
    again = row(vectors, "relu", config, 0, found["rate"])
    assert {key: value for key, value in found.items() if key != "rates"} == again


def test_the_better_rate_wins_wherever_it_stands(vectors, monkeypatch):
    accuracies = {0.1: 0.25, 0.2: 0.75, 0.3: 0.5}
    monkeypatch.setattr(end_to_end, "row", lambda *rest: {"rate": rest[4], "validation": accuracies[rest[4]]})
    for rates in ((0.1, 0.2, 0.3), (0.2, 0.3, 0.1), (0.3, 0.1, 0.2)):
        assert tuned(vectors, "relu", replace(TINY, rates=rates))["rate"] == 0.2


def test_later_seeds_take_the_rate_of_the_first(images):
    rows = run(replace(TINY, arms=("relu",), rates=(1e-9, 0.05)), images)["rows"]
    assert rows[0]["rate"] == rows[1]["rate"]
    assert [each["rate"] for each in rows[0]["rates"]] == [1e-9, 0.05]


def test_divergence_at_every_rate_is_one_line(vectors):
    for name in ("relu", "scratch+control"):
        with pytest.raises(TrainingFailed, match=f"{name}|lower"):
            tuned(vectors, name, replace(TINY, rates=(1e30,)))


def heard(vectors, name, config=TINY, seed=0, rate=0.01):
    """Parameters at every epoch."""
    kept = []

    def after(network, epoch):
        assert epoch == len(kept)
        kept.append({key: value.clone() for key, value in network.state_dict().items()})

    torch.manual_seed(seed)
    CONTENDERS[name](vectors.train.x, vectors.train.y, config, seed, rate, after)
    return kept


def test_arms_start_and_go_on_as_their_names_say(vectors):
    start = {name: heard(vectors, name) for name in ("scratch", "scratch+control", "pretrained", "pretrained+control")}
    first = {name: kept[0]["blocks.0.weight"] for name, kept in start.items()}
    random = arms.random(vectors.train.x, TINY.pretraining, 0)[0].weight
    assert torch.equal(first["scratch"], random)
    assert torch.equal(first["scratch"], first["scratch+control"])
    assert torch.equal(first["pretrained"], first["pretrained+control"])
    assert not torch.equal(first["pretrained"], random)
    last = [kept[-1]["blocks.0.weight"] for kept in start.values()]
    for i, left in enumerate(last):
        for right in last[i + 1 :]:
            assert not torch.equal(left, right)
    # the less control counts, the nearer to none
    weak = heard(vectors, "pretrained+control", replace(TINY, control=1e-12))[-1]["blocks.0.weight"]
    torch.testing.assert_close(weak, start["pretrained"][-1]["blocks.0.weight"], rtol=1e-3, atol=1e-4)


def test_cross_entropy_falls_in_every_kind_of_network(vectors):
    for name in ("relu", "softmax", "attention", "convnet-relu"):
        kept = []

        def after(network, epoch, kept=kept):
            network.eval()
            logits = network(vectors.train.x)
            kept.append(float(torch.nn.functional.cross_entropy(logits, vectors.train.y).detach()))

        torch.manual_seed(0)
        CONTENDERS[name](vectors.train.x, vectors.train.y, replace(TINY, epochs=15), 0, 0.05, after)
        assert kept[-1] < 0.9 * kept[0], name


def test_observed_is_what_the_layers_give(vectors):
    torch.manual_seed(0)
    network = CONTENDERS["relu"](
        vectors.train.x, vectors.train.y, replace(TINY, epochs=1), 0, 0.01, lambda *_: None
    )  # fmt: skip
    with torch.no_grad():
        network.blocks[0][0].weight[1] = 3 * network.blocks[0][0].weight[0]
        network.blocks[0][0].bias[1] = 3 * network.blocks[0][0].bias[0]
        network.blocks[0][0].bias[2] = -1e6
        network.train()
        found = observed(network, vectors.test)
        assert not network.training
        a = network.blocks[0](vectors.test.x)
        assert found["accuracy"] == pytest.approx((network(vectors.test.x).argmax(-1) == vectors.test.y).float().mean())
    assert found["layers"][0]["dead"] == 0.25
    assert found["layers"][0]["duplicates"] == 0.25
    assert found["layers"][0]["effective_rank"] == pytest.approx(float(redundancy.effective_rank(a)) / 4, rel=1e-5)
    assert found["layers"][0]["quiet"] >= 0.25
    with torch.no_grad():
        network.blocks[1][0].bias[0] = torch.inf
    with pytest.raises(TrainingFailed, match="finite"):
        observed(network, Part(vectors.test.x, vectors.test.y))


def test_means_of_known_rows():
    def measured(value):
        return {"accuracy": value, "layers": [{"layer": 1, **dict.fromkeys(MEASURES[1:], value / 2)}]}

    rows = [
        {"arm": "relu", "seed": seed, "epochs": [{"epoch": e, **measured(end * e / 2)} for e in range(3)]}
        for seed, end in enumerate((0.25, 0.75))
    ]
    before, after = overall(rows)
    assert (before["epoch"], after["epoch"]) == (0, 2)
    assert (before["accuracy"], after["accuracy"], after["dead"], after["seeds"]) == (0.0, 0.5, 0.25, 2)
    assert after["accuracy_sd"] == pytest.approx(0.125**0.5)
    assert after["quiet_sd"] == pytest.approx(0.125**0.5 / 2)


def test_bad_settings(images):
    wrong = {
        "data": "svhn", "units": 1, "channels": 1, "depth": 0, "epochs": 0, "pretrain_epochs": 0, "control": 0.0,
        "pretrain_rate": -1.0, "strength": float("nan"), "validation": 0, "seeds": 0, "rates": (),
    }  # fmt: skip
    for name, value in wrong.items():
        assert_refused(lambda name=name, value=value: EndToEndConfig(**{name: value}), name)
    assert_refused(lambda: EndToEndConfig(rates=(0.1, float("inf"))), "rates", "inf")
    assert_refused(lambda: run(replace(TINY, arms=("gan",)), images), "gan", "convnet-relu")
    assert_refused(lambda: run(EndToEndConfig(), images), "40 training images")
