"""Softmax at a temperature, fixed or learnt."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pwlact import checks
from pwlact.competitive.facts import Facts
from pwlact.competitive.rows import above, competing_dim, row_parameter, shown, wide
from pwlact.competitive.softmax import softmax

TEMPERATURE_SOFTMAX_FACTS = Facts(
    shift_invariant=True, monotone=True, order_preserving=True, gradient_field=True, simplex=True
)
_FAR = 1e4


def temperature_softmax(
    z: Float[Tensor, "*shape"], temperature: float | Tensor = 1.0, dim: int = -1
) -> Float[Tensor, "*shape"]:
    """r = softmax(z / tau); dr/dtau = -r (z - E_r z) / tau^2.

    tau -> 0 gives all to the largest unit (equal shares to ties), tau -> inf equal shares to all. -inf, +inf and NaN as
    in `softmax`, with no harm to the gradient of tau.

    Args:
        z: floating-point tensor of any rank and layout.
        temperature: tau, above 0; a number, or a tensor that broadcasts to one number a row, with gradient.
        dim: dimension along which the units compete.

    Returns:
        r, in the shape and type of z.

    Raises:
        InputError: z is not a dense floating-point tensor, has no dimension `dim`, or tau is a number not above 0 or
            a tensor that does not broadcast.

    Examples:
        >>> temperature_softmax(torch.tensor([1.0, 0.0]), temperature=0.01)
        tensor([1.0000e+00, 3.7835e-44])
    """
    dim = competing_dim(z, dim)
    tau = row_parameter("temperature", above("temperature", temperature, 0.0), z, dim)
    if not z.numel():
        return softmax(z, dim)
    if z.ndim == 0:
        return temperature_softmax(z[None], tau[None], -1)[0]
    return softmax(_scaled(z, tau, dim), dim).to(z.dtype)


def temperature_softmax_jacobian(
    z: Float[Tensor, "*rows K"], temperature: float | Tensor = 1.0
) -> Float[Tensor, "*rows K K"]:
    """dr_i / dz_j = r_i (delta_ij - r_j) / tau, along the last dimension."""
    r = temperature_softmax(z, temperature)
    tau = row_parameter("temperature", temperature, z, -1)
    return (torch.diag_embed(r) - r[..., :, None] * r[..., None, :]) / tau.unsqueeze(-1)


class TemperatureSoftmax(nn.Module):
    """`temperature_softmax` along `dim`, with tau fixed or learnt as exp(log_temperature).

    Args:
        temperature: tau, above 0; where it starts if it is learnt.
        learn: learn it.
        dim: dimension along which the units compete.

    Raises:
        InputError: the temperature is not above 0.
    """

    def __init__(self, temperature: float = 1.0, *, learn: bool = False, dim: int = -1) -> None:
        super().__init__()
        log = torch.tensor(checks.positive("temperature", temperature)).log()
        self.log_temperature = nn.Parameter(log) if learn else None
        self._temperature, self.dim = temperature, dim

    @property
    def temperature(self) -> float | Tensor:
        """tau; a tensor with gradient where it is learnt."""
        return self._temperature if self.log_temperature is None else self.log_temperature.exp()

    def forward(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """softmax(z / tau)."""
        return temperature_softmax(z, self.temperature, self.dim)

    def extra_repr(self) -> str:
        """The temperature, whether it is learnt, and the dimension."""
        return f"temperature={shown(self.temperature)}, learn={self.log_temperature is not None}, dim={self.dim}"


def _scaled(z: Tensor, tau: Tensor, dim: int) -> Tensor:
    """(z - max z) / tau, which neither overflows nor poisons the gradient of tau; -inf for units without a share."""
    z = wide(z)
    top = z.detach().amax(dim, keepdim=True)
    apart = torch.where(z.isinf(), 0.0, z - torch.where(top.isinf(), 0.0, top))
    # exp of less than -10^4 is 0 in every type, and so is its gradient; 0 x inf would not be
    near = torch.maximum(apart, -_FAR * tau.detach())
    return torch.where((z == -torch.inf) | ((top == torch.inf) & (z < top)), -torch.inf, near / tau)
