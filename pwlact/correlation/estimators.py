"""How a layer's input is known to the learner: by its samples, or by a normal density a class and channel.

An estimator turns samples into a summary. Summaries add up over batches, positions and processes, and shrink by a
factor for moving averages; only the sum is turned into hat statistics.
"""

from typing import Any, Literal, Protocol

from jaxtyping import Float, Int
from torch import Tensor

from pwlact.correlation.class_moments import ClassMoments
from pwlact.correlation.statistics import HatStatistics
from pwlact.pwl.knots import Knots

EstimatorName = Literal["gaussian", "sample"]


class Estimator(Protocol):
    """A way from samples to `HatStatistics` of each channel.

    Attributes:
        summary: class of what is kept of the samples: a dataclass of tensors with `+` and `* factor`.
    """

    summary: type

    def summarise(
        self,
        x: Float[Tensor, "images positions channels"],
        labels: Int[Tensor, " images"],
        classes: int,
        knots: Knots,
    ) -> Any:
        """What is kept of the samples."""
        ...

    def statistics(self, summary: Any, knots: Knots) -> HatStatistics:
        """Hat statistics of each channel, batch dimension C."""
        ...


class GaussianEstimator:
    """x | k is taken to be normal in each channel: moments of order 0, 1, 2 by class, hats in closed form."""

    summary = ClassMoments

    def summarise(self, x: Tensor, labels: Tensor, classes: int, knots: Knots) -> ClassMoments:
        """Counts, sums and squares by class."""
        return ClassMoments.from_samples(x, labels, classes)

    def statistics(self, summary: ClassMoments, knots: Knots) -> HatStatistics:
        """Expectations of the hats under the normal densities."""
        return summary.statistics(knots)


class SampleEstimator:
    """The samples as they are: sums of hat functions by class."""

    summary = HatStatistics

    def summarise(self, x: Tensor, labels: Tensor, classes: int, knots: Knots) -> HatStatistics:
        """Hat sums of the samples."""
        samples = x.flatten(0, 1).float().T
        return HatStatistics.from_samples(samples, labels.repeat_interleave(x.shape[1]), classes, knots)

    def statistics(self, summary: HatStatistics, knots: Knots) -> HatStatistics:
        """The sums themselves."""
        return summary


ESTIMATORS: dict[str, Estimator] = {"gaussian": GaussianEstimator(), "sample": SampleEstimator()}
"""Estimators by name."""
