"""Counts, sums and sums of squares of a layer's inputs by class: all that a normal density a class needs."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pwlact import checks
from pwlact.correlation.statistics import HatStatistics
from pwlact.moments import quick_hat_moments
from pwlact.pwl.knots import Knots

# a channel that is the same for a whole class gets a density this narrow, in distances of the knots
_NARROWEST = 5e-3


@dataclass(frozen=True)
class ClassMoments:
    """Sums over samples x of each channel, by class k. They add up over batches, positions and processes.

    Attributes:
        counts: number of samples n_k, shape (K,).
        sums: sum of x over the samples of class k, shape (C, K).
        squares: sum of x^2, shape (C, K).
    """

    counts: Float[Tensor, " classes"]
    sums: Float[Tensor, "channels classes"]
    squares: Float[Tensor, "channels classes"]

    @classmethod
    def from_samples(
        cls, x: Float[Tensor, "images positions channels"], labels: Int[Tensor, " images"], classes: int
    ) -> "ClassMoments":
        """Sums over images and positions of x; squares, and sums over the positions, are taken in float32.

        So a variance is known to about 1e-7 (mean^2 + variance): a mean of 100 deviations costs it 3 digits of 7.

        Raises:
            InputError: there is no sample, or the labels are not one number in 0..K-1 an image.
        """
        checks.at_least("samples", x.shape[0] * x.shape[1], 1)
        # on a GPU the range is left to one_hot, because reading labels here would stall it in every layer
        readable = labels.device.type != "cuda"
        if labels.shape != x.shape[:1] or (readable and bool((labels.amin() < 0) | (labels.amax() >= classes))):
            raise checks.InputError(
                f"labels must be one number in 0..{classes - 1} an image, got shape {tuple(labels.shape)} "
                f"with values {int(labels.min())}..{int(labels.max())} for {x.shape[0]} images"
            )
        one_hot = torch.nn.functional.one_hot(labels.long(), classes).double()
        x = x.float()
        sums, squares = x.sum(1).double(), x.square().sum(1).double()
        return cls(one_hot.sum(0) * x.shape[1], sums.T @ one_hot, squares.T @ one_hot)

    def __add__(self, other: "ClassMoments") -> "ClassMoments":
        return ClassMoments(self.counts + other.counts, self.sums + other.sums, self.squares + other.squares)

    def __mul__(self, factor: float) -> "ClassMoments":
        """Moments of samples that each count `factor` times (for moving averages)."""
        return ClassMoments(self.counts * factor, self.sums * factor, self.squares * factor)

    def statistics(self, knots: Knots) -> HatStatistics:
        """Hat statistics, as if x | k were normal with the mean and the variance seen; batch dimension C."""
        counts = self.counts.clamp(min=torch.finfo(self.counts.dtype).tiny)
        means = self.sums / counts
        variances = (self.squares / counts - means.square()).clamp(min=(_NARROWEST * knots.spacing) ** 2)
        present = self.counts > 0
        # an absent class counts nothing, whatever its density
        moments = quick_hat_moments(
            torch.where(present, means, 0.0), torch.where(present, variances, 1.0).sqrt(), knots
        )
        n = self.counts[:, None]
        return HatStatistics(
            self.counts.float().expand_as(means),
            (n * moments.first).float(),
            torch.einsum("k,...ks->...s", self.counts, moments.square).float(),
            torch.einsum("k,...ks->...s", self.counts, moments.neighbour).float(),
        )
