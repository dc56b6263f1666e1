"""Settings of the ablation and of the end-to-end experiment."""

from dataclasses import dataclass

from pwlact import checks
from pwlact.experiments.redundancy.vectors import SETS


@dataclass(frozen=True)
class LayerwiseConfig:
    """Settings of `pwlact layerwise ablation`.

    Attributes:
        data: name in `SETS`.
        arms: names in `ARMS`; all for none.
        units: of each layer.
        depth: number of layers, each trained on the one below.
        epochs: passes over the images for each layer.
        batch_size: most images in a batch.
        lr: rate of Adam.
        strength: of each control.
        train: number of training images, the first ones.
        test: number of images that everything is measured on.
        seeds: number of seeds, from 0 on.
        probe_steps: most evaluations of a linear probe's loss.

    Raises:
        InputError: a value outside its range.
    """

    data: str = "mnist"
    arms: tuple[str, ...] = ()
    units: int = 64
    depth: int = 1
    epochs: int = 5
    batch_size: int = 256
    lr: float = 3e-3
    strength: float = 10.0
    train: int = 60_000
    test: int = 10_000
    seeds: int = 5
    probe_steps: int = 500

    def __post_init__(self) -> None:
        checks.choice("data", self.data, SETS)
        checks.at_least("units", self.units, 2, "redundancy is a matter of pairs")
        for name in ("depth", "epochs", "batch_size", "train", "test", "seeds", "probe_steps"):
            checks.at_least(name, getattr(self, name), 1)
        checks.positive("lr", self.lr)
        checks.positive("strength", self.strength)


@dataclass(frozen=True)
class EndToEndConfig:
    """Settings of `pwlact layerwise end-to-end`.

    Attributes:
        data: name in `SETS`.
        arms: names in `CONTENDERS`; `DEFAULT` for none.
        units: of each layer of a perceptron.
        channels: of each layer of a convnet.
        depth: number of hidden layers.
        epochs: passes over the images end to end.
        pretrain_epochs: passes for each layer before.
        batch_size: most images in a batch.
        rates: rates of Adam to choose from, end to end, by the validation accuracy of seed 0.
        pretrain_rate: of Adam before.
        strength: of each control in a layer's own objective.
        control: of the layers' own objectives beside the task, where they are kept; 1 is as in pretraining.
        train: number of training images.
        validation: number of images that the rate is chosen on.
        test: number of images that everything is measured on.
        seeds: number of seeds, from 0 on.

    Raises:
        InputError: a value outside its range.
    """

    data: str = "mnist"
    arms: tuple[str, ...] = ()
    units: int = 64
    channels: int = 16
    depth: int = 2
    epochs: int = 6
    pretrain_epochs: int = 3
    batch_size: int = 256
    rates: tuple[float, ...] = (1e-3, 4e-3, 1.6e-2)
    pretrain_rate: float = 3e-3
    strength: float = 10.0
    control: float = 1.0
    train: int = 10_000
    validation: int = 2_000
    test: int = 5_000
    seeds: int = 5

    def __post_init__(self) -> None:
        checks.choice("data", self.data, SETS)
        for name in ("units", "channels"):
            checks.at_least(name, getattr(self, name), 2, "redundancy is a matter of pairs")
        for name in (
            "depth", "epochs", "pretrain_epochs", "batch_size", "train", "validation", "test", "seeds"
        ):  # fmt: skip
            checks.at_least(name, getattr(self, name), 1)
        if not self.rates:
            raise checks.InputError("rates must name at least one, got none")
        for rate in self.rates:
            checks.positive("rates", rate)
        for name in ("pretrain_rate", "strength", "control"):
            checks.positive(name, getattr(self, name))

    @property
    def pretraining(self) -> LayerwiseConfig:
        """Settings of the layers' own training."""
        return LayerwiseConfig(
            self.data, units=self.units, depth=self.depth, epochs=self.pretrain_epochs, batch_size=self.batch_size,
            lr=self.pretrain_rate, strength=self.strength, train=self.train, test=self.test, seeds=self.seeds,
        )  # fmt: skip
