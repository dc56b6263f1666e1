"""The arms of the end-to-end experiment: what is trained, from which start, with the layers' own objectives or not."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor, nn

from pwlact.competitive import ACTIVATIONS
from pwlact.experiments.layerwise import arms, networks
from pwlact.experiments.layerwise.config import EndToEndConfig
from pwlact.experiments.layerwise.networks import Network
from pwlact.experiments.layerwise.pictures import image_shape
from pwlact.experiments.redundancy.vectors import CLASSES
from pwlact.implicit_em import Objective
from pwlact.training.greedy import FineTuner
from pwlact.training.greedy.epochs import batches, ensure_finite

After = Callable[[Network, int], None]
"""Called with the network and the number of epochs of end-to-end training that are done, 0 before the first."""
Contender = Callable[[Tensor, Tensor, EndToEndConfig, int, float, After], Network]
"""(x, y, config, seed, rate, after) -> the trained network."""

_CONTROLS = ("variance", "decorrelation")


def stacked(start: arms.Arm, control: bool) -> Contender:
    """Layers of ReLU prototypes from `start`, then end to end, the layers' own objectives kept or dropped."""

    def contender(x: Tensor, y: Tensor, config: EndToEndConfig, seed: int, rate: float, after: After) -> Network:
        layers = start(x, config.pretraining, seed)
        head = nn.Linear(config.units, CLASSES)
        tuner = FineTuner(
            layers, head, nn.functional.cross_entropy, Objective(dict.fromkeys(_CONTROLS, config.strength)),
            control=config.control if control else 0.0, epochs=config.epochs, batch_size=config.batch_size, lr=rate,
            seed=seed,
        )  # fmt: skip
        network = Network(tuner.layers, head)
        after(network, 0)
        tuner.run(x, y, progress=lambda record: after(network, int(record["epoch"])))
        return network

    return contender


def from_scratch(make: Callable[[int, EndToEndConfig], Network]) -> Contender:
    """A network of `make` (inputs, config), by cross-entropy alone."""

    def contender(x: Tensor, y: Tensor, config: EndToEndConfig, seed: int, rate: float, after: After) -> Network:
        network = make(x.shape[1], config)
        _descend(network, x, y, config, seed, rate, after)
        return network

    return contender


def _descend(
    network: Network, x: Tensor, y: Tensor, config: EndToEndConfig, seed: int, rate: float, after: After
) -> None:
    """As `FineTuner` does it: the same batches in the same order."""
    optimiser = torch.optim.Adam(network.parameters(), lr=rate)
    after(network, 0)
    for epoch in range(config.epochs):
        network.train()
        last = 0.0
        for rows in batches(len(x), config.batch_size, seed, len(network.blocks), epoch):
            loss = nn.functional.cross_entropy(network(x[rows]), y[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            last = loss.detach()
        ensure_finite(float(last), network, f"epoch {epoch + 1}")
        after(network, epoch + 1)


def _perceptron(name: str) -> Contender:
    return from_scratch(lambda inputs, c: networks.perceptron(inputs, c.units, c.depth, CLASSES, name))


def _convnet(name: str) -> Contender:
    return from_scratch(
        lambda inputs, c: networks.convnet(image_shape(c.data, inputs), c.channels, c.depth, CLASSES, name)
    )


def _attention(inputs: int, config: EndToEndConfig) -> Network:
    return networks.attention(inputs, config.units, config.depth, CLASSES)


CONVNET = "convnet-"
_PRETRAINED = arms.trained(*_CONTROLS)
CONTENDERS: Mapping[str, Contender] = MappingProxyType(
    {
        "scratch": stacked(arms.random, control=False),
        "scratch+control": stacked(arms.random, control=True),
        "pretrained": stacked(_PRETRAINED, control=False),
        "pretrained+control": stacked(_PRETRAINED, control=True),
        **{name: _perceptron(name) for name in ACTIVATIONS},
        "attention": from_scratch(_attention),
        **{f"{CONVNET}{name}": _convnet(name) for name in ACTIVATIONS},
    }
)
"""name -> how it is trained. The first four are stacks of ReLU prototypes, "convnet-..." compete across channels."""

DEFAULT = (
    "scratch", "scratch+control", "pretrained", "pretrained+control", "relu", "softmax", "z-times-softmax",
    "grouped-softmax", "sparsemax", "relumax", "attention", "convnet-relu", "convnet-softmax",
)  # fmt: skip
"""What is compared unless told otherwise."""
