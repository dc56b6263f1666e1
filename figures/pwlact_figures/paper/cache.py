"""What a figure computes is kept, by the content of all that it may depend on: code, results, versions."""

import hashlib
import json
import platform
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pwlact
import pwlact_figures
from pwlact.files import to_json, write_text
from pwlact_figures.paper.results import Results

# versions that numbers may depend on to the last digit
_VERSIONS = ("torch", "numpy", "scipy", "lmfit")
_KEY = 16


def recall(stem: str, compute: Callable[[Results], dict[str, Any]], results: Results, folder: Path) -> dict[str, Any]:
    """`compute(results)`, from `folder` where it was computed before from the same code and results.

    Args:
        stem: name of what is computed, for its file.
        compute: gives a JSON-able dict, the same for the same code and results.
        results: what it reads.
        folder: where what was computed is kept; created if it is not there.

    Returns:
        What JSON makes of the dict: the first call and all later ones see the same digits.

    Raises:
        MissingResultError: a result that it reads is not there.
        InputError: a result is damaged.
        OSError: the folder cannot be written.
    """
    path = folder / f"{stem}-{_key(results)}.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        text = to_json(compute(results))
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(f"{stem}-{'?' * _KEY}.json"):
        old.unlink(missing_ok=True)
    write_text(path, text)
    return json.loads(text)


def _key(results: Results) -> str:
    digest = hashlib.sha256(_sources())
    for path in results.files():
        digest.update(str(path.relative_to(results.folder)).encode() + path.read_bytes())
    return digest.hexdigest()[:_KEY]


@cache
def _sources() -> bytes:
    """Digest of the library's and the figures' source, and of the versions below them."""
    versions = [platform.python_version(), platform.machine(), *map(version, _VERSIONS)]
    digest = hashlib.sha256(json.dumps(versions).encode())
    for package in (pwlact, pwlact_figures):
        root = Path(str(package.__file__)).parent
        for path in sorted(root.rglob("*.py")):
            digest.update(str(path.relative_to(root)).encode() + path.read_bytes())
    return digest.digest()
