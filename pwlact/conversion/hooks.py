"""Handing the hooks of one module to the module that takes its place."""

from torch import nn

_HOOKS = (
    "_forward_hooks", "_forward_hooks_with_kwargs", "_forward_hooks_always_called", "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs", "_backward_hooks", "_backward_pre_hooks", "_is_full_backward_hook",
)  # fmt: skip


def move_hooks(old: nn.Module, new: nn.Module) -> None:
    """Let `new` call the hooks of `old`; their handles go on working, since the dicts that hold them move."""
    vars(new).update({name: vars(old)[name] for name in _HOOKS})
