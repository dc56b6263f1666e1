"""Files written whole or not at all, by a temporary file beside the target and a rename; JSON, and reading it back."""

import json
import math
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from pwlact.checks import InputError


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


def read_object(path: Path, remedy: str = "") -> dict[str, Any]:
    """The JSON object that a file holds.

    Args:
        path: of the file.
        remedy: what to do where it is damaged: the end of the error.

    Raises:
        InputError: it cannot be read, or holds something else.
    """
    end = f"; {remedy}" if remedy else ""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is damaged: not JSON{end}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} is damaged: not a JSON object{end}")
    return content


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
