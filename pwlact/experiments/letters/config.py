"""Settings of the letters study."""

from dataclasses import dataclass

from pwlact import checks
from pwlact.competitive import ACTIVATIONS
from pwlact.experiments.letters.cells import Cell
from pwlact.experiments.letters.depth import VARIANTS
from pwlact.experiments.letters.outputs import OUTPUT_MAPS

STUDIES = ("perceptron", "logistic", "width", "depth", "outputs")
"""Parts of the study."""

WHOLE = ("batch_size", "width_epochs", "depth_epochs", "output_epochs", "linear_epochs", "depth_width", "output_width")


@dataclass(frozen=True)
class LettersConfig:
    """Settings of `pwlact letters`.

    Attributes:
        studies: names in `STUDIES`, in any order; all for none.
        seeds: fresh seeds of each reported figure, from 1 on.
        validation: images that settings and epochs are chosen on; as many as there are test images unless given.
        limit: most training images; all unless given.
        batch_size: images in a batch of a multilayer perceptron.
        rates: of Adam, for the widths.
        dropouts: for the widths.
        decays: for the widths.
        widths: hidden units of the single layer.
        width_epochs: passes over the training images; also those of the draft's depth study.
        depths: numbers of hidden layers.
        depth_width: hidden units of each of them.
        depth_rates: of Adam, chosen for each depth.
        depth_epochs: passes over the training images where the rate is chosen.
        variants: names in `VARIANTS`, with ReLU.
        activations: names of activations that replace ReLU in the plain variant.
        outputs: names in `OUTPUT_MAPS`.
        output_width: hidden units of the single layer below them.
        output_epochs: passes over the training images.
        linear_epochs: passes of perceptron and logistic regression.

    Raises:
        InputError: a value outside its range or an unknown name.
    """

    studies: tuple[str, ...] = ()
    seeds: int = 3
    validation: int | None = None
    limit: int | None = None
    batch_size: int = 64
    rates: tuple[float, ...] = (1e-4, 3e-4, 1e-3, 3e-3)
    dropouts: tuple[float, ...] = (0.0, 0.2)
    decays: tuple[float, ...] = (0.0, 1e-4)
    widths: tuple[int, ...] = (16, 32, 64, 128, 256)
    width_epochs: int = 30
    depths: tuple[int, ...] = (1, 3, 5, 7, 9)
    depth_width: int = 32
    depth_rates: tuple[float, ...] = (3e-4, 1e-3, 3e-3)
    depth_epochs: int = 8
    variants: tuple[str, ...] = tuple(VARIANTS)
    activations: tuple[str, ...] = ("tanh", "piecewise-linear", "lwta", "gated-relu-softmax")
    outputs: tuple[str, ...] = tuple(OUTPUT_MAPS)
    output_width: int = 128
    output_epochs: int = 8
    linear_epochs: int = 20

    def __post_init__(self) -> None:
        for name, allowed in (
            ("studies", STUDIES), ("variants", VARIANTS), ("activations", ACTIVATIONS), ("outputs", OUTPUT_MAPS)
        ):  # fmt: skip
            for value in getattr(self, name):
                checks.choice(name, value, allowed)
        for name in ("seeds", *WHOLE):
            checks.at_least(name, getattr(self, name), 1)
        for name in ("validation", "limit"):
            if getattr(self, name) is not None:
                checks.at_least(name, getattr(self, name), 1)
        for name in ("widths", "depths", "rates", "dropouts", "decays", "depth_rates"):
            checks.at_least(f"number of {name}", len(getattr(self, name)), 1)
        for name in ("widths", "depths"):
            for value in getattr(self, name):
                checks.at_least(name, value, 1)
        _ = self.width_cells, self.depth_cells

    @property
    def width_cells(self) -> list[Cell]:
        """Settings tried at every width, the plainest first, neighbours with equal rate and decay."""
        return [Cell(rate, dropout, decay) for decay in self.decays for rate in self.rates for dropout in self.dropouts]

    @property
    def depth_cells(self) -> list[Cell]:
        """Settings tried at every depth and for every output map."""
        return [Cell(rate) for rate in self.depth_rates]
