"""Which kernel runs, what happens without the compiled one, and that threads do not change a bit."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from asserts import assert_refused

from pwlact.pwl import pwl
from pwlact.pwl.kernels import BACKENDS, active, available, use

from .conftest import KERNELS


def test_torch_is_always_there_and_every_absence_has_its_reason():
    assert available()["torch"] == ""
    assert list(available()) == list(BACKENDS)
    assert all("\n" not in why for why in available().values())


def test_the_fastest_is_met_first(monkeypatch):
    monkeypatch.delenv("PWLACT_BACKEND", raising=False)
    assert active() == KERNELS[0]
    assert active("meta") == "torch"


def test_use_nests_and_ends_also_by_an_error():
    before = active()
    with use("torch"):
        with use(KERNELS[0]):
            assert active() == KERNELS[0]
        assert active() == "torch"
        with pytest.raises(KeyError), use(KERNELS[0]):
            raise KeyError
        assert active() == "torch"
    assert active() == before


def test_a_backend_for_other_devices_leaves_the_choice(monkeypatch):
    monkeypatch.setattr("pwlact.pwl.kernels.backends._usable", lambda name: name)
    with use("triton"):
        assert active("cpu") == KERNELS[0]
        assert active("cuda") == "triton"


@pytest.mark.parametrize("name", ["", "avx1024", "AVX2", "torch "])
def test_unknown_names_are_refused(name):
    assert_refused(lambda: use(name).__enter__(), "backend", repr(name), "torch")


def test_a_backend_that_cannot_run_is_refused_with_its_reason():
    missing = {name: why for name, why in available().items() if why}
    for name, why in missing.items():
        assert_refused(lambda name=name: use(name).__enter__(), name, why)


def test_the_environment_chooses_and_use_overrides_it(monkeypatch):
    monkeypatch.setenv("PWLACT_BACKEND", "torch")
    assert active() == "torch"
    with use(KERNELS[0]):
        assert active() == KERNELS[0]
    monkeypatch.setenv("PWLACT_BACKEND", "")
    assert active() == KERNELS[0]
    monkeypatch.setenv("PWLACT_BACKEND", "abacus")
    assert_refused(active, "backend", "abacus")
    assert_refused(lambda: pwl(torch.zeros(2), torch.zeros(3)), "backend", "abacus")


def test_a_choice_holds_in_every_thread():
    # autograd computes gradients on a GPU in threads of its own
    seen = []
    with use("torch"):
        other = threading.Thread(target=lambda: seen.append(active()))
        other.start()
        other.join()
    assert seen == ["torch"]


def test_threads_of_python_may_compute_at_the_same_time(compiled):
    inputs = [torch.randn(40_000) for _ in range(8)]
    values = torch.randn(33)
    alone = [pwl(x, values) for x in inputs]

    def compute(x):
        with use(compiled):
            return pwl(x, values)

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(compute, inputs * 4))
    assert all(torch.equal(a, b) for a, b in zip(alone * 4, together, strict=True))


# (shape, functions, channel_dim): several tasks by elements, by functions, by parts of inner, across functions
MANY_TASKS = [
    ((300_001,), None, 0),
    ((64, 3, 40, 40), 3, 1),
    ((2, 4, 100_003), 2, 1),
    ((30_000, 40), 40, 1),
    ((900, 200), 200, 1),
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64], ids=str)
@pytest.mark.parametrize(("shape", "functions", "channel_dim"), MANY_TASKS, ids=str)
def test_threads_and_repetitions_do_not_change_a_bit(shape, functions, channel_dim, dtype, compiled, threads):
    x = torch.randn(shape).to(dtype).requires_grad_()
    values = torch.randn(33 if functions is None else (functions, 33), requires_grad=True)
    grad = torch.randn(shape).to(dtype)
    first = None
    for count in [1, 2, 3, 8, 1, 2]:
        threads(count)
        out = pwl(x, values, channel_dim=channel_dim)
        results = [out.detach(), *torch.autograd.grad(out, (x, values), grad)]
        first = first or results
        assert all(torch.equal(a, b) for a, b in zip(results, first, strict=True)), (compiled, count)


def test_every_kernel_makes_the_same_of_the_same_grid():
    x, values = torch.randn(2000) * 3, torch.randn(33)
    results = []
    for name in KERNELS:
        with use(name):
            results.append(pwl(x, values))
    for other in results[1:]:
        torch.testing.assert_close(other, results[0], rtol=0, atol=1e-5)


WITHOUT = """
import importlib.abc, sys

class Blocker(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "pwlact.pwl.kernels._native":
            raise ImportError("blocked by the test")

sys.meta_path.insert(0, Blocker())
import torch
from pwlact.checks import InputError
from pwlact.pwl import PiecewiseLinearActivation
from pwlact.pwl.kernels import active, available, native, use

assert active() == "torch"
for name in ("avx512", "avx2", "plain"):
    assert "not built" in available()[name] and "C compiler" in available()[name], available()
    try:
        use(name).__enter__()
    except InputError as error:
        assert "not built" in str(error)
    else:
        raise AssertionError(name)
assert not native.has_threads()
module = PiecewiseLinearActivation(channels=3)
x = torch.randn(2, 3, 4, requires_grad=True)
module(x).square().sum().backward()
assert x.grad.shape == x.shape and module.values.grad.abs().sum() > 0
assert torch.allclose(module(x), x.relu(), atol=1e-5)
"""


def test_without_the_compiled_kernel_everything_runs_on_torch():
    environment = {name: value for name, value in os.environ.items() if name != "PWLACT_BACKEND"}
    result = subprocess.run(
        [sys.executable, "-c", WITHOUT], env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
