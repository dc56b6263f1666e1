"""The kernel in PyTorch's own operations: runs on every device, one piece that fits the cache at a time."""

import torch
from torch import Tensor

from pwlact.pwl.knots import Knots

# elements a piece: on a CPU its buffers stay in the caches and threads still pay, elsewhere it bounds the memory
_PIECE = {"cpu": 1 << 19}
_PIECE_ELSEWHERE = 1 << 26
# elements that are summed in the type of computation before float64 takes over
_LANE = 8192


def forward(x: Tensor, table: Tensor, low: float, high: float, inner: int, name: str = "torch") -> Tensor:
    """f(x) = y_i + w (y_{i+1} - y_i) for memory of the geometry (outer, G, inner).

    Args:
        x: shape (n,), floating point; element e has function (e // inner) % G.
        table: knot values y, shape (G, N), in the type to compute in.
        low: position of the first knot.
        high: position of the last knot.
        inner: elements next to each other that share a function.
        name: name of the backend.

    Returns:
        f(x), shape (n,), in the type of x.
    """
    del name
    knots, rises = Knots(table.shape[1], low, high), _rises(table)
    out = torch.empty_like(x)
    # a flat tail times an infinite distance is the value at the edge, not NaN
    reach = torch.where(rises[:, [0, -2]] == 0, 0.0, torch.inf).to(table.dtype)
    nearest, farthest = -reach[:, :1], 1 + reach[:, 1:]
    for piece in _pieces(x, table.shape[0], inner):
        index, w = _locate(_rows(x[piece], table, inner), table, knots)
        w.clamp_(nearest, farthest)
        result = _look_up(table, index).addcmul_(w, _look_up(rises, index))
        out[piece] = result.view(-1)
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
    name: str = "torch",
) -> tuple[Tensor | None, Tensor | None]:
    """Gradients of sum(grad f(x)) with respect to x and the table.

    Args:
        x: as in `forward`.
        grad: gradient that arrives, in the shape and type of x.
        table: as in `forward`.
        low: as in `forward`.
        high: as in `forward`.
        inner: as in `forward`.
        need_x: whether the gradient of x is wanted.
        need_values: whether the gradient of the table is wanted.
        name: name of the backend.

    Returns:
        grad_x like x, and grad_values like the table; None where not wanted.
    """
    del name
    knots = Knots(table.shape[1], low, high)
    slopes = _rises(table) / knots.spacing
    grad_x = torch.empty_like(x) if need_x else None
    histogram = _Histograms(x, table, inner) if need_values else None
    total = right = table.new_zeros(())
    for piece in _pieces(x, table.shape[0], inner):
        index, w = _locate(_rows(x[piece], table, inner), table, knots)
        g = _rows(grad[piece], table, inner)
        if grad_x is not None:
            grad_x[piece] = _look_up(slopes, index).mul_(g).view(-1)
        if histogram is not None:
            total = total + histogram(g, index)
            right = right + histogram(w.mul_(g), index)
    if not need_values:
        return grad_x, None
    total, right = total.expand_as(table), right.expand_as(table)
    # df/dy is 1 - w at the left knot of the segment and w at its right
    return grad_x, (total - right + torch.nn.functional.pad(right, (1, 0))[:, :-1]).to(table.dtype)


def _rises(table: Tensor) -> Tensor:
    """y_{s+1} - y_s of each segment, padded so that it is indexed as y is; shape (G, N)."""
    return torch.nn.functional.pad(table.diff(dim=-1), (0, 1))


def _pieces(x: Tensor, functions: int, inner: int) -> list[slice]:
    """Slices of x that hold whole rows of (G, inner)."""
    row = functions * inner if functions > 1 else 1
    step = max(1, _PIECE.get(x.device.type, _PIECE_ELSEWHERE) // max(row, 1)) * row
    return [slice(begin, begin + step) for begin in range(0, x.numel(), step)] if x.numel() else []


def _rows(x: Tensor, table: Tensor, inner: int) -> Tensor:
    """Elements as (rows, G, inner), or (1, n) where all share one function, in the type to compute in."""
    x = x.to(table.dtype)
    return x.view(1, -1) if table.shape[0] == 1 else x.view(-1, table.shape[0], inner)


def _locate(x: Tensor, table: Tensor, knots: Knots) -> tuple[Tensor, Tensor]:
    """Index of each left knot in the flattened table, and the position w in its segment."""
    segment, w = knots.locate(x)
    functions = table.shape[0]
    if functions > 1:
        first = torch.arange(0, knots.count * functions, knots.count, dtype=segment.dtype, device=x.device)
        segment += first[:, None]
    return segment, w


def _look_up(table: Tensor, index: Tensor) -> Tensor:
    return table.view(-1).index_select(0, index.view(-1)).view(index.shape)


class _Histograms:
    """Sums a table entry over all pieces: float32 over `_LANE` elements at most, float64 over those."""

    def __init__(self, x: Tensor, table: Tensor, inner: int) -> None:
        longest = max((piece.stop - piece.start for piece in _pieces(x, table.shape[0], inner)), default=0)
        self.table, self.length = table, max(_LANE, 16 * table.numel())
        lane = torch.arange(min(longest, x.numel()), dtype=torch.int32, device=x.device) // self.length
        self.starts = lane * table.numel()
        self.wide = torch.float32 if x.device.type == "mps" else torch.float64  # mps has no float64

    def __call__(self, weights: Tensor, index: Tensor) -> Tensor:
        """Sum of `weights` by table entry, shape (G, N)."""
        elements = index.numel()
        sums = self.table.new_zeros(-(-elements // self.length), *self.table.shape)
        sums.view(-1).index_add_(0, self.starts[:elements] + index.view(-1), weights.reshape(-1))
        return sums.sum(0, dtype=self.wide)
