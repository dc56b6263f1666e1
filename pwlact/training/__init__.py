"""Training: a loop that knows no update rule by name, two rules, checkpoints and run folders."""

from pwlact.training.activation_history import ActivationHistory, read_activations
from pwlact.training.backprop import Backprop
from pwlact.training.devices import DEVICES, PRECISIONS, autocast, device_name, find_device
from pwlact.training.evaluation import Score, evaluate
from pwlact.training.input_history import InputHistory, class_histograms, read_inputs
from pwlact.training.local import LocalCorrelation
from pwlact.training.loop import EpochBatches, TrainingFailed, fit
from pwlact.training.processes import Processes, joined, processes, wait
from pwlact.training.recipe import FAST, PAPER, RECIPES, Recipe
from pwlact.training.rules import UpdateRule, learnable
from pwlact.training.run_folder import RunFolder, read_result
from pwlact.training.trackers import EpochRecord, LayerSnapshot, Silent, Together, Tracker

__all__ = [
    "DEVICES",
    "FAST",
    "PAPER",
    "PRECISIONS",
    "RECIPES",
    "ActivationHistory",
    "Backprop",
    "EpochBatches",
    "EpochRecord",
    "InputHistory",
    "LayerSnapshot",
    "LocalCorrelation",
    "Processes",
    "Recipe",
    "RunFolder",
    "Score",
    "Silent",
    "Together",
    "Tracker",
    "TrainingFailed",
    "UpdateRule",
    "autocast",
    "class_histograms",
    "device_name",
    "evaluate",
    "find_device",
    "fit",
    "joined",
    "learnable",
    "processes",
    "read_activations",
    "read_inputs",
    "read_result",
    "wait",
]
