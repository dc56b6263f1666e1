"""Layers of prototypes that compete for samples: log-sum-exp losses, their EM, and what keeps them from collapse."""

from pwlact.implicit_em.controls import CONTROLS, ENERGIES, PENALTIES, Parts
from pwlact.implicit_em.diagnostics import (
    Diagnosis,
    dead_components,
    diagnose,
    effective_components,
    effective_counts,
    gradient_norm,
    responsibility_entropy,
)
from pwlact.implicit_em.distances import (
    cholesky_factor,
    diagonal_distances,
    full_distances,
    linear_distances,
    relu_linear_distances,
)
from pwlact.implicit_em.em import MStep, m_step, m_step_rates
from pwlact.implicit_em.layer import DISTANCES, OUTPUTS, WEIGHTS, PrototypeLayer
from pwlact.implicit_em.loss import lse_loss, responsibilities
from pwlact.implicit_em.objective import Losses, Objective, descend
from pwlact.implicit_em.start import k_means, spread_samples
from pwlact.implicit_em.volume import (
    decorrelation,
    imbalance,
    log_determinant_energy,
    orthogonality,
    ridge_energy,
    temperature_energy,
    temperature_prior,
    variance_floor,
    weight_norm,
)

__all__ = [
    "CONTROLS",
    "DISTANCES",
    "ENERGIES",
    "OUTPUTS",
    "PENALTIES",
    "WEIGHTS",
    "Diagnosis",
    "Losses",
    "MStep",
    "Objective",
    "Parts",
    "PrototypeLayer",
    "cholesky_factor",
    "dead_components",
    "decorrelation",
    "descend",
    "diagnose",
    "diagonal_distances",
    "effective_components",
    "effective_counts",
    "full_distances",
    "gradient_norm",
    "imbalance",
    "k_means",
    "linear_distances",
    "log_determinant_energy",
    "lse_loss",
    "m_step",
    "m_step_rates",
    "orthogonality",
    "relu_linear_distances",
    "responsibilities",
    "responsibility_entropy",
    "ridge_energy",
    "spread_samples",
    "temperature_energy",
    "temperature_prior",
    "variance_floor",
    "weight_norm",
]
