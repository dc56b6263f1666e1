"""Finding every activation of a model, and putting a stand-in in its place."""

from typing import Any

import torch
from torch import nn
from torch.nn.utils.parametrize import ParametrizationList

from pwlact.conversion.channels import channels_after, channels_of
from pwlact.conversion.kinds import Selection, kind_of_call, why_left
from pwlact.conversion.placeholder import Placeholder
from pwlact.conversion.report import Left
from pwlact.conversion.rewriting import rewrite, written
from pwlact.conversion.source import mentions, times_called
from pwlact.conversion.tracing import NotTraceable, trace
from pwlact.pwl import PiecewiseLinearActivation


class Search:
    """The model with a stand-in at every activation that is to be replaced.

    Attributes:
        root: holds the model as its child 0, so that a model that is an activation has a place too.
        left: activations that stay.
    """

    def __init__(self, model: nn.Module, selection: Selection, split: bool) -> None:
        self.root = nn.Sequential(model)
        self.root.training = model.training
        self.selection, self.split = selection, split
        self.left: list[Left] = []
        self._by_original: dict[int, Placeholder] = {}
        owners = [(self.root, ""), *_open_modules(model, "", set(), selection)]
        for owner, path in owners:
            self._swap_modules(owner, path)
        for owner, path in owners[1:]:
            if not isinstance(owner, Placeholder):
                self._rewrite_forward(owner, path)

    def stand_ins(self) -> list[Placeholder]:
        """All stand-ins, each once, in the order of the model."""
        return [module for module in self.root.modules() if isinstance(module, Placeholder)]

    def _swap_modules(self, owner: nn.Module, path: str) -> None:
        """Stand-ins for the activation modules among the owner's children."""
        if isinstance(owner, torch.jit.ScriptModule):
            self.left.append(Left(path, type(owner).__name__, "compiled by torch.jit: convert it before that"))
            return
        for name, child in list(owner._modules.items()):  # every name, also where two hold one module
            if child is not None and not isinstance(child, ParametrizationList):
                self._swap(owner, name, child, "" if owner is self.root else f"{path}.{name}".lstrip("."))
        if isinstance(owner, nn.TransformerEncoderLayer | nn.TransformerDecoderLayer):
            self._open_transformer_layer(owner, path)
        elif type(owner) is nn.Sequential and owner is not self.root:
            layers = list(owner)
            for i, layer in enumerate(layers):
                if isinstance(layer, Placeholder) and layer.channels is None:
                    layer.channels = channels_after(layers[:i])

    def _swap(self, owner: nn.Module, name: str, child: nn.Module, path: str) -> None:
        if isinstance(child, PiecewiseLinearActivation):
            self.left.append(Left(path, "PiecewiseLinearActivation", "it is learnable already"))
        elif self.selection.has_module(child):
            owner._modules[name] = self._stand_in(child, owner, name, path)
        elif (why := why_left(child)) is not None:
            self.left.append(Left(path, described(child), why))

    def _stand_in(self, child: nn.Module, owner: nn.Module, name: str, path: str) -> Placeholder:
        stand_in = None if self.split else self._by_original.get(id(child))
        if stand_in is None:
            stand_in = Placeholder(child, described(child))
            if id(child) in self._by_original:
                stand_in.keeps_hooks = False
            self._by_original.setdefault(id(child), stand_in)
        stand_in.places.append((owner, name, path))
        return stand_in

    def _open_transformer_layer(self, layer: nn.Module, path: str) -> None:
        """A transformer's layer: its activation is a callable, and its fast path computes relu or gelu without it."""
        activation: Any = layer.activation
        if not isinstance(activation, nn.Module):
            kind = kind_of_call(activation)
            if kind is None or not self.selection.has(kind):
                why = "not in replace=" if kind else "a function that is not known"
                self.left.append(Left(path, written(activation), why))
                return
            name = f"{path}.activation".lstrip(".")
            stand_in = Placeholder(activation, f"{written(activation)}(x)")
            stand_in.places.append((layer, "activation", name))
            layer.activation = stand_in
        if isinstance(layer.activation, Placeholder):
            vars(layer)["activation_relu_or_gelu"] = 0
            layer.activation.channels = channels_of(layer.get_submodule("linear1"))

    def _rewrite_forward(self, owner: nn.Module, path: str) -> None:
        """Stand-ins for the functions that the owner's forward calls."""
        if isinstance(owner, nn.TransformerEncoder):
            if any(isinstance(module, Placeholder) for module in owner.modules()):
                # nested tensors exist for the fast path, and its layers do not take it any more
                owner.use_nested_tensor = owner.enable_nested_tensor = False
            return
        if isinstance(owner, torch.jit.ScriptModule) or is_of_torch(owner):
            return
        try:
            graph = trace(owner)
            self.left += rewrite(owner, path, graph, self.selection, self.split)
        except NotTraceable as reason:
            self.left += [Left(path, f"{name}(x)", str(reason)) for name in mentions(type(owner))]
            for name, child in owner.named_children():
                if isinstance(child, Placeholder) and times_called(type(owner), name) > 1:
                    child.notes.append(f"one for all its calls: {reason}")


def _open_modules(module: nn.Module, path: str, seen: set[int], selection: Selection) -> list[tuple[nn.Module, str]]:
    """Each module once, with its path; what is in scripted and learnable modules and parametrizations is closed."""
    if id(module) in seen:
        return []
    seen.add(id(module))
    found = [(module, path)]
    closed = isinstance(module, torch.jit.ScriptModule | PiecewiseLinearActivation)
    if not closed and not selection.has_module(module):
        for name, child in module._modules.items():
            if child is not None and name != "parametrizations":
                found += _open_modules(child, f"{path}.{name}".lstrip("."), seen, selection)
    return found


def is_of_torch(module: nn.Module) -> bool:
    """Whether PyTorch itself wrote the module's forward."""
    return type(module).__module__.startswith("torch.nn.")


def described(module: nn.Module) -> str:
    """A module in a few words: the knots and sharing of a learnable activation, else what `print` shows first."""
    if isinstance(module, PiecewiseLinearActivation):
        grid, rows = module.knots, module.values.shape[:-1]
        sharing = "shared" if module.channels is None else f"{module.channels} channels"
        functions = "" if not rows or rows[0] == module.channels else f", {rows[0]} functions"
        return f"{grid.count} knots on [{grid.low:g}, {grid.high:g}], {sharing}{functions}"
    return repr(module).splitlines()[0].rstrip("(")
