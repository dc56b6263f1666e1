"""Devices by name, and the number type of the forward pass on them."""

from contextlib import AbstractContextManager, nullcontext

import torch

from pwlact import checks
from pwlact.checks import InputError

DEVICES = ("auto", "cuda", "mps", "cpu")
PRECISIONS = ("bf16", "fp32")


def find_device(name: str) -> torch.device:
    """The device `name`; "auto" is the first of cuda, mps and cpu that is there.

    Raises:
        InputError: unknown name, or a device that this machine does not have.
    """
    checks.choice("device", name, DEVICES)
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(device for device, is_there in there.items() if is_there))
    if not there[name]:
        found = ", ".join(device for device, is_there in there.items() if is_there)
        raise InputError(f"device {name!r} is not available here; available: {found} (or auto)")
    return torch.device(name)


def device_name(device: torch.device) -> str:
    """Name of the hardware where torch knows it, else the kind of device."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """Context of the forward pass: bfloat16 autocast for "bf16", nothing for "fp32".

    Raises:
        InputError: unknown precision.
    """
    checks.choice("precision", precision, PRECISIONS)
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()
