"""Do two layers hold the same representation, up to rotation and scale?"""

import torch
from jaxtyping import Float
from torch import Tensor

from pwlact import checks
from pwlact.redundancy.samples import checked, rounding, whole_size


def linear_cka(
    x: Float[Tensor, "*batch n units"], y: Float[Tensor, "*batch n others"], *, debiased: bool = False
) -> Float[Tensor, "*batch"]:
    """||Y'X||^2 / (||X'X|| ||Y'Y||) in Frobenius norms, columns centred; 0 where one is constant.

    With more units than inputs the plain form is near 1 for anything; the debiased form is near 0 for
    independent layers whatever their width, and may fall below 0.

    Args:
        x: outputs of one layer on n inputs.
        y: outputs of the other on the same inputs.
        debiased: put the unbiased estimate HSIC_1 in the place of each squared norm.

    Returns:
        similarity, float64; 0 also where the debiased norm of one is not above 0.

    Raises:
        InputError: another number of inputs, fewer than 2 (debiased: 4), or input that the other measures refuse.

    References:
        S. Kornblith et al., "Similarity of neural network representations revisited", ICML 2019, equation 4.
        L. Song et al., "Feature selection via dependence maximization", JMLR 2012, equation 5, for HSIC_1.
    """
    x, y = _layer("x", x), _layer("y", y)
    if x.shape[-2] != y.shape[-2]:
        raise checks.InputError(f"x and y must have the same inputs, got {x.shape[-2]} and {y.shape[-2]}")
    checks.at_least("inputs", x.shape[-2], 4 if debiased else 2)
    hsic = _unbiased if debiased else _biased
    squares = hsic(x, x), hsic(y, y)
    alive = (squares[0] > 0) & (squares[1] > 0)
    norm = (squares[0].clamp(min=0.0) * squares[1].clamp(min=0.0)).sqrt()
    return torch.where(alive, hsic(x, y) / torch.where(alive, norm, 1.0), 0.0)


def _layer(name: str, x: Tensor) -> Tensor:
    """Centred, and of size 1; what is left of a constant layer by rounding is 0."""
    whole = whole_size(checked(name, x))
    centred = whole - whole.mean(-2, keepdim=True)
    varies = centred.abs().amax((-2, -1), keepdim=True) > rounding(x)
    return torch.where(varies, whole_size(centred), 0.0)


def _biased(x: Tensor, y: Tensor) -> Tensor:
    return (y.mT @ x).square().sum((-2, -1))


def _unbiased(x: Tensor, y: Tensor) -> Tensor:
    """HSIC_1 with K = XX', L = YY', diagonals set to 0, from the features: no n x n matrix.

    [tr KL + 1'K1 1'L1 / ((n - 1)(n - 2)) - 2 1'KL1 / (n - 2)] / (n (n - 3))
    """
    n = x.shape[-2]
    own = [part.square().sum(-1) for part in (x, y)]
    rows = [(part @ part.sum(-2)[..., None])[..., 0] - diagonal for part, diagonal in zip((x, y), own, strict=True)]
    trace = _biased(x, y) - (own[0] * own[1]).sum(-1)
    sums = rows[0].sum(-1) * rows[1].sum(-1) / ((n - 1) * (n - 2))
    return (trace + sums - 2 * (rows[0] * rows[1]).sum(-1) / (n - 2)) / (n * (n - 3))
