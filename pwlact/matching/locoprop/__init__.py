"""LocoProp: layers that solve local problems, by Amid, Anil and Warmuth (2022)."""

from pwlact.matching.locoprop.inner import INNER_RULES, descend
from pwlact.matching.locoprop.optimiser import LocoProp
from pwlact.matching.locoprop.squared import preconditioned

__all__ = ["INNER_RULES", "LocoProp", "descend", "preconditioned"]
