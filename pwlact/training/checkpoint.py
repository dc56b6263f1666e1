"""The state of a training run at the end of an epoch, as a file."""

import io
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pwlact.checks import InputError
from pwlact.files import write_atomically
from pwlact.training.rules import UpdateRule
from pwlact.training.trackers import EpochRecord

FORMAT = 1
"""Version of what is stored; a file of another version is refused."""


def state_of(model: nn.Module, rule: UpdateRule, history: list[EpochRecord]) -> dict[str, Any]:
    """What `save` stores: model, rule, history (whose length is the epoch) and torch's random state."""
    return {
        "format": FORMAT,
        "model": model.state_dict(),
        "rule": rule.state_dict(),
        "history": history,
        "random_state": torch.get_rng_state(),
    }


def save(path: Path, state: dict[str, Any]) -> None:
    """Store a state of `state_of`, whole or not at all.

    Raises:
        OSError: the file cannot be written; the one that was there is untouched.
    """
    _write(path, state)


def save_model(path: Path, model: nn.Module) -> None:
    """Store the model alone, whole or not at all; for `load_model`.

    Raises:
        OSError: the file cannot be written; the one that was there is untouched.
    """
    _write(path, {"format": FORMAT, "model": model.state_dict()})


def load(path: Path, model: nn.Module, rule: UpdateRule) -> list[EpochRecord]:
    """Put model, rule and torch's random state back to what `save` stored.

    Returns:
        the history of the epochs that are done.

    Raises:
        InputError: the file cannot be read, is damaged, or belongs to another model or rule.
    """
    state = _read(path)
    try:
        model.load_state_dict(state["model"])
        rule.load_state_dict(state["rule"])
        torch.set_rng_state(state["random_state"])
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"checkpoint {path} does not fit this model and rule: {reason[:200]}") from error
    return list(state["history"])


def load_model(path: Path, model: nn.Module) -> None:
    """Put the model alone back to what `save` stored, to look into it.

    Raises:
        InputError: the file cannot be read, is damaged, or belongs to another model.
    """
    try:
        model.load_state_dict(_read(path)["model"])
    except (KeyError, RuntimeError, TypeError) as error:
        raise InputError(f"checkpoint {path} does not fit this model: {' '.join(str(error).split())[:200]}") from error


def _write(path: Path, state: dict[str, Any]) -> None:
    buffer = io.BytesIO()  # torch.save hides the reason why a write to a file fails
    torch.save(state, buffer)
    write_atomically(path, lambda file: file.write(buffer.getbuffer()))


def _read(path: Path) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()  # torch.load itself does not compare checksums
        state = None if damaged else torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(f"checkpoint {path} cannot be read: {error.strerror or error}") from error
    except Exception as error:  # damaged bytes reach every kind of parser error
        raise _damaged(path) from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise _damaged(path)
    return state


def _damaged(path: Path) -> InputError:
    return InputError(f"checkpoint {path} is damaged or of another version: start over with --force")
