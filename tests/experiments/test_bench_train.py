"""`bench_train.run`: every row takes whole steps, and the ratios are those of the rounds. No test looks at a time."""

import pytest
import torch
from asserts import assert_refused

from pwlact.experiments import bench_train
from pwlact.experiments.bench_train import AT_REST, ROWS, TrainBenchConfig, run, timed_step
from pwlact.experiments.stopwatch import Lap


@pytest.fixture(scope="module")
def record():
    seen = []
    config = TrainBenchConfig(width=0.0625, batch_size=4, device="cpu", repeats=2)
    return run(config, lambda done, total: seen.append((done, total))), seen


def test_a_row_for_each_way_to_have_activations(record):
    result, seen = record
    assert [row["name"] for row in result["rows"]] == list(ROWS)
    assert seen == [(i + 1, 3 * len(ROWS)) for i in range(3 * len(ROWS))]
    for row in result["rows"]:
        assert row["forward_ms"] > 0
        assert row["backward_ms"] > 0
        assert row["images_per_second"] > 0
        assert row["spread"][0] <= row["vs_silu"] <= row["spread"][1]
    silu = next(row for row in result["rows"] if row["name"] == "silu")
    assert (silu["vs_silu"], silu["spread"]) == (1.0, [1.0, 1.0])


def test_learnt_activations_keep_no_more_than_silu_but_their_values(record):
    kept = {row["name"]: row["saved_bytes"] for row in record[0]["rows"]}
    assert 0 < kept["backprop"] - kept["silu"] <= 9 * 33 * 4
    assert kept["relu"] != kept["silu"]


def test_at_rest_the_local_rule_does_not_learn():
    config = TrainBenchConfig(width=0.0625, batch_size=4, device="cpu")
    moved = {}
    for name in ("local", AT_REST):
        step = timed_step(config, name, torch.device("cpu"), torch.randn(4, 3, 32, 32), torch.arange(4))
        before = [module.values.clone() for module in step.rule.learner.modules]
        step.run()
        moved[name] = [
            not torch.equal(module.values, old) for module, old in zip(step.rule.learner.modules, before, strict=True)
        ]
    assert all(moved["local"])
    assert not any(moved[AT_REST])


def test_ratios_are_taken_within_a_round(monkeypatch):
    laps = {name: [Lap(1.0, 1.0), Lap(10.0, 10.0), Lap(2.0, 2.0)] for name in ROWS}
    laps["relu"] = [Lap(3.0, 3.0), Lap(30.0, 30.0), Lap(2.0, 2.0)]
    monkeypatch.setattr(bench_train, "alternate", lambda *rest: laps)
    rows = run(TrainBenchConfig(width=0.0625, batch_size=2, device="cpu", repeats=3))["rows"]
    relu = next(row for row in rows if row["name"] == "relu")
    assert (relu["vs_silu"], relu["vs_gelu"], relu["spread"]) == (3.0, 3.0, [2.0, 3.0])
    assert relu["images_per_second"] == pytest.approx(1e3 * 2 / 6.0)


@pytest.mark.parametrize(
    ("setting", "fragment"), [({"arch": "net"}, "'net'"), ({"width": 0.0}, "width"), ({"repeats": 0}, "repeats")]
)
def test_bad_settings_are_refused(setting, fragment):
    assert_refused(lambda: TrainBenchConfig(**setting), fragment)
