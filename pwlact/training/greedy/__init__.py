"""Greedy training: layer by layer with local objectives, then, if wanted, all together."""

from pwlact.training.greedy.fine_tuning import FineTuner
from pwlact.training.greedy.pretrainer import GreedyPretrainer

__all__ = ["FineTuner", "GreedyPretrainer"]
