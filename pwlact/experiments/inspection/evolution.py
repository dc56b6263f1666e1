"""How the learnt shapes come about: a Swish fit of every layer after every epoch, and how far it is from its end."""

from typing import Any

import numpy as np
from jaxtyping import Float

from pwlact.checks import InputError
from pwlact.experiments.inspection.loading import StoredRun
from pwlact.swish import fit_swish_batched
from pwlact.training import read_activations


def evolution(run: StoredRun) -> dict[str, Any]:
    """Fit a Swish to every layer at every epoch, from the start on.

    Where each channel has a function of its own, their mean is looked at.

    Args:
        run: the run.

    Returns:
        JSON-able: epochs (their last number), layers [{name, r2, beta, distance}], a number an epoch from 0 on each:
        R^2 and beta of the fit, and the share of the function's variance over the knots by which it differs from its
        last, shift and positive scale left out (1 - r^2, 0 at the end).

    Raises:
        InputError: the run's activations are fixed, or its activations.npz is missing or damaged.
    """
    if not run.config.learns:
        raise InputError(f"{run.folder} has fixed activations ({run.config.mode}): nothing evolves")
    history = read_activations(run.folder)
    layers = []
    for name, film in history.layers.items():
        curves = np.stack([values.reshape(-1, len(history.knots)).mean(0) for values in film]).astype(float)
        fit = fit_swish_batched(history.knots, curves)
        layers.append(
            {"name": name, "r2": fit.r2.tolist(), "beta": fit.beta.tolist(), "distance": distance(curves).tolist()}
        )
    return {"epochs": history.epochs, "layers": layers}


def distance(curves: Float[np.ndarray, "epochs knots"]) -> Float[np.ndarray, " epochs"]:
    """1 - r^2 between each curve and the last, r^2 = 0 where r < 0; NaN for a constant."""
    centred = curves - curves.mean(1, keepdims=True)
    size = np.linalg.norm(centred, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        r = centred @ centred[-1] / (size * size[-1])
    return 1 - np.clip(r, 0, 1) ** 2
