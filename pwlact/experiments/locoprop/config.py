"""Settings of the benchmark, and the jobs that they make."""

from dataclasses import dataclass

from pwlact import checks
from pwlact.experiments.locoprop.autoencoder import LOSSES
from pwlact.experiments.locoprop.methods import METHODS
from pwlact.experiments.locoprop.pictures import SETS, Pictures
from pwlact.experiments.locoprop.training import Job
from pwlact.training import find_device

TUNING_SEED = 1_000_000
"""Tuning has a seed of its own: none of the runs that are reported was chosen by its own luck."""


@dataclass(frozen=True)
class LocoPropConfig:
    """Settings of the benchmark.

    Attributes:
        data: name in `SETS`.
        sizes: units of the layers down to the narrowest; the decoder mirrors them.
        loss: "cross-entropy" (sigmoid outputs) or "squared" (linear outputs).
        methods: names in `METHODS`; none for all.
        batch_size: pictures a step.
        steps: steps of a run.
        tuning_steps: steps of a trial.
        rates: trials a method and value of its second setting, of which each has three: log-spaced rates.
        seeds: runs of each method with its best settings, from seed 0 on.
        points: how often losses are measured in a run, beside once before it.
        measured: most training pictures that the training loss is measured on, the first.
        limit: most training pictures; all unless given.
        rounds: rounds of timing; 0 leaves it out.
        device: auto, cuda, mps or cpu.

    Raises:
        InputError: a value outside its range.
    """

    data: str = "mnist"
    sizes: tuple[int, ...] = (1000, 500, 250, 30)
    loss: str = "cross-entropy"
    methods: tuple[str, ...] = ()
    batch_size: int = 500
    steps: int = 2000
    tuning_steps: int = 200
    rates: int = 5
    seeds: int = 3
    points: int = 40
    measured: int = 10_000
    limit: int | None = None
    rounds: int = 7
    device: str = "auto"

    def __post_init__(self) -> None:
        checks.choice("data", self.data, SETS)
        checks.choice("loss", self.loss, LOSSES)
        for name in self.methods:
            checks.choice("methods", name, METHODS)
        checks.at_least("number of sizes", len(self.sizes), 1)
        for size in self.sizes:
            checks.at_least("sizes", size, 1)
        for name in ("batch_size", "steps", "tuning_steps", "rates", "seeds", "points", "measured"):
            checks.at_least(name, getattr(self, name), 1)
        checks.at_least("rounds", self.rounds, 0)
        if self.limit is not None:
            checks.at_least("limit", self.limit, 1)
        find_device(self.device)

    def run(self, seed: int) -> Job:
        """The job of a run."""
        return Job(self.sizes, self.loss, self.batch_size, self.steps, self.points, self.measured, seed)

    def trial(self) -> Job:
        """The job of a trial: short, measured before and after."""
        return Job(self.sizes, self.loss, self.batch_size, self.tuning_steps, 1, self.measured, TUNING_SEED)

    def check_fits(self, pictures: Pictures) -> None:
        """Whether there are enough pictures.

        Raises:
            InputError: a batch is larger than the training set.
        """
        count = len(pictures.train)
        if self.batch_size > count:
            raise checks.InputError(f"batch_size must be at most the {count:,} training images, got {self.batch_size}")
