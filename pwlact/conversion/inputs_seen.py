"""Where the inputs of an activation lie: what a fit that is to hold there is weighted with."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit
from torch import Tensor

from pwlact.pwl import Knots, PiecewiseLinearActivation
from pwlact.pwl.recording import input_of

_Array = NDArray[np.float64]

# Inputs of each function that are kept of a call, beside the least and the greatest, and points that stand for them.
_KEPT, _POINTS = 1 << 13, 256
# How far out inputs count, in widths of the knots: further away one would coarsen the search for all.
_FARTHEST = 2
# As many inputs more are taken to lie evenly between the knots: they decide where few were seen.
_EVEN = 100.0


@contextmanager
def sampling(modules: Iterable[PiecewiseLinearActivation]) -> Iterator[dict[PiecewiseLinearActivation, list[Tensor]]]:
    """Keep some inputs of every module while the context lasts.

    Yields:
        by module, for each of its calls, inputs of each of its functions, spread over the elements of x, and the least
        and the greatest: shape (G, n), where G is 1 for one function in all.
    """
    seen: dict[PiecewiseLinearActivation, list[Tensor]] = {module: [] for module in modules}

    def keep(module: PiecewiseLinearActivation, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        x = input_of(arguments, named).detach()
        if module.channels is None:
            rows = x.reshape(1, -1)
        else:
            rows = x.movedim(module.channel_dim, 0).reshape(len(module.values), -1)
        some = torch.linspace(0, rows.shape[1] - 1, min(rows.shape[1], _KEPT), dtype=torch.float64, device=x.device)
        spread = rows[:, some.round().long()]
        if rows.numel():
            spread = torch.cat([spread, rows.amin(1, keepdim=True), rows.amax(1, keepdim=True)], dim=1)
        seen[module].append(spread.cpu().double())

    hooks = [module.register_forward_pre_hook(keep, with_kwargs=True) for module in seen]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def points(knots: Knots, inputs: _Array) -> tuple[_Array, _Array]:
    """Where to fit a function, and what each point weighs.

    Neighbouring inputs are drawn together to their mean, fewer the further out they are, the outermost not at all:
    a Swish that fits the mean of a tail may turn within it. Ranks are cut evenly by their logits. What lies more than
    two widths of the knots outside counts at that distance: f is a straight line there.

    Args:
        knots: the knots of f.
        inputs: what it receives, shape (n,); NaN and infinities do not count.

    Returns:
        Positions, in the units of x, and their weights, the number of inputs there; both of shape (P,).
    """
    even, reach = knots.positions().numpy(), _FARTHEST * (knots.high - knots.low)
    there = np.sort(inputs[np.isfinite(inputs)]).clip(knots.low - reach, knots.high + reach)
    n = len(there)
    cuts = n * expit(np.linspace(-np.log(max(n, 1)), np.log(max(n, 1)), _POINTS - 1))
    groups = [group for group in np.split(there, cuts.round().astype(int)) if len(group)]
    x = [*even, *(group.mean() for group in groups)]
    weights = [_EVEN / len(even)] * len(even) + [float(len(group)) for group in groups]
    return np.array(x), np.array(weights)
