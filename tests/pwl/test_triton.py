"""The Triton kernel: its arithmetic in Triton's interpreter, on CPU tensors; its code in Triton's compiler.

Neither needs a GPU. The interpreter must be chosen before Triton is imported, so it runs in a process of its own.
"""
# pyright: basic, reportOptionalMemberAccess=false, reportCallIssue=false, reportArgumentType=false

import math
import re
import subprocess
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest
import torch
from asserts import assert_close, assert_same_layout
from cases import DTYPES, GRIDS, LAYOUTS, NOT_DENSE, grid_id

triton = pytest.importorskip("triton", reason="triton is not installed; pip install triton, on Linux")

from pwlact.pwl import Knots, pwl_reference  # noqa: E402
from pwlact.pwl.kernels import eager, triton_kernel  # noqa: E402
from pwlact.pwl.kernels.triton_tiles import Memory, cut  # noqa: E402

INF, NAN = math.inf, math.nan

# functions, inner, knots, outer; elements around the edges of tiles, which hold 1024 forward and 512 backward
SIZES = [
    *[(1, 1, 33, n) for n in (1, 511, 512, 513, 1023, 1025, 2049)],
    *[(1, 7, 2, 700), (1, 1, 3, 700), (1, 1, 65, 700), (1, 1, 257, 520)],
    *[(3, 1, 33, 130), (3, 5, 34, 40), (3, 16, 2, 40), (3, 64, 65, 9), (2, 15, 3, 20), (2, 17, 3, 20)],
    *[(64, 1, 33, 18), (64, 5, 2, 5), (64, 16, 3, 1), (33, 1, 5, 17), (5, 513, 4, 1)],
]


@pytest.fixture(scope="session")
def interpreted():
    """Calls a function in a process whose Triton kernels are interpreted."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRITON_INTERPRET", "1")
        patch.setenv("OMP_NUM_THREADS", "1")
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            pool.submit(int).result()  # the process is there, with this environment
            patch.undo()
            yield lambda function, *args, **more: pool.submit(function, *args, **more).result(timeout=120)


def problem(functions, inner, knots, outer, dtype):
    x = (torch.randn(outer * functions * inner, dtype=torch.float64) * 3).to(dtype)
    grad = torch.randn(x.numel(), dtype=torch.float64).to(dtype)
    return x, grad, torch.randn(functions, knots, dtype=torch.promote_types(dtype, torch.float32))


def exact(x, grad, table, low, high, inner):
    """f(x) and its gradients in float64, from the readable definition."""
    a, y = x.double().requires_grad_(), table.double().requires_grad_()
    function = torch.arange(x.numel()) // inner % table.shape[0]
    out = pwl_reference(a, y[function], low, high)
    return out.detach(), *torch.autograd.grad(out, (a, y), grad.double())


def away_from_knots(x, knots):
    """Where no rounding of the position moves x to another segment."""
    u = (x.double() - knots.low) / knots.spacing
    return (u - u.round()).abs() > 1e-3


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_equals_reference_in_every_geometry(interpreted, size):
    assert_equals_reference(interpreted, *size, dtype=torch.float32)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("size", [(1, 1, 34, 600), (3, 5, 33, 40), (3, 16, 9, 30)], ids=str)
def test_equals_reference_in_every_type(interpreted, size, dtype):
    assert_equals_reference(interpreted, *size, dtype=dtype)


def assert_equals_reference(interpreted, functions, inner, knots, outer, dtype):
    x, grad, table = problem(functions, inner, knots, outer, dtype)
    out = interpreted(triton_kernel.forward, x, table, -3.0, 3.0, inner)
    grad_x, grad_values = interpreted(triton_kernel.backward, x, grad, table, -3.0, 3.0, inner, True, True, programs=2)
    f, df_dx, df_dy = exact(x, grad, table, -3.0, 3.0, inner)
    scale = 1 + f.abs().max().item()
    rounding = torch.finfo(table.dtype).eps * scale
    assert_close(out, f.to(dtype), atol=16 * knots * rounding)
    sure = away_from_knots(x, Knots(knots, -3.0, 3.0))
    assert sure.double().mean() > 0.9 or x.numel() == 1
    assert_close(grad_x[sure], df_dx.to(dtype)[sure], atol=knots * rounding)
    terms = x.numel() / functions
    assert_close(grad_values, df_dy.to(table.dtype), atol=16 * knots * torch.finfo(table.dtype).eps * terms**0.5)


@pytest.mark.parametrize("knots", GRIDS, ids=grid_id)
def test_segments_are_those_of_a_division(interpreted, knots):
    # bit for bit: at the knots, an ulp beside them, at random, and far out
    t = knots.positions(torch.float32)
    beside = [torch.nextafter(t, torch.full_like(t, side)) for side in (-INF, INF)]
    anywhere = knots.low + torch.rand(4000) * (knots.high - knots.low)
    x = torch.cat([t, *beside, anywhere, torch.tensor([0.0, -0.0, 1e15, -1e15, 1e-15, 3e38, -3e38, INF, -INF])])
    table = torch.randn(1, knots.count)
    grad = torch.ones_like(x)
    ours, _ = interpreted(triton_kernel.backward, x, grad, table, knots.low, knots.high, 1, True, False)
    theirs, _ = eager.backward(x, grad, table, knots.low, knots.high, 1, True, False)
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize(
    "knots", [Knots(3, 0.0, 1e-30), Knots(5, -1e30, 1e30), Knots(2, 0.0, 1e-39), Knots(9, -1e38, 1e38)], ids=grid_id
)
def test_spacings_at_the_ends_of_float32(interpreted, knots):
    x = torch.linspace(0.3, 0.9, 7) * knots.high
    # small values, so that slopes stay within float32 where the spacing is not a normal number
    table, grad = torch.randn(1, knots.count) * 1e-6, torch.ones(7)
    args = (table, knots.low, knots.high, 1)
    ours = (
        interpreted(triton_kernel.forward, x, *args),
        *interpreted(triton_kernel.backward, x, grad, *args, True, True),
    )
    theirs = eager.forward(x, *args), *eager.backward(x, grad, *args, True, True)
    for a, b in zip(ours, theirs, strict=True):
        assert b.isfinite().all()
        assert_close(a, b, rtol=1e-5, atol=1e-6 * b.abs().max().item())


@pytest.mark.parametrize("inner", [1, 16], ids=["mixed", "one_function"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_infinity_follows_its_tail_and_nan_stays(interpreted, dtype, inner):
    compute = torch.promote_types(dtype, torch.float32)
    table = torch.tensor([[0.0, 1.0, 1.0], [7.0, 7.0, 0.0], [2.0, 1.0, 1.5], [5.0, 5.0, 5.0]], dtype=compute)
    x = torch.tensor([-INF, INF, NAN], dtype=dtype).repeat_interleave(4 * inner)
    expected = [[-INF, 7.0, INF, 5.0], [1.0, -INF, INF, 5.0], [NAN] * 4]
    out = interpreted(triton_kernel.forward, x, table, -3.0, 3.0, inner)
    assert_close(out, torch.tensor(expected, dtype=dtype).flatten().repeat_interleave(inner))


@pytest.mark.parametrize("bad", [INF, -INF, NAN])
@pytest.mark.parametrize("where", ["x", "grad"])
def test_what_is_not_finite_reaches_the_knots_of_its_segment_only(interpreted, where, bad):
    x, grad, table = problem(2, 16, 9, 8, torch.float32)
    {"x": x, "grad": grad}[where][40] = bad
    args = (x, grad, table, -3.0, 3.0, 16, True, True)
    ours, theirs = interpreted(triton_kernel.backward, *args), eager.backward(*args)
    for a, b in zip(ours, theirs, strict=True):
        assert not b.isfinite().all() or where == "x"
        assert_close(a, b, atol=1e-4)
    assert ours[1].isfinite().sum() >= 16


@pytest.mark.parametrize("knots", [33, 65])
def test_only_what_is_wanted(interpreted, knots):
    x, grad, table = problem(3, 5, knots, 20, torch.float32)
    args = (triton_kernel.backward, x, grad, table, -3.0, 3.0, 5)
    both = interpreted(*args, True, True)
    (only_x, no_values), (no_x, only_values) = interpreted(*args, True, False), interpreted(*args, False, True)
    assert no_x is no_values is None
    assert torch.equal(only_x, both[0])
    assert torch.equal(only_values, both[1])
    assert interpreted(*args, False, False) == (None, None)


@pytest.mark.parametrize("functions", [1, 3])
def test_empty(interpreted, functions):
    x, grad, table = problem(functions, 4, 5, 0, torch.bfloat16)
    assert interpreted(triton_kernel.forward, x, table, -3.0, 3.0, 4).shape == (0,)
    grad_x, grad_values = interpreted(triton_kernel.backward, x, grad, table, -3.0, 3.0, 4, True, True)
    assert grad_x.shape == (0,)
    assert torch.equal(grad_values, torch.zeros_like(table))


@pytest.mark.parametrize("size", [(1, 1, 33, 2000), (40, 1, 9, 40), (3, 40, 9, 20)], ids=str)
def test_runs_agree_bit_for_bit_and_programs_to_rounding(interpreted, size):
    x, grad, table = problem(*size, torch.float32)
    args = (triton_kernel.backward, x, grad, table, -3.0, 3.0, size[1], False, True)
    _, first = interpreted(*args)
    assert torch.equal(interpreted(*args)[1], first)
    for programs in (1, 2):
        assert_close(interpreted(*args, programs=programs)[1], first, atol=1e-4)


@pytest.mark.parametrize("layout", sorted(set(LAYOUTS) - NOT_DENSE))
def test_strides_are_those_of_x(interpreted, layout):
    x = LAYOUTS[layout](torch.randn(2, 3, 4, 5))
    table = torch.randn(1, 9)
    out = interpreted(triton_kernel.forward, x, table, -3.0, 3.0, 1)
    grad_x, _ = interpreted(triton_kernel.backward, x, x, table, -3.0, 3.0, 1, True, False)
    assert_same_layout(out, x)
    assert_same_layout(grad_x, x)
    assert_close(out, pwl_reference(x.double(), table[0].double(), -3.0, 3.0).float())


@pytest.mark.parametrize(
    ("step", "group", "inner", "functions"),
    [(5, 7, 2**29, 8), (122, 1, 2**20, 2), (5, 2, 2**31 + 16, 4)],
    ids=["long_row", "many_rows", "long_inner"],
)
def test_offsets_beyond_32_bits(interpreted, step, group, inner, functions):
    # with 3 tiles across, step 5 is the third tile of the second block of 64 rows, step 122 that of the 41st
    device = "__import__('pwlact.pwl.kernels.triton_device', fromlist=['tile'])"
    number = "__import__('triton.runtime.interpreter', fromlist=['_implicit_cvt'])._implicit_cvt"
    call = f"{device}.tile(*map({number}, ({step}, {group}, 2**20, {inner}, {functions * inner}, 3)), False, 16, 64)"
    start, rows, columns = interpreted(eval, f"[int(part.handle.data.item()) for part in {call}]")
    expected = step // 3 * 64 * functions * inner + group * inner + 2 * 16
    assert expected > 2**31
    assert (start, rows, columns) == (expected, 64, 16)


@pytest.mark.parametrize(("functions", "inner", "knots", "outer"), SIZES, ids=str)
@pytest.mark.parametrize("programs", [None, 1, 7, 1000])
def test_every_element_lies_in_one_step(functions, inner, knots, outer, programs):
    memory = Memory.of(outer * functions * inner, functions, inner)
    tiles = cut(memory, 512, widest=32, programs=programs, share=2)
    assert tiles.groups * tiles.across * tiles.columns >= memory.pitch
    assert tiles.steps == tiles.across * -(-memory.outer // (512 // tiles.columns))
    assert (tiles.chunks - 1) * tiles.share < tiles.steps <= tiles.chunks * tiles.share
    if programs is not None:
        assert tiles.chunks * tiles.groups <= max(2 * programs, tiles.groups)


class Recorder:
    """Stands in for a kernel, and keeps what it would be launched with."""

    def __init__(self, kernel):
        self.kernel, self.launches = kernel, []

    def __getitem__(self, grid):
        return lambda **arguments: self.launches.append(arguments)


TYPES = {torch.float64: "fp64", torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}


def compile_for(architecture, kernel, arguments):
    """The kernel in machine code, specialised as Triton does at a launch: ones are constants, 16s are aligned."""
    options = {"enable_fp_fusion": arguments.pop("enable_fp_fusion")}
    signature, constants, attributes = {}, {}, {}
    for place, parameter in enumerate(kernel.params):
        value = arguments[parameter.name]
        if parameter.is_constexpr or value is None or (isinstance(value, int) and value == 1):
            signature[parameter.name], constants[parameter.name] = "constexpr", value
        elif isinstance(value, float):
            signature[parameter.name] = parameter.annotation_type
        else:
            is_tensor = isinstance(value, torch.Tensor)
            signature[parameter.name] = "*" + TYPES[value.dtype] if is_tensor else "i32" if value < 2**31 else "i64"
            if is_tensor or value % 16 == 0:
                attributes[place,] = [["tt.divisibility", 16]]
    source = triton.compiler.ASTSource(kernel, signature, constants, attributes)
    target = triton.backends.compiler.GPUTarget("cuda", architecture, 32)
    return triton.compile(source, target=target, options=options)


@pytest.fixture
def launches(monkeypatch, tmp_path):
    """What forward and backward would launch for x on the meta device: (kernel, arguments)."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    names = ["_forward_kernel", "_backward_kernel", "_sum_kernel"]
    recorders = [Recorder(getattr(triton_kernel, name)) for name in names]
    for name, recorder in zip(names, recorders, strict=True):
        monkeypatch.setattr(triton_kernel, name, recorder)

    def launch(dtype, functions, inner, knots, outer, needs=(True, True)):
        x = torch.empty(outer * functions * inner, dtype=dtype, device="meta")
        table = torch.empty(functions, knots, dtype=torch.promote_types(dtype, torch.float32), device="meta")
        triton_kernel.forward(x, table, -3.0, 3.0, inner)
        triton_kernel.backward(x, x, table, -3.0, 3.0, inner, *needs)
        return [(recorder.kernel, arguments) for recorder in recorders for arguments in recorder.launches]

    return launch


@pytest.mark.parametrize(
    ("architecture", "problem"),
    [
        (80, (torch.float32, 64, 1024, 33, 256)),
        (90, (torch.bfloat16, 64, 1, 33, 1 << 20)),
        (90, (torch.float64, 1, 1, 33, 1 << 24)),
        (80, (torch.float16, 5, 3, 257, 100)),
        (90, (torch.float32, 1, 1, 2, 1)),
        (90, (torch.float32, 1, 1, 9, 1 << 20, (True, False))),
        (90, (torch.bfloat16, 3, 49, 5, 3, (False, True))),
        (90, (torch.bfloat16, 2, 2, 9, 3 << 31)),
    ],
    ids=str,
)
def test_compiles_without_spills_or_atomics(launches, architecture, problem, tmp_path):
    found = launches(*problem)
    assert len(found) == (2 if problem[5:] == ((True, False),) else 3)
    for kernel, arguments in found:
        compiled = compile_for(architecture, kernel, arguments)
        assert not re.search(r"\b(atom|red)\.", compiled.asm["ptx"])
        usage = resources(compiled.asm["cubin"], tmp_path / "kernel.cubin")
        assert usage["STACK"] == usage["LOCAL"] == 0
        # 128: four programs of 128 threads on a multiprocessor with 65536 registers
        assert usage["REG"] <= (128 if problem[0] != torch.float64 else 168)


def resources(cubin, path):
    # registers, and bytes of stack and local memory, that a thread uses
    path.write_bytes(cubin)
    tool = triton.knobs.nvidia.cuobjdump.path
    text = subprocess.run([tool, "-res-usage", path], capture_output=True, text=True, check=True).stdout
    return {name: int(number) for name, number in re.findall(r"(REG|STACK|LOCAL):(\d+)", text)}
