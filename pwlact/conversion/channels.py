"""How many channels an activation has, and in which dimension: from the layer before it, or from an example."""

import operator
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _NormBase  # pyright: ignore[reportPrivateUsage]
from torch.nn.modules.conv import _ConvNd  # pyright: ignore[reportPrivateUsage]

from pwlact.conversion.placeholder import Channels, Placeholder

# what keeps the channels where they are: the search goes on before it
_KEEPS = (
    nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout,
    nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d, nn.AdaptiveAvgPool1d,
    nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d, nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d,
    nn.Upsample, Placeholder,
)  # fmt: skip
_KEEPING_CALLS = {operator.add, operator.iadd, operator.mul, torch.add, torch.mul, functional.dropout}


def channels_of(layer: nn.Module) -> Channels | None:
    """Channels of a layer's output; None where the layer does not tell."""
    if isinstance(layer, nn.Linear | nn.Bilinear):
        return Channels(layer.out_features, -1)
    if isinstance(layer, _ConvNd):
        # counted from the end: an input without a batch dimension has its channels there as well
        return Channels(layer.out_channels, -1 - len(layer.kernel_size))
    if isinstance(layer, _NormBase) and layer.num_features:
        return Channels(layer.num_features, 1)
    if isinstance(layer, nn.GroupNorm):
        return Channels(layer.num_channels, 1)
    if isinstance(layer, nn.LayerNorm):
        return Channels(layer.normalized_shape[-1], -1)
    if isinstance(layer, nn.Embedding):
        return Channels(layer.embedding_dim, -1)
    return None


def channels_after(layers: list[nn.Module]) -> Channels | None:
    """Channels of the output of layers that follow one another; None where the last ones do not tell."""
    for layer in reversed(layers):
        if isinstance(layer, _KEEPS):
            continue
        if type(layer) is nn.Sequential:
            return channels_after(list(layer))
        return channels_of(layer)
    return None


def channels_before(node: fx.Node, owner: nn.Module) -> Channels | None:
    """Channels of a node's first input in the graph of the owner's forward; None where no layer tells."""
    inputs = [n for n in (*node.args, *node.kwargs.values()) if isinstance(n, fx.Node)]
    for source in inputs:
        found = None
        if source.op == "call_module":
            layer = owner.get_submodule(str(source.target))
            found = channels_after([layer])
            if found is None and isinstance(layer, _KEEPS):
                found = channels_before(source, owner)
        elif source.op == "call_function" and source.target in _KEEPING_CALLS:
            found = channels_before(source, owner)
        if found is not None:
            return found
    return None


@contextmanager
def watching(model: nn.Module, stand_ins: list[Placeholder]) -> Iterator[None]:
    """Note what reaches each stand-in while the context lasts, and with it the channels.

    The dimension is that of the layer that ran last, or 1 where none has run and the input has more than 3
    dimensions: in 3 the channels may be in the middle (signals) or at the end (sequences).
    """
    last: list[Channels] = []

    def remember(layer: nn.Module, arguments: Any, output: Any) -> None:
        found = channels_of(layer)
        if found is not None:
            last[:] = [found]

    def look(stand_in: nn.Module, arguments: tuple[Any, ...]) -> None:
        assert isinstance(stand_in, Placeholder)
        stand_in.reached = True
        stand_in.seen.add(_channels_seen(arguments[0], stand_in.channels or (last[0] if last else None)))

    layers = [m for m in model.modules() if channels_of(m) is not None and not isinstance(m, torch.jit.ScriptModule)]
    hooks = [layer.register_forward_hook(remember) for layer in layers]
    hooks += [stand_in.register_forward_pre_hook(look) for stand_in in stand_ins]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _channels_seen(x: Tensor, told: Channels | None) -> Channels | None:
    if x.ndim == 2:
        return Channels(x.shape[1], 1)
    if told is None and x.ndim < 4:
        return None
    dim = told.dim if told else 1
    return Channels(x.shape[dim], dim) if -x.ndim <= dim < x.ndim else None


def settle(stand_in: Placeholder) -> Channels | None:
    """The channels of a stand-in, from what is known; None, with a note for the report, where they are not."""
    known: set[Channels | None] = stand_in.seen if stand_in.reached else {stand_in.channels}
    if len(known) > 1:
        stand_in.notes.append("shared: its inputs differ in their channels")
        return None
    (found,) = known
    if found is None:
        how = "not told by the example" if stand_in.reached else "unknown without an example that comes by here"
        stand_in.notes.append(f"shared: channels {how}")
    return found
