"""Whole models: learnable activations put in, watched, told apart from other parameters, baked and exported."""

from pwlact.conversion.bake import Baked, bake
from pwlact.conversion.convert import Converted, convert
from pwlact.conversion.frozen import FrozenPiecewiseLinear, FrozenSwish
from pwlact.conversion.kinds import KINDS, REPLACED
from pwlact.conversion.making import Place
from pwlact.conversion.onnx_export import export_onnx
from pwlact.conversion.parameters import activation_parameters
from pwlact.conversion.report import BakedLayer, BakeReport, ConversionReport, Left, Replaced
from pwlact.conversion.snapshot import ActivationFilm, snapshot

__all__ = [
    "KINDS",
    "REPLACED",
    "ActivationFilm",
    "BakeReport",
    "Baked",
    "BakedLayer",
    "ConversionReport",
    "Converted",
    "FrozenPiecewiseLinear",
    "FrozenSwish",
    "Left",
    "Place",
    "Replaced",
    "activation_parameters",
    "bake",
    "convert",
    "export_onnx",
    "snapshot",
]
