"""Writing files whole or not at all: a temporary file beside the target, then a rename."""

import json
import math
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any


def write_atomically(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Call `write(file)` on a temporary file in `path`'s folder, then rename it to `path`.

    Whatever goes wrong (full disk, kill, exception), `path` holds either its old content or all of the new.

    Raises:
        OSError: the folder cannot be written or the disk is full; the temporary file is removed.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes private files; results are as readable as any other file of the user
        part.chmod(0o666 & ~_umask())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` in UTF-8, whole or not at all."""
    write_atomically(path, lambda file: file.write(text.encode()))


def to_json(value: Any, indent: int | None = None) -> str:
    """JSON text of `value`; NaN and infinities, which JSON does not have, become null."""
    return json.dumps(_without_nonfinite(value), indent=indent, allow_nan=False)


def _without_nonfinite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nonfinite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nonfinite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
