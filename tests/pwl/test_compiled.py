"""Compiler, exporter and tensors without data: all see one operator, `pwlact::pwl`, and its gradient."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from asserts import assert_close, assert_same_layout
from cases import LAYOUTS, NOT_DENSE
from torch._subclasses import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx

from pwlact.pwl import PiecewiseLinearActivation, pwl
from pwlact.pwl.operation import operator

from . import compiling

pytestmark = [
    # checked annotations are for tests alone, and the compiler cannot see through them
    pytest.mark.usefixtures("unchecked"),
    pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning"),
]

SHAPES = {"shared": ((2, 3, 4), (9,), 1), "a_channel": ((2, 3, 4), (3, 9), 1), "groups": ((2, 4), (2, 9), -1),
          "scalar": ((), (9,), 1), "empty": ((0, 3), (3, 9), 1)}  # fmt: skip


def arguments(name, dtype=torch.float32):
    shape, size, dim = SHAPES[name]
    x = (torch.randn(shape) * 2).to(dtype).requires_grad_()
    return x, torch.randn(size, requires_grad=True), dim


@pytest.mark.parametrize(("name", "dtype"), [("shared", torch.bfloat16), ("groups", torch.float32),
                                            ("empty", torch.float64)], ids=str)  # fmt: skip
def test_operators_keep_what_they_declare(name, dtype):
    x, values, dim = arguments(name, dtype)
    torch.library.opcheck(operator.pwl, (x, values, -3.0, 3.0, dim))
    grad = torch.randn(x.shape).to(dtype).requires_grad_()
    torch.library.opcheck(operator.pwl_gradient, (grad, x, values, -3.0, 3.0, dim, True, True))


@pytest.mark.parametrize("wanted", [(True, False), (False, True)], ids=str)
def test_operators_keep_what_they_declare_where_one_gradient_is_wanted(wanted):
    x, values, dim = arguments("a_channel")
    grad = torch.randn(x.shape, requires_grad=True)
    torch.library.opcheck(operator.pwl_gradient, (grad, x, values, -3.0, 3.0, dim, *wanted))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_operators_keep_what_they_declare_in_every_layout(layout):
    x = LAYOUTS[layout](torch.randn(2, 3, 4, 5)).detach()
    grad, values = torch.randn(2, 3, 4, 5), torch.randn(3, 9)
    torch.library.opcheck(operator.pwl, (x, values, -3.0, 3.0, 1), test_utils=("test_schema", "test_faketensor"))
    arguments_ = (grad, x, values, -3.0, 3.0, 1, True, True)
    torch.library.opcheck(operator.pwl_gradient, arguments_, test_utils=("test_schema", "test_faketensor"))


@pytest.mark.parametrize("name", SHAPES)
def test_operators_have_the_derivatives_of_the_function(name):
    x, values, dim = arguments(name, torch.float64)
    values = values.detach().double().requires_grad_()
    results = []
    for function in (pwl, operator.pwl):
        out = function(x, values, -3.0, 3.0, dim)
        first = torch.autograd.grad(out.pow(3).sum(), (x, values), create_graph=True)
        second = torch.autograd.grad(sum(t.square().sum() for t in first), (x, values))
        results.append((out, *first, *second))
    for eager, through_operator in zip(*results, strict=True):
        assert torch.equal(eager, through_operator)


def test_operators_batch():
    x, values = torch.randn(3, 2, 4, requires_grad=True), torch.randn(3, 4, 9, requires_grad=True)
    call = lambda a, y: operator.pwl(a, y, -3.0, 3.0, 1)
    assert_close(torch.func.vmap(call)(x, values), torch.func.vmap(pwl)(x, values))
    gradient = lambda a, y: operator.pwl_gradient(torch.ones_like(a), a, y, -3.0, 3.0, 1, True, True)
    together = torch.func.vmap(gradient)(x, values)
    for i in range(3):
        for part, right in zip(together, gradient(x[i], values[i]), strict=True):
            assert_close(part[i], right)


@pytest.fixture(scope="module")
def compiled_outside():
    """What `compiling.py` says in a process of its own: the compiler refuses annotations that are checked."""
    script = Path(__file__).with_name("compiling.py")
    result = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


@pytest.mark.parametrize("check", list(compiling.CHECKS))
def test_torch_compile(check, compiled_outside):
    assert compiled_outside[check] == ""


def test_exported_with_any_batch_saved_and_loaded():
    model = compiling.network()
    x = torch.randn(3, 2, 6, 6)
    program = torch.export.export(model, (x,), dynamic_shapes=({0: torch.export.Dim("batch", min=1)},), strict=False)
    assert "pwlact.pwl" in str(program.graph)
    file = io.BytesIO()
    torch.export.save(program, file)
    file.seek(0)
    loaded = torch.export.load(file).module()
    for size in (1, 3, 8):
        x = torch.randn(size, 2, 6, 6)
        assert_close(loaded(x), model(x))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_tensors_on_meta_give_shapes_types_and_layouts(layout):
    real = LAYOUTS[layout](torch.randn(2, 3, 4, 5))
    x = torch.empty_strided(real.shape, real.stride(), device="meta", dtype=torch.bfloat16).requires_grad_()
    values = torch.empty(3, 9, device="meta", requires_grad=True)
    out = pwl(x, values)
    assert (out.device.type, out.shape, out.dtype) == ("meta", x.shape, x.dtype)
    grads = torch.autograd.grad(out.sum(), (x, values))
    assert [(t.device.type, t.shape, t.dtype) for t in grads] == [("meta", t.shape, t.dtype) for t in (x, values)]
    if layout not in NOT_DENSE:
        assert_same_layout(out, real.bfloat16())


def test_fake_tensors_give_shapes_types_and_gradients():
    with FakeTensorMode():
        x, values, dim = arguments("a_channel", torch.bfloat16)
        out = pwl(x, values, -3.0, 3.0, dim)
        grads = torch.autograd.grad(out.sum(), (x, values))
    assert (out.shape, out.dtype) == (x.shape, x.dtype)
    assert [(t.shape, t.dtype) for t in grads] == [(t.shape, t.dtype) for t in (x, values)]


def test_wrapped_tensors_reach_what_they_wrap():
    from torch.testing._internal.two_tensor import TwoTensor

    a, b, values = torch.randn(5), torch.randn(5), torch.randn(9)
    out = pwl(TwoTensor(a, b), values)
    assert torch.equal(out.a, pwl(a, values))
    assert torch.equal(out.b, pwl(b, values))


@pytest.mark.parametrize("mode", ["real", "fake", "symbolic"])
def test_traces_hold_the_operator(mode):
    x, values, _ = arguments("shared")
    traced = make_fx(lambda a, y: pwl(a, y) * 2, tracing_mode=mode)(x.detach(), values.detach())
    assert "pwlact" in traced.code
    other = torch.randn(2, 3, 4)
    assert torch.equal(traced(other, values), pwl(other, values) * 2)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
def test_the_old_tracer():
    traced = torch.jit.trace(PiecewiseLinearActivation(), torch.randn(3))
    x = torch.randn(5)
    assert torch.equal(traced(x), PiecewiseLinearActivation()(x))
