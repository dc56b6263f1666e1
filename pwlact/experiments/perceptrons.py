"""Many multilayer perceptrons of one shape side by side: every parameter has the model as its first dimension.

One batched matrix product moves all of them, so that ten seeds at four learning rates take little longer than one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn import functional

Parameters = dict[str, Tensor]
Factory = Callable[[int], nn.Module]


@dataclass(frozen=True)
class Shape:
    """Sizes of a perceptron.

    Attributes:
        inputs: features of an input.
        units: hidden units of each layer.
        depth: number of hidden layers.
        classes: number of classes.
        gain: weights and biases start evenly in +-gain / sqrt(inputs of the layer); 1 as by `nn.Linear`, sqrt(6) keeps
            the size of what ReLU passes on (He, Zhang, Ren, Sun 2015), and then biases of hidden layers start at 0.
        normalise: z becomes (z - mean over units) / deviation * scale + shift before the activation, scale and shift
            learnt (Ba, Kiros, Hinton 2016).
        residual: from the second hidden layer on, what a layer receives is added to what it gives, where sizes agree.
    """

    inputs: int
    units: int
    depth: int
    classes: int
    gain: float = 1.0
    normalise: bool = False
    residual: bool = False


class Passed(NamedTuple):
    """What a forward pass leaves: logits, and of every hidden layer what its activation received and gave."""

    logits: Float[Tensor, "models n classes"]
    received: list[Float[Tensor, "models n units"]]
    given: list[Float[Tensor, "models n outputs"]]


class Stack:
    """M perceptrons with the same kind of activation.

    Weights and biases are drawn evenly from +-gain / sqrt(inputs of the layer), each layer of each seed from a
    generator of its own: the same seed has the same first layer under every activation.

    Args:
        shape: the sizes.
        activation: units -> module that acts on the last dimension; it may give another number of outputs, and
            parameters of it are learnt, for each layer of each model.
        seeds: seed of each model; models with the same seed start equal.
    """

    def __init__(self, shape: Shape, activation: Factory, seeds: Sequence[int]) -> None:
        self.shape, self.seeds = shape, tuple(seeds)
        self.activations = [activation(shape.units) for _ in range(shape.depth)]
        with torch.no_grad():
            self.outputs = int(self.activations[0](torch.zeros(1, shape.units)).shape[-1])

    def parameters(self) -> Parameters:
        """Fresh parameters, names layerL.weight (M, out, in), layerL.bias (M, out) and those of activations."""
        widths = [self.shape.inputs, *[self.outputs] * self.shape.depth]
        outs = [*[self.shape.units] * self.shape.depth, self.shape.classes]
        parameters: Parameters = {}
        for layer, sizes in enumerate(zip(widths, outs, strict=True)):
            # the last layer feeds no ReLU whose loss a gain would make up for
            gain = self.shape.gain if layer < self.shape.depth else 1.0
            drawn = [_linear(seed, layer, *sizes) for seed in self.seeds]
            parameters[f"layer{layer}.weight"] = gain * torch.stack([weight for weight, _ in drawn])
            bias = torch.stack([bias for _, bias in drawn])
            parameters[f"layer{layer}.bias"] = bias if gain == 1 else torch.zeros_like(bias)
            if self.shape.normalise and layer < self.shape.depth:
                parameters[f"layer{layer}.scale"] = torch.ones_like(bias)
                parameters[f"layer{layer}.shift"] = torch.zeros_like(bias)
        for layer, module in enumerate(self.activations):
            own, _ = stack_module_state([module] * len(self.seeds))
            parameters |= {f"activation{layer}.{name}": value.detach().clone() for name, value in own.items()}
        return parameters

    def forward(
        self,
        parameters: Parameters,
        x: Float[Tensor, "*models n inputs"],
        drop: Callable[[Tensor], Tensor] | None = None,
    ) -> Passed:
        """All models on x, of which each model has its own (M, n, inputs) or all the same (n, inputs).

        Args:
            parameters: of every model.
            x: the inputs.
            drop: what dropout makes of a layer's activations (M, n, outputs).
        """
        a = x
        received, given = [], []
        for layer in range(self.shape.depth):
            z = _affine(parameters, layer, a)
            if self.shape.normalise:
                z = _normalised(parameters, layer, z)
            h = self.activate(parameters, layer, z)
            if drop is not None:
                h = drop(h)
            if self.shape.residual and layer and h.shape == a.shape:
                h = h + a
            received.append(z)
            given.append(h)
            a = h
        return Passed(_affine(parameters, self.shape.depth, a), received, given)

    def activate(self, parameters: Parameters, layer: int, z: Float[Tensor, "models n units"]) -> Tensor:
        """The activation of hidden layer `layer` of every model."""
        module, prefix = self.activations[layer], f"activation{layer}."
        own = {name.removeprefix(prefix): p for name, p in parameters.items() if name.startswith(prefix)}
        if not own:
            return module(z.flatten(0, 1)).unflatten(0, z.shape[:2])
        return vmap(lambda state, part: functional_call(module, state, (part,)))(own, z)


def _affine(parameters: Parameters, layer: int, a: Tensor) -> Tensor:
    weight, bias = (parameters[f"layer{layer}.{name}"] for name in ("weight", "bias"))
    if a.ndim == 2:
        # one matrix product for all models that see the same inputs: a third faster than one each
        z = functional.linear(a, weight.flatten(0, 1), bias.flatten())
        return z.unflatten(1, weight.shape[:2]).transpose(0, 1)
    return torch.baddbmm(bias[:, None], a, weight.mT)


def _normalised(parameters: Parameters, layer: int, z: Tensor) -> Tensor:
    scale, shift = (parameters[f"layer{layer}.{name}"][:, None] for name in ("scale", "shift"))
    return torch.addcmul(shift, functional.layer_norm(z, z.shape[-1:]), scale)


def _linear(seed: int, layer: int, inputs: int, outputs: int) -> tuple[Tensor, Tensor]:
    state = int(np.random.SeedSequence([seed, layer]).generate_state(1, np.uint64)[0])
    generator = torch.Generator().manual_seed(state)
    bound = inputs**-0.5
    weight = torch.rand(outputs, inputs, generator=generator)
    bias = torch.rand(outputs, generator=generator)
    return bound * (2 * weight - 1), bound * (2 * bias - 1)
