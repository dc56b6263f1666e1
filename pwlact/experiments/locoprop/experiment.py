"""The whole benchmark: tune everyone, run everyone over seeds, time everyone; killed at any moment, it goes on.

On the command line: pwlact locoprop --out runs/locoprop
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pwlact.environment import environment
from pwlact.experiments.locoprop.autoencoder import floor
from pwlact.experiments.locoprop.config import LocoPropConfig
from pwlact.experiments.locoprop.kept import Kept, Record
from pwlact.experiments.locoprop.methods import Method, available
from pwlact.experiments.locoprop.pictures import Pictures
from pwlact.experiments.locoprop.rows import against_base, row
from pwlact.experiments.locoprop.timing import time_steps
from pwlact.experiments.locoprop.training import Job, train
from pwlact.experiments.locoprop.tuning import Settings, grid, tuned
from pwlact.training import device_name, find_device

Progress = Callable[[int, int], None]


def run(
    config: LocoPropConfig, pictures: Pictures, folder: Path | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """Tune, run and time every method.

    Args:
        config: the settings.
        pictures: training and test pictures; `config.limit` is of whoever reads them.
        folder: keeps every trial and run, a file each, so that a stopped run goes on where it was.
        progress: called with (steps done, steps in all).

    Returns:
        JSON-able: rows [{name, what, second_is, chosen, tried, train, test, curves, time, against, ...}] (see
        `rows.row` and `rows.against_base`); budget {trials, steps, seed, chosen_by}; floor {train, test}; pixels,
        pictures {train, test}; notes, config, environment.

    Raises:
        InputError: too few pictures, no method that is installed, or a damaged record in `folder`.
    """
    config.check_fits(pictures)
    device = find_device(config.device)
    methods, notes = available(config.methods)
    work = _Work(config, methods, pictures.to(device), Kept(folder), progress)
    tunings = {name: work.tune(name) for name in methods}
    runs = work.runs({name: one["chosen"] for name, one in tunings.items()})
    times = work.time({name: one["chosen"] for name, one in tunings.items()})
    notes += [f"{name}: all trials diverged" for name, one in tunings.items() if one["chosen"] is None]
    rows = [row(name, one.what, tunings[name], runs[name], times.get(name)) for name, one in methods.items()]
    measured = pictures.train[: config.measured]
    trial = config.trial()
    return {
        "rows": against_base(rows),
        "budget": {
            "trials": 3 * config.rates,
            "steps": trial.steps,
            "seed": trial.seed,
            "chosen_by": "training loss after the last step of the trial",
        },
        "floor": {"train": floor(config.loss, measured), "test": floor(config.loss, pictures.test)},
        "pixels": pictures.train.shape[1],
        "pictures": {"train": len(pictures.train), "measured": len(measured), "test": len(pictures.test)},
        "notes": notes,
        "config": asdict(config),
        "environment": environment(device_name(device)),
    }


class _Work:
    """Trials and runs, done or read, with one count of steps for progress."""

    def __init__(
        self,
        config: LocoPropConfig,
        methods: Mapping[str, Method],
        pictures: Pictures,
        kept: Kept,
        progress: Progress | None,
    ) -> None:
        self.config, self.methods, self.pictures, self.kept = config, methods, pictures, kept
        self.report = progress or (lambda done, total: None)
        trials = 3 * config.rates * config.tuning_steps
        self.done, self.total = 0, len(methods) * (trials + config.seeds * config.steps)

    def tune(self, name: str) -> Record:
        """All trials of a method, and what was chosen."""
        method = self.methods[name]
        trials = {
            place: self._train("tuning", f"{name}-{place}", method, settings, self.config.trial())
            for place, settings in grid(method, self.config.rates).items()
        }
        return tuned(method, self.config.rates, trials)

    def runs(self, chosen: Mapping[str, Record | None]) -> dict[str, list[Record]]:
        """The runs of each method: all methods with one seed before any with the next, so early results are whole."""
        found: dict[str, list[Record]] = {name: [] for name in chosen}
        for seed in range(self.config.seeds):
            for name, settings in chosen.items():
                if settings is None:
                    self._count(self.config.steps)
                    continue
                job = self.config.run(seed)
                found[name].append(self._train("runs", f"{name}-s{seed}", self.methods[name], _pair(settings), job))
        return found

    def time(self, chosen: Mapping[str, Record | None]) -> dict[str, Record]:
        """Time of a step, of the methods that have settings."""
        going = {name: (self.methods[name], _pair(one)) for name, one in chosen.items() if one is not None}
        if not self.config.rounds or not going:
            return {}
        job = self.config.run(0)
        record = self.kept.get("timing", "steps", lambda: time_steps(going, self.pictures, job, self.config.rounds))
        return record["methods"]

    def _train(self, part: str, name: str, method: Method, settings: Settings, job: Job) -> Record:
        before = self.done
        record = self.kept.get(
            part, name, lambda: train(method, settings, self.pictures, job, lambda step: self._at(before + step))
        )
        self._at(before + job.steps)
        return record

    def _count(self, steps: int) -> None:
        self._at(self.done + steps)

    def _at(self, done: int) -> None:
        self.done = done
        self.report(done, self.total)


def _pair(chosen: Record) -> Settings:
    return chosen["rate"], chosen["second"]
