"""Piecewise-linear functions on uniform knots: definition, operation and module."""

from pwlact.pwl.functional import pwl
from pwlact.pwl.knots import Knots
from pwlact.pwl.module import PiecewiseLinearActivation
from pwlact.pwl.reference import pwl_reference
from pwlact.pwl.start import STARTS

__all__ = ["STARTS", "Knots", "PiecewiseLinearActivation", "pwl", "pwl_reference"]
