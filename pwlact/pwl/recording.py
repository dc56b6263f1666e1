"""`record_inputs`: histograms of what every learnable activation of a model is given."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from pwlact import checks
from pwlact.pwl.histogram import InputHistogram
from pwlact.pwl.module import PiecewiseLinearActivation


@contextmanager
def record_inputs(model: nn.Module) -> Iterator[dict[str, InputHistogram]]:
    """Count the inputs of every `PiecewiseLinearActivation` of a model while the context lasts.

    Each call counts once. A module that is used in several places counts the inputs of all of them, under
    its first name; all channels go into one histogram. Hooks do not reach into a model that torch.compile
    has already traced: record on the model that was compiled, and recomputing (activation checkpointing)
    counts twice.

    Args:
        model: any module; may itself be the activation, whose name is then "".

    Yields:
        a histogram by the name of the module, as in `model.named_modules()`; empty for those never called.

    Raises:
        InputError: the model has no `PiecewiseLinearActivation`.

    Examples:
        >>> import torch
        >>> model = nn.Sequential(nn.BatchNorm1d(4), PiecewiseLinearActivation())
        >>> with record_inputs(model) as seen:
        ...     _ = model(torch.randn(1000, 4))
        >>> seen["1"].count
        4000
    """
    modules = {name: module for name, module in model.named_modules() if isinstance(module, PiecewiseLinearActivation)}
    if not modules:
        raise checks.InputError("there is nothing to record: no PiecewiseLinearActivation in the model")
    seen = {name: InputHistogram() for name in modules}
    hooks = [
        module.register_forward_pre_hook(_counter(seen[name]), with_kwargs=True) for name, module in modules.items()
    ]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def _counter(histogram: InputHistogram) -> Any:
    def count(module: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        histogram.update(input_of(arguments, named))

    return count


def input_of(arguments: tuple[Any, ...], named: dict[str, Any]) -> Tensor:
    """The input x of an activation's call, of any shape."""
    return arguments[0] if arguments else named["x"]
