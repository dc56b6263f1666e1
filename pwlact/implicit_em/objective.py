"""A layer's own objective: its log-sum-exp loss and penalties, each with a strength."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pwlact import checks
from pwlact.implicit_em.controls import PENALTIES, strengths
from pwlact.implicit_em.layer import PrototypeLayer
from pwlact.implicit_em.loss import lse_loss, responsibilities


@dataclass(frozen=True)
class Losses:
    """An objective and what it is made of, a number a copy of the layer.

    Attributes:
        total: what is minimised.
        lse: mean log-sum-exp loss, nats, before its strength.
        penalties: name -> penalty, before its strength.
    """

    total: Tensor
    lse: Tensor
    penalties: dict[str, Tensor]


class Objective(nn.Module):
    """lse * L + sum_c strength_c * penalty_c.

    Args:
        penalties: strengths by name (`controls.PENALTIES`). Controls that are energies belong to the layer.
        lse: strength of the log-sum-exp loss; 0 for controls alone.

    Raises:
        InputError: an unknown name, a strength below 0, or nothing to minimise.
    """

    def __init__(self, penalties: Mapping[str, float] | None = None, *, lse: float = 1.0) -> None:
        super().__init__()
        self.penalties = strengths("penalties", penalties, PENALTIES)
        self.lse = checks.not_negative("lse", lse)
        if not self.lse and not any(self.penalties.values()):
            raise checks.InputError("an objective needs lse or a penalty above 0, got none")

    def forward(self, layer: PrototypeLayer, x: Float[Tensor, "*copies n D"]) -> Losses:
        """The objective of `layer` on the samples x.

        Raises:
            InputError: no samples, another number of inputs, or a penalty that does not go with the layer.
        """
        d = layer.distances(x)
        e = layer.from_distances(d)
        loss, r, parts = lse_loss(e), responsibilities(e), layer.parts()
        found = {name: PENALTIES[name](parts, d, r) for name in self.penalties}
        # nothing at strength 0: an infinite loss would give NaN
        terms = [self.lse * loss] if self.lse else []
        terms += [strength * found[name] for name, strength in self.penalties.items() if strength]
        return Losses(torch.stack(torch.broadcast_tensors(*terms)).sum(0), loss, found)

    def extra_repr(self) -> str:
        """The strengths."""
        return ", ".join(f"{name}={strength:g}" for name, strength in {"lse": self.lse, **self.penalties}.items())


def descend(
    layer: PrototypeLayer, x: Float[Tensor, "*copies n D"], objective: Objective, *, steps: int = 300, lr: float = 0.05
) -> Losses:
    """Minimise the objective on all samples at once, by Adam with a rate that falls to 0 along a cosine.

    All copies of the layer are fitted side by side; none sees another's gradient.

    Args:
        layer: changed in place.
        x: samples; one table for all copies, or one each.
        objective: of the layer.
        steps: number of steps.
        lr: first rate.

    Returns:
        the losses after the last step, without gradient.

    Raises:
        InputError: as for `Objective`, or steps or lr outside their range.
    """
    checks.at_least("steps", steps, 1)
    optimiser = torch.optim.Adam(layer.parameters(), lr=checks.positive("lr", lr))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        optimiser.zero_grad()
        objective(layer, x).total.sum().backward()
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        return objective(layer, x)
