"""Linear and Conv2d layers as one matrix product of rows: a = W y, the bias a column of W.

Everything has a leading dimension g for the groups of a convolution, 1 where there is none: inputs Y of
shape (g, n, k), outputs A and their gradients (g, n, o), weights W (g, o, k), so that A = Y W'. A row is a
sample, or a position of one where the layer slides.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

Layer = nn.Linear | nn.Conv2d


def input_rows(layer: Layer, x: Tensor) -> Float[Tensor, "g n k"]:
    """What the layer multiplies its weights by, with a column of ones for a bias; unfolded for Conv2d."""
    if isinstance(layer, nn.Linear):
        rows = x.reshape(1, -1, layer.in_features)
    else:
        mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
        batch = x if x.ndim == 4 else x[None]
        padded = functional.pad(batch, layer._reversed_padding_repeated_twice, mode=mode)
        patches = functional.unfold(padded, layer.kernel_size, layer.dilation, 0, layer.stride)
        images, _, positions = patches.shape
        rows = patches.reshape(images, layer.groups, -1, positions).permute(1, 0, 3, 2)
        rows = rows.reshape(layer.groups, images * positions, -1)
    return rows if layer.bias is None else functional.pad(rows, (0, 1), value=1.0)


def output_rows(layer: Layer, y: Tensor) -> Float[Tensor, "g n o"]:
    """The layer's output, or a gradient of its shape, in the order of `input_rows`."""
    if isinstance(layer, nn.Linear):
        return y.reshape(1, -1, layer.out_features)
    batch = y if y.ndim == 4 else y[None]
    flat = batch.flatten(2).movedim(1, 0).reshape(layer.groups, layer.out_channels // layer.groups, -1)
    return flat.transpose(1, 2)


def joint_weight(layer: Layer) -> Float[Tensor, "g o k"]:
    """The weights, the bias their last column; a copy."""
    groups = layer.groups if isinstance(layer, nn.Conv2d) else 1
    weight = layer.weight.detach().reshape(groups, layer.weight.shape[0] // groups, -1)
    return weight.clone() if layer.bias is None else torch.cat([weight, layer.bias.detach().reshape(groups, -1, 1)], -1)


def set_joint_weight(layer: Layer, joint: Float[Tensor, "g o k"]) -> None:
    """Write back what `joint_weight` reads."""
    weight = joint if layer.bias is None else joint[..., :-1]
    layer.weight.copy_(weight.reshape(layer.weight.shape))
    if layer.bias is not None:
        layer.bias.copy_(joint[..., -1].reshape(-1))


def units_last(rows: Float[Tensor, "g n o"]) -> Float[Tensor, "n units"]:
    """Rows with the units of all groups side by side, as a transfer function of the whole layer takes them."""
    return rows.transpose(0, 1).flatten(1)


def units_in_groups(rows: Float[Tensor, "n units"], groups: int) -> Float[Tensor, "g n o"]:
    """Undo `units_last`."""
    return rows.reshape(len(rows), groups, -1).transpose(0, 1)
