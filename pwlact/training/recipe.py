"""Recipes: how the backbone is trained, whatever rule the activations follow."""

from dataclasses import dataclass

from torch import Tensor, nn, optim
from torch.nn import functional

from pwlact import checks

SIDE_STEP = 4
"""The side of an enlarging image is a multiple of so many pixels: few sizes in all."""


@dataclass(frozen=True)
class Recipe:
    """Optimiser, schedule and loss of the backbone.

    Attributes:
        epochs: passes over the images, unless the user says otherwise.
        lr: highest rate, unless the user says otherwise.
        momentum: of SGD with Nesterov's step; None means Adam.
        weight_decay: of SGD: multiple of the weights that is added to their gradient, for those with two or more
            dimensions.
        label_smoothing: share of each label that is spread over all classes.
        warm_up: share of all steps in which the rate rises from a tenth; after it falls to 0, both in a straight
            line. None keeps it constant.
        smallest: side of the images at the start, as a share of their own. It grows in a straight line and is
            whole from `whole` on. Small images cost less, and early on they teach as much (Tan and Le,
            "EfficientNetV2", 2021, section 4). None keeps them as they are.
        whole: share of all steps from which the images have their own size, above 0.
    """

    epochs: int = 20
    lr: float = 1e-3
    momentum: float | None = None
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    warm_up: float | None = None
    smallest: float | None = None
    whole: float = 0.7

    def factor(self, done: float) -> float:
        """The rate over its highest value when the share `done` of all steps is behind, from 0 to 1."""
        if self.warm_up is None:
            return 1.0
        if done < self.warm_up:
            return 0.1 + 0.9 * done / self.warm_up
        return (1 - done) / (1 - self.warm_up)

    def seen(self, images: Tensor, done: float) -> Tensor:
        """What the network sees of `images` when the share `done` of all steps is behind.

        Args:
            images: shape (n, channels, height, width); inputs of another rank stay as they are.
            done: from 0 to 1.

        Returns:
            the images, scaled down bilinearly while they are to be small.
        """
        if self.smallest is None or images.ndim != 4:
            return images
        share = self.smallest + (1 - self.smallest) * done / self.whole
        steps = [max(1, round(share * side / SIDE_STEP)) for side in images.shape[2:]]
        size = [min(side, SIDE_STEP * step) for side, step in zip(images.shape[2:], steps, strict=True)]
        if size == [*images.shape[2:]]:
            return images
        return functional.interpolate(images, size=size, mode="bilinear")

    def optimiser(self, parameters: list[nn.Parameter], lr: float) -> optim.Optimizer:
        """The optimiser of these parameters, at rate `lr`.

        Raises:
            InputError: the rate is not above zero.
        """
        checks.positive("lr", lr)
        fused = True if {parameter.device.type for parameter in parameters} <= {"cpu", "cuda"} else None
        if self.momentum is None:
            return optim.Adam(parameters, lr=lr, fused=fused)
        groups = [
            {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": self.weight_decay},
            {"params": [p for p in parameters if p.ndim < 2]},
        ]
        return optim.SGD([g for g in groups if g["params"]], lr=lr, momentum=self.momentum, nesterov=True, fused=fused)


PAPER = Recipe()
"""The paper's: Adam at a constant 1e-3 for 20 epochs."""
FAST = Recipe(epochs=12, lr=0.5, momentum=0.9, weight_decay=5e-4, label_smoothing=0.1, warm_up=0.25, smallest=0.625)
"""For the shortest time to a good accuracy."""
RECIPES = {"paper": PAPER, "fast": FAST}
