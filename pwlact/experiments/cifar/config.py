"""The settings of a training run, checked before anything is computed."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from pwlact import checks
from pwlact.correlation import ESTIMATORS, SOLVERS
from pwlact.experiments.cifar.derived import derived_swish
from pwlact.models import ARCHITECTURES
from pwlact.training import DEVICES, PAPER, PRECISIONS, RECIPES, Recipe

FIXED: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "silu": nn.SiLU,
    "gelu": nn.GELU,
    "derived": derived_swish,
}
ACTIVATION_RATES = {"backprop": 1e-2, "local": 1e-3}
EIGEN_SHARE = 0.2  # of the way to the solution, at each step
MODES = (*ACTIVATION_RATES, *FIXED)
SHARINGS = ("layer", "channel")
CLASSES = 10


@dataclass(frozen=True)
class CifarConfig:
    """Settings of one training run.

    Attributes:
        arch: a name in `pwlact.models.ARCHITECTURES`.
        mode: "backprop" or "local" learn the activations, from ReLU on; "relu", "silu", "gelu" are fixed, and so is
            "derived", the Swish of the optimum for 20 classes.
        width: factor on the channels of every layer.
        epochs: number of passes over the training images; each recipe has its own usual number.
        batch_size: images a step.
        lr: rate of the backbone, the highest where it changes; each recipe has its own usual one.
        recipe: how the backbone is trained: "paper" or "fast", see `pwlact.training.RECIPES`.
        act_lr: Adam's rate for the knot values; None is 1e-2 for backprop and 1e-3 for local. For solver "eigen" the
            share of the way to the solution, at most 1; None is 0.2.
        sharing: one function a "layer", or one a "channel".
        knots: number of knots, at least 5 (the Swish that is read off at the end has four parameters).
        low: position of the first knot, in units of the layer's input, which batch norm standardises.
        high: position of the last knot.
        estimator: how the local rule knows a layer's input: "sample" or "gaussian".
        solver: how the local rule improves its objective: "adam" or "eigen".
        seed: of initialisation, order, augmentation and draws.
        limit: most images to train on; all that `val_size` leaves if None.
        val_size: number of training images kept for validation.
        device: "auto", "cuda", "mps" or "cpu".
        precision: "bf16" (autocast) or "fp32".
        smoothness: weight of the local rule's roughness penalty.
        positions: positions an image that the local rule looks at.
        memory: share of the local rule's statistics that stays from step to step, from 0 to below 1.
        every: batches a step of the local rule.
        rest: share of all steps, at the end, in which the local rule leaves the activations alone, from 0 to below 1.
        keep_epochs: whether the weights after every epoch are kept, in the folder epochs.
        compile: whether the model is compiled by torch.compile.

    Raises:
        InputError: a setting is outside its range.
    """

    arch: str = "resnet10"
    mode: str = "local"
    width: float = 1.0
    epochs: int = PAPER.epochs
    batch_size: int = 256
    lr: float = PAPER.lr
    act_lr: float | None = None
    sharing: str = "layer"
    knots: int = 33
    low: float = -3.0
    high: float = 3.0
    estimator: str = "gaussian"
    solver: str = "adam"
    seed: int = 0
    limit: int | None = None
    val_size: int = 5000
    device: str = "auto"
    precision: str = "bf16"
    smoothness: float = 0.05
    positions: int = 16
    memory: float = 0.95
    every: int = 4
    rest: float = 0.5
    keep_epochs: bool = False
    recipe: str = "paper"
    compile: bool = False

    def __post_init__(self) -> None:
        self._check_choices()
        checks.at_least("epochs", self.epochs, 1)
        checks.at_least("batch_size", self.batch_size, 1)
        checks.at_least("knots", self.knots, 5, "the Swish that is read off has four parameters")
        checks.at_least("val_size", self.val_size, 1)
        checks.at_least("positions", self.positions, 1)
        checks.at_least("every", self.every, 1)
        checks.share("memory", self.memory)
        checks.share("rest", self.rest)
        checks.at_least("seed", self.seed, 0)
        if self.limit is not None:
            checks.at_least("limit", self.limit, 1)
        checks.positive("width", self.width)
        checks.positive("lr", self.lr)
        checks.positive("act_lr", self.activation_rate)
        if self.mode == "local" and self.solver == "eigen" and self.activation_rate > 1:
            raise checks.InputError(f"act_lr must be at most 1 with solver eigen, got {self.activation_rate}")
        checks.interval(self.low, self.high)
        checks.not_negative("smoothness", self.smoothness)

    def _check_choices(self) -> None:
        checks.choice("recipe", self.recipe, RECIPES)
        checks.choice("arch", self.arch, ARCHITECTURES)
        checks.choice("mode", self.mode, MODES)
        checks.choice("sharing", self.sharing, SHARINGS)
        checks.choice("estimator", self.estimator, ESTIMATORS)
        checks.choice("solver", self.solver, SOLVERS)
        checks.choice("device", self.device, DEVICES)
        checks.choice("precision", self.precision, PRECISIONS)

    @property
    def training(self) -> Recipe:
        """What `recipe` names."""
        return RECIPES[self.recipe]

    @property
    def learns(self) -> bool:
        """Whether the activations are learnt."""
        return self.mode not in FIXED

    @property
    def activation_rate(self) -> float:
        """`act_lr`, or the mode's own where that is None."""
        if self.act_lr is not None:
            return self.act_lr
        return EIGEN_SHARE if self.mode == "local" and self.solver == "eigen" else ACTIVATION_RATES.get(self.mode, 1e-2)
