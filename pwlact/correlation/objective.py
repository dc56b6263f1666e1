"""The correlation objective: reward classes whose correlation with f(x) is high and concentrated."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from pwlact import checks

Objective = Literal["signed", "energy"]
OBJECTIVES: tuple[Objective, ...] = ("signed", "energy")


def reward(rho: Float[Tensor, "*batch classes"], objective: Objective = "signed") -> Float[Tensor, "*batch"]:
    """R = sum_k rho_k |rho_k| (`signed`, the seed paper's objective times -1) or sum_k rho_k^2 (`energy`).

    Args:
        rho: class correlations, shape (*batch, K).
        objective: "signed" is odd in f, and identically 0 for two classes; "energy" is even in f.

    Returns:
        R, to be maximised, shape (*batch).

    Raises:
        InputError: unknown objective.
    """
    checks.choice("objective", objective, OBJECTIVES)
    return (rho * rho.abs()).sum(-1) if objective == "signed" else rho.square().sum(-1)


def signs(rho: Float[Tensor, "*batch classes"], objective: Objective) -> Float[Tensor, "*batch classes"]:
    """s_k with R = sum_k s_k rho_k^2: sign(rho_k) for `signed` (0 counts as +1), 1 for `energy`."""
    one = torch.ones_like(rho)
    return one if objective == "energy" else torch.where(rho < 0, -one, one)


def is_degenerate(classes: int, objective: Objective) -> bool:
    """Whether R is 0 for every f: under `signed` with two classes, rho_1 = -rho_2 whatever f and the priors."""
    return objective == "signed" and classes == 2
