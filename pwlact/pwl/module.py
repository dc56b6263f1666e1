"""`PiecewiseLinearActivation`: a learnable piecewise-linear function as a PyTorch module."""

from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pwlact import checks
from pwlact.pwl.functional import pwl
from pwlact.pwl.knots import Knots
from pwlact.pwl.start import start_values


class PiecewiseLinearActivation(nn.Module):
    """Learnable f(x) = sum_s y_s phi_s(x): N uniform knots t_s, hat functions phi_s, linear tails.

    Args:
        knots: the number of knots and their interval; 33 on [-3, 3] unless given.
        channels: None for one function shared by the whole layer, C for one function a channel.
        channel_dim: the dimension of x that holds the channels.
        start: name in `STARTS`, or a function of the knot positions, that gives the first values.

    Attributes:
        values: the knot values y, a parameter of shape (N,) or (C, N).

    Raises:
        InputError: the name is unknown, or `channels` is not a whole number of at least 1.

    References:
        Agostinelli et al., "Learning activation functions to improve deep neural networks", 2014, learn sums
        of hinges; uniform knots with linear tails are the same functions in a better-conditioned basis.

    Examples:
        >>> activation = PiecewiseLinearActivation(start="silu")
        >>> activation(torch.zeros(2, 3)).shape
        torch.Size([2, 3])
    """

    values: nn.Parameter

    def __init__(
        self,
        knots: Knots | None = None,
        *,
        channels: int | None = None,
        channel_dim: int = 1,
        start: str | Callable[[Tensor], Tensor] = "relu",
    ) -> None:
        super().__init__()
        self.knots = knots or Knots()
        self.channels = None if channels is None else checks.at_least("channels", channels, 1)
        self.channel_dim = channel_dim
        values = start_values(start, self.knots.positions()).to(torch.get_default_dtype())
        self.values = nn.Parameter(values if channels is None else values.repeat(channels, 1))

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """f(x), in the shape, type and memory layout of x."""
        return pwl(x, self.values, self.knots.low, self.knots.high, self.channel_dim)

    @torch.no_grad()
    def project_(
        self,
        *,
        anchor: bool = True,
        normalise: Literal["l2", "variance"] | None = None,
        target: float = 1.0,
    ) -> "PiecewiseLinearActivation":
        """Bring the values back, after an optimiser's step, to where shape is all that they can change.

        Args:
            anchor: shift each function so that its leftmost knot is zero.
            normalise: "l2" scales each function to the L2 norm `target` of its values; "variance" to the
                variance `target` of f(x) with x ~ N(0, 1), as behind a batch norm, weighted at the knots.
                A function that is zero (l2) or constant (variance) stays as it is.
            target: norm or variance to scale to, above zero.

        Returns:
            the module itself.

        Raises:
            InputError: unknown `normalise`, or `target` not above zero.
        """
        checks.positive("target", target)
        if normalise is not None:
            checks.choice("normalise", normalise, ("l2", "variance"))
        if anchor:
            self.values.sub_(self.values[..., :1].clone())
        if normalise is not None:
            size = self._norm() if normalise == "l2" else self._deviation()
            wanted = target if normalise == "l2" else target**0.5
            self.values.mul_(torch.where(size > 0, wanted / size, 1.0))
        return self

    def _norm(self) -> Tensor:
        return self.values.norm(dim=-1, keepdim=True)

    def _deviation(self) -> Tensor:
        """Standard deviation under N(0, 1) at the knots; 0 where it is but the rounding of a constant."""
        t = self.knots.positions(self.values.dtype, self.values.device)
        weights = torch.softmax(-t.square() / 2, dim=-1)
        mean = (weights * self.values).sum(-1, keepdim=True)
        deviation = (weights * (self.values - mean).square()).sum(-1, keepdim=True).sqrt()
        rounding = 8 * torch.finfo(self.values.dtype).eps * self.values.abs().amax(-1, keepdim=True)
        return torch.where(deviation > rounding, deviation, 0.0)

    def extra_repr(self) -> str:
        """Knots, interval and sharing, for `print(model)`."""
        shared = "shared" if self.channels is None else f"channels={self.channels}"
        return f"knots={self.knots.count}, low={self.knots.low:g}, high={self.knots.high:g}, {shared}"
