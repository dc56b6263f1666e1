"""Class densities of a scalar input, whatever their form, and expectations under their mixture."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import quad_vec
from scipy.stats import gaussian_kde

from pwlact import checks
from pwlact.moments import GaussianMixture

Array = NDArray[np.float64]
Density = Callable[[Array], Array]

# Share of a class's mass that may lie outside the interval of integration, as a distance in its deviations:
# the normal density at 12 of them is 1e-32 of its top.
_REACH = 12.0


@dataclass(frozen=True)
class ClassDensities:
    """Densities p(x | k) of a scalar input with class priors p_k.

    Attributes:
        densities: one function a class; takes x of shape (n,), returns p(x | k) of shape (n,).
        priors: class probabilities p_k, above 0, summing to 1, shape (K,).
        low: lower end of the interval that holds all but a negligible part of the mass, in the units of x.
        high: its upper end.
        breaks: points inside it at which the densities bend sharply (their modes will do).

    Raises:
        InputError: fewer than two classes, priors that do not fit, or not low < high.
    """

    densities: tuple[Density, ...]
    priors: Float[np.ndarray, " classes"]
    low: float
    high: float
    breaks: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        checks.at_least("classes", len(self.densities), 2, "a correlation with the label needs two classes")
        checks.interval(self.low, self.high)
        fits = self.priors.shape == (len(self.densities),) and bool((self.priors > 0).all())
        if not fits or abs(self.priors.sum() - 1) > 1e-9:
            raise checks.InputError(f"priors must be one number above 0 a class and sum to 1, got {self.priors}")

    @classmethod
    def from_mixture(cls, mixture: GaussianMixture) -> "ClassDensities":
        """The densities of an unbatched Gaussian mixture, reaching 12 standard deviations beyond its means."""
        means, sigmas = mixture.means.numpy(), mixture.sigmas.numpy()

        def normal(mean: float, sigma: float) -> Density:
            peak = 1 / (sigma * np.sqrt(2 * np.pi))
            return lambda x: peak * np.exp(-(((x - mean) / sigma) ** 2) / 2)

        low, high = (means - _REACH * sigmas).min(), (means + _REACH * sigmas).max()
        densities = tuple(normal(mean, sigma) for mean, sigma in zip(means, sigmas, strict=True))
        return cls(densities, mixture.priors.numpy(), float(low), float(high), tuple(np.unique(means).tolist()))

    @classmethod
    def from_samples(cls, x: ArrayLike, labels: ArrayLike) -> "ClassDensities":
        """Gaussian kernel estimates of each class's density (Scott's rule), from samples with labels 0..K-1.

        Raises:
            InputError: x and labels do not fit, or a class has fewer than two different values.
        """
        x, labels = np.asarray(x, np.float64), np.asarray(labels, np.int64)
        if x.ndim != 1 or x.shape != labels.shape or x.size == 0 or not np.isfinite(x).all():
            raise checks.InputError("x must be finite numbers in one dimension, with one label each")
        groups = [x[labels == k] for k in range(labels.max() + 1)]
        for k, group in enumerate(groups):
            if np.unique(group).size < 2:
                raise checks.InputError(f"class {k} has fewer than two different values: no density to estimate")
        kernels = [gaussian_kde(group) for group in groups]
        width = max(float(np.sqrt(kernel.covariance[0, 0])) for kernel in kernels)
        priors = np.array([group.size / x.size for group in groups])
        return cls(tuple(kernels), priors, float(x.min() - _REACH * width), float(x.max() + _REACH * width))

    def joint(self, x: Array) -> Float[np.ndarray, "points classes"]:
        """p(x, k) at points x, shape (n, K)."""
        return np.stack([p * density(x) for p, density in zip(self.priors, self.densities, strict=True)], axis=-1)

    def posterior(self, x: ArrayLike) -> Float[np.ndarray, "points classes"]:
        """p(k | x) at points x, shape (n, K); where every density has underflowed, that of the nearest point."""
        x = np.asarray(x, np.float64)
        joint = self.joint(x)
        density = joint.sum(-1, keepdims=True)
        with np.errstate(invalid="ignore"):
            posterior = joint / density
        seen = density[:, 0] > np.finfo(float).tiny
        if not seen.all():
            nearest = np.abs(x[:, None] - x[seen]).argmin(1)
            posterior = posterior[seen][nearest]
        return posterior

    def expect(self, function: Callable[[Array, Array], Array]) -> Array:
        """E[function(x, p(. | x))] over the mixture, by adaptive Gauss-Kronrod quadrature.

        Args:
            function: takes x of shape (1,) and the posterior of shape (K,), returns an array of any shape.

        Returns:
            The expectation, absolute error about 1e-13.
        """

        def integrand(x: float) -> Array:
            point = np.array([x])
            joint = self.joint(point)[0]
            density = joint.sum()
            if density <= np.finfo(float).tiny:
                return np.zeros_like(function(point, self.priors))
            return density * function(point, joint / density)

        value, error = quad_vec(
            integrand, self.low, self.high, epsabs=1e-13, epsrel=1e-12, limit=20_000, points=self.breaks or None
        )
        if error > 1e-8:
            raise checks.InputError(
                f"the densities are too rough to integrate: error {error:.1g} where 1e-13 is asked for"
            )
        return value
