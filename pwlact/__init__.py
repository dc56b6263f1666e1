"""pwlact derives, learns and compares activation functions.

The names below are loaded when they are first used: `import pwlact` itself is free of torch. The functions
`pwlact.pwl.pwl` and `pwlact.swish.swish` bear the names of their packages and are imported from there.
"""

from importlib import import_module
from importlib.metadata import version as _version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pwlact.checks import InputError
    from pwlact.conversion import activation_parameters, bake, convert, export_onnx, snapshot
    from pwlact.correlation import CorrelationLearner, HatStatistics, Problem, solve_analytic, solve_eigen, solve_sample
    from pwlact.matching import LocoProp, MatchingLoss, matching_loss
    from pwlact.moments import GaussianMixture
    from pwlact.pwl import InputHistogram, Knots, PiecewiseLinearActivation, record_inputs
    from pwlact.swish import SwishFit, fit_swish

_HOME = {
    "InputError": "pwlact.checks",
    "activation_parameters": "pwlact.conversion",
    "bake": "pwlact.conversion",
    "convert": "pwlact.conversion",
    "export_onnx": "pwlact.conversion",
    "snapshot": "pwlact.conversion",
    "CorrelationLearner": "pwlact.correlation",
    "HatStatistics": "pwlact.correlation",
    "Problem": "pwlact.correlation",
    "solve_analytic": "pwlact.correlation",
    "solve_eigen": "pwlact.correlation",
    "solve_sample": "pwlact.correlation",
    "LocoProp": "pwlact.matching",
    "MatchingLoss": "pwlact.matching",
    "matching_loss": "pwlact.matching",
    "GaussianMixture": "pwlact.moments",
    "InputHistogram": "pwlact.pwl",
    "Knots": "pwlact.pwl",
    "PiecewiseLinearActivation": "pwlact.pwl",
    "record_inputs": "pwlact.pwl",
    "SwishFit": "pwlact.swish",
    "fit_swish": "pwlact.swish",
}

__version__ = _version("pwlact")

__all__ = [
    "CorrelationLearner",
    "GaussianMixture",
    "HatStatistics",
    "InputError",
    "InputHistogram",
    "Knots",
    "LocoProp",
    "MatchingLoss",
    "PiecewiseLinearActivation",
    "Problem",
    "SwishFit",
    "activation_parameters",
    "bake",
    "convert",
    "export_onnx",
    "fit_swish",
    "matching_loss",
    "record_inputs",
    "snapshot",
    "solve_analytic",
    "solve_eigen",
    "solve_sample",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'pwlact' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
