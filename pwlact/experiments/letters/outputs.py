"""Maps from scores to shares of classes, each with the loss it is trained with, and what their answers are worth."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from pwlact.competitive import (
    entmax15,
    entmax15_loss,
    relumax,
    relumax_loss,
    smoothed_nll,
    softmax,
    sparsemax,
    sparsemax_loss,
)
from pwlact.experiments.letters.cells import Losses
from pwlact.experiments.letters.tuning import cross_entropy

BINS = 15
"""Of the calibration error, as by Guo et al."""

Shares = Float[Tensor, "n classes"]


@dataclass(frozen=True)
class OutputMap:
    """A map onto the simplex and a loss for it.

    Attributes:
        shares: scores (n, K) -> shares (n, K).
        losses: scores (n, K), classes (n,) -> the loss of every row.
    """

    shares: Callable[[Tensor], Tensor]
    losses: Losses


def _smoothed_sparsemax(z: Tensor, y: Tensor) -> Tensor:
    return smoothed_nll(sparsemax(z), y, reduction="none")


OUTPUT_MAPS: Mapping[str, OutputMap] = MappingProxyType(
    {
        "softmax": OutputMap(softmax, cross_entropy),
        "sparsemax": OutputMap(sparsemax, partial(sparsemax_loss, reduction="none")),
        "entmax15": OutputMap(entmax15, partial(entmax15_loss, reduction="none")),
        "sparsemax-smoothed": OutputMap(sparsemax, _smoothed_sparsemax),
        "relumax-smoothed": OutputMap(relumax, partial(relumax_loss, hinge=0.0, reduction="none")),
        "relumax-hinge": OutputMap(relumax, partial(relumax_loss, hinge=1.0, reduction="none")),
    }
)
"""Name -> map and loss: Fenchel-Young losses where there is one; smoothed likelihood, for relumax with and without a
hinge that draws the target into the support."""


def measures(output: OutputMap, z: Float[Tensor, "n classes"], y: Int64[Tensor, " n"]) -> dict[str, float]:
    """What the answers are worth beyond being right.

    Args:
        output: the map.
        z: scores.
        y: classes.

    Returns:
        calibration: `calibration_error`; brier: mean ||p - e_y||^2 (Brier 1950); dead_targets: share of rows with
        p_y = 0, where a likelihood is infinite; support: mean number of classes with a share.
    """
    p = output.shares(z.double())
    own = p.gather(1, y[:, None])[:, 0]
    return {
        "calibration": calibration_error(p, y),
        "brier": float((p.square().sum(1) - 2 * own + 1).mean()),
        "dead_targets": float((own == 0).double().mean()),
        "support": float((p > 0).double().sum(1).mean()),
    }


def calibration_error(p: Shares, y: Int64[Tensor, " n"]) -> float:
    """sum_b n_b / n |accuracy in bin b - mean confidence in bin b|, confidence = max_k p_k, in 15 bins of equal width.

    Args:
        p: shares.
        y: classes.

    References:
        Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks", 2017, equation 3.
    """
    confidence, answer = p.max(1)
    # bins are open below and closed above, as in the paper
    place = (confidence * BINS).ceil().long().clamp(1, BINS) - 1
    gaps = (answer == y).to(p.dtype) - confidence
    return float(torch.zeros(BINS, dtype=p.dtype).index_add(0, place, gaps).abs().sum() / len(y))
