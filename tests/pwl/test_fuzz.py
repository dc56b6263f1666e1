"""Any shape, layout, type, grouping and number of threads, on a lattice where every result is exact.

Values and gradients are small integers, h a power of two and x a multiple of h / 8, so that f, both gradients and
every partial sum are numbers of float32: whatever was lost, doubled or put elsewhere shows as an inequality.
"""

import math
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pwl_oracle import exact

from pwlact.pwl import pwl
from pwlact.pwl.kernels import use

from .conftest import COMPILED, KERNELS

FUNCTIONS = [1, 1, 2, 3, 5, 63, 64, 65, 200]
INNER = [1, 2, 7, 15, 16, 17, 31, 32, 33, 255, 2047, 2048, 2049, 32767, 32768, 32769, 65535, 65536, 65537]
OUTER = [1, 2, 3, 5, 31, 128, 129, 500, 2049]
COUNTS = [2, 3, 4, 17, 32, 33, 34, 65, 257, 600]
MOST = 70_000


class Case(NamedTuple):
    """One call of `pwl`, without its data."""

    shape: list
    order: list
    channel_dim: int
    functions: int | None
    count: int
    dtypes: tuple
    layouts: tuple
    wanted: tuple
    threads: int
    seed: int


def split(draw, size):
    """A size as the product of up to two dimensions."""
    divisors = [d for d in (1, 2, 3, 7, size) if size % max(d, 1) == 0]
    first = draw(st.sampled_from(divisors))
    return [first, size // first] if first and draw(st.booleans()) else [size]


@st.composite
def cases(draw):
    functions = draw(st.sampled_from(FUNCTIONS))
    channels = functions * draw(st.sampled_from([1, 1, 1, 2, 3]))
    inner = draw(st.sampled_from([size for size in INNER if size * channels <= MOST]))
    outer = draw(st.sampled_from([size for size in OUTER if size * channels * inner <= MOST]))
    # x of memory (outer, channels, inner), some of it cut into more dimensions, some of it empty
    before, after = split(draw, outer), split(draw, inner)
    shape = [*before, channels, *after]
    if draw(st.integers(0, 15)) == 0:
        shape[draw(st.sampled_from([i for i in range(len(shape)) if i != len(before)]))] = 0
    order = list(range(len(shape)))
    if draw(st.booleans()):
        order = draw(st.permutations(order))
    shared = functions == 1 and draw(st.booleans())
    return Case(
        shape=shape,
        order=order,
        channel_dim=len(before) - draw(st.sampled_from([0, len(shape)])),
        functions=None if shared else functions,
        count=draw(st.sampled_from(COUNTS if functions < 63 else COUNTS[:-2])),
        dtypes=draw(st.tuples(*[st.sampled_from([torch.float32, torch.bfloat16, torch.float16, torch.float64])] * 2)),
        layouts=draw(st.tuples(*[st.sampled_from(["dense", "dense", "offset", "step", "expanded"])] * 2)),
        wanted=draw(st.sampled_from([(True, True), (True, True), (True, False), (False, True)])),
        threads=draw(st.sampled_from([1, 2, 3, 8])),
        seed=draw(st.integers(0, 2**32)),
    )


def lay_out(x, order, layout):
    """x with its dimensions in that order in memory: dense, off the alignment, with gaps, or sharing elements."""
    if layout == "expanded":
        return x.narrow(order[0], 0, min(1, x.shape[order[0]])).expand(x.shape)
    step, offset = (2, 3) if layout == "step" else (1, 1 if layout == "offset" else 0)
    memory = x.new_full((x.numel() * step + offset,), math.nan)
    seen = memory[offset::step].view([x.shape[d] for d in order])
    back = sorted(range(x.ndim), key=lambda d: order[d])
    return seen.permute(back).copy_(x)


def lattice(case):
    """x, values, the gradient that arrives, low and high."""
    random = torch.Generator().manual_seed(case.seed)
    h = 2.0 ** torch.randint(-2, 2, (), generator=random).item()
    low = h * torch.randint(-9, 3, (), generator=random).item()
    last = 8 * (case.count - 1)
    eighths = torch.randint(-16, last + 17, case.shape, generator=random)
    if torch.randint(0, 3, (), generator=random):
        eighths = eighths.remainder(64)  # most in few segments
    x = (low + eighths * h / 8).to(case.dtypes[0])
    rows = () if case.functions is None else (case.functions,)
    values = torch.randint(-8, 9, (*rows, case.count), generator=random).to(case.dtypes[1])
    grad = torch.randint(-2, 3, case.shape, generator=random).to(x.dtype)
    x, grad = (lay_out(t, case.order, how) for t, how in zip((x, grad), case.layouts, strict=True))
    return x, values, grad, low, low + h * (case.count - 1)


def assert_exact(x, values, grad, low, high, channel_dim, wanted, kernels=KERNELS):
    """All kernels give exactly what the definition says."""
    expected = exact(x, values, low, high, channel_dim, grad, np.float64)
    for name in kernels:
        a, y = x.detach().requires_grad_(wanted[0]), values.detach().requires_grad_(wanted[1])
        with use(name):
            out = pwl(a, y, low, high, channel_dim)
            inputs = [t for t, want in zip((a, y), wanted, strict=True) if want]
            grads = iter(torch.autograd.grad(out, inputs, grad))
        results = [(out, expected.out)]
        results += [(next(grads), expected.grad_x)] if wanted[0] else []
        results += [(next(grads), expected.grad_values)] if wanted[1] else []
        for got, right in results:
            right = torch.from_numpy(right.astype(float)).to(got.dtype)
            torch.testing.assert_close(
                got.detach(), right, rtol=0, atol=0, msg=lambda text, name=name: f"{name}: {text}"
            )


@settings(max_examples=150)
@given(case=cases())
def test_every_kernel_is_exact_on_the_lattice(case):
    before = torch.get_num_threads()
    torch.set_num_threads(case.threads)
    try:
        x, values, grad, low, high = lattice(case)
        assert_exact(x, values, grad, low, high, case.channel_dim, case.wanted)
    finally:
        torch.set_num_threads(before)


# sizes that cut a tensor into more, and into larger, tasks than the fuzz reaches; first, above 128 tasks' worth
LARGE = [((4_500_003,), None, 0), ((70, 9, 901), 9, 1), ((9_001, 67), 67, 1), ((66, 7_001), 66, 0)]


@pytest.mark.parametrize(("shape", "functions", "channel_dim"), LARGE, ids=str)
def test_large_tensors_are_exact(shape, functions, channel_dim, threads):
    threads(2)
    case = Case(list(shape), list(range(len(shape))), channel_dim, functions, 33, (torch.float32,) * 2,
                ("dense", "dense"), (True, True), 2, 7)  # fmt: skip
    x, values, grad, low, high = lattice(case)
    assert_exact(x, values, grad, low, high, channel_dim, case.wanted, COMPILED)
