"""Softmax, the one transfer function here that takes vectors."""

import torch
from jaxtyping import Float
from torch import Tensor

from pwlact import checks
from pwlact.matching.transfer import TransferFunction, product


class Softmax(TransferFunction):
    """f(a) = exp a / sum exp a, F(a) = log sum exp a, F*(y) = sum y log y on the simplex.

    Its matching loss is KL(y, f(a)): cross-entropy, less the entropy of a soft target. F grows straight
    along a constant, so f* is a line, of which `inverse` returns log y; D_F is 0 where both arguments
    differ by a constant. Class numbers (whole numbers, without the dimension) are taken as targets too.

    Args:
        dim: dimension that holds the units.
    """

    name = "softmax"
    strict = False
    low, high = 0.0, 1.0
    lipschitz = 0.5

    def __init__(self, dim: int = -1) -> None:
        self.dim = dim

    def __call__(self, a: Tensor) -> Tensor:
        """f(a)."""
        return a.softmax(self.dim)

    def loss(self, a: Float[Tensor, "*shape"], y: Tensor, *, check: bool = True) -> Float[Tensor, "*rest"]:
        """KL(y, f(a)) of each vector; see `TransferFunction.loss`.

        Raises:
            InputError: a target is no point of the simplex and no class number.
        """
        if not y.is_floating_point():
            y = self._one_hot(y, a, check)
        return super().loss(a, y, check=check)

    def check_targets(self, y: Tensor) -> None:
        """Whether all targets lie on the simplex.

        Raises:
            InputError: a unit is negative, or the units do not sum to 1.
        """
        self._refuse(y < 0, y)
        total = y.to(torch.promote_types(y.dtype, torch.float32)).sum(self.dim)
        off = (total - 1).abs() > (1e-4 if y.element_size() > 2 else 0.05)
        if off.any():
            raise checks.InputError(
                f"softmax takes targets that sum to 1 over dimension {self.dim}, got a sum of "
                f"{total[off][0].item():g}: divide them by it, or use dim="
            )

    def clip(self, y: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Targets on the simplex: what is negative as 0, divided by the sum."""
        positive = y.clamp(min=0)
        return positive / positive.sum(self.dim, keepdim=True)

    def _one_hot(self, y: Tensor, a: Tensor, check: bool) -> Tensor:
        classes = a.shape[self.dim]
        if check and bool(((y < 0) | (y >= classes)).any()):
            raise checks.InputError(f"class numbers must be from 0 to {classes - 1}, got {y.min()} to {y.max()}")
        return torch.nn.functional.one_hot(y.long(), classes).movedim(-1, self.dim).to(a.dtype)

    def _potential(self, a: Tensor) -> Tensor:
        return a.logsumexp(self.dim)

    def _inverse(self, y: Tensor) -> Tensor:
        return y.log()

    def _dual(self, y: Tensor) -> Tensor:
        return torch.xlogy(y, y).sum(self.dim)

    def _loss(self, a: Tensor, y: Tensor) -> Tensor:
        return (torch.xlogy(y, y) - product(y, a.log_softmax(self.dim))).sum(self.dim)

    def _divergence(self, hat: Tensor, a: Tensor) -> Tensor:
        y = a.softmax(self.dim)
        return product(y, a.log_softmax(self.dim) - hat.log_softmax(self.dim)).sum(self.dim)

    def _spread(self, g: Tensor) -> Tensor:
        return g.unsqueeze(self.dim)
