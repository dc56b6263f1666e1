"""What a trained network says about the theory: `pwlact inspect RUN`."""

from pwlact.experiments.inspection.baking import baking
from pwlact.experiments.inspection.evolution import evolution
from pwlact.experiments.inspection.gaussianity import gaussianity
from pwlact.experiments.inspection.gradients import gradients
from pwlact.experiments.inspection.loading import StoredRun, open_run
from pwlact.experiments.inspection.optimality import optimality
from pwlact.experiments.inspection.whole import INSPECTION, PARTS, inspect, is_inspection, read_inspection

__all__ = [
    "INSPECTION",
    "PARTS",
    "StoredRun",
    "baking",
    "evolution",
    "gaussianity",
    "gradients",
    "inspect",
    "is_inspection",
    "open_run",
    "optimality",
    "read_inspection",
]
