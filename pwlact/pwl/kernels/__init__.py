"""The kernels behind the piecewise-linear operation, and which of them runs."""

from pwlact.pwl.kernels.backends import BACKENDS, active, available, use
from pwlact.pwl.kernels.native import has_threads

__all__ = ["BACKENDS", "active", "available", "has_threads", "use"]
