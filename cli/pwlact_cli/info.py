"""`pwlact info`: what runs here."""

from pathlib import Path
from typing import Annotated

import typer

from pwlact_cli import options


def info(
    data: Annotated[
        Path | None,
        typer.Option(help="Folder with CIFAR-10; else $PWLACT_DATA, else ./.data.", show_default=False),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Show versions, devices, the kernel backend in use and the data that is found."""
    import torch

    from pwlact.checks import InputError
    from pwlact.data import find
    from pwlact.environment import environment
    from pwlact_cli.console import emit, table

    try:
        found = find(data)
    except InputError as error:
        found = f"none: {error}"
    record = {
        **environment(),
        "devices": _devices(),
        "cuda": torch.version.cuda,
        "backend": _backend(),
        "data": {"cifar10": None if found is None else str(found)},
    }
    table("pwlact", ("what", "value"), [(key, _text(value)) for key, value in record.items()])
    if as_json:
        emit(record)


def _backend() -> dict[str, str]:
    from pwlact.pwl.kernels import active, available, has_threads

    backends = available()
    usable = ", ".join(name for name, obstacle in backends.items() if not obstacle)
    refused = "".join(f"; not {name}: {obstacle}" for name, obstacle in backends.items() if obstacle)
    return {
        "pwl": active(),
        "why": f"the one asked for, or the fastest that can run here of {usable}{refused}",
        "threads": "those of torch" if has_threads() else "one: torch's threads were not found",
    }


def _devices() -> list[str]:
    import torch

    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return ["cpu", *names, *(["mps"] if torch.backends.mps.is_available() else [])]


def _text(value: object) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{key}: {item if item is not None else 'not found'}" for key, item in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
