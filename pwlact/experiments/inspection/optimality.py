"""How near is what a layer has learnt to what the theory calls for at that layer's own input?

A layer's objective is J(f) = mean_c R(rho_c), rho_ck = Corr(f(x_c), 1[label = k]) over its channels c, one f for all
of them. With the network as it is, f* is the optimum of J on the layer's knots, and

    share = J(f) / J(f*),        r2 = (y' B y*)^2 / (y' B y  y*' B y*),    B = mean_c Cov_c(phi),

say what part of the attainable reward f has, and how well its curve agrees with that of f* where inputs lie (r2 = 0
where they are opposed).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pwlact import checks
from pwlact.correlation import ESTIMATORS, HatStatistics, ascent, reward
from pwlact.experiments.cifar import CLASSES
from pwlact.experiments.inspection.layers import Layers, learnable, rows, some_positions
from pwlact.experiments.inspection.loading import StoredRun
from pwlact.pwl import Knots, PiecewiseLinearActivation
from pwlact.swish import fit_swish

_ITERATIONS = 30
# a rougher optimum only follows the noise of the images: this little is what a network's own units take
SMOOTHNESS = 1e-4
REFERENCES: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "silu": nn.functional.silu,
    "mirrored": lambda t: torch.relu(-t),
}


def optimality(run: StoredRun, images: int = 2000, seed: int = 0) -> dict[str, Any]:
    """Compare every layer's activation with the optimum of J for its input, at the newest weights.

    Args:
        run: the run; a fixed activation is looked at as its interpolation on the run's knots.
        images: number of validation images, at least 20.
        seed: of the positions.

    Returns:
        JSON-able: n, epoch, smoothness, layers [{name, functions, reward, relu, silu, optimum (J of each), share, r2,
        swish_r2, optimum_swish_r2}]. Means over the functions of a layer.

    Raises:
        InputError: `images` is below 20, or weights cannot be read.
    """
    checks.at_least("images", images, 20)
    model = run.model_with_knots()
    layers, chosen = learnable(model), run.first(images)
    summaries: dict[str, Any] = {}
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for batch, labels in run.batches(chosen).epoch(0):
            with _watching(layers, summaries, labels, generator):
                model(batch)
    found = [
        {"name": name, **compare(module, ESTIMATORS["sample"].statistics(summaries[name], module.knots))}
        for name, module in layers
    ]
    return {"n": len(chosen), "epoch": run.last, "smoothness": SMOOTHNESS, "layers": found}


@contextmanager
def _watching(layers: Layers, summaries: dict[str, Any], labels: Tensor, generator: torch.Generator) -> Iterator[None]:
    """Within, forward passes add to the soft histograms of the layers' inputs."""

    def watch(name: str, module: PiecewiseLinearActivation) -> Any:
        def add(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            x = some_positions(inputs[0], generator)
            new = ESTIMATORS["sample"].summarise(x, labels, CLASSES, module.knots)
            summaries[name] = summaries[name] + new if name in summaries else new

        return add

    hooks = [module.register_forward_pre_hook(watch(name, module)) for name, module in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def compare(module: PiecewiseLinearActivation, statistics: HatStatistics) -> dict[str, Any]:
    """One row: the layer's activation against the optimum, ReLU and SiLU."""
    y, statistics = rows(module.values.detach()).double(), statistics.double()
    t = module.knots.positions(dtype=torch.float64)
    known = {name: function(t).expand_as(y) for name, function in REFERENCES.items()}
    best = optimum(y, list(known.values()), statistics)
    j = {name: _j(values, statistics) for name, values in (("reward", y), *known.items(), ("optimum", best))}
    del j["mirrored"]
    return {
        "functions": len(y),
        **{name: float(value.mean()) for name, value in j.items()},
        "share": float((j["reward"] / j["optimum"]).mean()),
        "r2": float(agreement(y, best, statistics).mean()),
        "swish_r2": _swish_r2(module.knots, y),
        "optimum_swish_r2": _swish_r2(module.knots, best),
    }


def optimum(
    y: Float[Tensor, "functions knots"], starts: list[Tensor], statistics: HatStatistics
) -> Float[Tensor, "functions knots"]:
    """The best of what is climbed to from y and from each of `starts`, for every function."""
    best, highest = y, torch.full((len(y),), -torch.inf, dtype=y.dtype)
    for start in (y, *starts):
        # of norm 1, so that the roughness means the same from every start
        unit = start - start[:, :1]
        unit = unit / unit.norm(dim=-1, keepdim=True)
        end, _ = ascent.optimum(unit, statistics, "signed", SMOOTHNESS, _ITERATIONS)
        j = _j(end, statistics)
        best, highest = torch.where((j > highest)[:, None], end, best), torch.maximum(j, highest)
    return best


def agreement(
    a: Float[Tensor, "functions knots"], b: Float[Tensor, "functions knots"], statistics: HatStatistics
) -> Float[Tensor, " functions"]:
    """r2 of two functions where the layer's inputs lie; 0 where they are opposed."""
    groups, knots = a.shape
    covariance = statistics.second_moments() - statistics.mean[:, :, None] * statistics.mean[:, None, :]
    covariance = covariance.reshape(groups, -1, knots, knots).mean(1)
    inner, first, second = (torch.einsum("gi,gij,gj->g", u, covariance, v) for u, v in ((a, b), (a, a), (b, b)))
    return (inner / (first * second).sqrt()).clamp(min=0).square()


def _j(values: Float[Tensor, "functions knots"], statistics: HatStatistics) -> Float[Tensor, " functions"]:
    rho = statistics.correlations(ascent.spread(values, statistics.counts.shape[0]))
    return reward(rho, "signed").reshape(len(values), -1).mean(-1)


def _swish_r2(knots: Knots, values: Float[Tensor, "functions knots"]) -> float:
    """Of the mean over the functions."""
    return fit_swish(knots.positions(dtype=torch.float64).numpy(), values.mean(0).numpy()).r2
