"""The kernel for CUDA devices, in Triton: one pass forward, one pass and a short sum backward, no atomics.

Memory is read as (outer, functions, inner), in tiles of neighbouring columns of inner by rows of outer. Where inner
is long, or all elements share one function, a tile lies within one function. Where it is short (1: channels_last),
a tile lies across functions and is `mixed`: each lane keeps to its own column, hence to its own function.

Rational activations lost most of their time on GPUs to global atomics on the few coefficients (Raffel and Chen,
"FlashKAT", 2025). Here every lane keeps its segments' sums in registers over all tiles of its program, and every
program leaves one partial row; a second kernel adds these in a fixed order, so two runs agree bit for bit.
"""

# arguments of kernels are what Triton makes of them, pointers, integers and constants; its types mean nothing to a
# type checker, neither in tests nor in the editor
# ruff: noqa: ANN001, ANN202
# pyright: reportArgumentType=false

import math
from typing import Any, no_type_check

import torch
import triton
import triton.language as tl
from torch import Tensor

from pwlact.pwl.kernels import triton_device as device
from pwlact.pwl.kernels.triton_tiles import Cut, Memory, cut, power_of_two
from pwlact.pwl.knots import Knots

_COMPUTE = {torch.float32: tl.float32, torch.float64: tl.float64}
# elements a tile forward: eight a thread, loaded and stored as vectors
_FORWARD = 1024
# steps a program of forward: it leaves nothing behind, so short shares cost little and spread evenly
_SHARE = 2
# backward: one element a thread, so that its sums stay with it, four tiles' worth of loads in flight
_LANES, _UNROLL = 128, 4
# segments whose two sums fit the registers of a thread (a double takes two); the others need another pass over x
_SEGMENTS = {torch.float32: 32, torch.float64: 16}
# programs to share backward among, a few on each multiprocessor of a large device. A constant: the order of the
# sums, and with it the result, is then the same on every device
_PROGRAMS = 1024
# columns of a mixed tile backward: one 128-byte line of float32, and four lanes to add up in the end
_WIDEST = 32
# spacings up to this power of two, and down to its inverse, are divided by with a Newton step: neither reciprocal
# nor remainder comes near the ends of float32
_FAR = 64
# rounding products once, in sums: the same arithmetic in every release of Triton, whose default is changing
_OPTIONS: dict[str, Any] = {"enable_fp_fusion": True}
# elements a tile of the final sum
_SUM = 1024


def forward(x: Tensor, table: Tensor, low: float, high: float, inner: int, name: str = "triton") -> Tensor:
    """f(x) = y_i + w (y_{i+1} - y_i) for memory of the geometry (outer, G, inner).

    Args:
        x: dense in memory, floating point; element e, in memory's order, has function (e // inner) % G.
        table: knot values y, shape (G, N), contiguous, float32 or float64, on the device of x.
        low: position of the first knot.
        high: position of the last knot.
        inner: elements next to each other that share a function; without meaning where G = 1.
        name: name of the backend.

    Returns:
        f(x), in the shape, type and strides of x.
    """
    del name
    out = torch.empty_like(x)
    if x.numel() == 0:
        return out
    memory = Memory.of(x.numel(), table.shape[0], inner)
    tiles = cut(memory, _FORWARD, widest=_FORWARD, share=_SHARE)
    with torch.cuda.device_of(x):
        _forward_kernel[(tiles.groups * tiles.chunks,)](
            x=x, out=out, **_arguments(x, table, low, high, memory, tiles), LANES=_FORWARD, **_OPTIONS
        )
    return out


def backward(
    x: Tensor,
    grad: Tensor,
    table: Tensor,
    low: float,
    high: float,
    inner: int,
    need_x: bool,
    need_values: bool,
    name: str = "triton",
    programs: int = _PROGRAMS,
) -> tuple[Tensor | None, Tensor | None]:
    """Gradients of sum(grad f(x)) with respect to x and the table.

    Args:
        x: as in `forward`.
        grad: gradient that arrives, in the shape, type and strides of x.
        table: as in `forward`.
        low: as in `forward`.
        high: as in `forward`.
        inner: as in `forward`.
        need_x: whether the gradient of x is wanted.
        need_values: whether the gradient of the table is wanted.
        name: name of the backend.
        programs: how many programs, about, to share the work among.

    Returns:
        grad_x like x, and grad_values like the table; None where not wanted.
    """
    del name
    grad_x = torch.empty_like(x) if need_x else None
    grad_values = torch.zeros_like(table) if need_values else None
    if x.numel() == 0 or not (need_x or need_values):
        return grad_x, grad_values
    memory = Memory.of(x.numel(), table.shape[0], inner)
    compute = torch.promote_types(x.dtype, table.dtype)
    segments = min(_SEGMENTS[compute], power_of_two(table.shape[1] - 1))
    passes = -(-(table.shape[1] - 1) // segments) if need_values else 1
    tiles = cut(memory, _LANES * _UNROLL, _WIDEST, programs // passes)
    kept = tiles.columns if memory.mixed else 1
    with torch.cuda.device_of(x):
        height, width = passes * segments, tiles.groups * kept
        partial = x.new_empty((tiles.chunks, 2, height, width), dtype=compute) if need_values else None
        _backward_kernel[(tiles.groups * tiles.chunks, passes)](
            x=x, grad=grad, grad_x=grad_x, partial=partial,
            **_arguments(x, table, low, high, memory, tiles),
            SEGMENTS=segments, KEPT=kept, LANES=_LANES, UNROLL=_UNROLL, **_OPTIONS,
        )  # fmt: skip
        if partial is not None and grad_values is not None:
            _add_up(partial, grad_values, memory)
    return grad_x, grad_values


def _arguments(x: Tensor, table: Tensor, low: float, high: float, memory: Memory, tiles: Cut) -> dict[str, Any]:
    """What both passes are told of the table, of the knots and of the tiles."""
    functions, knots = table.shape
    h = Knots(knots, low, high).spacing
    compute = torch.promote_types(x.dtype, table.dtype)
    return {
        "table": table, "low": float(low), "h": h, "knots": knots, "functions": functions,
        "outer": memory.outer, "inner": memory.inner, "pitch": memory.pitch,
        "groups": tiles.groups, "across": tiles.across, "steps": tiles.steps, "share": tiles.share,
        "MIXED": memory.mixed, "COLUMNS": tiles.columns,
        "COMPUTE": _COMPUTE[compute], "NEWTON": compute == torch.float32 and abs(math.log2(h)) < _FAR,
    }  # fmt: skip


def _add_up(partial: Tensor, grad_values: Tensor, memory: Memory) -> None:
    functions, knots = grad_values.shape
    chunks, _, height, width = partial.shape
    # a mixed tile leaves a partial row for each of the columns of a function
    columns = memory.inner if memory.mixed else 1
    side = min(32, power_of_two(functions))
    _sum_kernel[(-(-functions // side), knots)](
        partial=partial, grad_values=grad_values, pairs=chunks * columns, columns=columns,
        height=height, width=width, gap=height * width, functions=functions, knots=knots,
        PAIRS=_SUM // side, SIDE=side, **_OPTIONS,
    )  # fmt: skip


@triton.jit
@no_type_check
def _forward_kernel(
    x, out, table, low: tl.float64, h: tl.float64, knots, functions, outer, inner, pitch, groups, across, steps, share,
    MIXED: tl.constexpr, COLUMNS: tl.constexpr, COMPUTE: tl.constexpr, NEWTON: tl.constexpr,
    LANES: tl.constexpr,
):  # fmt: skip
    low, h, inverse = device.grid(low, h, COMPUTE)
    group, begin = tl.program_id(0) % groups, tl.program_id(0) // groups * share
    lane = tl.arange(0, LANES)
    row, column = lane // COLUMNS, lane % COLUMNS
    y = table + device.function(group, column, functions, inner, MIXED, COLUMNS) * knots
    offset = row.to(tl.int64) * pitch + column
    for step in range(begin, tl.minimum(begin + share, steps)):
        start, rows, columns = device.tile(step, group, outer, inner, pitch, across, MIXED, COLUMNS, LANES // COLUMNS)
        inside = (row < rows) & (column < columns)
        i, w = device.locate(
            tl.load(x + start + offset, mask=inside, other=0.0), low, h, inverse, knots, COMPUTE, NEWTON
        )
        left, rise = device.rise(y, i, inside, COMPUTE)
        # a flat tail times an infinite distance is the value at the edge, not NaN
        result = tl.where((rise == 0) & (w == w), left, left + w * rise)
        tl.store(out + start + offset, result.to(out.dtype.element_ty), mask=inside)


@triton.jit
@no_type_check
def _backward_kernel(
    x, grad, grad_x, partial, table, low: tl.float64, h: tl.float64, knots, functions, outer, inner, pitch,
    groups, across, steps, share,
    MIXED: tl.constexpr, COLUMNS: tl.constexpr, COMPUTE: tl.constexpr, NEWTON: tl.constexpr,
    SEGMENTS: tl.constexpr, KEPT: tl.constexpr, LANES: tl.constexpr, UNROLL: tl.constexpr,
):  # fmt: skip
    low, h, inverse = device.grid(low, h, COMPUTE)
    group, chunk = tl.program_id(0) % groups, tl.program_id(0) // groups
    first_segment = tl.program_id(1) * SEGMENTS
    lane = tl.arange(0, LANES)
    # (segments, lanes): Triton's layout of this shape gives each thread one lane with all its segments
    segment = tl.arange(0, SEGMENTS)[:, None]
    total, right = tl.full((SEGMENTS, LANES), 0, COMPUTE), tl.full((SEGMENTS, LANES), 0, COMPUTE)
    ROWS: tl.constexpr = LANES * UNROLL // COLUMNS
    y = table + device.function(group, lane % COLUMNS, functions, inner, MIXED, COLUMNS) * knots
    for step in range(chunk * share, tl.minimum(chunk * share + share, steps)):
        start, rows, columns = device.tile(step, group, outer, inner, pitch, across, MIXED, COLUMNS, ROWS)
        # all loads first: the compiler does not move one over a store, which may go to the same place
        offsets, insides, xs, gs = (), (), (), ()
        for part in tl.static_range(UNROLL):
            row, column = (part * LANES + lane) // COLUMNS, (part * LANES + lane) % COLUMNS
            inside = (row < rows) & (column < columns)
            offset = start + row.to(tl.int64) * pitch + column
            offsets += (offset,)
            insides += (inside,)
            xs += (tl.load(x + offset, mask=inside, other=0.0),)
            gs += (tl.load(grad + offset, mask=inside, other=0.0),)
        for part in tl.static_range(UNROLL):
            g = gs[part].to(COMPUTE)
            i, w = device.locate(xs[part], low, h, inverse, knots, COMPUTE, NEWTON)
            if grad_x is not None:  # noqa: SIM102 -- decided by the compiler, the other one by the program
                if first_segment == 0:
                    _, rise = device.rise(y, i, insides[part], COMPUTE)
                    result = (g * device.divide(rise, h, inverse, NEWTON)).to(grad_x.dtype.element_ty)
                    tl.store(grad_x + offsets[part], result, mask=insides[part])
            if partial is not None:
                # by choice, not by a product with 0 or 1: an infinite g stays within its segment. Lanes outside
                # memory hold x = g = 0 and add nothing
                hit = (i - first_segment)[None, :] == segment
                total = tl.where(hit, total + g[None, :], total)
                right = tl.where(hit, right + (g * w)[None, :], right)
    if partial is not None:
        kept = tl.arange(0, KEPT)[None, :]
        height, width = tl.num_programs(1) * SEGMENTS, groups * KEPT
        at = (chunk.to(tl.int64) * 2 * height + first_segment + segment) * width + group * KEPT + kept
        tl.store(partial + at, device.over_rows(total, KEPT))
        tl.store(partial + at + height.to(tl.int64) * width, device.over_rows(right, KEPT))


@triton.jit
@no_type_check
def _sum_kernel(
    partial, grad_values, pairs, columns, height, width, gap, functions, knots,
    PAIRS: tl.constexpr, SIDE: tl.constexpr,
):  # fmt: skip
    """df/dy is 1 - w at the left knot of a segment and w at its right: sum_p A_ps - B_ps + B_p(s-1)."""
    function = tl.program_id(0).to(tl.int64) * SIDE + tl.arange(0, SIDE)
    s = tl.program_id(1).to(tl.int64)
    sums = tl.full((PAIRS, SIDE), 0, partial.dtype.element_ty)
    for begin in range(0, pairs, PAIRS):
        pair = (begin + tl.arange(0, PAIRS)).to(tl.int64)[:, None]
        inside = (function < functions)[None, :]
        total = partial + (pair // columns * 2 * height + s) * width + function[None, :] * columns + pair % columns
        here = (pair < tl.where(s < knots - 1, pairs, 0)) & inside
        before = (pair < tl.where(s > 0, pairs, 0)) & inside
        right = total + gap
        sums += tl.load(total, mask=here, other=0.0) - tl.load(right, mask=here, other=0.0)
        sums += tl.load(right - width, mask=before, other=0.0)
    tl.store(grad_values + function * knots + s, tl.sum(sums, axis=0), mask=function < functions)
