"""Running a model on an example, without leaving a trace in it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from pwlact import checks


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Eval mode and no gradients while the context lasts; every module gets its own mode back."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, mode in modes:
            module.training = mode


def run(model: nn.Module, example: Any) -> Any:
    """Output of the model for an example: a tensor, a tuple of arguments or a dict of keyword arguments.

    Raises:
        InputError: the model fails on the example.
    """
    arguments, keywords = as_call(example)
    with evaluating(model):
        try:
            return model(*arguments, **keywords)
        except Exception as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise checks.InputError(f"the model fails on the example: {reason}") from error


def as_call(example: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments and keyword arguments that an example stands for."""
    if isinstance(example, Mapping):
        return (), dict(example)
    return (tuple(example), {}) if isinstance(example, tuple | list) else ((example,), {})


def tensors_in(output: Any) -> list[Tensor]:
    """All floating-point tensors in an output: tensors, and tuples, lists and dicts of them."""
    if isinstance(output, Tensor):
        return [output] if output.is_floating_point() else []
    parts = output.values() if isinstance(output, Mapping) else output if isinstance(output, tuple | list) else ()
    return [tensor for part in parts for tensor in tensors_in(part)]


def difference(before: Any, after: Any) -> float:
    """Largest absolute difference between two outputs; where both are NaN, or the same infinity, there is none."""
    largest = 0.0
    for a, b in zip(tensors_in(before), tensors_in(after), strict=True):
        if a.numel():
            gap = torch.where((a == b) | (a.isnan() & b.isnan()), 0.0, (a.double() - b.double()).abs())
            largest = max(largest, float(gap.nan_to_num(nan=float("inf")).max()))
    return largest
