"""Transfer functions that level off: sigmoid, tanh, arctan; and softplus, which does so on the left."""

import math

import torch
from torch import Tensor

from pwlact.matching import dilogarithm
from pwlact.matching.transfer import TransferFunction, half_square, product


class Sigmoid(TransferFunction):
    """f(a) = 1/(1 + exp(-a)), F(a) = log(1 + exp a), F*(y) = y log y + (1 - y) log(1 - y).

    The matching loss is binary cross-entropy, less the entropy of a soft target.
    """

    name = "sigmoid"
    low, high = 0.0, 1.0
    lipschitz = 0.25

    def __call__(self, a: Tensor) -> Tensor:
        """f(a)."""
        return a.sigmoid()

    def _potential(self, a: Tensor) -> Tensor:
        return a.relu() + _bend(a)

    def _inverse(self, y: Tensor) -> Tensor:
        return y.logit()

    def _dual(self, y: Tensor) -> Tensor:
        return torch.xlogy(y, y) + torch.special.xlog1py(1 - y, -y)

    def _loss(self, a: Tensor, y: Tensor) -> Tensor:
        return product(1 - y, a.relu()) + product(y, (-a).relu()) + _bend(a) + self._dual(y)

    def _divergence(self, hat: Tensor, a: Tensor) -> Tensor:
        # D_F does not change when both signs do; below 0 f(a) is small and keeps its digits, near 1 it does not
        hat, a = torch.where(a > 0, -hat, hat), -a.abs()
        y = a.sigmoid()
        return product(1 - y, hat.relu()) + product(y, (-hat).relu()) + _bend(hat) - _bend(a) + product(y, a)


class Tanh(TransferFunction):
    """f(a) = tanh a, F(a) = log cosh a, F*(y) = ((1 + y) log(1 + y) + (1 - y) log(1 - y))/2.

    tanh a = 2 sigmoid(2a) - 1, so its loss is the sigmoid's at (2a, (1 + y)/2).
    """

    name = "tanh"
    low, high = -1.0, 1.0

    def __call__(self, a: Tensor) -> Tensor:
        """f(a)."""
        return a.tanh()

    def _potential(self, a: Tensor) -> Tensor:
        size = a.abs()
        # near 0 by log cosh a = log(1 + 2 sinh^2(a/2)), which keeps the digits of a^2/2
        small = size.clamp(max=1)
        near = (2 * (small / 2).sinh().square()).log1p()
        return torch.where(size < 1, near, size + _bend(2 * a) - math.log(2))

    def _inverse(self, y: Tensor) -> Tensor:
        return y.atanh()

    def _dual(self, y: Tensor) -> Tensor:
        return (torch.special.xlog1py(1 + y, y) + torch.special.xlog1py(1 - y, -y)) / 2

    def _loss(self, a: Tensor, y: Tensor) -> Tensor:
        return _SIGMOID._loss(2 * a, (1 + y) / 2)

    def _divergence(self, hat: Tensor, a: Tensor) -> Tensor:
        return _SIGMOID._divergence(2 * hat, 2 * a)


class Arctan(TransferFunction):
    """f(a) = arctan a, F(a) = a arctan a - log(1 + a^2)/2, f* = tan, F*(y) = -log cos y.

    F* is infinite at the ends +-pi/2 of the range.
    """

    name = "arctan"
    low, high = -math.pi / 2, math.pi / 2

    def __call__(self, a: Tensor) -> Tensor:
        """f(a)."""
        return a.atan()

    def _potential(self, a: Tensor) -> Tensor:
        return torch.where(a.isinf(), torch.inf, a * a.atan() - _log_hypot(a))

    def _inverse(self, y: Tensor) -> Tensor:
        # the pi/2 of float32 is above pi/2, where the tangent has changed its sign
        return torch.where(y.cos() > 0, y.tan(), torch.where(y.isnan(), y, y.sign() * torch.inf))

    def _dual(self, y: Tensor) -> Tensor:
        return -y.cos().clamp(min=0).log()

    def _loss(self, a: Tensor, y: Tensor) -> Tensor:
        b = self._inverse(y)
        return torch.where(b.isinf(), torch.inf, self._from(a, a.atan() - y, b))

    def _divergence(self, hat: Tensor, a: Tensor) -> Tensor:
        return self._from(hat, hat.atan() - a.atan(), a)

    def _from(self, hat: Tensor, rise: Tensor, a: Tensor) -> Tensor:
        """D_F(hat, a) = hat (f(hat) - f(a)) - log((1 + hat^2) / (1 + a^2))/2, the rise of f being given."""
        value = hat * rise - (_log_hypot(hat) - _log_hypot(a))
        return torch.where(hat == a, 0.0, torch.where(hat.isinf(), torch.inf, value))


class Softplus(TransferFunction):
    """f(a) = log(1 + exp a), F(a) = -Li2(-exp a), f*(y) = log(exp y - 1), F*(y) = y^2/2 + Li2(exp(-y)) - pi^2/6.

    For a > 0 by -Li2(-exp a) = a^2/2 + pi^2/6 + Li2(-exp(-a)), which does not overflow.
    """

    name = "softplus"
    low = 0.0

    def __call__(self, a: Tensor) -> Tensor:
        """f(a); torch's own softplus is linear from 20 on, which is 2e-9 off."""
        return -torch.nn.functional.logsigmoid(-a)

    def _potential(self, a: Tensor) -> Tensor:
        tail = dilogarithm.negative(a)
        return torch.where(a > 0, a.square() / 2 + dilogarithm.ZETA_2 - tail, tail)

    def _inverse(self, y: Tensor) -> Tensor:
        return y + (-torch.expm1(-y)).log()

    def _dual(self, y: Tensor) -> Tensor:
        return y.square() / 2 - dilogarithm.deficit(y)

    def _loss(self, a: Tensor, y: Tensor) -> Tensor:
        tail, deficit = dilogarithm.negative(a), dilogarithm.deficit(y)
        right = half_square(a, y) - tail + (dilogarithm.ZETA_2 - deficit)
        left = tail + y.square() / 2 - product(y, a) - deficit
        return torch.where(a > 0, right, left)


def _bend(a: Tensor) -> Tensor:
    """log(1 + exp(-|a|)): what a softplus has above a ReLU."""
    return (-a.abs()).exp().log1p()


def _log_hypot(a: Tensor) -> Tensor:
    """log(1 + a^2)/2, for any size of a."""
    size = a.abs()
    small = size < 1
    far = torch.where(small, 1.0, size)
    return torch.where(small, size.clamp(max=1).square().log1p() / 2, far.log() + far.reciprocal().square().log1p() / 2)


_SIGMOID = Sigmoid()
