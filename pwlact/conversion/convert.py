"""`convert`: learnable activations in place of the fixed ones of any model."""

import copy
from collections.abc import Callable, Iterable
from typing import Any, Literal, NamedTuple

from torch import Tensor, nn

from pwlact import checks
from pwlact.conversion.channels import watching
from pwlact.conversion.example import difference, run
from pwlact.conversion.kinds import REPLACED, Selection
from pwlact.conversion.making import Make, Place, install
from pwlact.conversion.report import ConversionReport
from pwlact.conversion.search import Search
from pwlact.conversion.unseen import watch_functions
from pwlact.pwl import Knots


class Converted(NamedTuple):
    """A converted model, and the report on it."""

    model: nn.Module
    report: ConversionReport


def convert(
    model: nn.Module,
    *,
    knots: Knots | None = None,
    sharing: Literal["layer", "channel"] = "layer",
    start: str | Callable[[Tensor], Tensor] = "same",
    replace: Iterable[str | type[nn.Module]] = REPLACED,
    reused: Literal["split", "keep"] = "split",
    example: Any = None,
    to: Callable[[Place], nn.Module] | None = None,
    inplace: bool = False,
) -> Converted:
    """Replace a model's fixed activations, modules and function calls, by learnable piecewise-linear ones.

    With start="same" each new activation interpolates the one it replaces at the knots: with h the spacing,
    |new - old| <= h^2 max|f''| / 8 between the first and the last knot for a smooth f, and 0 everywhere for ReLU
    and leaky ReLU where a knot lies at 0, as it does by default. Outside, linear tails go on with the slope of the
    edge segment; the report measures both. Smooth functions want a wide interval: SiLU at +-10 is off by 0.5 with the
    default knots, and by 0.04 with `Knots(65, -6.0, 6.0)`.

    Modules are swapped where they stand. Calls such as F.relu(x) or x.relu() in a forward are found by torch.fx, one
    module at a time: what cannot be traced stays as it is and is reported, and its submodules are still converted.
    Classes, methods, hooks, and the names and values of all other parameters stay. Numbers that a traced forward
    reads from its module, apart from `training`, are fixed at their present value.

    Args:
        model: any module; one that is itself an activation is replaced.
        knots: the number of knots and their interval; 33 on [-3, 3] unless given.
        sharing: "layer" for one function an activation, "channel" for one function a channel. Channels are read off
            the layer before, or the example; where neither tells, the layer shares one function, and the report
            says so.
        start: "same", a name in `STARTS`, or a function of the knot positions.
        replace: what to replace, by name ("relu") or class (nn.ReLU, or a class of your own that computes a function
            of one number). tanh, sigmoid, relu6, hardtanh and hardsigmoid only where named here: linear tails leave
            them outside the knots.
        reused: where one activation module serves several places, "split" makes one activation for each call, and
            "keep" one for all. Fixed activations are reused to save typing; learnt ones have a shape for their place.
        example: input of the model: a tensor, a tuple of arguments or a dict of keyword arguments. The model is run
            on it in eval mode, without gradients.
        to: makes each new activation; `PiecewiseLinearActivation` unless given.
        inplace: change `model` itself; a deep copy unless given.

    Returns:
        The model, and a `ConversionReport` that prints as a table: `model, report = convert(model)`.

    Raises:
        InputError: an argument is not one of those above, or the model cannot be copied.

    Examples:
        >>> model, report = convert(nn.Sequential(nn.Linear(2, 3), nn.ReLU()))
        >>> print(report)
        1 activation replaced, 0 left
          replaced  was     became                       error  beyond
          ------------------------------------------------------------
          1         ReLU()  33 knots on [-3, 3], shared  0      0
    """
    if not isinstance(model, nn.Module):
        raise checks.InputError(f"model must be an nn.Module, got {type(model).__name__}")
    checks.choice("sharing", sharing, ("layer", "channel"))
    checks.choice("reused", reused, ("split", "keep"))
    if knots is not None and not isinstance(knots, Knots):
        raise checks.InputError(f"knots must be Knots(count, low, high), got {knots!r}")
    selection = Selection(replace)
    model = model if inplace else copied(model)
    before = None if example is None else run(model, example)
    search = Search(model, selection, reused == "split")
    stand_ins = search.stand_ins()
    if example is not None:
        with watching(search.root, stand_ins):
            run(search.root[0], example)
    make = Make(search.root, knots or Knots(), sharing == "channel", start, to)
    report = ConversionReport([make(stand_in) for stand_in in stand_ins], search.left)
    for stand_in in stand_ins:
        install(stand_in)
    model = search.root[0]
    if example is not None:
        known = {left.name for left in report.left}
        after, called = watch_functions(model, known, lambda: run(model, example))
        report.difference = difference(before, after)
        report.left += called
    return Converted(model, report)


def copied(model: nn.Module) -> nn.Module:
    """A deep copy of the model.

    Raises:
        InputError: it cannot be copied.
    """
    try:
        return copy.deepcopy(model)
    except Exception as error:  # whatever the modules' own __deepcopy__ raises
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise checks.InputError(
            f"the model cannot be copied ({reason}): give inplace=True to change it itself"
        ) from error
