"""Making the new activations, and putting them where the stand-ins are."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pwlact.conversion.channels import settle
from pwlact.conversion.hooks import move_hooks
from pwlact.conversion.placeholder import Placeholder
from pwlact.conversion.report import Replaced
from pwlact.conversion.search import described
from pwlact.pwl import Knots, PiecewiseLinearActivation, pwl


@dataclass(frozen=True)
class Place:
    """What a factory given as `to=` is told about the activation that it makes.

    Attributes:
        name: path of the activation in the model.
        knots: knots asked for.
        channels: None for one function, C for one function a channel.
        channel_dim: dimension of x that holds the channels.
        start: function of the knot positions that gives the first values, or a name in `STARTS`.
    """

    name: str
    knots: Knots
    channels: int | None
    channel_dim: int
    start: str | Callable[[Tensor], Tensor]


class Make:
    """Makes the activation for a stand-in."""

    def __init__(
        self,
        root: nn.Module,
        knots: Knots,
        by_channel: bool,
        start: str | Callable[[Tensor], Tensor],
        to: Callable[[Place], nn.Module] | None,
    ) -> None:
        self.root, self.knots, self.by_channel, self.start = root, knots, by_channel, start
        self.to = to or _piecewise_linear

    def __call__(self, stand_in: Placeholder) -> Replaced:
        """Make the stand-in's successor."""
        channels = settle(stand_in) if self.by_channel else None
        owner, _, path = stand_in.places[0]
        start = stand_in.start if self.start == "same" else self.start
        count, dim = channels or (None, 1)
        new = self.to(Place(path, self.knots, count, dim, start))
        like = next((t for m in (owner, self.root) for t in _tensors(m)), None)
        if like is not None:
            new.to(like.device, like.dtype)
        _take_over(new, stand_in)
        vars(stand_in)["successor"] = new
        error, twice = _errors(stand_in, new, self.knots, count)
        others = [p for _, _, p in stand_in.places[1:]]
        notes = stand_in.notes + ([f"also at {', '.join(others)}"] if others else [])
        return Replaced(path, stand_in.was, described(new), error, twice, "; ".join(dict.fromkeys(notes)))


def install(stand_in: Placeholder) -> None:
    """Put the new activation wherever the stand-in is."""
    for holder, name, _ in stand_in.places:
        holder._modules[name] = stand_in.successor


def _piecewise_linear(place: Place) -> nn.Module:
    return PiecewiseLinearActivation(
        place.knots, channels=place.channels, channel_dim=place.channel_dim, start=place.start
    )


def _tensors(module: nn.Module | None) -> Iterator[Tensor]:
    if module is not None:
        yield from (t for t in (*module.parameters(), *module.buffers()) if t.is_floating_point())


def _take_over(new: nn.Module, stand_in: Placeholder) -> None:
    """Mode and hooks of what the new module replaces."""
    old, owner = stand_in.original, stand_in.places[0][0]
    new.train(old.training if old is not None else owner.training)
    if old is not None and stand_in.keeps_hooks:
        move_hooks(old, new)


@torch.no_grad()
def _errors(stand_in: Placeholder, new: nn.Module, knots: Knots, channels: int | None) -> tuple[float, float]:
    """Largest |new - old| on the knots' interval, and on one twice as wide."""
    if not isinstance(new, PiecewiseLinearActivation) or new.values.is_meta:
        return float("nan"), float("nan")
    middle, half = (new.knots.low + new.knots.high) / 2, (new.knots.high - new.knots.low) / 2
    u = torch.linspace(-2, 2, 64 * (new.knots.count - 1) + 1, dtype=torch.float64)
    values = new.values.detach().to("cpu", torch.float64)
    first = values[0] if values.ndim == 2 else values
    x = middle + half * u
    wrong = (pwl(x, first, new.knots.low, new.knots.high) - stand_in.start(x)).abs()
    return float(wrong[u.abs() <= 1].max()), float(wrong.max())
