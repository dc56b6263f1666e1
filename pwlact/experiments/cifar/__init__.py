"""CIFAR-10 with fixed activations, or with activations learnt by backprop or by the local correlation rule.

On the command line: pwlact cifar --arch resnet10 --width 0.25 --epochs 3 --mode local
"""

from pwlact.experiments.cifar.config import CLASSES, FIXED, MODES, SHARINGS, CifarConfig
from pwlact.experiments.cifar.derived import derived_swish
from pwlact.experiments.cifar.parts import make_activation, make_model, make_rule
from pwlact.experiments.cifar.run import describe, run

__all__ = [
    "CLASSES",
    "FIXED",
    "MODES",
    "SHARINGS",
    "CifarConfig",
    "derived_swish",
    "describe",
    "make_activation",
    "make_model",
    "make_rule",
    "run",
]
