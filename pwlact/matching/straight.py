"""Transfer functions with straight arms: linear, ReLU and its leaky kin, step, ELU."""

import math

import torch
from torch import Tensor

from pwlact import checks
from pwlact.matching.transfer import TransferFunction, half_square, product


class Linear(TransferFunction):
    """f(a) = a, F(a) = a^2/2: its matching loss is half the squared error."""

    name = "linear"

    def __call__(self, a: Tensor) -> Tensor:
        """f(a) = a."""
        return a

    def _potential(self, a: Tensor) -> Tensor:
        return a.square() / 2

    def _inverse(self, y: Tensor) -> Tensor:
        return y

    def _dual(self, y: Tensor) -> Tensor:
        return y.square() / 2

    def _loss(self, a: Tensor, y: Tensor) -> Tensor:
        return half_square(a, y)


class LeakyRelu(TransferFunction):
    """f(a) = max(a, 0) - beta max(-a, 0), F(a) = a f(a)/2, f*(y) = y or y/beta, F*(y) = y f*(y)/2.

    Args:
        beta: slope left of 0, at 0 or above; 0 is the ReLU, which is not strict and takes no target below 0.

    Raises:
        InputError: `beta` is negative or not finite.
    """

    def __init__(self, beta: float = 0.01) -> None:
        self.beta = checks.not_negative("beta", beta)
        self.name = "leaky_relu" if beta else "relu"
        self.strict = beta > 0
        self.low = -math.inf if beta else 0.0
        self.lipschitz = max(1.0, beta)

    def __call__(self, a: Tensor) -> Tensor:
        """f(a)."""
        # not as slope 0 of the other: 0 times -inf is no number
        return torch.nn.functional.leaky_relu(a, self.beta) if self.beta else a.relu()

    def _potential(self, a: Tensor) -> Tensor:
        half = a.square() / 2
        return torch.where(a > 0, half, self.beta * half) if self.beta else a.relu().square() / 2

    def _inverse(self, y: Tensor) -> Tensor:
        return torch.where(y < 0, y / self.beta, y) if self.beta else y

    def _dual(self, y: Tensor) -> Tensor:
        half = y.square() / 2
        return torch.where(y < 0, half / self.beta, half) if self.beta else half

    def _loss(self, a: Tensor, y: Tensor) -> Tensor:
        # on one arm a square; across the bend a sum of terms of one sign
        across = self._potential(a) - product(y, a) + self._dual(y)
        falling = self.beta * half_square(a, y / self.beta) if self.beta else across
        return torch.where((a > 0) & (y >= 0), half_square(a, y), torch.where((a <= 0) & (y < 0), falling, across))


class Step(TransferFunction):
    """f(a) = (1 + sign(a))/2, F(a) = max(a, 0), F* = 0 on [0, 1]: the loss is the perceptron's, for y in {0, 1}.

    Not strict: f*(y) is 0 for every y inside the range.
    """

    name = "step"
    strict = False
    low, high = 0.0, 1.0
    lipschitz = math.inf

    def __call__(self, a: Tensor) -> Tensor:
        """f(a), 1/2 at 0."""
        return (1 + a.sign()) / 2

    def _potential(self, a: Tensor) -> Tensor:
        return a.relu()

    def _inverse(self, y: Tensor) -> Tensor:
        return y * 0.0

    def _dual(self, y: Tensor) -> Tensor:
        return y * 0.0

    def _loss(self, a: Tensor, y: Tensor) -> Tensor:
        return product(1 - y, a.relu()) + product(y, (-a).relu())


class Elu(TransferFunction):
    """f(a) = a, or beta (exp a - 1) for a < 0; F(a) = a^2/2, or beta (exp a - a - 1).

    f*(y) = y, or log(1 + y/beta) for y < 0; F*(y) = y^2/2, or (y + beta) log(1 + y/beta) - y.

    Args:
        beta: limit -f(-inf), above 0.

    Raises:
        InputError: `beta` is not above 0; for 0, which is the ReLU, take that.
    """

    name = "elu"

    def __init__(self, beta: float = 1.0) -> None:
        self.beta = checks.positive("beta", beta)
        self.low = -beta
        self.lipschitz = max(1.0, beta)

    def __call__(self, a: Tensor) -> Tensor:
        """f(a)."""
        return torch.where(a >= 0, a, self.beta * a.clamp(max=0).expm1())

    def _potential(self, a: Tensor) -> Tensor:
        left = a.clamp(max=0)
        return torch.where(a >= 0, a.square() / 2, self.beta * (left.expm1() - left))

    def _inverse(self, y: Tensor) -> Tensor:
        return torch.where(y >= 0, y, (y.clamp(max=0) / self.beta).log1p())

    def _dual(self, y: Tensor) -> Tensor:
        v = y.clamp(max=0) / self.beta
        return torch.where(y >= 0, y.square() / 2, self.beta * (torch.special.xlog1py(1 + v, v) - v))

    def _loss(self, a: Tensor, y: Tensor) -> Tensor:
        across = self._potential(a) - product(y, a) + self._dual(y)
        # left of 0, with u = 1 + y/beta: beta (u log(u / exp a) - u + exp a), a relative entropy
        left, v = a.clamp(max=0), y.clamp(max=0) / self.beta
        curved = left.expm1() - v + torch.special.xlog1py(1 + v, v) - product(1 + v, left)
        falling = self.beta * curved
        return torch.where((a > 0) & (y >= 0), half_square(a, y), torch.where((a <= 0) & (y <= 0), falling, across))
