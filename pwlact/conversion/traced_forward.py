"""Giving one module a forward made from a graph, and leaving all else of it as it is.

`torch.fx.GraphModule` would drop the module's class, methods, attributes and hooks. Here the instance moves to a
subclass of its class that differs in `forward` alone, as `torch.nn.utils.parametrize` does; copies and pickles keep it.
"""

import linecache
from functools import lru_cache
from importlib import import_module
from types import ModuleType
from typing import Any

from torch import fx, nn

_Names = tuple[tuple[str, Any], ...]


class _ByName(str):
    """Name of a Python module, which itself cannot be pickled."""

    __slots__ = ()


def give_forward(module: nn.Module, graph: fx.Graph) -> None:
    """Let the module compute the graph from now on; the graph's names are those of the module's own attributes."""
    if isinstance(module, fx.GraphModule):
        module.graph = graph
        module.recompile()
        return
    code = graph.python_code("self")
    names = tuple(
        (name, _ByName(value.__name__) if isinstance(value, ModuleType) else value)
        for name, value in code.globals.items()
    )
    # on a module that has been converted before, the new forward takes the place of the old
    cls = getattr(type(module), "_converted_from", type(module))
    module.__class__ = _subclass(cls, code.src, names)


@lru_cache(maxsize=1024)
def _subclass(cls: type[nn.Module], source: str, names: _Names) -> type[nn.Module]:
    scope = {name: import_module(value) if isinstance(value, _ByName) else value for name, value in names}
    scope["__name__"] = cls.__module__
    file = f"<{cls.__name__}.forward converted by pwlact, {hash((cls, source)):x}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)  # for tracebacks and debuggers
    exec(compile(source, file, "exec"), scope)  # the code that torch.fx wrote

    def reduce(self: nn.Module, protocol: object) -> tuple[Any, ...]:
        return _rebuild, (cls, source, names), self.__getstate__()

    metaclass: Any = type(cls)
    return metaclass(
        cls.__name__,
        (cls,),
        {
            "__module__": cls.__module__,
            "__qualname__": cls.__qualname__,
            "__doc__": cls.__doc__,
            "__reduce_ex__": reduce,
            "_converted_from": cls,
            "forward": scope["forward"],
        },
    )


def _rebuild(cls: type[nn.Module], source: str, names: _Names) -> nn.Module:
    subclass = _subclass(cls, source, names)
    return subclass.__new__(subclass)
