"""The kernels behind the piecewise-linear operation, and which of them runs."""

from pwlact.pwl.kernels.backends import BACKENDS, active, available, use

__all__ = ["BACKENDS", "active", "available", "use"]
