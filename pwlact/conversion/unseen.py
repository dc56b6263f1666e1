"""Activation functions that a model calls where tracing did not see them."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from pwlact.conversion.kinds import kind_of_call
from pwlact.conversion.report import Left
from pwlact.conversion.rewriting import written
from pwlact.conversion.search import is_of_torch


def watch_functions(model: nn.Module, known: set[str], act: Callable[[], Any]) -> tuple[Any, list[Left]]:
    """Result of `act`, which runs the model, and the activation functions that modules outside `known` call."""
    stack: list[str] = []
    found: dict[tuple[str, str], Left] = {}

    class Watch(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if stack and stack[-1] not in known and kind_of_call(func) is not None:
                name = written(func)
                found.setdefault((stack[-1], name), Left(stack[-1], name, "called where tracing did not see it"))
            return func(*args, **(kwargs or {}))

    def enter(path: str) -> Callable[..., None]:
        return lambda module, arguments: stack.append(path)

    def leave(module: nn.Module, arguments: Any, output: Any) -> None:
        stack.pop()

    hooks = []
    for path, module in model.named_modules():
        if not isinstance(module, torch.jit.ScriptModule) and not is_of_torch(module):
            hooks += [module.register_forward_pre_hook(enter(path)), module.register_forward_hook(leave)]
    try:
        with Watch():
            return act(), list(found.values())
    finally:
        for hook in hooks:
            hook.remove()
