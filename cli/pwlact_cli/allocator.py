"""Freed memory stays with the process, so that every training step does not ask the system for it anew."""

import ctypes
import os
import platform

# of malloc.h
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_ALL, _LARGE = 2**31 - 1, 2**27
OWN_SETTINGS = ("MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD")
"""Beginnings of environment variables by which users choose for themselves."""


def keep_freed_memory() -> bool:
    """Tell glibc to reuse what is freed: neither give it back, nor map blocks below 128 MiB one by one.

    By default the large tensors of a step go back to the system when freed, and each page of the next step's is
    mapped and cleared anew. The price is a process that stays as large as it ever was, and somewhat larger: a freed
    block may be too small, by its alignment, for the next of its own size. So the largest are still mapped.

    Returns:
        whether it was done: not without glibc, and not where the environment says how memory is to be handled.
    """
    if any(name.startswith(OWN_SETTINGS) for name in os.environ) or platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    return bool(libc.mallopt(_MMAP_THRESHOLD, _LARGE) and libc.mallopt(_TRIM_THRESHOLD, _ALL))
