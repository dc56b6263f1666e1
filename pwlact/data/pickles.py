"""Reads pickled dicts of arrays without running anything that the pickle asks for.

A pickle is a program: what it calls is looked up by name. Here the few names that a pickled array needs stand
for the records below, which only keep what they are given, and every other name is refused.
"""

import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pwlact.checks import InputError
from pwlact.data.layouts import repair
from pwlact.data.messages import reason, shown

# kinds of dtype an image, a label or a statistic can have; an object dtype could hold anything
_KINDS = frozenset("biuf")


class _Dtype:
    """What a pickle says of a dtype: its name, then in its state the byte order."""

    def __init__(self, name: str | bytes, *_: object) -> None:
        self.dtype = np.dtype(_text(name))
        if self.dtype.kind not in _KINDS:
            raise ValueError(f"dtype {self.dtype} is not allowed")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if _text(state[1]) == ">":
            self.dtype = self.dtype.newbyteorder(">")


class _Array:
    """What a pickle says of an array; protocols 0 to 4 give its content in the state."""

    array: np.ndarray | None = None

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _version, shape, dtype, fortran, content = state
        self.array = np.frombuffer(content, dtype.dtype).reshape(shape, order="F" if fortran else "C")


class _ArrayFromBuffer(_Array):
    """The same for protocol 5, which gives the content as an argument."""

    def __init__(self, content: bytearray, dtype: _Dtype, shape: tuple[int, ...], order: str) -> None:
        self.array = np.frombuffer(content, dtype.dtype).reshape(shape, order="F" if order == "F" else "C")


def _encode(text: str, encoding: str) -> bytes:
    if encoding not in {"latin1", "latin-1"}:
        raise ValueError(f"encoding {encoding!r} is not allowed")
    return text.encode("latin-1")


def _no_bytes() -> bytes:
    return b""


_ALLOWED: dict[tuple[str, str], object] = {
    ("numpy", "ndarray"): None,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _encode,
    ("builtins", "bytes"): _no_bytes,
    ("__builtin__", "bytes"): _no_bytes,
}
for _core in ("numpy.core", "numpy._core"):
    _ALLOWED[f"{_core}.multiarray", "_reconstruct"] = _Array
    _ALLOWED[f"{_core}.numeric", "_frombuffer"] = _ArrayFromBuffer


class _Forbidden(Exception):
    """The pickle asks for a name that an array does not need."""


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise _Forbidden(f"{module}.{name}")
        return _ALLOWED[module, name]


def read(path: Path, content: bytes) -> dict[str, Any]:
    """The dict of arrays, lists and texts that `content` pickles; keys in bytes, as of Python 2, become str.

    Args:
        path: the file that the content is from, for messages.
        content: the pickle, of any protocol, by Python 2 or 3 and any numpy.

    Raises:
        InputError: the pickle is broken, asks for a name that an array does not need, or is no dict.
    """
    value = _load(path, content)
    if not isinstance(value, dict):
        raise InputError(f"{path} pickles a {type(value).__name__}, expected a dict; {repair(path)}")
    return {_key(key): _plain(item) for key, item in value.items()}


def _load(path: Path, content: bytes) -> object:
    load: Callable[[], object] = _Unpickler(io.BytesIO(content), encoding="bytes").load
    try:
        return load()
    except _Forbidden as error:
        raise InputError(
            f"{path} asks for {shown(str(error))}, which no pickled array needs: refused, as it could run "
            f"anything; {repair(path)}"
        ) from None
    # a broken stream raises whatever its opcodes run into: EOFError, KeyError, MemoryError
    except Exception as error:
        raise InputError(f"{path} is no intact pickle of arrays ({reason(error)}); {repair(path)}") from error


def _key(key: object) -> str:
    return key.decode("latin-1") if isinstance(key, bytes) else str(key)


def _plain(item: object) -> object:
    return item.array if isinstance(item, _Array) else item


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
