"""Settings of the ablation."""

from dataclasses import dataclass

from pwlact import checks
from pwlact.experiments.redundancy.vectors import SETS


@dataclass(frozen=True)
class LayerwiseConfig:
    """Settings of `pwlact layerwise`.

    Attributes:
        data: name in `SETS`.
        arms: names in `ARMS`; all for none.
        units: of each layer.
        depth: number of layers, each trained on the one below.
        epochs: passes over the images for each layer.
        batch_size: most images in a batch.
        lr: rate of Adam.
        strength: of each control.
        train: number of training images; one more is held back by the reader.
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
    train: int = 59_999
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
