"""Normal class densities and the closed-form moments of hat functions under them."""

from pwlact.moments.gaussian import interval_moments, tail_moments
from pwlact.moments.hats import HatMoments, gaussian_hat_moments, quick_hat_moments
from pwlact.moments.mixture import GaussianMixture

__all__ = [
    "GaussianMixture",
    "HatMoments",
    "gaussian_hat_moments",
    "interval_moments",
    "quick_hat_moments",
    "tail_moments",
]
