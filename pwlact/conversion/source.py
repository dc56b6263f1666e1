"""What the source of a forward pass says: which activations it calls, and what tracing would record wrongly."""

import ast
import inspect
import textwrap
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from pwlact.conversion.kinds import NAMES

_ASKS = {"isinstance", "issubclass", "type", "hasattr", "callable"}


def mentions(cls: type) -> list[str]:
    """Names of the activation functions that the class's forward calls, in order, each once."""
    calls = _calls(cls)
    names = [called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "") for called in calls]
    own = [isinstance(c, ast.Attribute) and getattr(c.value, "id", "") == "self" for c in calls]
    return list(dict.fromkeys(name for name, on_self in zip(names, own, strict=True) if name in NAMES and not on_self))


def times_called(cls: type, name: str) -> int:
    """How often the class's forward calls `self.name(...)`, as written."""
    own = [c for c in _calls(cls) if isinstance(c, ast.Attribute) and getattr(c.value, "id", "") == "self"]
    return sum(called.attr == name for called in own)


def pitfall(cls: type) -> str | None:
    """What in the class's forward torch.fx would follow wrongly without an error; None where nothing is known."""
    for tree in _trees(cls):
        if any(isinstance(node, ast.With) for node in ast.walk(tree)):
            return "it has a with statement, which torch.fx would drop"
        arguments = {a.arg for a in (*tree.args.args, *tree.args.kwonlyargs)} - {"self"}
        for name in _asked_about(tree):
            if name in arguments:
                return f"it branches on its argument {name!r} in a way that torch.fx does not see"
    return None


def _calls(cls: type) -> list[ast.expr]:
    """What is called, in the order of the source."""
    calls = [[node for node in ast.walk(tree) if isinstance(node, ast.Call)] for tree in _trees(cls)]
    return [call.func for of_tree in calls for call in sorted(of_tree, key=lambda c: (c.lineno, c.col_offset))]


def _asked_about(function: ast.FunctionDef) -> list[str]:
    """Names that the function compares by `is`, or asks for their type: stand-ins give the wrong answer."""
    parts: list[ast.expr] = []
    for node in ast.walk(function):
        if isinstance(node, ast.Compare) and any(isinstance(op, ast.Is | ast.IsNot) for op in node.ops):
            parts += [node.left, *node.comparators]
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in _ASKS:
            parts += node.args[:1]
    return [part.id for part in parts if isinstance(part, ast.Name)]


def _trees(cls: type) -> list[ast.FunctionDef]:
    """Syntax of forward, and of the methods and functions outside torch that it names, and so on."""
    waiting: list[Callable[..., Any]] = [getattr(cls, "forward")]  # noqa: B009 - a plain type has none
    seen: set[int] = set()
    found: list[ast.FunctionDef] = []
    while waiting:
        function = inspect.unwrap(waiting.pop(0))
        if id(function) in seen or (function.__module__ or "").partition(".")[0] == "torch":
            continue
        seen.add(id(function))
        with suppress(OSError, TypeError, SyntaxError):
            tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
            if isinstance(tree, ast.FunctionDef):
                found.append(tree)
                waiting += _named(tree, function, cls)
    return found


def _named(tree: ast.FunctionDef, function: Callable[..., Any], cls: type) -> list[Callable[..., Any]]:
    """The class's methods and the module's functions that the syntax names."""
    named: list[Any] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "self":
            named.append(inspect.getattr_static(cls, node.attr, None))
        elif isinstance(node, ast.Name):
            named.append(getattr(function, "__globals__", {}).get(node.id))
    return [item for item in named if inspect.isfunction(item)]
