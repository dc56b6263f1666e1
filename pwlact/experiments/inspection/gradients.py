"""Does the local objective point where the cross-entropy points? Cosines between their gradients in the knots.

For a layer with knot values y, one function or one a channel,

    g = -d/dy mean_i CE_i,    j = d/dy mean_c R(rho_c),    rho_ck = Corr(f(x_c), 1[label = k]),

the way down on the cross-entropy and the way up on the correlation objective J, roughness left out, the statistics of
x_c taken from samples ("sample") or from a normal density a class ("gaussian"). J sees neither shift nor scale of f,
so j is orthogonal to 1 and to y; P projects onto what is left, and

    cos(g, j),    cos(P g, P j),    seen = |P g| / |g|

say how well they agree, how well in what J can see, and what part of g that is.

Everything is measured in eval mode (running statistics of the batch norms, as the network is used), in float32, on
validation images. There g and the sums behind j are sums over images, so that halves of the images are independent
and the size of a batch means nothing. In training, batch norms behind the layer divide by statistics of the batch
and take out most of a shift or a scale of f, which P takes out here.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from pwlact import checks
from pwlact.correlation import ESTIMATORS, ascent
from pwlact.data import Images
from pwlact.experiments.cifar import CLASSES
from pwlact.experiments.inspection.layers import POSITIONS, Layers, learnable, rows, some_positions
from pwlact.experiments.inspection.loading import StoredRun
from pwlact.pwl import PiecewiseLinearActivation

SHUFFLES = 2


def gradients(
    run: StoredRun,
    images: int = 2000,
    seed: int = 0,
    epochs: int = 8,
    progress: Callable[[int, int | None], None] | None = None,
) -> dict[str, Any]:
    """Compare the gradients in every layer, after the epochs whose weights are kept.

    Args:
        run: the run; a fixed activation is looked at as its interpolation on the run's knots.
        images: number of validation images, at least 20.
        seed: of the halves, the positions and the shuffles.
        epochs: most epochs to look at, spread over those kept, the last among them; at least 1.
        progress: called with (epochs looked at, their number).

    Returns:
        JSON-able: n (images), positions, epochs, dimension (of P's range), random (expected |cos| of two random
        directions there), layers [{name, functions, epochs [row]}]. A row holds epoch, seen, for each estimator
        {cosine, projected, repeat}, ceiling {cosine, projected} and chance {cosine, projected}; means over the
        functions of a layer. `ceiling` compares g of two halves of the images, `repeat` P j of both: what noise leaves
        of one direction. `chance` is the mean |cos| of g and j with shuffled labels, from samples.

    Raises:
        InputError: `images` is below 20, `epochs` below 1, or weights cannot be read.
    """
    checks.at_least("images", images, 20)
    some = _spread(list(run.weights), checks.at_least("epochs", epochs, 1))
    chosen = run.first(images)
    halves = _halves(chosen, seed)
    layers: dict[str, dict[str, Any]] = {}
    for done, epoch in enumerate(some):
        if progress:
            progress(done, len(some))
        model = run.model_with_knots(epoch)
        seen = [_look(model, run.batches(half).epoch(0), seed + part) for part, half in enumerate(halves)]
        for name, module in learnable(model):
            first, second = (part[name] for part in seen)
            layer = layers.setdefault(name, {"name": name, "functions": rows(module.values).shape[0], "epochs": []})
            layer["epochs"].append({"epoch": epoch, **_compare(module, first, second)})
    dimension = run.config.knots - 2
    return {
        "n": len(chosen),
        "positions": POSITIONS,
        "epochs": some,
        "dimension": dimension,
        "random": random_cosine(dimension),
        "layers": list(layers.values()),
    }


def cosine(a: Float[Tensor, "functions knots"], b: Float[Tensor, "functions knots"]) -> Float[Tensor, " functions"]:
    """Cosine of the angle between rows; NaN where one of them is zero or not finite."""
    a, b = (part / part.abs().amax(-1, keepdim=True) for part in (a.double(), b.double()))  # squares may underflow
    return (a * b).sum(-1) / (a.norm(dim=-1) * b.norm(dim=-1))


def visible(
    g: Float[Tensor, "functions knots"], y: Float[Tensor, "functions knots"]
) -> Float[Tensor, "functions knots"]:
    """P g: what J can see of directions g at the functions y, orthogonal to 1 and y."""
    g, y = g.double(), y.double()
    largest = y.abs().amax(-1, keepdim=True)
    g, y = g - g.mean(-1, keepdim=True), y - y.mean(-1, keepdim=True)
    size = y.norm(dim=-1, keepdim=True)
    bend = torch.where(size > 1e-12 * largest, y / size, 0.0)  # a constant function spans nothing beside 1
    return g - (g * bend).sum(-1, keepdim=True) * bend


def random_cosine(dimension: int) -> float:
    """E |cos| of the angle of two random directions: Gamma(d/2) / (sqrt(pi) Gamma((d+1)/2)), about sqrt(2/(pi d))."""
    return math.exp(math.lgamma(dimension / 2) - math.lgamma((dimension + 1) / 2)) / math.sqrt(math.pi)


@dataclass
class Seen:
    """Sums over images of what a layer's gradients are made of.

    Attributes:
        images: number of them.
        descent: -d sum_i CE_i / dy, shape (functions, N), float64.
        summaries: what each estimator keeps of the inputs; "shuffled 0", ... of those with shuffled labels.
    """

    images: int
    descent: Float[Tensor, "functions knots"]
    summaries: dict[str, Any] = field(default_factory=dict)

    def add(self, name: str, summary: Any) -> None:
        """Add to a summary."""
        self.summaries[name] = self.summaries[name] + summary if name in self.summaries else summary

    def __add__(self, other: "Seen") -> "Seen":
        both = {name: part + other.summaries[name] for name, part in self.summaries.items()}
        return Seen(self.images + other.images, self.descent + other.descent, both)


def _look(model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], seed: int) -> dict[str, Seen]:
    """What every learnable layer of a model in eval mode sees of the batches, by its name."""
    layers = learnable(model)
    seen = {
        name: Seen(0, torch.zeros_like(rows(module.values.detach()), dtype=torch.float64)) for name, module in layers
    }
    generator = torch.Generator().manual_seed(seed)
    values = [module.values.requires_grad_() for _, module in layers]
    with _only(model, values):
        for images, labels in batches:
            with _watching(layers, seen, labels, generator):
                loss = functional.cross_entropy(model(images).float(), labels, reduction="sum")
            for (name, _), slope in zip(layers, torch.autograd.grad(loss, values), strict=True):
                seen[name].images += len(labels)
                seen[name].descent -= rows(slope)
    return seen


@contextmanager
def _only(model: nn.Module, values: list[Any]) -> Iterator[None]:
    """Within, no other parameter wants a gradient, which would be computed for nothing."""
    others = {id(value) for value in values}
    frozen = [parameter for parameter in model.parameters() if parameter.requires_grad and id(parameter) not in others]
    for parameter in frozen:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in frozen:
            parameter.requires_grad_()


@contextmanager
def _watching(layers: Layers, seen: dict[str, Seen], labels: Tensor, generator: torch.Generator) -> Iterator[None]:
    """Within, forward passes add to the summaries of the layers' inputs."""
    shuffles = [labels[torch.randperm(len(labels), generator=generator)] for _ in range(SHUFFLES)]

    def watch(name: str, module: PiecewiseLinearActivation) -> Any:
        @torch.no_grad()
        def add(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            x = some_positions(inputs[0].detach(), generator)
            for estimator, known in ESTIMATORS.items():
                seen[name].add(estimator, known.summarise(x, labels, CLASSES, module.knots))
            for number, other in enumerate(shuffles):
                summary = ESTIMATORS["sample"].summarise(x, other, CLASSES, module.knots)
                seen[name].add(f"shuffled {number}", summary)

        return add

    hooks = [module.register_forward_pre_hook(watch(name, module)) for name, module in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _compare(module: PiecewiseLinearActivation, first: Seen, second: Seen) -> dict[str, Any]:
    """One row: the layer's cosines, averaged over its functions."""
    y, whole = rows(module.values.detach()), first + second
    g, ends = whole.descent, (first.descent, second.descent)
    shown = visible(g, y)
    row: dict[str, Any] = {"seen": _mean(shown.norm(dim=-1) / g.norm(dim=-1))}
    for name in ESTIMATORS:
        j, *parts = (_ascent(module, seen, name) for seen in (whole, first, second))
        pair = _agreement(g, j, y)
        row[name] = {**pair, "repeat": _mean(cosine(*(visible(part, y) for part in parts)))}
    row["ceiling"] = _agreement(*ends, y)
    draws = [_ascent(module, whole, f"shuffled {number}") for number in range(SHUFFLES)]
    row["chance"] = {
        "cosine": float(np.mean([_mean(cosine(g, draw).abs()) for draw in draws])),
        "projected": float(np.mean([_mean(cosine(shown, visible(draw, y)).abs()) for draw in draws])),
    }
    return row


def _agreement(a: Tensor, b: Tensor, y: Tensor) -> dict[str, float]:
    return {"cosine": _mean(cosine(a, b)), "projected": _mean(cosine(visible(a, y), visible(b, y)))}


def _ascent(module: PiecewiseLinearActivation, seen: Seen, name: str) -> Float[Tensor, "functions knots"]:
    """dJ/dy without roughness."""
    estimator = ESTIMATORS.get(name, ESTIMATORS["sample"])
    statistics = estimator.statistics(seen.summaries[name], module.knots)
    slope, _ = ascent.gradient(module.values, statistics, "signed", 0.0)
    return rows(slope).double()


def _mean(numbers: Tensor) -> float:
    """Mean of those that are defined; NaN where none is."""
    return float(numbers.nanmean())


def _halves(images: Images, seed: int) -> list[Images]:
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    return [Images(images.images[part], images.labels[part]) for part in order.tensor_split(2)]


def _spread(kept: list[int], most: int) -> list[int]:
    """At most so many of the epochs, evenly spread, the last among them."""
    if len(kept) <= most:
        return kept
    places = np.linspace(0, len(kept) - 1, most) if most > 1 else [len(kept) - 1]
    return [kept[round(place)] for place in places]
