"""A layer of prototypes that compete for samples."""

import math
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pwlact import checks
from pwlact.implicit_em import distances, start
from pwlact.implicit_em.controls import ENERGIES, Parts, strengths
from pwlact.implicit_em.loss import lse_loss, responsibilities
from pwlact.implicit_em.numbers import table, wide

DISTANCES = ("linear", "relu-linear", "diagonal", "full")
"""w'x + b; max(w'x + b, 0); Mahalanobis with a diagonal, and with a full precision."""
WEIGHTS = ("none", "equal", "learned")
"""pi_j = 1; 1/K; softmax of learnt numbers."""
OUTPUTS = ("distances", "negated", "responsibilities")
"""What the layer passes on: d_j; -d_j; r_j."""


class PrototypeLayer(nn.Module):
    """K prototypes, energies e_j(x) = d_j(x) / tau + volume_j - log pi_j, loss -log sum_j exp(-e_j).

    With a "diagonal" or "full" distance, volume {"log-det": 1} and weights "learned" the loss is the negative
    log-likelihood of a Gaussian mixture. Without the log-determinant it has no useful least value: see the guide.

    Args:
        inputs: D.
        components: K.
        distance: one of `DISTANCES`.
        weights: one of `WEIGHTS`.
        volume: energies by name (`controls.ENERGIES`) and their strengths: "log-det" (1 is the exact one),
            "temperature" (as well), "ridge" (a variance, in squared units of the input). None of them by default.
        output: one of `OUTPUTS`.
        learn_temperature: divide distances by tau = exp(log_temperature), which starts at 1.
        copies: leading dimensions of all parameters: so many independent layers side by side.

    Raises:
        InputError: an argument is outside its range, or a control does not go with the distance.
    """

    def __init__(
        self,
        inputs: int,
        components: int,
        distance: str = "diagonal",
        *,
        weights: str = "none",
        volume: Mapping[str, float] | None = None,
        output: str = "distances",
        learn_temperature: bool = False,
        copies: tuple[int, ...] = (),
    ) -> None:
        super().__init__()
        self.inputs = checks.at_least("inputs", inputs, 1)
        self.components = checks.at_least("components", components, 1)
        self.distance = checks.choice("distance", distance, DISTANCES)
        self.weights = checks.choice("weights", weights, WEIGHTS)
        self.output = checks.choice("output", output, OUTPUTS)
        self.volume = strengths("volume", volume, ENERGIES)
        units = (*copies, components)
        self.linear = distance in {"linear", "relu-linear"}
        self._add_parameters(units)
        self.logits = nn.Parameter(torch.zeros(units)) if weights == "learned" else None
        self.log_temperature = nn.Parameter(torch.zeros((*copies, 1))) if learn_temperature else None
        self._volume()  # a control that does not fit is refused here rather than in the first step

    def _add_parameters(self, units: tuple[int, ...]) -> None:
        spread = torch.randn(*units, self.inputs)
        if self.linear:
            self.weight = nn.Parameter(spread / math.sqrt(self.inputs))
            self.bias = nn.Parameter(torch.zeros(units))
            return
        self.means = nn.Parameter(spread)
        self.log_scale = nn.Parameter(torch.zeros(*units, self.inputs))
        if self.distance == "full":
            self.lower = nn.Parameter(torch.zeros(*units, self.inputs, self.inputs))

    @torch.no_grad()
    def place(self, x: Float[Tensor, "*copies n D"], seed: int = 0) -> None:
        """Put the prototypes on the data: means by k-means, scales from what lies around them.

        Linear units get random directions through the mean of the data, in units of its deviation (one for all inputs).

        Args:
            x: finite samples; one table for all copies, or one each.
            seed: of the draws.

        Raises:
            InputError: no samples, another number of inputs, or values that are not finite.
        """
        x = table("x", x, self.inputs)
        generator = torch.Generator(x.device).manual_seed(seed)
        home = self.weight if self.linear else self.means
        copies = home.shape[:-2]
        tables = x.expand(*copies, *x.shape[-2:]).reshape(-1, *x.shape[-2:])
        for number, samples in enumerate(tables):
            self._place_one(number, samples, generator)

    def _place_one(self, number: int, x: Tensor, generator: torch.Generator) -> None:
        rows, last = (-1, self.components, self.inputs), (-1, self.components)
        if self.linear:
            # one for all inputs: over its own, an input that hardly varies, such as a border pixel, would rule
            deviation = (x - x.mean(0)).square().mean().sqrt()
            deviation = torch.where(deviation > 0, deviation, 1.0)
            drawn = torch.randn(rows[1:], generator=generator, dtype=x.dtype, device=x.device)
            weight = drawn / deviation / math.sqrt(self.inputs)
            self.weight.view(rows)[number] = weight
            self.bias.view(last)[number] = -weight @ x.mean(0)
            return
        centres = start.k_means(x, self.components, generator)
        self.means.view(rows)[number] = centres
        self.log_scale.view(rows)[number] = -start.spread_within(x, centres).log()
        if self.distance == "full":
            self.lower.view(*rows, self.inputs)[number] = 0.0

    def factor(self) -> Tensor:
        """L_j of the precisions L_j L_j' (before the temperature): (*copies, K, D), or (..., D, D) for "full".

        Raises:
            InputError: the distance is linear.
        """
        if self.linear:
            raise checks.InputError(f"distance {self.distance!r} has no precision: use 'diagonal' or 'full'")
        if self.distance == "diagonal":
            return wide(self.log_scale)[0].exp()
        return distances.cholesky_factor(*wide(self.lower, self.log_scale))

    def distances(self, x: Float[Tensor, "*copies n D"]) -> Float[Tensor, "*copies n K"]:
        """d_j(x) / tau, float32 or wider.

        Args:
            x: samples; a NaN makes its own row NaN.

        Raises:
            InputError: no samples, or another number of inputs.
        """
        x = table("x", x, self.inputs)
        if self.linear:
            between = distances.linear_distances if self.distance == "linear" else distances.relu_linear_distances
            d = between(x, self.weight, self.bias)
        else:
            between = distances.diagonal_distances if self.distance == "diagonal" else distances.full_distances
            d = between(x, self.means, self.factor())
        if self.log_temperature is None:
            return d
        return d * (-wide(self.log_temperature)[0]).exp()[..., None, :]

    def log_weights(self) -> Float[Tensor, "*copies K"] | None:
        """log pi_j; None where pi_j = 1."""
        if self.logits is not None:
            return wide(self.logits)[0].log_softmax(-1)
        if self.weights == "none":
            return None
        home = self.weight if self.linear else self.means
        return torch.full_like(home[..., 0], -math.log(self.components), dtype=wide(home)[0].dtype)

    def parts(self) -> Parts:
        """What controls may look at."""
        temperature = None if self.log_temperature is None else wide(self.log_temperature)[0]
        if self.linear:
            normals, bias = wide(self.weight, self.bias)
            # the bias counts: a common shift of all would lower the loss without end and change nothing else
            weight = torch.cat([normals, bias[..., None]], -1)
            return Parts(self.inputs, weight, 1.0, normals, log_temperature=temperature)
        means, log_scale = wide(self.means, self.log_scale)
        factor = self.factor()
        weight = factor if self.distance == "diagonal" else factor.flatten(-2)
        directions = means - means.mean(-2, keepdim=True)
        size = math.sqrt(self.inputs)
        return Parts(self.inputs, weight, size, directions, log_scale.sum(-1), temperature)

    def _volume(self) -> Tensor | None:
        parts = self.parts()
        terms = [strength * ENERGIES[name](parts) for name, strength in self.volume.items()]
        return torch.stack(torch.broadcast_tensors(*terms)).sum(0) if terms else None

    def energies(self, x: Float[Tensor, "*copies n D"]) -> Float[Tensor, "*copies n K"]:
        """e_j(x) = d_j(x) / tau + volume_j - log pi_j.

        Args:
            x: samples.

        Raises:
            InputError: no samples, or another number of inputs.
        """
        return self.from_distances(self.distances(x))

    def from_distances(self, d: Float[Tensor, "*copies n K"]) -> Float[Tensor, "*copies n K"]:
        """The energies of distances of `distances`."""
        for term, sign in ((self._volume(), 1), (self.log_weights(), -1)):
            d = d if term is None else d + sign * term[..., None, :]
        return d

    def loss(self, x: Float[Tensor, "*copies n D"], reduction: str = "mean") -> Float[Tensor, "*result"]:
        """-log sum_j exp(-e_j(x)), in nats; see `lse_loss`.

        Args:
            x: samples.
            reduction: "mean", "sum" or "none".

        Raises:
            InputError: no samples, another number of inputs, or an unknown reduction.
        """
        return lse_loss(self.energies(x), reduction=reduction)

    def responsibilities(self, x: Float[Tensor, "*copies n D"]) -> Float[Tensor, "*copies n K"]:
        """r_j(x) = softmax(-e(x))_j.

        Args:
            x: samples.

        Raises:
            InputError: no samples, or another number of inputs.
        """
        return responsibilities(self.energies(x))

    def forward(self, x: Float[Tensor, "*copies n D"]) -> Float[Tensor, "*copies n K"]:
        """What `output` names, in the type of x."""
        d = self.distances(x)
        if self.output == "responsibilities":
            d = responsibilities(self.from_distances(d))
        return (-d if self.output == "negated" else d).to(x.dtype)

    def extra_repr(self) -> str:
        """Sizes, distance, volume and output."""
        volume = ", ".join(f"{name}={strength:g}" for name, strength in self.volume.items()) or "none"
        return (
            f"{self.inputs}, {self.components}, {self.distance}, volume {volume}, weights {self.weights}, "
            f"gives {self.output}"
        )
