"""What the activation benchmark times: naive versions, rows and peers compute what ours does."""

import shutil
import sys
import types
from contextlib import contextmanager

import pytest
import torch
from asserts import RTOL, assert_close
from cases import DTYPES, GRIDS, LAYOUTS, grid_id, inputs
from torch import nn
from torch.nn import functional

from pwlact.experiments import bench_activation, contenders
from pwlact.experiments.bench_activation import BenchConfig, run
from pwlact.experiments.contenders import Contender, Peer, other_backends
from pwlact.experiments.naive_pwl import grid_sample, indexing, searchsorted
from pwlact.experiments.stopwatch import Stopwatch
from pwlact.pwl import Knots, kernels, pwl

CPU = torch.device("cpu")
TINY = (2, 16, 3, 2)
QUICK = BenchConfig(shapes=(TINY,), device="cpu", repeats=2, compiled=False)


def by_bisection(x, values, low, high):
    knots = Knots(len(values), low, high)
    return searchsorted(
        x, values, knots.positions(torch.promote_types(torch.promote_types(x.dtype, values.dtype), torch.float32))
    )


SAME = {"indexing": indexing, "searchsorted": by_bisection}


def gradients(function, x, values, upstream):
    x, values = x.detach().requires_grad_(), values.detach().requires_grad_()
    y = function(x, values)
    return (y.detach(), *torch.autograd.grad(y, (x, values), upstream))


def assert_same(function, reference, x, values, rtol=None):
    upstream = torch.randn_like(x)
    for one, other in zip(
        gradients(function, x, values, upstream), gradients(reference, x, values, upstream), strict=True
    ):
        scale = max(1.0, other.detach().abs().max().item()) if other.numel() else 1.0
        assert_close(one / scale, other / scale, rtol)


# the naive functions equal ours


@pytest.mark.parametrize("name", SAME)
@pytest.mark.parametrize("knots", GRIDS, ids=grid_id)
def test_naive_equals_ours_in_value_and_gradient(name, knots):
    x, values = inputs(knots), torch.randn(knots.count, dtype=torch.float64)
    x = x[x.abs() < 1e6 * max(abs(knots.low), abs(knots.high))]
    # 257 knots from -1e4 to 3e4 leave the naive forms a few digits less
    assert_same(
        lambda x, y: SAME[name](x, y, knots.low, knots.high),
        lambda x, y: pwl(x, y, knots.low, knots.high),
        x,
        values,
        1e-9,
    )


@pytest.mark.parametrize("knots", GRIDS, ids=grid_id)
def test_grid_sample_equals_ours_between_the_end_knots_and_is_constant_beyond(knots):
    x, values = inputs(knots), torch.randn(knots.count, dtype=torch.float64)
    inside = x[(x > knots.low) & (x < knots.high)]
    assert len(inside) > 20
    sample = lambda x, y: grid_sample(x, y, knots.low, knots.high)
    assert_same(sample, lambda x, y: pwl(x, y, knots.low, knots.high), inside, values, 1e-9)
    left, right = x[x < knots.low], x[x > knots.high]
    assert_close(sample(left, values), values[0].expand(len(left)))
    assert_close(sample(right, values), values[-1].expand(len(right)))


@pytest.mark.parametrize("name", [*SAME, "grid_sample"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_naive_in_every_type_and_layout(name, layout, dtype):
    function = {**SAME, "grid_sample": grid_sample}[name]
    x = LAYOUTS[layout]((torch.rand(2, 3, 4, 5, dtype=torch.float64) * 5.8 - 2.9).to(dtype))
    y = function(x, contenders._start(), -3.0, 3.0)
    assert y.dtype == dtype
    assert_close(y, pwl(x, contenders._start(), -3.0, 3.0), atol=2 * RTOL[dtype])


@pytest.mark.parametrize("name", SAME)
def test_at_a_knot_the_slope_is_the_one_to_its_right(name):
    x = torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0], dtype=torch.float64)
    values = torch.tensor([0.0, 1.0, 3.0, 0.0, 5.0], dtype=torch.float64)
    assert_same(lambda x, y: SAME[name](x, y, -2.0, 2.0), lambda x, y: pwl(x, y, -2.0, 2.0), x, values)


@pytest.mark.parametrize("name", [*SAME, "grid_sample"])
@pytest.mark.parametrize("shape", [(0,), (4, 0, 3), (1,), ()])
def test_naive_on_few_elements(name, shape):
    x = torch.full(shape, 0.3)
    y = {**SAME, "grid_sample": grid_sample}[name](x, contenders._start(), -3.0, 3.0)
    assert_close(y, pwl(x, contenders._start(), -3.0, 3.0))


# the rows


def made(name, channels=16, device=CPU):
    return {row.name: row for row in contenders.contenders(device)}[name].make(channels, device)


OURS_OR_EQUAL = ("pwl shared", "pwl per channel", "indexing", "searchsorted")


@pytest.mark.parametrize("name", OURS_OR_EQUAL)
def test_rows_of_the_same_function_start_as_silu(name):
    t = Knots().positions(torch.float32)
    x = t.repeat(2, 16, 1, 1)
    assert_close(made(name)(x), functional.silu(x))


def test_compiled_row_is_indexing(monkeypatch):
    asked = {}

    def compile_(function, **options):
        asked.update(options)
        return function

    monkeypatch.setattr(torch, "compile", compile_)
    x = torch.randn(TINY)
    assert torch.equal(made("indexing compiled")(x), made("indexing")(x))
    assert asked == {"dynamic": False}


@pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler")
@pytest.mark.filterwarnings("ignore")
def test_compiled_row_computes_ours():
    x = torch.randn(TINY)
    module, ours = made("indexing compiled"), made("pwl shared")
    upstream = torch.randn(TINY)
    for one, other in zip(
        gradients(lambda x, values: module.function(x, values), x, module.values, upstream),
        gradients(lambda x, values: pwl(x, values, -3.0, 3.0), x, ours.values, upstream),
        strict=True,
    ):
        assert_close(one, other, rtol=1e-4)


def test_prelu_has_a_slope_a_channel_and_takes_16_bit():
    module = made("prelu")
    assert module.weight.shape == (16,)
    assert module(torch.randn(TINY, dtype=torch.bfloat16)).dtype == torch.bfloat16


def test_rows_without_the_compiled():
    names = [row.name for row in contenders.contenders(CPU, compiled=False)]
    assert "indexing compiled" not in names
    assert len(names) == len(set(names))
    assert [*names[:3], *[name for name in names if name in bench_activation.MEASURES]] == [
        "pwl shared", "pwl per channel", "pwl 8 groups", "silu", "gelu"
    ]  # fmt: skip
    assert not any("," in name for name in names)


def test_a_row_for_each_other_backend_that_is_usable_on_the_device(monkeypatch):
    monkeypatch.setattr(
        kernels, "available", lambda: {"avx512": "", "avx2": "", "plain": "no compiler", "triton": "", "torch": ""}
    )
    monkeypatch.setattr(
        kernels, "active", lambda device_type="cpu": {"cpu": "avx512", "cuda": "triton"}.get(device_type, "torch")
    )
    assert other_backends(CPU) == ["avx2", "torch"]
    assert other_backends(torch.device("cuda")) == ["torch"]
    assert other_backends(torch.device("mps")) == []
    assert "pwl shared (avx2)" in [row.name for row in contenders.contenders(CPU)]


def test_a_backend_is_forced_for_forward_and_backward(monkeypatch):
    forced, seen = [], []

    @contextmanager
    def use(name):
        forced.append(name)
        yield
        forced.pop()

    class Spy(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            seen.append(("forward", *forced))
            return x.clone()

        @staticmethod
        def backward(ctx, grad):
            seen.append(("backward", *forced))
            return grad

    class Module(nn.Module):
        def forward(self, x):
            return Spy.apply(x)

    row = Contender("spy", "ours", lambda channels, device: Module(), context=lambda: use("plain"))
    timed = bench_activation._Timed(row, torch.randn(TINY, requires_grad=True), Stopwatch(CPU))
    timed.run()
    assert set(seen) == {("forward", "plain"), ("backward", "plain")}


# peers


def test_an_installed_peer_is_a_row(monkeypatch):
    class Activation(nn.Module):
        def __init__(self, channels):
            super().__init__()
            self.slope = nn.Parameter(torch.ones(channels))

        def forward(self, x):
            return x * self.slope[:, None, None]

    module = types.ModuleType("somebodys_activations")
    module.Activation = Activation
    module.__spec__ = types.SimpleNamespace(name="somebodys_activations")
    monkeypatch.setitem(sys.modules, "somebodys_activations", module)
    here = Peer(
        "theirs", "somebodys_activations", "Activation", lambda cls, channels, device: cls(channels), 10, "linear"
    )
    broken = Peer("broken", "somebodys_activations", "Gone", lambda cls, channels, device: cls(channels), 10, "")
    absent = Peer("absent", "nobodys_activations.deep", "X", lambda cls, channels, device: cls(channels), 10, "")
    monkeypatch.setattr(contenders, "PEERS", (here, broken, absent))
    assert [row.name for row in contenders.contenders(CPU) if row.kind == "peer"] == ["theirs", "broken"]
    record = run(BenchConfig((TINY,), device="cpu", repeats=1, compiled=False, only=("theirs", "broken")))
    rows = {row["name"]: row for row in record["rows"]}
    assert set(rows) == {"theirs", "silu", "gelu"}
    assert (rows["theirs"]["kind"], rows["theirs"]["note"]) == ("peer", "linear")
    (skipped,) = record["skipped"]
    assert (skipped["name"], skipped["shape"]) == ("broken", list(TINY))
    assert "AttributeError" in skipped["why"]
    assert "Gone" in skipped["why"]


def assert_peer_is_ours(module, knot_values):
    """In value and in both gradients, tails included."""
    x = (2 * torch.randn(TINY)).requires_grad_()
    y = module(x)
    upstream = torch.randn_like(y)
    theirs = torch.autograd.grad(y, (x, knot_values), upstream)
    values = knot_values.detach().reshape(16, -1).requires_grad_()
    ours = pwl(x, values, -3.0, 3.0)
    assert_close(y, ours)
    for one, other in zip(theirs, torch.autograd.grad(ours, (x, values), upstream), strict=True):
        assert_close(one.reshape(other.shape), other, rtol=1e-4)


# what they warn of is theirs
@pytest.mark.filterwarnings("ignore")
def test_torchpwl_computes_ours():
    pytest.importorskip("torchpwl", reason="torchpwl is not installed")
    module = made("torchpwl")
    assert_peer_is_ours(module, module.y_positions)


@pytest.mark.filterwarnings("ignore")
def test_deepsplines_computes_ours():
    pytest.importorskip("deepsplines", reason="deepsplines is not installed")
    module = made("deepsplines")
    assert_peer_is_ours(module, module.coefficients_vect)


@pytest.mark.filterwarnings("ignore")
def test_rational_runs():
    pytest.importorskip("rational", reason="rational_activations is not installed")
    x = torch.linspace(-2, 2, 50).reshape(1, 1, 50)
    assert (made("rational")(x) - functional.silu(x)).abs().max() < 0.1
