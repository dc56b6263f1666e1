"""One module's own forward as a graph of calls, or the reason why it cannot be had.

torch.fx follows a forward pass with stand-ins for the tensors. What it cannot follow it sometimes records wrongly
and silently: everything known of that kind is refused here, so that a graph, once made, computes what the module
computes. Submodules are single nodes of the graph and are traced on their own.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, fx, nn

from pwlact.conversion.source import pitfall


class NotTraceable(Exception):
    """The forward pass cannot be written as a graph; the message says why."""


def trace(module: nn.Module) -> fx.Graph:
    """Graph of the module's own forward, its children left whole.

    `self.training` is looked up when the graph runs, so that `train()` and `eval()` still act.

    Raises:
        NotTraceable: with the reason, one line.
    """
    if isinstance(module, fx.GraphModule):
        return module.graph
    if "forward" in vars(module):
        raise NotTraceable("its forward was replaced on the instance")
    reason = pitfall(type(module))
    if reason:
        raise NotTraceable(reason)
    try:
        with _no_side_effects(module), _no_custom_autograd():
            graph = _OwnForward().trace(module)
    except NotTraceable:
        raise
    except Exception as error:  # whatever the module's own code raises when it meets stand-ins
        text = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise NotTraceable(f"torch.fx cannot trace it: {text[:100]}") from error
    for node in list(graph.nodes):
        node.type = None  # annotations would be written into the code as names that it does not know
        if node.op == "get_attr" and node.target == "training" and not node.users:
            graph.erase_node(node)
    return graph


class _OwnForward(fx.Tracer):
    """Tracer to which every submodule is a leaf."""

    def __init__(self) -> None:
        super().__init__(param_shapes_constant=False)
        self.modes = _modes()

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return True

    def create_args_for_root(self, root_fn: Any, is_module: bool, concrete_args: Any = None) -> Any:
        made = super().create_args_for_root(root_fn, is_module, concrete_args)
        vars(self.root)["training"] = self.create_proxy("get_attr", "training", (), {})
        return made

    def create_arg(self, a: Any) -> Any:
        if isinstance(a, Tensor) and not isinstance(a, nn.Parameter) and a not in self.tensor_attrs:
            raise NotTraceable("it makes a tensor that does not come from its input")
        return super().create_arg(a)

    def create_node(self, *args: Any, **kwargs: Any) -> fx.Node:
        if _modes() != self.modes:
            raise NotTraceable("it switches gradients or autocast on or off")
        return super().create_node(*args, **kwargs)


def _modes() -> tuple[bool, ...]:
    return (
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.is_autocast_enabled(),
        torch.is_autocast_enabled("cpu"),
    )


@contextmanager
def _no_side_effects(module: nn.Module) -> Iterator[None]:
    """Put the module's attributes and the random state back.

    Raises:
        NotTraceable: tracing changed them, so that a graph would not do what the forward does.
    """
    before, training = dict(vars(module)), module.training
    inner = {name: dict(vars(module)[name]) for name in ("_buffers", "_parameters", "_modules")}
    drawn, rolled = torch.get_rng_state(), random.getstate()
    try:
        yield
    finally:
        vars(module)["training"] = training
        after = dict(vars(module))
        changed = _ids(after) != _ids(before) or any(_ids(after[name]) != _ids(inner[name]) for name in inner)
        random_used = random.getstate() != rolled or not torch.equal(torch.get_rng_state(), drawn)
        vars(module).clear()
        vars(module).update(before)
        for name, values in inner.items():
            vars(module)[name].clear()
            vars(module)[name].update(values)
        torch.set_rng_state(drawn)
        random.setstate(rolled)
    if changed:
        raise NotTraceable("its forward changes attributes of the module")
    if random_used:
        raise NotTraceable("its forward draws random numbers in Python")


def _ids(attributes: dict[str, Any]) -> dict[str, int]:
    return {name: id(value) for name, value in attributes.items()}


@contextmanager
def _no_custom_autograd() -> Iterator[None]:
    """Refuse torch.autograd.Function: tracing would look into its forward and lose its backward."""

    def refuse(cls: type, *args: Any, **kwargs: Any) -> None:
        raise NotTraceable(f"it calls the autograd function {cls.__name__}")

    before = vars(torch.autograd.Function)["apply"]
    torch.autograd.Function.apply = classmethod(refuse)  # pyright: ignore[reportAttributeAccessIssue]
    try:
        yield
    finally:
        torch.autograd.Function.apply = before
