"""Class-conditional normal inputs: x | class k ~ N(mu_k, sigma_k^2) with prior p_k."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pwlact import checks


@dataclass(frozen=True)
class GaussianMixture:
    """Scalar input with one normal density a class; batch dimensions may stand in front.

    Attributes:
        means: class means mu_k, float64, shape (*batch, K), in the units of x.
        sigmas: class standard deviations sigma_k > 0, shape (*batch, K).
        priors: class probabilities p_k, summing to 1, shape (*batch, K).

    Raises:
        InputError: fewer than two classes, a sigma not above 0, or priors that are negative or do not sum to 1.
    """

    means: Float[Tensor, "*batch classes"]
    sigmas: Float[Tensor, "*batch classes"]
    priors: Float[Tensor, "*batch classes"]

    def __post_init__(self) -> None:
        checks.at_least("classes", self.means.shape[-1], 2, "a correlation with the label needs two classes")
        if not bool(torch.isfinite(self.means).all()):
            raise checks.InputError("means must be finite numbers")
        if not bool(((self.sigmas > 0) & torch.isfinite(self.sigmas)).all()):
            raise checks.InputError("every sigma must be a finite number above 0")
        sums = self.priors.sum(-1)
        if bool((self.priors <= 0).any()) or not torch.allclose(sums, torch.ones_like(sums)):
            raise checks.InputError("priors must be above 0 and sum to 1")

    @classmethod
    def even(cls, classes: int, sigma: float, low: float, high: float) -> "GaussianMixture":
        """K equally likely classes with means evenly spaced from `low` to `high` and one sigma."""
        checks.at_least("classes", classes, 2, "a correlation with the label needs two classes")
        checks.positive("sigma", sigma)
        checks.interval(low, high, ("lowest mean", "highest mean"))
        means = torch.linspace(low, high, classes, dtype=torch.float64)
        return cls(means, torch.full_like(means, sigma), torch.full_like(means, 1 / classes))

    @classmethod
    def standardised(cls, classes: int, sigma: float) -> "GaussianMixture":
        """K evenly spaced classes seen through a batch norm: means of unit variance, noise sigma, then x scaled.

        The means mu_k have mean 0 and variance 1 over the classes; x is divided by the mixture's standard
        deviation sqrt(1 + sigma^2), so that its variance is 1.
        """
        checks.at_least("classes", classes, 2, "a correlation with the label needs two classes")
        checks.positive("sigma", sigma)
        edge = math.sqrt(3 * (classes - 1) / (classes + 1))
        scale = math.hypot(1, sigma)
        return cls.even(classes, sigma / scale, -edge / scale, edge / scale)

    @property
    def classes(self) -> int:
        """Number K of classes."""
        return self.means.shape[-1]

    def log_joint(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape classes"]:
        """log p(x, k) at points x, shape (*x, K)."""
        z = (x[..., None] - self.means) / self.sigmas
        return -z.square() / 2 + (self.priors / self.sigmas).log() - math.log(2 * math.pi) / 2

    def density(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """p(x) at points x."""
        return self.log_joint(x).logsumexp(-1).exp()

    def posterior(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape classes"]:
        """p(k | x) at points x, shape (*x, K)."""
        return self.log_joint(x).softmax(-1)

    def sample(
        self, count: int, generator: torch.Generator | None = None
    ) -> tuple[Float[Tensor, " count"], Int[Tensor, " count"]]:
        """Draw `count` inputs x and their labels k from an unbatched mixture."""
        labels = torch.multinomial(self.priors, count, replacement=True, generator=generator)
        noise = torch.randn(count, dtype=self.means.dtype, generator=generator)
        return self.means[labels] + self.sigmas[labels] * noise, labels
