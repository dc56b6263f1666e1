"""The activation benchmark: its rounds, its arithmetic, its memory, its record; never a time itself."""

import itertools
import math
import random

import pytest
import torch
from asserts import assert_refused
from torch import nn

from pwlact.experiments import bench_activation, contenders, memory
from pwlact.experiments.bench_activation import BenchConfig, parse_shape, run, times
from pwlact.experiments.contenders import Contender
from pwlact.experiments.memory import free_bytes, saved_bytes
from pwlact.experiments.stopwatch import Lap, Stopwatch, alternate, turn

CPU = torch.device("cpu")
TINY = (2, 16, 3, 2)
QUICK = BenchConfig(shapes=(TINY,), device="cpu", repeats=2, compiled=False)


# time


class Clock:
    """Seconds that a test sets."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_stopwatch_gives_milliseconds_of_its_clock():
    clock = Clock()
    watch = Stopwatch(CPU, clock)
    start = watch.mark()
    clock.now = 0.25
    assert watch.milliseconds(start, watch.mark()) == 250.0


def test_a_short_turn_is_the_median_of_four_more_runs():
    laps = iter([Lap(9, 9), Lap(1, 8), Lap(3, 2), Lap(2, 4), Lap(7, 6)])
    assert turn(lambda: next(laps)) == Lap(2.5, 5.0)
    assert next(laps, None) is None


def test_a_long_turn_is_one_run():
    laps = iter([Lap(12, 8), Lap(1, 1)])
    assert turn(lambda: next(laps)) == Lap(12, 8)
    assert next(laps) == Lap(1, 1)


def order_of(repeats, seed):
    calls = []
    runs = {name: lambda name=name: calls.append(name) or Lap(30, 0) for name in "abcde"}
    done = []
    laps = alternate(runs, repeats, seed, lambda: done.append(1))
    assert {name: len(own) for name, own in laps.items()} == dict.fromkeys("abcde", repeats)
    assert len(done) == 5 * repeats
    return [tuple(calls[5 * i : 5 * i + 5]) for i in range(repeats)]


def test_every_round_runs_all_once_in_an_order_of_its_own():
    rounds = order_of(12, 3)
    assert all(sorted(names) == list("abcde") for names in rounds)
    assert len(set(rounds)) > 6
    followers = {pair for names in rounds for pair in itertools.pairwise(names)}
    assert len(followers) > 15
    assert order_of(12, 3) == rounds
    assert order_of(12, 4) != rounds


def test_order_does_not_depend_on_the_global_random_state():
    random.seed(1)
    first = order_of(3, 0)
    random.seed(2)
    assert order_of(3, 0) == first


def test_ratios_are_taken_within_a_round():
    # a machine that slows down tenfold in the second round changes no ratio
    gelu, silu = [Lap(1, 3), Lap(10, 30), Lap(2, 2)], [Lap(1, 1), Lap(10, 10), Lap(1, 1)]
    laps = [Lap(2, 6), Lap(20, 60), Lap(6, 6)]
    record = times(laps, gelu, silu)
    assert record == {
        "forward_ms": 6, "backward_ms": 6, "total_ms": 12, "vs_gelu": 2.0, "vs_silu": 4.0, "forward_vs_gelu": 2.0,
        "backward_vs_gelu": 2.0, "spread": [2.0, 2.5],
    }  # fmt: skip


def test_medians_of_ratios_are_not_ratios_of_medians():
    gelu = [Lap(1, 0.5), Lap(10, 5), Lap(100, 50)]
    laps = [Lap(3, 1.5), Lap(100, 50), Lap(100, 50)]
    assert times(laps, gelu, gelu)["vs_gelu"] == 3.0
    assert times(gelu, gelu, gelu)["spread"] == [1.0, 1.0]


def test_a_whole_run_under_a_fake_clock(monkeypatch):
    """Each row takes a known time a pass, and GELU's rows are exactly 1."""
    clock = Clock()
    cost = {"relu": 0.5, "silu": 2.0, "gelu": 1.0, "prelu": 3.0}

    class Slow(nn.Module):
        def __init__(self, seconds):
            super().__init__()
            self.seconds = seconds

        def forward(self, x):
            clock.now += self.seconds
            result = x * 2
            result.register_hook(lambda grad: setattr(clock, "now", clock.now + 3 * self.seconds))
            return result

    rows = [Contender(name, "baseline", lambda channels, device, s=s: Slow(s)) for name, s in cost.items()]
    monkeypatch.setattr(bench_activation, "contenders", lambda device, compiled: rows)
    monkeypatch.setattr(bench_activation, "Stopwatch", lambda device: Stopwatch(device, clock))
    record = run(BenchConfig((TINY,), device="cpu", repeats=3))
    assert {row["name"]: row["vs_gelu"] for row in record["rows"]} == cost
    assert {row["name"]: row["vs_silu"] for row in record["rows"]} == {name: s / 2 for name, s in cost.items()}
    relu = record["rows"][0]
    assert (relu["forward_ms"], relu["backward_ms"], relu["total_ms"]) == (500.0, 1500.0, 2000.0)


def test_gradients_are_new_each_time():
    x = torch.randn(TINY, requires_grad=True)
    row = Contender("prelu", "baseline", lambda channels, device: nn.PReLU(channels))
    timed = bench_activation._Timed(row, x, Stopwatch(CPU))
    timed.run()
    timed.run()
    assert x.grad is None
    assert all(parameter.grad is None for parameter in timed.module.parameters())


# memory


@pytest.fixture(scope="module")
def record():
    return run(QUICK)


def saved(record, name):
    (row,) = (row for row in record["rows"] if row["name"] == name)
    return row["saved_bytes"]


def test_saved_bytes_are_exact(record):
    x = 4 * math.prod(TINY)
    assert saved(record, "relu") == x
    assert saved(record, "silu") == saved(record, "gelu") == 0
    assert saved(record, "prelu") == 4 * 16
    # grid_sample: the grid of two coordinates, and the row of knot values
    assert saved(record, "grid_sample") == 2 * x + 4 * 33
    # two indices of 64 bits, position and rise
    assert saved(record, "indexing") == 6 * x


@pytest.mark.parametrize(("name", "functions"), [("pwl shared", 1), ("pwl per channel", 16)])
def test_ours_keeps_nothing_beyond_x_but_its_table(record, name, functions):
    assert 0 <= saved(record, name) <= 4 * 33 * functions * 2


def test_x_kept_through_a_view_does_not_count_and_a_view_of_more_counts_whole():
    x = torch.randn(4, 6, requires_grad=True)
    assert saved_bytes(lambda: x.view(2, 12).sin(), beyond=[x]) == 0
    assert saved_bytes(lambda: x.sin()) == 4 * 24
    big = torch.randn(100, requires_grad=True)
    assert saved_bytes(lambda: big[:3].sin()) == 400
    assert saved_bytes(lambda: x.sin() + x.cos()) == 4 * 24
    assert saved_bytes(lambda: (x.exp(), x.exp())[1]) == 4 * 24


def test_what_the_result_does_not_hang_on_is_not_kept():
    x = torch.randn(1000, requires_grad=True)
    assert saved_bytes(lambda: x + x.exp().detach(), beyond=[x]) == 0


def test_a_row_that_does_not_fit_is_left_out_and_says_so(monkeypatch):
    said = []
    need = 4 * math.prod(TINY)
    monkeypatch.setattr(bench_activation, "free_bytes", lambda device: 12 * need)
    record = run(QUICK, say=said.append)
    left_out = {row["name"]: row["why"] for row in record["skipped"]}
    assert {"indexing", "searchsorted", "grid_sample"} <= set(left_out)
    assert "GiB are free" in left_out["indexing"]
    assert not {"indexing", "searchsorted", "grid_sample"} & {row["name"] for row in record["rows"]}
    assert {"pwl shared", "relu"} <= {row["name"] for row in record["rows"]}
    assert any("without indexing" in text for text in said)


def test_a_shape_that_does_not_fit_is_left_out_and_none_at_all_is_refused(monkeypatch):
    monkeypatch.setattr(bench_activation, "free_bytes", lambda device: 20 * 4 * math.prod(TINY))
    record = run(BenchConfig((TINY, (64, *TINY[1:])), device="cpu", repeats=1, compiled=False, only=("relu",)))
    assert {tuple(row["shape"]) for row in record["rows"]} == {TINY}
    assert {(row["name"], row["shape"][0]) for row in record["skipped"]} == {(n, 64) for n in ("relu", "silu", "gelu")}
    monkeypatch.setattr(bench_activation, "free_bytes", lambda device: 1)
    assert_refused(lambda: run(QUICK), "nothing could be timed", "GiB")


def test_without_a_known_limit_everything_is_tried(monkeypatch):
    monkeypatch.setattr(bench_activation, "free_bytes", lambda device: None)
    assert {row["name"] for row in run(QUICK)["rows"]} >= {"indexing", "gelu"}


def test_free_memory_is_the_least_of_machine_and_container(monkeypatch, tmp_path):
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 900 kB\nMemAvailable:   100 kB\n")
    monkeypatch.setattr(memory, "_MEMINFO", meminfo)
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    assert free_bytes(CPU) == 100 * 1024
    (tmp_path / "memory.max").write_text("50000\n")
    (tmp_path / "memory.current").write_text("20000\n")
    assert free_bytes(CPU) == 30000
    (tmp_path / "memory.current").write_text("60000\n")
    assert free_bytes(CPU) == 0
    (tmp_path / "memory.max").write_text("max\n")
    assert free_bytes(CPU) == 100 * 1024
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "none")
    assert free_bytes(CPU) is None


# the record


def test_record(record):
    names = [row["name"] for row in record["rows"]]
    assert len(names) == len(set(names))
    assert set(names) | {row["name"] for row in record["skipped"]} == {
        row.name for row in contenders.contenders(CPU, compiled=False)
    }
    assert record["environment"]["threads"] == record["threads"] == torch.get_num_threads()
    assert [record[key] for key in ("dtype", "layout", "device", "repeats")] == ["fp32", "contiguous", "cpu", 2]
    for row in record["rows"]:
        assert row["shape"] == list(TINY)
        assert row["x_bytes"] == 4 * math.prod(TINY)
        assert all(row[key] > 0 for key in ("forward_ms", "backward_ms", "total_ms", "vs_gelu", "vs_silu"))
        assert row["spread"][0] <= row["spread"][1]
    (gelu,) = (row for row in record["rows"] if row["name"] == "gelu")
    assert (gelu["vs_gelu"], gelu["forward_vs_gelu"], gelu["backward_vs_gelu"]) == (1.0, 1.0, 1.0)
    assert gelu["spread"] == [1.0, 1.0]


@pytest.mark.parametrize("dtype", bench_activation.DTYPES)
@pytest.mark.parametrize("layout", bench_activation.LAYOUTS)
def test_x_has_the_type_and_layout_asked_for(dtype, layout):
    config = BenchConfig((TINY,), dtype=dtype, layout=layout, device="cpu", repeats=1, compiled=False)
    x = bench_activation._input(config, TINY, CPU)
    assert x.dtype == bench_activation.DTYPES[dtype]
    assert x.is_leaf
    assert x.requires_grad
    wanted = torch.channels_last if layout == "channels_last" else torch.contiguous_format
    assert x.is_contiguous(memory_format=wanted)
    names = {row["name"] for row in run(config)["rows"]}
    assert names >= {"pwl shared", "pwl per channel", "relu", "prelu", "indexing", "searchsorted", "grid_sample"}


def test_input_repeats_with_its_seed():
    a, b, c = (bench_activation._input(BenchConfig((TINY,), seed=s), TINY, CPU) for s in (1, 1, 2))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


@pytest.mark.parametrize("shape", [(3, 5), (2, 3, 4), (1, 1, 1, 1), (2, 1, 3, 2, 2)])
def test_any_rank_and_one_channel(shape):
    record = run(BenchConfig((shape,), device="cpu", repeats=1, compiled=False))
    assert {row["name"] for row in record["rows"]} >= {"pwl shared", "pwl per channel", "prelu", "searchsorted"}


def test_threads_are_set_within_and_put_back(monkeypatch):
    before, seen = torch.get_num_threads(), []
    monkeypatch.setattr(
        bench_activation, "alternate", lambda *rest: seen.append(torch.get_num_threads()) or alternate(*rest)
    )
    record = run(BenchConfig((TINY,), device="cpu", repeats=1, threads=before + 1, only=("relu",)))
    assert seen == [before + 1] == [record["threads"]]
    assert torch.get_num_threads() == before


def test_progress_ends_at_its_total_also_where_rows_are_left_out(monkeypatch):
    monkeypatch.setattr(bench_activation, "free_bytes", lambda device: 12 * 4 * math.prod(TINY))
    seen = []
    run(BenchConfig((TINY, (64, *TINY[1:])), device="cpu", repeats=2, compiled=False), lambda *pair: seen.append(pair))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1][0] == seen[-1][1]
    assert len({total for _, total in seen}) == 1


def test_what_cannot_be_compiled_says_why(monkeypatch):
    def compile_(function, **options):
        def fail(*arguments):
            raise RuntimeError("backend='inductor' raised:\n  x.cpp:3: error: no compiler here\nmore")

        return fail

    monkeypatch.setattr(torch, "compile", compile_)
    said = []
    record = run(BenchConfig((TINY,), device="cpu", repeats=1, only=("indexing compiled",)), say=said.append)
    assert [row["why"] for row in record["skipped"]] == ["RuntimeError: x.cpp:3: error: no compiler here"]
    assert said[0] == f"compiling indexing compiled for {TINY}"
    assert [row["name"] for row in record["rows"]] == ["silu", "gelu"]


@pytest.mark.parametrize("error", [RuntimeError(""), RuntimeError("x" * 500), ValueError("one\ntwo")], ids=repr)
def test_a_reason_is_one_short_line(error):
    reason = bench_activation._reason(error)
    assert reason.startswith(type(error).__name__)
    assert "\n" not in reason
    assert not reason.endswith(": ")
    assert len(reason) <= 160


def test_a_failure_of_ours_is_no_reason_to_leave_it_out(monkeypatch):
    def broken(channels, device):
        raise RuntimeError("a bug")

    rows = [row for row in contenders.contenders(CPU) if row.name in {"gelu", "silu"}]
    monkeypatch.setattr(
        bench_activation, "contenders", lambda device, compiled: [*rows, Contender("pwl broken", "ours", broken)]
    )
    with pytest.raises(RuntimeError, match="a bug"):
        run(BenchConfig((TINY,), device="cpu", repeats=1))


@pytest.mark.parametrize(
    ("changes", "fragments"),
    [
        ({"shapes": ()}, ["none"]),
        ({"shapes": ((5,),)}, ["(5,)", "channels second"]),
        ({"shapes": ((2, 0, 3),)}, ["got 0"]),
        ({"shapes": ((2, -1),)}, ["got -1"]),
        ({"layout": "channels_last", "shapes": ((2, 3, 4),)}, ["(2, 3, 4)"]),
        ({"layout": "diagonal"}, ["'diagonal'", "channels_last"]),
        ({"dtype": "fp8"}, ["'fp8'", "bf16"]),
        ({"device": "tpu"}, ["'tpu'"]),
        ({"threads": 0}, ["got 0"]),
        ({"repeats": 0}, ["got 0"]),
        ({"only": ("relu", "tanh")}, ["'tanh'", "pwl shared"]),
    ],
    ids=str,
)
def test_refused(changes, fragments):
    assert_refused(lambda: BenchConfig(**changes), *fragments)


def test_shapes_are_read():
    assert parse_shape("128,64,32,32") == (128, 64, 32, 32)
    assert parse_shape(" 2, 3 ") == (2, 3)
    for text in ("", "a,b", "1.5,2", "128x64", "1,,2"):
        assert_refused(lambda text=text: parse_shape(text), repr(text), "128,64,32,32")


def test_default_shapes_are_those_of_a_resnet10():
    from pwlact.models import activations, build

    model = build("resnet10", activation=lambda channels: nn.ReLU())
    seen = []
    for _, module in activations(model):
        module.register_forward_pre_hook(lambda module, arguments: seen.append(tuple(arguments[0].shape[1:])))
    with torch.no_grad():
        model.eval()(torch.randn(1, 3, 32, 32))
    assert {(128, *shape) for shape in seen} == set(bench_activation.SHAPES[:-1])
    assert bench_activation.SHAPES[-1] == (256, 64, 32, 32)
