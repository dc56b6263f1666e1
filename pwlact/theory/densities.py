"""Class densities of a scalar input, whatever their form, and expectations under their mixture."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike, NDArray
from scipy.stats import gaussian_kde

from pwlact import checks
from pwlact.moments import GaussianMixture
from pwlact.theory.quadrature import integrate

Array = NDArray[np.float64]
Density = Callable[[Array], Array]

# Distance in standard deviations at which a normal density counts as over: it is 1e-32 of its top there.
_REACH = 12.0


@dataclass(frozen=True)
class ClassDensities:
    """Densities p(x | k) of a scalar input with class priors p_k.

    Attributes:
        conditional: takes x of shape (n,), returns p(x | k) of shape (n, K).
        priors: class probabilities p_k, above 0, summing to 1, shape (K,).
        low: lower end of the interval that holds all but a negligible part of the mass, in the units of x.
        high: its upper end.

    Raises:
        InputError: fewer than two classes, priors that do not fit, or not low < high.
    """

    conditional: Callable[[Array], Float[np.ndarray, "points classes"]]
    priors: Float[np.ndarray, " classes"]
    low: float
    high: float

    def __post_init__(self) -> None:
        checks.at_least("classes", len(self.priors), 2, "a correlation with the label needs two classes")
        checks.interval(self.low, self.high)
        if not (self.priors > 0).all() or abs(self.priors.sum() - 1) > 1e-9:
            raise checks.InputError(f"priors must be above 0 and sum to 1, got {self.priors.tolist()}")

    @classmethod
    def from_mixture(cls, mixture: GaussianMixture) -> "ClassDensities":
        """The densities of an unbatched Gaussian mixture, reaching 12 standard deviations beyond its means."""
        means, sigmas = mixture.means.numpy(), mixture.sigmas.numpy()
        peaks = 1 / (sigmas * np.sqrt(2 * np.pi))

        def conditional(x: Array) -> Array:
            return peaks * np.exp(-(((x[:, None] - means) / sigmas) ** 2) / 2)

        low, high = (means - _REACH * sigmas).min(), (means + _REACH * sigmas).max()
        return cls(conditional, mixture.priors.numpy(), float(low), float(high))

    @classmethod
    def from_callables(
        cls, densities: Sequence[Density], priors: ArrayLike, low: float, high: float
    ) -> "ClassDensities":
        """One function a class, each taking x of shape (n,) and returning p(x | k) of shape (n,)."""
        densities, priors = tuple(densities), np.asarray(priors, np.float64)
        if priors.shape != (len(densities),):
            raise checks.InputError(f"priors must be one number a class ({len(densities)}), got {priors.tolist()}")
        return cls(lambda x: np.stack([density(x) for density in densities], axis=-1), priors, low, high)

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
        low, high = float(x.min() - _REACH * width), float(x.max() + _REACH * width)
        return cls.from_callables(kernels, priors, low, high)

    def posterior(self, x: ArrayLike) -> Float[np.ndarray, "points classes"]:
        """p(k | x) at points x, shape (n, K); where every density has underflowed, that of the nearest point seen."""
        x = np.asarray(x, np.float64)
        joint = self.priors * self.conditional(x)
        density = joint.sum(-1)
        seen = density > np.finfo(float).tiny
        if not seen.any():
            raise checks.InputError("every density is 0 at every point asked for: give points nearer to the classes")
        posterior = joint / np.where(seen, density, 1.0)[:, None]
        nearest = np.abs(x[:, None] - x[seen]).argmin(1)
        return np.where(seen[:, None], posterior, posterior[seen][nearest])

    def expect(self, function: Callable[[Array, Array], Array]) -> Array:
        """E[function(x, p(. | x))] over the mixture, by adaptive quadrature.

        Args:
            function: takes x of shape (n,) and the posteriors of shape (n, K), returns (n, *shape).

        Returns:
            The expectation, shape (*shape), absolute error about 1e-13.

        Raises:
            InputError: the densities are too rough to integrate, or not finite.
        """

        def integrand(x: Array) -> Array:
            joint = self.priors * self.conditional(x)
            density = joint.sum(-1)
            posterior = joint / np.where(density > np.finfo(float).tiny, density, 1.0)[:, None]
            values = function(x, posterior)
            return density.reshape(-1, *[1] * (values.ndim - 1)) * values

        return integrate(integrand, self.low, self.high)
