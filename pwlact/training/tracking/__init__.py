"""Trackers that keep a run's numbers where TensorBoard or Weights & Biases show them."""

from pwlact.training.tracking.making import TRACKERS, make_tracker
from pwlact.training.tracking.tensorboard import TensorBoardTracker
from pwlact.training.tracking.wandb import WandbTracker

__all__ = ["TRACKERS", "TensorBoardTracker", "WandbTracker", "make_tracker"]
