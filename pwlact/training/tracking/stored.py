"""What a run folder holds of the epochs that are done: for logs that missed some of them."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pwlact.checks import InputError
from pwlact.training.activation_history import ActivationHistory, read_activations
from pwlact.training.input_history import InputHistory, read_inputs
from pwlact.training.run_folder import METRICS
from pwlact.training.trackers import EpochRecord, LayerSnapshot


def stored_epochs(
    folder: Path, first: int, last: int
) -> Iterator[tuple[int, LayerSnapshot | None, EpochRecord | None]]:
    """Epochs `first` to `last` of the run in `folder`, as its tracker was or should have been told of them.

    What is missing or damaged is None: it matters to the run, which says so itself, and not to a log of it.

    Yields:
        epoch (0 is the initialisation), its layers, its record.
    """
    records, activations, inputs = _records(folder), _activations(folder), _inputs(folder)
    for epoch in range(first, last + 1):
        values = {name: film[epoch] for name, film in activations.layers.items() if epoch < len(film)}
        counts = {name: film[epoch] for name, film in inputs.layers.items() if epoch < len(film)}
        snapshot = LayerSnapshot(activations.knots, values, inputs.edges, counts) if values or counts else None
        yield epoch, snapshot, records.get(epoch)


def _records(folder: Path) -> dict[int, EpochRecord]:
    try:
        records = [json.loads(line) for line in (folder / METRICS).read_text(encoding="utf-8").splitlines()]
        return {record["epoch"]: record for record in records}
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def _activations(folder: Path) -> ActivationHistory:
    try:
        return read_activations(folder)
    except InputError:
        return ActivationHistory(np.empty(0))


def _inputs(folder: Path) -> InputHistory:
    try:
        return read_inputs(folder)
    except InputError:
        return InputHistory()
