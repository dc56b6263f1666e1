"""Class correlations of any function of the input, by quadrature: no knots, no theorem."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pwlact.theory import ClassDensities

Array = NDArray[np.float64]


def correlations_of(function: Callable[[Array], Array], densities: ClassDensities) -> Array:
    """rho_k = (E[f p(k|x)] - E[f] p_k) / sqrt(Var f p_k (1 - p_k)).

    Args:
        function: f, from points of shape (n,) to values of shape (n,); not constant.
        densities: of the input.

    Returns:
        Correlation with every class, shape (K,).
    """
    p = densities.priors

    def products(x: Array, posterior: Array) -> Array:
        f = function(x)[:, None]
        return np.concatenate([f, f**2, f * posterior], axis=1)

    mean, square, *by_class = densities.expect(products)
    variance = square - mean**2
    return (np.array(by_class) - mean * p) / np.sqrt(variance * p * (1 - p))


def signed_reward(rho: Array) -> float:
    """R = sum_k rho_k |rho_k|."""
    return float((rho * np.abs(rho)).sum())
