"""Competition across the channels of an image, at each position by itself."""

from jaxtyping import Float
from torch import Tensor, nn

from pwlact.competitive import make, output_width
from pwlact.models import ActivationFactory


class AcrossChannels(nn.Module):
    """f of the channels at each position: (n, C, ...) -> (n, C, ...), for f that acts on the last dimension.

    An f that gives more than C results is followed by a learnt linear map back to C, the same at all positions.

    Args:
        name: of the activation, in `pwlact.competitive.ACTIVATIONS`.
        channels: C.

    Raises:
        InputError: the name is unknown, or `channels` no whole number of at least 1.
    """

    def __init__(self, name: str, channels: int) -> None:
        super().__init__()
        width = output_width(name, channels)
        self.map = make(name, channels)
        self.back = nn.Identity() if width == channels else nn.Linear(width, channels)

    def forward(self, x: Float[Tensor, "n C *space"]) -> Float[Tensor, "n C *space"]:
        """f at each position."""
        return self.back(self.map(x.movedim(1, -1))).movedim(-1, 1)


def channel_activation(name: str) -> ActivationFactory:
    """The activation `name` as the models of `pwlact.models` take it: channels -> module.

    Args:
        name: of the activation.
    """
    return lambda channels: AcrossChannels(name, channels)
