"""`bake`: learnt activations as fixed functions, for deployment."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pwlact import checks
from pwlact.conversion.convert import copied
from pwlact.conversion.example import difference, run
from pwlact.conversion.frozen import FrozenPiecewiseLinear, FrozenSwish
from pwlact.conversion.hooks import move_hooks
from pwlact.conversion.inputs_seen import points, sampling
from pwlact.conversion.report import BakedLayer, BakeReport
from pwlact.conversion.search import described
from pwlact.pwl import Knots, PiecewiseLinearActivation, pwl
from pwlact.pwl.recording import input_of
from pwlact.swish import PARAMETERS, fit_swish_batched

_Array = NDArray[np.float64]


class Baked(NamedTuple):
    """A model with fixed activations, and the report on it."""

    model: nn.Module
    report: BakeReport


def bake(model: nn.Module, *, to: Literal["swish", "pwl"] = "pwl", example: Any = None, inplace: bool = False) -> Baked:
    """Replace a model's learnable activations by fixed functions of the same shape.

    "pwl" keeps each function as it is, with buffers for parameters. "swish" takes a least-squares Swish, scale u
    sigmoid(beta u) + offset with u = x - x0, one a function: four numbers in place of N. With an example it is the
    nearest at the inputs that the function receives there, so let the example be like what the model is for, some
    hundred images or more. Without one it is the nearest at the knots, knows neither which of them matter nor
    anything beyond them, and may cost much more: where the report says that it bends there, prefer "pwl". The rest
    of the model stays trainable, and the result exports to ONNX by PyTorch's own exporter.

    Args:
        model: with at least one `PiecewiseLinearActivation`.
        to: "pwl" or "swish".
        example: input of the model (a tensor, a tuple of arguments or a dict of keyword arguments), for which Swishes
            are fitted, and on which the report measures each layer's error at the inputs that it really sees, and
            that of the model's output.
        inplace: change `model` itself; a deep copy unless given.

    Returns:
        The model, and a `BakeReport` that prints as a table: `model, report = bake(model)`.

    Raises:
        InputError: there is nothing to bake, the model fails on the example or cannot be copied, or a Swish is to
            be fitted to fewer than 5 knots or to values that are not finite.

    Examples:
        >>> model, report = bake(nn.Sequential(PiecewiseLinearActivation(channels=4, start="silu")), to="swish")
        >>> model[0]
        FrozenSwish(channels=4)
    """
    checks.choice("to", to, ("swish", "pwl"))
    model = model if inplace else copied(model)
    root = nn.Sequential(model)
    root.training = model.training
    places = _places(root)
    if not places:
        raise checks.InputError("there is nothing to bake: no PiecewiseLinearActivation in the model")
    new, layers = {}, {}
    seen: dict[PiecewiseLinearActivation, list[Tensor]] = {}
    if to == "swish" and example is not None:
        with sampling(places) as seen:
            run(root[0], example)
    for module, where in places.items():
        name = where[0][2]
        new[module], note = _swish(module, name, seen.get(module)) if to == "swish" else (_frozen(module), "")
        worst, mean = _errors(module, new[module])
        layers[module] = BakedLayer(name, described(module), repr(new[module]), worst, mean, note=note)
    before = None
    if example is not None:
        with _comparing(new, layers):
            before = run(root[0], example)
    for module, where in places.items():
        move_hooks(module, new[module].train(module.training))
        for holder, key, _ in where:
            holder._modules[key] = new[module]
    report = BakeReport(list(layers.values()))
    if example is not None:
        report.difference = difference(before, run(root[0], example))
    return Baked(root[0], report)


def _places(root: nn.Module) -> dict[PiecewiseLinearActivation, list[tuple[nn.Module, str, str]]]:
    """Each activation below the root, with the modules and names that hold it and its paths in the root's child."""
    places: dict[PiecewiseLinearActivation, list[tuple[nn.Module, str, str]]] = {
        module: [] for module in root.modules() if isinstance(module, PiecewiseLinearActivation)
    }
    for path, owner in root.named_modules():
        for key, child in owner._modules.items():  # every name, also where two hold one module
            if isinstance(child, PiecewiseLinearActivation):
                name = f"{path}.{key}".lstrip(".").partition(".")[2]
                places[child].append((owner, key, name))
    return places


def _frozen(module: PiecewiseLinearActivation) -> FrozenPiecewiseLinear:
    return FrozenPiecewiseLinear(module.values.detach().clone(), module.knots, module.channel_dim)


def _swish(module: PiecewiseLinearActivation, name: str, seen: list[Tensor] | None) -> tuple[FrozenSwish, str]:
    """The Swish nearest to each function of the module, and what to know about it."""
    curves = np.atleast_2d(module.values.detach().cpu().double().numpy())
    try:
        fit = _fit(module.knots, curves, torch.cat(seen, dim=1).numpy() if seen else None)
    except checks.InputError as error:
        raise checks.InputError(f"no Swish can be fitted to {name or 'the model'}: {error}; bake to='pwl'") from error
    dtype = torch.promote_types(module.values.dtype, torch.float32)
    numbers = [torch.as_tensor(fit[part], dtype=dtype) for part in PARAMETERS]
    if module.channels is None:
        numbers = [number[0] for number in numbers]
    else:
        numbers = [number.repeat_interleave(module.channels // len(curves)) for number in numbers]
    beta, x0, scale, offset = (number.to(module.values.device, copy=True) for number in numbers)
    r2 = fit["r2"][~np.isnan(fit["r2"])]
    note = f"R^2 {r2.min():.4f}" if r2.size else "constant"
    for count, what in (
        (fit["at_bound"].sum(), "at a bound of the fit"),
        (fit["outside"].sum(), "bend outside the knots"),
    ):
        note += f", {count} of {len(curves)} {what}" if count else ""
    return FrozenSwish(beta, x0, scale, offset, module.channel_dim), note


def _fit(knots: Knots, curves: _Array, inputs: _Array | None) -> dict[str, NDArray[Any]]:
    """Parameters of the nearest Swishes, R^2, and whether each sits on a bound or bends outside of where it was fitted.

    With inputs, a row a curve, no two curves are fitted at the same points.
    """
    if inputs is None:
        problems = [(knots.positions().numpy(), curves, None)]
    else:
        problems = []
        for curve, row in zip(curves, inputs, strict=True):
            x, weights = points(knots, row)
            y = pwl(torch.from_numpy(x), torch.from_numpy(curve), knots.low, knots.high)
            problems.append((x, y.numpy()[None], weights))
    found = []
    for x, y, weights in problems:
        fit = fit_swish_batched(x, y, weights)
        # a rise fitted by the far side of a bend, which inputs further out then meet
        outside = (fit.scale != 0) & ((fit.x0 < x.min()) | (fit.x0 > x.max()))
        found.append({**{part: getattr(fit, part) for part in (*PARAMETERS, "r2", "at_bound")}, "outside": outside})
    return {part: np.concatenate([one[part] for one in found]) for part in found[0]}


@torch.no_grad()
def _errors(old: PiecewiseLinearActivation, new: nn.Module) -> tuple[float, float]:
    """Largest and mean |new - old| between the first and the last knot, over all functions."""
    x = torch.linspace(old.knots.low, old.knots.high, 16 * (old.knots.count - 1) + 1, dtype=torch.float64)
    x = x.to(old.values.device, old.values.dtype)
    if old.channels is not None:
        # positions in a dimension of its own, beside that of the channels
        dim = old.channel_dim
        other = 0 if dim > 0 else dim - 1 if dim < 0 else 1
        shape = [1] * max(2, dim + 1, -other)
        shape[other] = -1
        x = x.reshape(shape)
        shape[dim] = old.channels
        x = x.expand(shape)
    wrong = (new.forward(x).double() - old.forward(x).double()).abs()  # not by call: no hooks
    return float(wrong.max()), float(wrong.mean())


@contextmanager
def _comparing(new: dict[Any, nn.Module], layers: dict[Any, BakedLayer]) -> Iterator[None]:
    """Measure each new function at the inputs of the old while the context lasts."""
    sums: dict[Any, tuple[float, float, int]] = {}

    def compare(module: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any], output: Tensor) -> None:
        wrong = (new[module](input_of(arguments, named)).double() - output.double()).abs()
        worst, total, count = sums.get(module, (0.0, 0.0, 0))
        if wrong.numel():
            sums[module] = (max(worst, float(wrong.max())), total + float(wrong.sum()), count + wrong.numel())

    hooks = [module.register_forward_hook(compare, with_kwargs=True) for module in new]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
    for module, (worst, total, count) in sums.items():
        layers[module].seen_worst, layers[module].seen_mean = worst, total / count
