"""Rows computed by several processes at once; each computes with one thread, and loads the images for itself."""

import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from pwlact.environment import environment
from pwlact.experiments.kept_rows import Row, Rows
from pwlact.experiments.letters.config import LettersConfig
from pwlact.experiments.letters.parts import Parts
from pwlact.experiments.letters.study import load_parts, tasks
from pwlact.experiments.letters.task import Task

Progress = Callable[[float, float], None]
POLL = 0.5
"""Seconds between two looks at what the processes have done."""

_at_work: dict[str, Any] = {}


def compute(
    config: LettersConfig,
    directory: Path | None,
    parts: Parts,
    folder: Path | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
) -> list[Row]:
    """Every row of the study, in order; those that `folder` holds already are not computed again.

    Args:
        config: the settings.
        directory: where other processes read the images from.
        parts: the images.
        folder: keeps every finished row.
        jobs: number of processes; 1 computes in this one.
        progress: called with (work done, work in all), about seconds of one core.

    Raises:
        InputError: the rows that the folder holds are damaged.
    """
    work = tasks(config, parts)
    rows = Rows(work, folder)
    meter = _Meter(work, rows, progress)
    if jobs == 1 or len(rows.missing()) < 2:
        for name in rows.missing():
            rows.add(name, work[name].compute(meter.tick))
            meter.settle()
    else:
        _shared(config, directory, work, rows, jobs, meter)
    return rows.all()


class _Meter:
    """Adds up work: that of finished rows, and ticks of unfinished ones."""

    def __init__(self, work: dict[str, Task], rows: Rows, progress: Progress | None) -> None:
        self.work, self.rows, self.progress = work, rows, progress
        self.ticked = 0.0
        self.settle()

    def tick(self, more: float) -> None:
        self.report(self.ticked + more)

    def settle(self) -> None:
        self.report(sum(self.work[name].work for name in self.rows.done))

    def report(self, done: float) -> None:
        self.ticked = done
        if self.progress is not None:
            self.progress(done, sum(task.work for task in self.work.values()))


def _shared(
    config: LettersConfig, directory: Path | None, work: dict[str, Task], rows: Rows, jobs: int, meter: _Meter
) -> None:
    context = multiprocessing.get_context("spawn")
    ticks = context.Value("d", 0.0)
    start = meter.ticked
    # the longest first, so that no process is left alone with it at the end
    names = sorted(rows.missing(), key=lambda name: -work[name].work)
    with ProcessPoolExecutor(min(jobs, len(names)), context, _begin, (config, directory, ticks)) as pool:
        waiting: dict[Future[Row], str] = {pool.submit(_row, name): name for name in names}
        try:
            while waiting:
                done, _ = wait(waiting, POLL, FIRST_COMPLETED)
                for future in done:
                    rows.add(waiting.pop(future), future.result())
                meter.report(start + ticks.value)
        except BaseException:
            # rows that have not begun shall not keep a stopped run alive
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _begin(config: LettersConfig, directory: Path | None, ticks: Any) -> None:
    end_with_parent()
    torch.set_num_threads(1)
    _at_work.update(tasks=tasks(config, load_parts(config, directory)), ticks=ticks)


def end_with_parent() -> None:
    """From now on this process ends as soon as the one that started it has, however that came about.

    A parent that is killed outright cannot tell its helpers, which would otherwise compute on, and then wait for ever.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()


def _row(name: str) -> Row:
    ticks = _at_work["ticks"]

    def tick(more: float) -> None:
        with ticks.get_lock():
            ticks.value += more

    return _at_work["tasks"][name].compute(tick)


def run(
    config: LettersConfig,
    directory: Path | None,
    parts: Parts,
    folder: Path | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """The whole study; see `compute` for the arguments.

    Returns:
        JSON-able: data {name, classes, train, validation, test: numbers of images}, rows, config, environment.
    """
    sizes = {name: len(getattr(parts, name).y) for name in ("train", "validation", "test")}
    return {
        "data": {"name": parts.name, "classes": parts.classes, **sizes},
        "rows": compute(config, directory, parts, folder, jobs, progress),
        "config": asdict(config),
        "environment": environment(),
    }
