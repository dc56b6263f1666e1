"""Memory: what autograd keeps for the backward pass, and how much is free."""

import weakref
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from torch import Tensor

_CGROUP = Path("/sys/fs/cgroup")
_MEMINFO = Path("/proc/meminfo")


def saved_bytes(call: Callable[[], Tensor], beyond: Iterable[Tensor] = ()) -> int:
    """Bytes of the storages that a forward pass keeps for its backward pass, each counted once.

    A view counts as all of the storage that it keeps alive.

    Args:
        call: the forward pass; its result is alive while the bytes are counted.
        beyond: tensors whose storages do not count, such as the input.
    """
    apart = {tensor.untyped_storage().data_ptr() for tensor in beyond}
    kept: weakref.WeakSet[_Kept] = weakref.WeakSet()

    def keep(tensor: Tensor) -> _Kept:
        # detached: an output in the hands of the function that made it would be a circle, and never go
        saved = _Kept(tensor.detach())
        kept.add(saved)
        return saved

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda saved: saved.tensor):
        result = call()
    storages = [saved.tensor.untyped_storage() for saved in kept]
    sizes = {storage.data_ptr(): storage.nbytes() for storage in storages}
    del result  # up to here it held the graph
    return sum(size for address, size in sizes.items() if address not in apart)


class _Kept:
    """A tensor in the hands of autograd; goes when autograd lets it go."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


def free_bytes(device: torch.device) -> int | None:
    """Bytes that can still be allocated on `device`; None where the system does not tell."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    known = [size for size in (_machine(), _container()) if size is not None]
    return min(known) if known else None


def _machine() -> int | None:
    try:
        lines = _MEMINFO.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")), None)


def _container() -> int | None:
    """What the control group leaves, where there is a limit."""
    try:
        limit, used = (
            (_CGROUP / name).read_text(encoding="ascii").strip() for name in ("memory.max", "memory.current")
        )
    except OSError:
        return None
    return None if limit == "max" else max(0, int(limit) - int(used))
