"""The study of networks: the same run with each kind of activation, several seeds, one after the other.

On the command line: pwlact study --arch resnet10,vgg11 --width 0.25 --seeds 3
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pwlact import checks
from pwlact.data import Cifar10
from pwlact.experiments.cifar import CifarConfig, run
from pwlact.experiments.inspection import INSPECTION, inspect
from pwlact.files import to_json, write_atomically, write_text
from pwlact.training import RunFolder, Tracker, TrainingFailed, read_result
from pwlact.training.activation_history import FILE_NAME as ACTIVATIONS
from pwlact.training.input_history import FILE_NAME as INPUTS
from pwlact.training.run_folder import RESULT

ENOUGH_TO_INSPECT = 200

KINDS: dict[str, dict[str, Any]] = {
    "relu": {"mode": "relu"},
    "silu": {"mode": "silu"},
    "gelu": {"mode": "gelu"},
    "derived": {"mode": "derived"},
    "backprop": {"mode": "backprop"},
    "local": {"mode": "local"},
    "local-channel": {"mode": "local", "sharing": "channel"},
    "local-half-rate": {"mode": "local", "act_lr": 5e-4},
    "local-twice-rate": {"mode": "local", "act_lr": 2e-3},
    # the activations move to the last step, and twice as fast
    "local-moving": {"mode": "local", "rest": 0.0, "every": 2},
    "local-moving-half-rate": {"mode": "local", "rest": 0.0, "every": 2, "act_lr": 5e-4},
    "local-moving-twice-rate": {"mode": "local", "rest": 0.0, "every": 2, "act_lr": 2e-3},
    "local-moving-smoother": {"mode": "local", "rest": 0.0, "every": 2, "smoothness": 0.2},
    "local-moving-channel": {"mode": "local", "rest": 0.0, "every": 2, "sharing": "channel"},
}
"""What is compared: settings of `CifarConfig` by name."""
USUAL = ("relu", "silu", "gelu", "derived", "backprop", "local", "local-channel")


@dataclass(frozen=True)
class StudyConfig:
    """Settings of a study.

    Attributes:
        archs: architectures.
        kinds: names in `KINDS`.
        seeds: number of seeds, from 0 on.
        base: settings that all runs share.

    Raises:
        InputError: an unknown kind, or no seed, architecture or kind at all.
    """

    archs: tuple[str, ...] = ("resnet10", "vgg11")
    kinds: tuple[str, ...] = USUAL
    seeds: int = 3
    base: CifarConfig = field(default_factory=lambda: CifarConfig(width=0.25))

    def __post_init__(self) -> None:
        checks.at_least("seeds", self.seeds, 1)
        for name, given in (("arch", self.archs), ("kinds", self.kinds)):
            if not given:
                raise checks.InputError(f"{name} must name at least one, got none")
        for kind in self.kinds:
            checks.choice("kinds", kind, KINDS)
        _ = self.runs()  # refuses an unknown architecture

    def runs(self) -> dict[str, CifarConfig]:
        """Every run by name: all kinds with one seed before any with the next, so that early results are whole."""
        return {
            f"{arch}-{kind}-w{self.base.width:g}-s{seed}": replace(
                # the first seed's weights are kept by epoch, for what is looked at by epoch
                self.base,
                arch=arch,
                seed=seed,
                keep_epochs=seed == 0,
                **KINDS[kind],
            )
            for seed in range(self.seeds)
            for arch in self.archs
            for kind in self.kinds
        }


def run_study(
    config: StudyConfig,
    data: Cifar10,
    folder: Path,
    results: Path | None = None,
    tracker: Callable[[str], Tracker | None] = lambda _: None,
) -> dict[str, Any]:
    """Do what is not done yet; killed at any moment, it goes on where it was.

    Args:
        config: the settings.
        data: training and test images.
        folder: each run gets a folder in it.
        results: what a finished run came to is kept here, in a folder of its name: result.json and, of the first
            seed, activations.npz, inputs.npz (of local learning) and inspect.json (`pwlact inspect`; from 200
            validation images on).
        tracker: called with the name of a run that begins, gives what hears of its progress.

    Returns:
        JSON-able: runs [{name, ...result}] in the order of the study; failed [{name, reason}], those whose loss
        is no longer finite.

    Raises:
        InputError: a run's folder holds one with other settings.
    """
    records, failed = [], []
    for name, settings in config.runs().items():
        place = folder / name
        try:
            finished = (place / RESULT).exists()
            record = (
                read_result(place) if finished else run(settings, data, RunFolder(place, resume=True), tracker(name))
            )
        except TrainingFailed as error:
            failed.append({"name": name, "reason": str(error)})
            continue
        if results is not None:
            _keep(place, results / name, record, data)
        records.append({"name": name, **record})
    return {"runs": records, "failed": failed}


def _keep(run_folder: Path, place: Path, record: dict[str, Any], data: Cifar10) -> None:
    """Put what a run came to in `place`; what is there stays if it takes long to make."""
    place.mkdir(parents=True, exist_ok=True)
    write_text(place / RESULT, to_json(record, indent=1) + "\n")
    if record["seed"] > 0:
        return
    film = run_folder / ACTIVATIONS
    if film.exists() and record["config"]["sharing"] == "layer":
        write_atomically(place / ACTIVATIONS, lambda file: file.write(film.read_bytes()))
    received = run_folder / INPUTS
    # of the other kinds nothing reads them, and they are large
    if received.exists() and record["mode"] == "local":
        write_atomically(place / INPUTS, lambda file: file.write(received.read_bytes()))
    if record["val"]["n"] >= ENOUGH_TO_INSPECT and not (place / INSPECTION).exists():
        write_text(place / INSPECTION, to_json(inspect(run_folder, data), indent=1) + "\n")
