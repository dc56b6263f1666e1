"""`TransferFunction`: an activation as the gradient of a convex potential, with all that duality gives it."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor

from pwlact import checks
from pwlact.matching import exact


class TransferFunction(ABC):
    """f = F' of a convex potential F, its inverse f* = F*', and what follows from them.

        F*(y) = sup_a (a'y - F(a)),        D_F(hat, a) = F(hat) - F(a) - f(a)'(hat - a),
        loss(a, y) = F(a) + F*(y) - a'y = D_F(a, f*(y)) = D_F*(y, f(a)).

    All functions but softmax work on each number alone. Where f is flat, f*(y) is a set: `inverse` returns
    its point nearest 0; F*, the loss and D_F do not depend on the choice, D_F* at such a second argument
    does. The 16-bit types are computed in float32. Every method is differentiable twice, with gradients by
    f and f* themselves.

    A new function defines `__call__` and the five methods with a leading underscore, which get tensors of at
    least 32 bits and targets within the range.

    Attributes:
        name: as in `TRANSFERS`.
        strict: f rises strictly, so that D_F is 0 only at equality and f* has one value.
        low: lower end of the range of f; targets at the end are allowed where F* is finite there.
        high: upper end.
        lipschitz: largest slope of f, infinite for a step.

    References:
        Amid, "A dualistic view of activations in deep neural networks", slides, 2023; Helmbold, Kivinen and
        Warmuth, "Relative loss bounds for single neurons", 1999, for the matching loss.
    """

    name: str = "transfer"
    strict: bool = True
    low: float = -torch.inf
    high: float = torch.inf
    lipschitz: float = 1.0

    @abstractmethod
    def __call__(self, a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """f(a)."""

    def potential(self, a: Float[Tensor, "*shape"]) -> Float[Tensor, "*rest"]:
        """F(a), of each number; of each vector for softmax."""
        return exact.Potential.apply(wide(a), self).to(a.dtype)

    def inverse(self, y: Float[Tensor, "*shape"], *, check: bool = True) -> Float[Tensor, "*shape"]:
        """f*(y); infinite at an end of the range that f only tends to.

        Args:
            y: outputs of f.
            check: look whether they are in the range, for which the device is waited for.

        Returns:
            a with f(a) = y, the one nearest 0 where there are several.

        Raises:
            InputError: an output is outside the range of f.
        """
        if check:
            self.check_targets(y)
        return self._inverse(wide(y)).to(y.dtype)

    def dual_potential(self, y: Float[Tensor, "*shape"], *, check: bool = True) -> Float[Tensor, "*rest"]:
        """F*(y); arguments as those of `inverse`.

        Raises:
            InputError: an output is outside the range of f.
        """
        if check:
            self.check_targets(y)
        return exact.DualPotential.apply(wide(y), self).to(y.dtype)

    def loss(
        self, a: Float[Tensor, "*shape"], y: Float[Tensor, "*shape"], *, check: bool = True
    ) -> Float[Tensor, "*rest"]:
        """The matching loss F(a) + F*(y) - a'y, whose gradient in a is f(a) - y.

        Args:
            a: pre-activations.
            y: targets, in the range of f and the shape of a.
            check: look whether they are in the range, for which the device is waited for.

        Returns:
            one number for each of a; for each vector for softmax; in the type of a.

        Raises:
            InputError: a target is outside the range of f, or the shapes differ.
        """
        _same_shape(a, y, "targets")
        if check:
            self.check_targets(y)
        return exact.Loss.apply(*_together(a, y), self).to(a.dtype)

    def divergence(self, hat: Float[Tensor, "*shape"], a: Float[Tensor, "*shape"]) -> Float[Tensor, "*rest"]:
        """D_F(hat, a) of two pre-activations, convex in the first.

        Raises:
            InputError: the shapes differ.
        """
        _same_shape(hat, a, "second argument")
        return exact.Divergence.apply(*_together(hat, a), self).to(hat.dtype)

    def dual_divergence(
        self, y: Float[Tensor, "*shape"], y_hat: Float[Tensor, "*shape"], *, check: bool = True
    ) -> Float[Tensor, "*rest"]:
        """D_F*(y, y_hat) = F*(y) - F*(y_hat) - f*(y_hat)'(y - y_hat) of two outputs, convex in the first.

        Raises:
            InputError: an output is outside the range of f, or the shapes differ.
        """
        return self.loss(self.inverse(y_hat, check=check), y, check=check).to(y.dtype)

    def check_targets(self, y: Tensor) -> None:
        """Whether all targets lie in the range of f; NaN passes, and gives NaN.

        Raises:
            InputError: one does not.
        """
        low, high = (torch.as_tensor(end, dtype=y.dtype, device=y.device) for end in (self.low, self.high))
        self._refuse((y < low) | (y > high), y)

    def clip(self, y: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """The nearest targets in the closed range of f."""
        return y.clamp(self.low, self.high)

    def _refuse(self, outside: Tensor, y: Tensor) -> None:
        count = int(outside.sum())
        if count:
            raise checks.InputError(
                f"{self.name} takes targets from {self.low:g} to {self.high:g}, got {y[outside][0].item():g} "
                f"({count} of {y.numel()} outside): clip(y) of the transfer gives the nearest ones inside"
            )

    @abstractmethod
    def _potential(self, a: Tensor) -> Tensor: ...

    @abstractmethod
    def _inverse(self, y: Tensor) -> Tensor: ...

    @abstractmethod
    def _dual(self, y: Tensor) -> Tensor: ...

    @abstractmethod
    def _loss(self, a: Tensor, y: Tensor) -> Tensor: ...

    def _divergence(self, hat: Tensor, a: Tensor) -> Tensor:
        return self._loss(hat, self(a))

    def _spread(self, g: Tensor) -> Tensor:
        """A gradient of F's values in a shape that multiplies a."""
        return g

    def __repr__(self) -> str:
        return f"<transfer {self.name}>"


def wide(x: Tensor) -> Tensor:
    """x in the type of computation: at least float32.

    Raises:
        InputError: x is not floating point.
    """
    if not x.is_floating_point():
        raise checks.InputError(f"a floating-point tensor is needed, got {x.dtype}; convert it with .float()")
    return x.to(torch.promote_types(x.dtype, torch.float32))


def product(weight: Tensor, x: Tensor) -> Tensor:
    """weight * x, 0 where the weight is 0 even if x is infinite."""
    return torch.where((weight == 0) & ~x.isnan(), 0.0, weight * x)


def half_square(a: Tensor, b: Tensor) -> Tensor:
    """(a - b)^2 / 2, 0 where both are the same infinity."""
    return torch.where(a == b, 0.0, (a - b).square() / 2)


def _together(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    dtype = torch.promote_types(wide(x).dtype, wide(y).dtype)
    return x.to(dtype), y.to(dtype)


def _same_shape(x: Tensor, y: Tensor, what: str) -> None:
    if x.shape != y.shape:
        raise checks.InputError(f"the {what} must have the shape {tuple(x.shape)} of the first, got {tuple(y.shape)}")
