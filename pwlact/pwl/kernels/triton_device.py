"""What the Triton kernels do on the device: find tiles, segments and rises."""

# arguments are what Triton makes of them, pointers, integers and constants; types mean nothing to a type checker
# ruff: noqa: ANN001, ANN201

from typing import no_type_check

import triton
import triton.language as tl


@triton.jit
@no_type_check
def function(group, column, functions, inner, MIXED: tl.constexpr, COLUMNS: tl.constexpr):
    """Function of the group, or of each column; a column outside memory gets one that exists."""
    function = group.to(tl.int64)
    if MIXED:
        function = tl.minimum((function * COLUMNS + column) // inner, functions - 1)
    return function


@triton.jit
@no_type_check
def tile(
    step, group, outer, inner, pitch, across, MIXED: tl.constexpr, COLUMNS: tl.constexpr, ROWS: tl.constexpr
):  # fmt: skip
    """Offset of the tile of a step, and how many of its rows and columns lie inside memory."""
    top = (step // across).to(tl.int64) * ROWS
    left = (step % across).to(tl.int64) * COLUMNS
    first = group.to(tl.int64) * (COLUMNS if MIXED else inner)
    end = pitch - first if MIXED else inner
    rows = tl.minimum(outer - top, ROWS).to(tl.int32)
    columns = tl.minimum(end - left, COLUMNS).to(tl.int32)
    return top * pitch + first + left, rows, columns


@triton.jit
@no_type_check
def grid(low, h, COMPUTE: tl.constexpr):
    """low, h and 1 / h in the type to compute in."""
    low, h = tl.full((), low, COMPUTE), tl.full((), h, COMPUTE)
    one = tl.full((), 1, COMPUTE)
    return low, h, tl.div_rn(one, h) if one.dtype == tl.float32 else one / h


@triton.jit
@no_type_check
def locate(x, low, h, inverse, knots, COMPUTE: tl.constexpr, NEWTON: tl.constexpr):
    """Segment i, and the position w in it; a NaN lies in segment 0 with w = NaN."""
    u = divide(x.to(COMPUTE) - low, h, inverse, NEWTON)
    i = tl.minimum(tl.where(u > 0, tl.floor(u), 0.0), (knots - 2).to(COMPUTE))
    return i.to(tl.int32), u - i


@triton.jit
@no_type_check
def divide(a, h, inverse, NEWTON: tl.constexpr):
    """a / h, exact wherever a quotient is: a knot lies in the segment to its right, not an ulp to its left.

    One Newton step takes the quotient to within 2^-22 ulp before it is rounded, in 5 instructions and no branch;
    a division has 10 and one. Markstein, "Computation of elementary functions on the IBM RISC", 1990.
    """
    if NEWTON:
        q = a * inverse
        result = tl.where(tl.abs(q) < float("inf"), tl.fma(tl.fma(-q, h, a), inverse, q), q)
    elif a.dtype == tl.float32:
        result = tl.div_rn(a, h)
    else:
        result = a / h
    return result


@triton.jit
@no_type_check
def rise(y, i, inside, COMPUTE: tl.constexpr):
    """y_i and y_{i+1} - y_i."""
    left = tl.load(y + i, mask=inside, other=0.0).to(COMPUTE)
    return left, tl.load(y + i + 1, mask=inside, other=0.0).to(COMPUTE) - left


@triton.jit
@no_type_check
def over_rows(sums, KEPT: tl.constexpr):
    """Sums of the lanes with the same column, where columns are kept apart; else of all."""
    return tl.sum(tl.reshape(sums, (sums.shape[0], sums.shape[1] // KEPT, KEPT)), axis=1)
