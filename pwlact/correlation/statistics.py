"""`HatStatistics`: all that the correlation objective needs to know about an input and its labels."""

from dataclasses import dataclass, fields
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pwlact import checks
from pwlact.moments import GaussianMixture, gaussian_hat_moments
from pwlact.pwl.knots import Knots
from pwlact.pwl.operation.evaluate import gradient


@dataclass(frozen=True)
class HatStatistics:
    """Sums of hat functions phi_s and of their products, by class, over a set of samples or a density.

    They are sums, not means, so statistics of parts (batches, positions, processes) add up to those of the
    whole: `a + b`. A density counts as one sample in all. Batch dimensions (channels, problems) stand in front.

    Attributes:
        counts: number of samples a class n_k, shape (*batch, K).
        sums: sum of phi_s over the samples of class k, shape (*batch, K, N).
        squares: sum of phi_s^2 over all samples, shape (*batch, N).
        neighbours: sum of phi_s phi_{s+1} over all samples, shape (*batch, N - 1).
    """

    counts: Float[Tensor, "*batch classes"]
    sums: Float[Tensor, "*batch classes knots"]
    squares: Float[Tensor, "*batch knots"]
    neighbours: Float[Tensor, "*batch segments"]

    @classmethod
    def from_mixture(cls, mixture: GaussianMixture, knots: Knots) -> "HatStatistics":
        """Exact statistics of a Gaussian mixture, in closed form."""
        moments = gaussian_hat_moments(mixture.means, mixture.sigmas, knots)
        p = mixture.priors[..., None]
        return cls(
            mixture.priors,
            p * moments.first,
            (p * moments.square).sum(-2),
            (p * moments.neighbour).sum(-2),
        )

    @classmethod
    def from_samples(
        cls,
        x: Float[Tensor, "*batch samples"],
        labels: Int[Tensor, " samples"],
        classes: int,
        knots: Knots,
    ) -> "HatStatistics":
        """Statistics of samples x with labels 0..K-1 that are common to all batch entries.

        Raises:
            InputError: there is no sample, or a label is outside 0..K-1.
        """
        checks.at_least("samples", x.shape[-1], 1)
        if labels.shape != x.shape[-1:] or bool((labels.amin() < 0) | (labels.amax() >= classes)):
            raise checks.InputError(
                f"labels must be one number in 0..{classes - 1} a sample, got shape {tuple(labels.shape)} "
                f"with values {int(labels.min())}..{int(labels.max())} for {x.shape[-1]} samples"
            )
        counts = torch.bincount(labels, minlength=classes)
        by_class, squares, neighbours = _hat_sums(x, labels, counts.tolist(), knots)
        return cls(counts.to(x.dtype).expand(*x.shape[:-1], classes), by_class, squares, neighbours)

    def __add__(self, other: "HatStatistics") -> "HatStatistics":
        return HatStatistics(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def __mul__(self, factor: float) -> "HatStatistics":
        """Statistics of samples that each count `factor` times (for moving averages)."""
        return HatStatistics(*(getattr(self, f.name) * factor for f in fields(self)))

    @property
    def priors(self) -> Float[Tensor, "*batch classes"]:
        """Class probabilities p_k."""
        return self.counts / self.counts.sum(-1, keepdim=True)

    @cached_property
    def mean(self) -> Float[Tensor, "*batch knots"]:
        """m_s = E[phi_s] over all classes."""
        return self.sums.sum(-2) / self.counts.sum(-1, keepdim=True)

    @cached_property
    def contrasts(self) -> Float[Tensor, "*batch classes knots"]:
        """D_k = sqrt(p_k / (1 - p_k)) (c_k - m) with c_k = E[phi | k], so that rho_k = D_k'y / sd(f).

        A class that is absent, or the only one, has D_k = 0.
        """
        p = self.priors[..., None]
        present = (p > 0) & (p < 1)
        c = self.sums / self.counts[..., None].clamp(min=torch.finfo(self.counts.dtype).tiny)
        weight = torch.where(present, p / (1 - p), 0.0).sqrt()
        return weight * torch.where(present, c - self.mean[..., None, :], 0.0)

    def second_moments(self) -> Float[Tensor, "*batch knots knots"]:
        """G_sr = E[phi_s phi_r], tridiagonal, as a full matrix; its rows sum to m."""
        total = self.counts.sum(-1, keepdim=True)
        off = torch.diag_embed(self.neighbours / total, 1)
        return torch.diag_embed(self.squares / total) + off + off.mT

    def double(self) -> "HatStatistics":
        """The same in float64."""
        if self.counts.dtype == torch.float64:
            return self
        return HatStatistics(*(getattr(self, f.name).double() for f in fields(self)))

    def variance(self, values: Float[Tensor, "*functions knots"]) -> Float[Tensor, "*result"]:
        """Var f = y'(G - mm')y of f = sum_s y_s phi_s, computed about its mean; `values` is (N,) or (*batch, N)."""
        total = self.counts.sum(-1)
        y = values - (self.mean * values).sum(-1, keepdim=True)
        square = (self.squares * y.square()).sum(-1)
        return (square + 2 * (self.neighbours * y[..., :-1] * y[..., 1:]).sum(-1)) / total

    def correlations(self, values: Float[Tensor, "*functions knots"]) -> Float[Tensor, "*result classes"]:
        """rho_k = Corr(f(x), 1[y = k]) = D_k'y / sqrt(Var f); 0 where f is constant or the class is absent.

        Differentiable in `values`, of shape (N,) or (*batch, N).
        """
        variance = self.variance(values)
        rounding = 8 * torch.finfo(values.dtype).eps * values.abs().amax(-1)
        constant = variance <= rounding.square()
        deviation = torch.where(constant, 1.0, variance).sqrt()
        centred = values - (self.mean * values).sum(-1, keepdim=True)
        rho = (self.contrasts @ centred[..., None])[..., 0] / deviation[..., None]
        return torch.where(constant[..., None], 0.0, rho)


def _hat_sums(x: Tensor, labels: Tensor, counts: list[int], knots: Knots) -> tuple[Tensor, Tensor, Tensor]:
    """Sums of hats by class, (*batch, K, N), of their squares, (*batch, N), and of neighbours' products, (*batch, N-1).

    With x in segment i at position w, its two hats are 1 - w and w.
    """
    batch = x.shape[:-1]
    rows = x.reshape(-1, x.shape[-1]).T
    if len(counts) > 1:
        rows = rows.index_select(0, labels.argsort())
    segment, w = knots.locate(rows)
    place = w.add(segment, alpha=2)
    ones = torch.ones_like(w)
    parts = [_split_sums(p, g, knots.count) for p, g in zip(place.split(counts), ones.split(counts), strict=True)]
    by_class = torch.stack([_pad_right(left) + _pad_left(right) for left, right in parts], dim=-2)
    cross, right_squares = _split_sums(place, w, knots.count)
    # (1 - w)^2 = (1 - w) - w (1 - w)
    left_squares = sum(left for left, _ in parts) - cross
    squares = _pad_right(left_squares) + _pad_left(right_squares)
    return (
        by_class.reshape(*batch, len(counts), knots.count),
        squares.reshape(*batch, knots.count),
        cross.reshape(*batch, knots.count - 1),
    )


def _split_sums(place: Tensor, weights: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Sums of g (1 - w) and of g w over the samples of each segment i, given 2 i + w and g, both (samples, B).

    They are the knot gradients of a function on 2 N - 2 knots, two a segment, so its kernel adds them up.
    """
    table = place.new_zeros(place.shape[1], 2 * count - 2)
    _, sums = gradient(weights, place, table, 0.0, 2.0 * count - 3, 1, False, True)
    return sums[:, ::2], sums[:, 1::2]


def _pad_right(sums: Tensor) -> Tensor:
    return torch.nn.functional.pad(sums, (0, 1))


def _pad_left(sums: Tensor) -> Tensor:
    return torch.nn.functional.pad(sums, (1, 0))
