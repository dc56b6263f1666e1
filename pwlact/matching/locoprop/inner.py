"""Gradient descent on a layer's local loss: its rules, the rate that is safe, and the loop."""

from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from pwlact import checks
from pwlact.matching.locoprop.rows import units_in_groups, units_last
from pwlact.matching.transfer import TransferFunction

InnerRule = Literal["sgd", "momentum", "rmsprop", "adam"]
INNER_RULES: tuple[InnerRule, ...] = ("sgd", "momentum", "rmsprop", "adam")
Large = Literal["damp", "refuse"]
_EPSILON = 1e-8


def direction(rule: InnerRule, slope: Tensor, state: dict[str, Any], betas: tuple[float, float]) -> Tensor:
    """What to go down along, from a slope g and what the rule remembers.

        sgd g        momentum m = beta_1 m + g        rmsprop g / (sqrt v + eps), v = beta_2 v + (1 - beta_2) g^2
        adam m / (sqrt v + eps), both averages, divided by 1 - beta^steps

    Args:
        rule: name.
        slope: g; overwritten.
        state: of the layer; its tensors are written to.
        betas: decays of the first and of the second moment. RMSProp's average is divided by 1 - beta_2^steps too.

    Returns:
        the direction, in the shape of g; not to be written to.
    """
    if rule == "sgd":
        return slope
    steps = state["inner_steps"] = state.get("inner_steps", 0) + 1
    if rule == "momentum":
        return _moment("first", slope, state).mul_(betas[0]).add_(slope)
    squares = _moment("second", slope, state).mul_(betas[1]).addcmul_(slope, slope, value=1 - betas[1])
    size = squares.sqrt().mul_((1 - betas[1] ** steps) ** -0.5).add_(_EPSILON)
    if rule == "rmsprop":
        return slope.div_(size)
    first = _moment("first", slope, state).mul_(betas[0]).add_(slope, alpha=1 - betas[0])
    return torch.div(first, size, out=slope).mul_(1 / (1 - betas[0] ** steps))


def _moment(name: str, slope: Tensor, state: dict[str, Any]) -> Tensor:
    if name not in state:
        state[name] = torch.zeros_like(slope)
    return state[name]


def curvature(inputs: Float[Tensor, "g n k"], lipschitz: float, eta: float) -> Float[Tensor, "g 1 1"]:
    """Bound L lambda_max(Y'Y / n) + 1/eta on the curvature of the local loss, L the largest slope of f.

    Args:
        inputs: Y.
        lipschitz: L.
        eta: rate of the proximal term.

    Returns:
        the bound, one a group of the layer.

    Raises:
        InputError: the inputs are not finite, or f has no largest slope.
    """
    rows, columns = inputs.shape[1:]
    gram = (inputs @ inputs.mT if rows < columns else inputs.mT @ inputs) / rows
    if not gram.isfinite().all() or not lipschitz < torch.inf:
        what = "the inputs of the layer are not finite" if lipschitz < torch.inf else "f has steps"
        raise checks.InputError(f"the local loss has no bounded curvature: {what}")
    return lipschitz * torch.linalg.eigvalsh(gram)[..., -1, None, None] + 1 / eta


def safe_rate(rate: float | None, bound: Float[Tensor, "g 1 1"], large: Large) -> Float[Tensor, "g 1 1"]:
    """A rate s at which descent on a curvature of `bound` converges: s < 2 / bound.

    For s = eta and L = 1 that is eta lambda_max < 1, the range of the fixed-point iteration.

    Args:
        rate: the rate wanted; None for 1 / bound.
        bound: of the curvature.
        large: what to do with a rate outside the range: "damp" it to 1 / bound, or "refuse" it.

    Returns:
        the rate, one a group of the layer.

    Raises:
        InputError: it is outside the range and `large` is "refuse".
    """
    if rate is None:
        return 1 / bound
    outside = rate * bound >= 2
    if large == "refuse" and outside.any():
        raise checks.InputError(
            f"local steps of rate {rate:g} diverge: the curvature is up to {float(bound.max()):.4g}, so the rate must "
            f"be below {2 / float(bound.max()):.4g}; lower eta or inner_lr, pass large='damp', or solve exactly"
        )
    return torch.where(outside, 1 / bound, rate)


@torch.no_grad()
def descend(
    weight: Float[Tensor, "g o k"],
    inputs: Float[Tensor, "g n k"],
    target: Float[Tensor, "n units"],
    transfer: TransferFunction,
    *,
    eta: float,
    rates: list[Float[Tensor, "g 1 1"]] | list[float],
    rule: InnerRule = "sgd",
    state: dict[str, Any] | None = None,
    betas: tuple[float, float] = (0.9, 0.999),
) -> Float[Tensor, "g o k"]:
    """Steps down on sum over rows of loss(V y, target)/n + ||V - W||^2/(2 eta), from V = W.

    The gradient (f(V Y') - target)'Y / n + (V - W)/eta needs f alone, so targets may lie outside its range.

    Args:
        weight: W.
        inputs: Y.
        target: for the outputs of f, the units of all groups side by side.
        transfer: f, on rows.
        eta: rate of the proximal term.
        rates: rate of each step.
        rule: how steps follow from gradients.
        state: what the rule remembers; given new tensors, so that the old ones stay as they were.
        betas: of the rule.

    Returns:
        V after the steps.
    """
    state = {} if state is None else state
    # everything of the size of the weights is written in place: new memory costs more than the sums
    state.update({name: value.clone() for name, value in state.items() if name in ("first", "second")})
    new, slope, rows = weight.clone(), torch.empty_like(weight), inputs.shape[1]
    for rate in rates:
        excess = transfer(units_last(inputs @ new.mT)) - target
        torch.sub(new, weight, out=slope)
        slope.baddbmm_(units_in_groups(excess, len(weight)).mT, inputs, beta=1 / eta, alpha=1 / rows)
        way = direction(rule, slope, state, betas)
        if isinstance(rate, Tensor):
            new.addcmul_(way, rate.to(new.dtype), value=-1)
        else:
            new.add_(way, alpha=-rate)
    return new
