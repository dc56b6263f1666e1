"""Rows in blocks that stay in the processor's cache, with the odd rows apart: what the sparse maps run on.

On a CPU, comparisons and masks cost many times what arithmetic does, and memory is slow: so the solvers count and
select by clamping and signs, and go over a block again and again rather than over everything.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from pwlact.competitive.rows import settled, wide
from pwlact.pwl.kernels import backends, native

# elements: as many as torch works on with one thread, for waiting on threads takes longer than a block
_BLOCK = 2**14
_STRIPES = 32

Solver = Callable[[Tensor, Tensor | None, Tensor, Tensor], object]
"""(v (n, K), largest of each row 0; theta (n, 1) or None; a buffer like v; p (n, K)) -> writes p; v may change."""


def blocks(rows: Tensor) -> list[slice]:
    """Slices of the first dimension of (n, K): small on a CPU, all at once elsewhere."""
    count, size = rows.shape
    step = max(_BLOCK // size, 1) if rows.device.type == "cpu" else count
    return [slice(start, start + step) for start in range(0, count, step)]


class Buffer:
    """Memory for one block of `rows`, used again for each."""

    def __init__(self, rows: Tensor) -> None:
        first = next(iter(blocks(rows)))
        self._memory = torch.empty_like(rows[first])

    def like(self, block: Tensor) -> Tensor:
        """As much of it as the block is long."""
        return self._memory[: len(block)]


def as_rows(values: Tensor, dim: int) -> Tensor:
    """(..., K, ...) as (n, K), 16-bit types in float32; a view where memory allows."""
    moved = values.movedim(dim, -1)
    return wide(moved).reshape(-1, moved.shape[-1])


def from_rows(rows: Tensor, like: Tensor, dim: int) -> Tensor:
    """(n, K) in the shape of `like`, whose dimension `dim` the K are."""
    return rows.reshape(like.movedim(dim, -1).shape).movedim(-1, dim)


def compiled(rows: Tensor) -> bool:
    """Whether the compiled kernel takes these rows: float32 on a CPU, unless another kernel was asked for."""
    if rows.device.type != "cpu" or rows.dtype != torch.float32:
        return False
    return backends.module("cpu")[0] is native and native.has_sparse_maps()


def project(z: Tensor, theta: Tensor | None, dim: int, solve: Solver, name: str | None = None) -> Tensor:
    """p along `dim`: that of v = z - max z where max z is finite; the other rows as `softmax` has them.

    Args:
        z: not empty.
        theta: what the solver takes beside v, of the shape of z with size 1 in dim.
        dim: dimension along which the units compete, below 0.
        solve: finds p from v.
        name: of the map in the compiled kernel, where it is there.

    Returns:
        p, in the shape of z, 16-bit types in float32.
    """
    rows = as_rows(z, dim)
    if name is not None and compiled(rows):
        return from_rows(_project_compiled(rows.contiguous(), name), z, dim)
    parameter = None if theta is None else as_rows(theta, dim)
    out = torch.empty_like(rows)
    # new memory for each block would cost more than the work in it
    v, buffer = Buffer(rows), Buffer(rows)
    for block in blocks(rows):
        part, p = rows[block], out[block]
        top = part.amax(-1, keepdim=True)
        odd = ~top.isfinite()
        some = bool(odd.any())
        distance = v.like(part)
        torch.sub(torch.where(odd, 0.0, part) if some else part, torch.where(odd, 0.0, top), out=distance)
        solve(distance, None if parameter is None else parameter[block], buffer.like(part), p)
        if some:
            p.copy_(torch.where(odd, settled(part, -1), p))
    return from_rows(out, z, dim)


def _project_compiled(rows: Tensor, name: str) -> Tensor:
    p = native.sparse_forward(rows, name)
    odd = p[:, :1].isnan()
    return torch.where(odd, settled(rows, -1), p) if odd.any() else p


def stripe_maxima(v: Tensor) -> Tensor | None:
    """The largest of each of 32 stripes of the rows, shape (n, 32 and some); None where rows are too short for it.

    In maps with p_i = g(v_i - tau), g rising, sum p = 1, tau of any subset of the units is at most that of all: tau of
    these few is a start for tau from below, and a near one where few units have p > 0.
    """
    count, size = v.shape
    if size < 4 * _STRIPES:
        return None
    even = size - size % _STRIPES
    maxima = v[:, :even].reshape(count, -1, _STRIPES).amax(1)
    return maxima if even == size else torch.cat([maxima, v[:, even:]], -1)


def precise(values: Tensor) -> Tensor:
    """In float64 where the device has it."""
    return values if values.device.type == "mps" else values.double()
