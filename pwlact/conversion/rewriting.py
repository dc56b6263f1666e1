"""Finding activations in one module's forward, and putting modules in their place."""

import operator
from collections import Counter
from typing import Any

from torch import fx, nn

from pwlact.conversion.channels import channels_before
from pwlact.conversion.kinds import NOT_ELEMENTWISE_FUNCTIONS, Kind, Selection, kind_of_call
from pwlact.conversion.placeholder import Placeholder
from pwlact.conversion.report import Left
from pwlact.conversion.traced_forward import give_forward


def rewrite(owner: nn.Module, path: str, graph: fx.Graph, selection: Selection, split: bool) -> list[Left]:
    """Put a stand-in in place of every activation that the graph calls as a function or calls again as a module.

    The owner's forward changes only where it has to: a stand-in that is called once, and whose input is not used
    after it was changed in place, is already where it should be.

    Args:
        owner: the module whose forward the graph is.
        path: of the owner in the model.
        graph: changed in place.
        selection: which activations to replace.
        split: whether every further call of one module becomes a stand-in of its own.

    Returns:
        calls that stay as they are.
    """
    left: list[Left] = []
    calls: Counter[Placeholder] = Counter()
    changed = False
    for node in list(graph.nodes):
        if node.op == "call_module":
            changed |= _rewrite_module_call(owner, path, node, calls, split)
        elif node.op in {"call_function", "call_method"}:
            kind = kind_of_call(node.target)
            why = _why_call_is_left(node, kind, selection)
            if kind is not None and why is None:
                _rewrite_function_call(owner, path, node)
                changed = True
            elif why is not None:
                left.append(Left(path, written(node.target), why))
    if changed:
        give_forward(owner, graph)
    return left


def written(target: object) -> str:
    """A function or tensor method as source would write it."""
    if isinstance(target, str):
        return f"x.{target}()"
    module = getattr(target, "__module__", None) or ""
    prefix = "F" if module.startswith("torch.nn.functional") or module == "torch._C._nn" else "torch"
    return f"{prefix}.{getattr(target, '__name__', target)}"


def _rewrite_module_call(owner: nn.Module, path: str, node: fx.Node, calls: Counter[Placeholder], split: bool) -> bool:
    """Give a further call of a stand-in its own, and name the result of one that works in place."""
    module = owner.get_submodule(str(node.target))
    if not isinstance(module, Placeholder):
        return False
    calls[module] += 1
    changed = False
    if calls[module] > 1 and split:
        module = module.split()
        node.target = _install(owner, path, module)
        changed = True
    elif calls[module] > 1:
        module.notes.append("called several times")
    if module.channels is None:
        module.channels = channels_before(node, owner)
    return _use_result(node) or changed if module.inplace else changed


def _rewrite_function_call(owner: nn.Module, path: str, node: fx.Node) -> None:
    source, arguments, keywords = _input(node)
    assert isinstance(source, fx.Node)
    function = node.target
    call: Any = _Call(function, arguments, keywords)
    if isinstance(function, str):
        call = operator.methodcaller(function, *arguments, **keywords)
    stand_in = Placeholder(call, _with_arguments(node, arguments, keywords))
    stand_in.inplace = _inplace(node)
    with node.graph.inserting_after(node):
        new = node.graph.call_module(_install(owner, path, stand_in), (source,))
    stand_in.channels = channels_before(new, owner)
    node.replace_all_uses_with(new)
    node.graph.erase_node(node)
    if stand_in.inplace:
        _use_result(new)


class _Call:
    """A function with all its arguments but the first."""

    def __init__(self, function: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        self.function, self.arguments, self.keywords = function, arguments, keywords

    def __call__(self, x: Any) -> Any:
        return self.function(x, *self.arguments, **self.keywords)


def _input(node: fx.Node) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    """The input of an activation's call, and its other arguments."""
    keywords = dict(node.kwargs)
    if node.args:
        return node.args[0], tuple(node.args[1:]), keywords
    return keywords.pop("input", None), (), keywords


def _why_call_is_left(node: fx.Node, kind: Kind | None, selection: Selection) -> str | None:
    if node.target in NOT_ELEMENTWISE_FUNCTIONS or node.target in {"softmax", "log_softmax"}:
        return "it is no function of one number"
    if kind is None:
        return None
    if not selection.has(kind):
        return "not in replace="
    source, arguments, keywords = _input(node)
    if not isinstance(source, fx.Node) or any(isinstance(a, fx.Node) for a in (*arguments, *keywords.values())):
        return "its arguments are computed when the model runs"
    return None


def _inplace(node: fx.Node) -> bool:
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    _, arguments, keywords = _input(node)
    return name.endswith("_") or bool(keywords.get("inplace")) or any(a is True for a in arguments)


def _use_result(node: fx.Node) -> bool:
    """After an activation in place, its input is the activated tensor: let later uses of the input take the result."""
    order = {n: i for i, n in enumerate(node.graph.nodes)}
    source = node.args[0]
    assert isinstance(source, fx.Node)
    later = [user for user in source.users if order[user] > order[node]]
    source.replace_all_uses_with(node, delete_user_cb=lambda user: order[user] > order[node])
    return bool(later)


def _install(owner: nn.Module, path: str, stand_in: Placeholder) -> str:
    """Put a stand-in into the owner under a free name."""
    number = 1
    while hasattr(owner, f"activation_{number}"):
        number += 1
    name = f"activation_{number}"
    owner.add_module(name, stand_in)
    stand_in.places.append((owner, name, f"{path}.{name}".lstrip(".")))
    return name


def _with_arguments(node: fx.Node, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> str:
    # torch.fx writes inplace=False where the source says nothing
    named = {name: value for name, value in keywords.items() if value is not False}
    given = [repr(a) for a in arguments] + [f"{name}={value!r}" for name, value in named.items()]
    name = written(node.target)
    if name.endswith("()"):
        return f"{name[:-1]}{', '.join(given)})"
    return f"{name}({', '.join(['x', *given])})"
