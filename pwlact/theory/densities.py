"""Class densities of a scalar input, whatever their form, and expectations under their mixture."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax
from scipy.stats import gaussian_kde

from pwlact import checks
from pwlact.moments import GaussianMixture
from pwlact.theory.quadrature import integrate

Array = NDArray[np.float64]
Density = Callable[[Array], Array]

# Distance in standard deviations at which a normal density counts as over: it is 1e-32 of its top there.
_REACH = 12.0
_GRID = 4097


@dataclass(frozen=True)
class ClassDensities:
    """Densities p(x | k) of a scalar input with class priors p_k.

    Attributes:
        log_conditional: takes x of shape (n,), returns log p(x | k) of shape (n, K); -inf where the density is 0.
        priors: class probabilities p_k, above 0, summing to 1, shape (K,).
        low: lower end of the interval that holds all but a negligible part of the mass, in the units of x.
        high: its upper end.
        breaks: points between which the densities are smooth and none is narrow, for the quadrature to start from.

    Raises:
        InputError: fewer than two classes, priors that do not fit, or not low < high.
    """

    log_conditional: Callable[[Array], Float[np.ndarray, "points classes"]]
    priors: Float[np.ndarray, " classes"]
    low: float
    high: float
    breaks: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        checks.at_least("classes", len(self.priors), 2, "a correlation with the label needs two classes")
        checks.interval(self.low, self.high)
        if not (self.priors > 0).all() or abs(self.priors.sum() - 1) > 1e-9:
            raise checks.InputError(f"priors must be above 0 and sum to 1, got {self.priors.tolist()}")

    @classmethod
    def from_mixture(cls, mixture: GaussianMixture) -> "ClassDensities":
        """The densities of an unbatched Gaussian mixture, reaching 12 standard deviations beyond its means."""
        means, sigmas = mixture.means.numpy(), mixture.sigmas.numpy()
        heights = -np.log(sigmas * np.sqrt(2 * np.pi))

        def log_conditional(x: Array) -> Array:
            return heights - ((x[:, None] - means) / sigmas) ** 2 / 2

        low, high = (means - _REACH * sigmas).min(), (means + _REACH * sigmas).max()
        edges = np.unique(means[:, None] + sigmas[:, None] * np.array([-6.0, -2.0, 2.0, 6.0]))
        breaks = _spaced(edges, float(sigmas.min()))
        return cls(log_conditional, mixture.priors.numpy(), float(low), float(high), breaks)

    @classmethod
    def from_callables(
        cls,
        densities: Sequence[Density],
        priors: ArrayLike,
        low: float,
        high: float,
        breaks: Sequence[float] = (),
    ) -> "ClassDensities":
        """One function a class, each taking x of shape (n,) and returning p(x | k) of shape (n,)."""
        densities, priors = tuple(densities), np.asarray(priors, np.float64)
        if priors.shape != (len(densities),):
            raise checks.InputError(f"priors must be one number a class ({len(densities)}), got {priors.tolist()}")

        def log_conditional(x: Array) -> Array:
            with np.errstate(divide="ignore"):
                return np.log(np.stack([density(x) for density in densities], axis=-1))

        return cls(log_conditional, priors, low, high, tuple(breaks))

    @classmethod
    def from_samples(cls, x: ArrayLike, labels: ArrayLike) -> "ClassDensities":
        """Gaussian kernel estimates of each class's density (Scott's rule), from samples with labels 0..K-1.

        Raises:
            InputError: x and labels do not fit, or a class has fewer than two different values.
        """
        x, labels = np.asarray(x, np.float64), np.asarray(labels, np.int64)
        if x.ndim != 1 or x.shape != labels.shape or x.size == 0 or not np.isfinite(x).all():
            raise checks.InputError("x must be finite numbers in one dimension, with one label each")
        if labels.min() < 0:
            raise checks.InputError(f"labels must be 0 or above, got {labels.min()}")
        groups = [x[labels == k] for k in range(labels.max() + 1)]
        for k, group in enumerate(groups):
            if np.unique(group).size < 2:
                raise checks.InputError(f"class {k} has fewer than two different values: no density to estimate")
        kernels = [gaussian_kde(group) for group in groups]
        width = max(float(np.sqrt(kernel.covariance[0, 0])) for kernel in kernels)
        priors = np.array([group.size / x.size for group in groups])
        low, high = float(x.min() - _REACH * width), float(x.max() + _REACH * width)
        narrowest = min(float(np.sqrt(kernel.covariance[0, 0])) for kernel in kernels)
        return cls.from_callables(kernels, priors, low, high, _spaced(np.unique(x), 2 * narrowest))

    def posterior(self, x: ArrayLike) -> Float[np.ndarray, "points classes"]:
        """p(k | x) at points x, shape (n, K).

        Where every density has underflowed to 0, it is that of the nearest of 4,097 points on [low, high] where one
        has not.
        """
        x = np.asarray(x, np.float64)
        joint = self._log_joint(x)
        unseen = ~np.isfinite(joint).any(-1)
        if unseen.any():
            grid = np.linspace(self.low, self.high, _GRID)
            there = self._log_joint(grid)
            if not np.isfinite(there).any():
                raise checks.InputError(f"every density is 0 all over [{self.low:g}, {self.high:g}]")
            grid, there = grid[np.isfinite(there).any(-1)], there[np.isfinite(there).any(-1)]
            joint[unseen] = there[np.abs(x[unseen, None] - grid).argmin(1)]
        return softmax(joint, axis=-1)

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
            joint = self._log_joint(x)
            top = joint.max(-1, keepdims=True)
            joint = np.exp(joint - np.where(np.isfinite(top), top, 0.0))
            density = joint.sum(-1)
            posterior = joint / np.where(density > 0, density, 1.0)[:, None]
            values = function(x, posterior)
            weight = density * np.exp(top[:, 0])
            return weight.reshape(-1, *[1] * (values.ndim - 1)) * values

        return integrate(integrand, self.low, self.high, self.breaks)

    def _log_joint(self, x: Array) -> Array:
        return self.log_conditional(x) + np.log(self.priors)


def _spaced(points: Array, least: float) -> tuple[float, ...]:
    """The points, ascending, without those closer than `least` to the one before."""
    kept: list[float] = []
    for point in points.tolist():
        if not kept or point - kept[-1] >= least:
            kept.append(point)
    return tuple(kept)
