"""Piecewise-linear functions on uniform knots: definition, operation and module."""

from pwlact.pwl.calculus import antiderivative, derivative, inverse
from pwlact.pwl.functional import pwl
from pwlact.pwl.histogram import InputHistogram
from pwlact.pwl.knots import Knots
from pwlact.pwl.module import PiecewiseLinearActivation
from pwlact.pwl.penalties import roughness, total_variation
from pwlact.pwl.pruning import PrunedFunction, prune
from pwlact.pwl.recording import record_inputs
from pwlact.pwl.reference import pwl_reference
from pwlact.pwl.start import STARTS

__all__ = [
    "STARTS",
    "InputHistogram",
    "Knots",
    "PiecewiseLinearActivation",
    "PrunedFunction",
    "antiderivative",
    "derivative",
    "inverse",
    "prune",
    "pwl",
    "pwl_reference",
    "record_inputs",
    "roughness",
    "total_variation",
]
