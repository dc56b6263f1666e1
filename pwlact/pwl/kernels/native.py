"""The compiled CPU kernel: addresses of dense memory in, results out."""

import torch
from torch import Tensor

try:
    from pwlact.pwl.kernels import _native  # pyright: ignore[reportAttributeAccessIssue]
except ImportError as error:
    _native = None
    _MISSING = f"the compiled kernel was not built ({error}); install pwlact where a C compiler is"

_SMALLEST = 1e-30
_MAPS = {"softmax": 0, "sparsemax": 1, "entmax15": 2}
_TYPES = {torch.float32: 0, torch.bfloat16: 1, torch.float16: 2, torch.float64: 3}


def obstacle(name: str) -> str:
    """Why the block functions `name` cannot run here; empty where they can."""
    if _native is None:
        return _MISSING
    return "" if _native.supports(name) else f"this processor has no {name}"


def has_threads() -> bool:
    """Whether the kernel found the threads that torch computes with; without them it uses one."""
    return _native is not None and _native.threads()


def forward(x: Tensor, table: Tensor, low: float, high: float, inner: int, name: str) -> Tensor:
    """f(x); see `eager.forward`."""
    assert _native is not None
    out = torch.empty_like(x)
    if not x.numel():
        return out
    functions, knots = table.shape
    _native.forward(
        _blocks(name, knots, low, high), _TYPES[x.dtype], x.data_ptr(), out.data_ptr(), table.data_ptr(),
        *_geometry(x, functions, inner), knots, low, high, torch.get_num_threads(),
    )  # fmt: skip
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
    name: str,
) -> tuple[Tensor | None, Tensor | None]:
    """Gradients with respect to x and the table; see `eager.backward`."""
    assert _native is not None
    grad_x = torch.empty_like(x) if need_x else None
    grad_values = torch.zeros_like(table) if need_values else None
    if not x.numel():
        return grad_x, grad_values
    functions, knots = table.shape
    _native.backward(
        _blocks(name, knots, low, high), _TYPES[x.dtype], x.data_ptr(), grad.data_ptr(),
        _address(grad_x), _address(grad_values), table.data_ptr(),
        *_geometry(x, functions, inner), knots, low, high, torch.get_num_threads(),
    )  # fmt: skip
    return grad_x, grad_values


def has_sparse_maps() -> bool:
    """Whether the kernel was built with the sparse maps."""
    return hasattr(_native, "forward_sparse")


def sparse_forward(rows: Tensor, name: str) -> Tensor:
    """p of each row of dense float32 (n, K), "sparsemax" or "entmax15"; NaN where max z is not finite."""
    assert _native is not None
    out = torch.empty_like(rows)
    _native.forward_sparse(_MAPS[name], rows.data_ptr(), out.data_ptr(), *rows.shape, torch.get_num_threads())
    return out


def sparse_product(p: Tensor, grad: Tensor, name: str) -> Tensor:
    """The Jacobian at p times grad, for each row of dense float32 (n, K); "softmax" as well."""
    assert _native is not None
    out = torch.empty_like(p)
    _native.product_sparse(
        _MAPS[name], p.data_ptr(), grad.data_ptr(), out.data_ptr(), *p.shape, torch.get_num_threads()
    )
    return out


def _blocks(name: str, knots: int, low: float, high: float) -> str:
    """The block functions to use: those with vectors multiply by 1 / h, which must neither over- nor underflow."""
    spacing = (high - low) / (knots - 1)
    return name if _SMALLEST < spacing < 1 / _SMALLEST else "plain"


def _geometry(x: Tensor, functions: int, inner: int) -> tuple[int, int, int]:
    """Memory as (outer, functions, inner)."""
    if functions == 1:
        return 1, 1, x.numel()
    return x.numel() // max(functions * inner, 1), functions, inner


def _address(tensor: Tensor | None) -> int:
    return 0 if tensor is None else tensor.data_ptr()
