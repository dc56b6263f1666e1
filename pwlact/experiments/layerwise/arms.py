"""The arms of the ablation: how a layer of ReLU units gets its weights."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor

from pwlact.experiments.layerwise.config import LayerwiseConfig
from pwlact.implicit_em import Objective, PrototypeLayer
from pwlact.training.greedy import GreedyPretrainer
from pwlact.training.greedy.epochs import batches

Stack = list[PrototypeLayer]
Arm = Callable[[Tensor, LayerwiseConfig, int], Stack]
"""(x, config, seed) -> layers from the bottom up; none for the raw inputs."""


def stack(inputs: int, config: LayerwiseConfig) -> Stack:
    """Untrained ReLU layers: their distances max(0, w'x + b) are what they pass on."""
    sizes = [inputs] + [config.units] * config.depth
    return [PrototypeLayer(below, config.units, "relu-linear") for below in sizes[:-1]]


def trained(*controls: str, lse: float = 1.0) -> Arm:
    """Greedy pretraining by the log-sum-exp loss and these penalties."""

    def arm(x: Tensor, config: LayerwiseConfig, seed: int) -> Stack:
        layers = stack(x.shape[1], config)
        objective = Objective(dict.fromkeys(controls, config.strength), lse=lse)
        settings = {"epochs": config.epochs, "batch_size": config.batch_size, "lr": config.lr, "seed": seed}
        GreedyPretrainer(layers, objective, **settings).run(x)
        return layers

    return arm


def random(x: Tensor, config: LayerwiseConfig, seed: int) -> Stack:
    """Where the others start: random directions, in units of each layer's inputs."""
    layers = stack(x.shape[1], config)
    for number, layer in enumerate(layers):
        layer.place(x, seed + number)
        with torch.no_grad():
            x = layer(x)
    return layers


def autoencoder(x: Tensor, config: LayerwiseConfig, seed: int) -> Stack:
    """Each layer's weights by the squared error of W'max(0, Wx + b) + c on its inputs: tied, linear decoder."""
    layers = stack(x.shape[1], config)
    for number, layer in enumerate(layers):
        layer.place(x, seed + number)
        _reconstruct(layer, x, config, seed, number)
        with torch.no_grad():
            x = layer(x)
    return layers


def _reconstruct(layer: PrototypeLayer, x: Tensor, config: LayerwiseConfig, seed: int, number: int) -> None:
    offset = x.mean(0).clone().requires_grad_()
    optimiser = torch.optim.Adam([*layer.parameters(), offset], lr=config.lr)
    for epoch in range(config.epochs):
        for rows in batches(len(x), config.batch_size, seed, number, epoch):
            part = x[rows]
            optimiser.zero_grad()
            (layer(part) @ layer.weight + offset - part).square().sum(-1).mean().backward()
            optimiser.step()


ARMS: Mapping[str, Arm] = MappingProxyType(
    {
        "lse": trained(),
        "lse+variance": trained("variance"),
        "lse+decorrelation": trained("decorrelation"),
        "lse+both": trained("variance", "decorrelation"),
        "control-only": trained("variance", "decorrelation", lse=0.0),
        "random": random,
        "pixels": lambda x, config, seed: [],
        "autoencoder": autoencoder,
    }
)
"""name -> how the layers get their weights."""
