"""What is true about the correlation objective: its optimum over all functions, and proof that it is global."""

from pwlact.theory.certificate import Certificate, certify
from pwlact.theory.densities import ClassDensities
from pwlact.theory.optimum import FunctionOptimum, solve_from_posteriors, solve_posterior

__all__ = [
    "Certificate",
    "ClassDensities",
    "FunctionOptimum",
    "certify",
    "solve_from_posteriors",
    "solve_posterior",
]
