"""Which kernel runs: the fastest that this machine has, or the one that is asked for."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType

from pwlact import checks
from pwlact.pwl.kernels import eager, native

BACKENDS = {"avx512": "cpu", "avx2": "cpu", "plain": "cpu", "triton": "cuda", "torch": "any"}
"""Every backend, fastest first, with the type of device it serves."""

# one for the whole process: on a GPU, autograd runs the backward pass in threads of its own
_asked: list[str] = []


def available() -> dict[str, str]:
    """Backends by name: an empty string where it can run here, else the reason why not."""
    return {name: _obstacle(name) for name in BACKENDS}


def active(device_type: str = "cpu") -> str:
    """Name of the backend that a tensor on this type of device meets.

    It is the one of `use`, else of the environment variable PWLACT_BACKEND, else the fastest there is. One
    that serves other devices only leaves this choice as it would be.

    Raises:
        InputError: PWLACT_BACKEND names no backend, or one that cannot run here.
    """
    asked = _asked[-1] if _asked else _from_environment()
    if asked is not None and BACKENDS[asked] in {device_type, "any"}:
        return asked
    return _fastest(device_type)


@contextmanager
def use(name: str) -> Iterator[None]:
    """Within, and in every thread, tensors on the devices that backend `name` serves meet no other.

    Args:
        name: one of `BACKENDS`.

    Yields:
        nothing.

    Raises:
        InputError: there is no such backend, or it cannot run here.

    Examples:
        >>> with use("torch"):
        ...     active()
        'torch'
    """
    _asked.append(_usable(name))
    try:
        yield
    finally:
        _asked.pop()


def module(device_type: str) -> tuple[ModuleType, str]:
    """The module with `forward` and `backward` for this type of device, and the name of its backend."""
    name = active(device_type)
    if name == "torch":
        return eager, name
    if name == "triton":
        return _triton(), name
    return native, name


@cache
def _fastest(device_type: str) -> str:
    return next(name for name, device in BACKENDS.items() if device in {device_type, "any"} and not _obstacle(name))


@cache
def _obstacle(name: str) -> str:
    """Why backend `name` cannot run here; empty where it can."""
    if name == "torch":
        return ""
    if name == "triton":
        try:
            _triton()
        except ImportError as error:
            return f"triton is not there: {error}"
        import torch

        return "" if torch.cuda.is_available() else "no CUDA device"
    return native.obstacle(name)


def _triton() -> ModuleType:
    from pwlact.pwl.kernels import triton_kernel

    return triton_kernel


def _usable(name: str) -> str:
    checks.choice("backend", name, BACKENDS)
    obstacle = _obstacle(name)
    if obstacle:
        raise checks.InputError(f"backend {name} cannot run here: {obstacle}; see `pwlact info`")
    return name


def _from_environment() -> str | None:
    name = os.environ.get("PWLACT_BACKEND")
    return _usable(name) if name else None
