"""Perceptrons of many classes: on a mistake the weights of the right class take the example in, others give it back."""

import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from pwlact import checks
from pwlact.experiments.letters.one_by_one import Best, Step, blocks, check, moves
from pwlact.experiments.letters.parts import Parts


def multi_class(z: Tensor, target: Tensor) -> Tensor:
    """c = e_y - e_k for k = argmax z, the first of several: nothing where k = y.

    Args:
        z: scores (..., K).
        target: e_y.

    References:
        Crammer, Singer, "Ultraconservative online algorithms for multiclass problems", 2003.
    """
    answer = torch.zeros_like(z).scatter_(-1, z.argmax(-1, keepdim=True), 1.0)
    return target - answer


def one_versus_rest(z: Tensor, target: Tensor) -> Tensor:
    """c_k = t_k where t_k z_k <= 0, t_k = 1 for the right class and -1 for others: K perceptrons of two classes.

    Args:
        z: scores (..., K).
        target: e_y.

    References:
        Rosenblatt, "The perceptron: a probabilistic model for information storage and organization", 1958.
    """
    t = 2 * target - 1
    return t * (t * z <= 0)


RULES: Mapping[str, Step] = MappingProxyType({"multi-class": multi_class, "one-versus-rest": one_versus_rest})
"""Name -> scores, target -> c, the multiples of (x, 1) that are added to (w_k, b_k)."""


@torch.inference_mode()
def perceptron(
    parts: Parts,
    epochs: int = 20,
    seeds: Sequence[int] = (1,),
    *,
    rule: str = "multi-class",
    epoch_done: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Train from zero, one example at a time; each seed goes through the examples in an order of its own.

    The plain perceptron answers with the weights that it has after an epoch, the averaged one with the mean of the
    weights after every step so far.

    Args:
        parts: the images.
        epochs: passes over the training images.
        seeds: of the orders; all are trained side by side.
        rule: name in `RULES`.
        epoch_done: called after every epoch.

    Returns:
        JSON-able: plain and averaged [a seed: {history: [validation accuracy after each epoch], best_epoch, and of that
        epoch train, validation, test: accuracies}], mistakes [a seed: [share of the examples of each epoch that moved
        the weights]], seeds, rule, seconds.

    Raises:
        InputError: an unknown rule, a number out of its range, or an empty part.

    References:
        Freund, Schapire, "Large margin classification using the perceptron algorithm", 1999: averaged weights.
    """
    check(parts, epochs, seeds)
    step = RULES[checks.choice("rule", rule, RULES)]
    start, best = time.perf_counter(), {name: Best(parts, (len(seeds),)) for name in ("plain", "averaged")}
    weights = parts.train.x.new_zeros(len(seeds), parts.classes, parts.train.x.shape[1] + 1)
    total = torch.zeros_like(weights, dtype=torch.float64)
    mistakes = []
    for epoch in range(1, epochs + 1):
        moved = torch.zeros(len(seeds), dtype=torch.float64)
        for x, targets in blocks(parts.train, parts.classes, seeds, epoch):
            moved += _block(_with_one(x), targets, weights, total, step)
        mistakes.append(moved / len(parts.train.y))
        mean = (total / (epoch * len(parts.train.y))).to(weights.dtype)
        for name, now in (("plain", weights), ("averaged", mean)):
            best[name].offer(now[..., :-1], now[..., -1])
        epoch_done()
    return {
        **{name: one.records() for name, one in best.items()},
        "mistakes": [[round(share, 6) for share in row] for row in torch.stack(mistakes).T.tolist()],
        "seeds": list(seeds),
        "rule": rule,
        "seconds": round(time.perf_counter() - start, 3),
    }


def _block(
    x: Float[Tensor, "seeds block inputs"], targets: Tensor, weights: Tensor, total: Tensor, step: Step
) -> Float[Tensor, " seeds"]:
    """Learn from a block, add the weights after each of its steps to the total; the number of steps that moved them."""
    c, count = moves(x, targets, weights, step), x.shape[1]
    # what step i adds is in the weights after it and after all later steps
    after = torch.arange(count, 0, -1, dtype=x.dtype)[:, None]
    total += count * weights + (after * c).mT @ x
    weights += c.mT @ x
    return (c != 0).any(-1).double().sum(1)


def _with_one(x: Float[Tensor, "seeds block pixels"]) -> Float[Tensor, "seeds block inputs"]:
    return torch.cat([x, torch.ones_like(x[..., :1])], -1)
