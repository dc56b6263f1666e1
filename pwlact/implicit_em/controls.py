"""All volume controls by name, and what a layer shows of itself to them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from torch import Tensor

from pwlact import checks
from pwlact.checks import InputError
from pwlact.implicit_em import volume


@dataclass(frozen=True)
class Parts:
    """What controls may look at in a layer of K prototypes over D inputs.

    Attributes:
        inputs: D.
        weight: a row a component, shape (*copies, K, W): (w_j, b_j), or the entries of L_j.
        size: length of a row of `weight` that counts as neutral: 1, or sqrt(D) for unit precision.
        directions: shape (*copies, K, D): normals, or means less the mean over components.
        log_determinant: log|L_j|, shape (*copies, K); None for linear distances, which have no volume.
        log_temperature: shape (*copies, 1); None unless it is learnt.
    """

    inputs: int
    weight: Tensor
    size: float
    directions: Tensor
    log_determinant: Tensor | None = None
    log_temperature: Tensor | None = None

    def volume(self, name: str) -> Tensor:
        """log|L_j|.

        Raises:
            InputError: the distance has no volume.
        """
        if self.log_determinant is None:
            raise InputError(f"{name} needs a diagonal or full distance: a linear one has no finite volume")
        return self.log_determinant

    def temperature(self, name: str) -> Tensor:
        """log tau.

        Raises:
            InputError: the temperature is not learnt.
        """
        if self.log_temperature is None:
            raise InputError(f"{name} needs a learnt temperature: make the layer with learn_temperature=True")
        return self.log_temperature


Energy = Callable[[Parts], Tensor]
"""(parts) -> (*copies, K) or (*copies, 1), added to the distances."""
Penalty = Callable[[Parts, Tensor, Tensor], Tensor]
"""(parts, distances, responsibilities) -> (*copies), added to the loss."""


def _temperature(parts: Parts) -> Tensor:
    parts.volume("temperature")
    return volume.temperature_energy(parts.temperature("temperature"), parts.inputs)


def _ridge(parts: Parts) -> Tensor:
    parts.volume("ridge")
    return volume.ridge_energy(parts.weight.square().sum(-1))


ENERGIES: Mapping[str, Energy] = MappingProxyType(
    {
        "log-det": lambda parts: volume.log_determinant_energy(parts.volume("log-det"), parts.inputs),
        "temperature": _temperature,
        "ridge": _ridge,
    }
)
"""Controls that belong to the model: they enter the responsibilities. Distances with a volume alone have them."""
PENALTIES: Mapping[str, Penalty] = MappingProxyType(
    {
        "variance": lambda parts, d, r: volume.variance_floor(d),
        "decorrelation": lambda parts, d, r: volume.decorrelation(d),
        "weight-norm": lambda parts, d, r: volume.weight_norm(parts.weight, parts.size),
        "orthogonality": lambda parts, d, r: volume.orthogonality(parts.directions),
        "balance": lambda parts, d, r: volume.imbalance(r),
        "temperature-prior": lambda parts, d, r: volume.temperature_prior(parts.temperature("temperature-prior")),
    }
)
"""Controls that belong to the training: they are added to the loss."""
CONTROLS: Mapping[str, Energy | Penalty] = MappingProxyType({**ENERGIES, **PENALTIES})
"""All of them."""


def strengths(name: str, given: Mapping[str, float] | None, known: Mapping[str, object]) -> dict[str, float]:
    """`given` if all its names are in `known` and all its numbers 0 or above.

    Args:
        name: of the argument, for errors.
        given: control -> strength; None for none.
        known: the controls that are allowed.

    Raises:
        InputError: an unknown name, or a strength that is negative or not finite.
    """
    for control, strength in (given or {}).items():
        checks.choice(f"a name in {name}", control, known)
        checks.not_negative(f"{name}[{control!r}]", strength)
    return dict(given or {})
