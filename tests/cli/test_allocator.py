"""Freed memory is kept: large tensors, made again and again, touch no new page; the user's own settings win."""

import os
import platform
import subprocess
import sys
from unittest.mock import Mock

import pytest

from pwlact_cli import allocator

glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc alone has mallopt's thresholds")
FAULTS = """
import resource, sys, torch
from pwlact_cli.allocator import keep_freed_memory
print(sys.argv[1] == "keep" and keep_freed_memory())
torch.set_num_threads(1)

def faults(times):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        torch.zeros(16, 2**20)  # 64 MiB, more than glibc ever keeps by itself
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults(10)  # until it has what it will reuse
print(faults(10))
"""


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests themselves may run with settings of memory."""
    for name in [name for name in os.environ if name.startswith(allocator.OWN_SETTINGS)]:
        monkeypatch.delenv(name)


def run(argument: str) -> tuple[str, int]:
    command = [sys.executable, "-c", FAULTS, argument]
    told, faults = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return told, int(faults)


@glibc
def test_large_tensors_come_from_memory_that_is_there() -> None:
    told, faults = run("keep")
    assert told == "True"
    _, usual = run("leave")
    assert faults < 100 < 1000 < usual


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """Libraries that were loaded, in the place of glibc."""
    names: list[str | None] = []
    monkeypatch.setattr(allocator.ctypes, "CDLL", lambda name: names.append(name) or Mock())
    monkeypatch.setattr(allocator.platform, "libc_ver", lambda: ("glibc", "2.36"))
    return names


def test_glibc_is_told(asked: list[str | None]) -> None:
    assert allocator.keep_freed_memory()
    assert asked == [None]


@pytest.mark.parametrize("name", ["MALLOC_ARENA_MAX", "GLIBC_TUNABLES", "LD_PRELOAD"])
def test_settings_of_the_users_own_stand(name: str, asked: list[str | None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "")
    assert not allocator.keep_freed_memory()
    assert not asked


def test_another_c_library_is_left_alone(asked: list[str | None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocator.platform, "libc_ver", lambda: ("", ""))
    assert not allocator.keep_freed_memory()
    assert not asked
