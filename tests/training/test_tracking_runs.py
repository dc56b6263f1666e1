"""The TensorBoard tracker through runs that stop, resume or fail; what fails in the tracker stops no run."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tracked_run import assert_shows, points, read, record

from pwlact.data import Cifar10, cifar_shaped
from pwlact.experiments.cifar import CifarConfig, run
from pwlact.training import RunFolder, Silent, Together, TrainingFailed, loop, read_activations, read_inputs
from pwlact.training.tracking import TensorBoardTracker, logbook, make_tracker
from pwlact.training.tracking.logbook import EPOCH_NUMBERS, STEP_LOSS, TrackerFailed, TrackerStopped


def tiny(**more):
    return CifarConfig(mode="local", width=0.0625, epochs=2, batch_size=8, limit=24, val_size=8, knots=9, device="cpu",
                       positions=4, **more)  # fmt: skip


@pytest.fixture(scope="module")
def data():
    return Cifar10(cifar_shaped(40, 0), cifar_shaped(12, 1), tuple("abcdefghij"), Path("generated"))


class Stop(Exception):
    pass


class Stopper(Silent):
    def layers(self, epoch, snapshot):
        if epoch == 1:  # stored and not yet told
            raise Stop


def test_a_real_run_stopped_and_resumed(data, tmp_path, monkeypatch):
    monkeypatch.setattr(logbook, "STEPS_BETWEEN_POINTS", 3)  # an epoch has as many
    monkeypatch.setattr(loop, "STEPS_BETWEEN_READINGS", 1)
    tracker = make_tracker("tensorboard", tmp_path, {"data": {"classes": list("abcdefghij")}}, "x")
    with pytest.raises(Stop):
        run(tiny(), data, RunFolder(tmp_path), Together([tracker, Stopper()]))
    tracker = make_tracker("tensorboard", tmp_path, tracker.config, "x")
    history = run(tiny(), data, RunFolder(tmp_path, resume=True), tracker)["history"]
    log = read(tmp_path)
    for name, key in EPOCH_NUMBERS.items():
        assert points(log, name) == [(r["epoch"], pytest.approx(r[key])) for r in history]
    film, inputs = read_activations(tmp_path), read_inputs(tmp_path)
    for layer, values in film.layers.items():
        for event, at_epoch in zip(log.Images(f"activations/{layer}"), values, strict=True):
            assert_shows(event, at_epoch)
        told = [event.histogram_value.bucket for event in log.Histograms(f"inputs_{layer}/3_d")]
        np.testing.assert_array_equal(told, [counts[3] for counts in inputs.layers[layer]])
    assert [step for step, _ in points(read(tmp_path, "steps"), STEP_LOSS)] == [3, 6]


def test_a_failed_run_closes_the_log(data, tmp_path):
    tracker = TensorBoardTracker(tmp_path, {})
    with pytest.raises(TrainingFailed):
        run(replace(tiny(), mode="relu", lr=1e30), data, RunFolder(tmp_path), tracker)
    assert tracker.by_epoch.all_writers is None  # closed
    assert read(tmp_path).Histograms("inputs_layer0/0")[0].step == 0


def test_disk_full_stops_the_log_and_not_the_run(data, tmp_path, monkeypatch):
    tracker = TensorBoardTracker(tmp_path, {})

    def full(epoch, numbers):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tracker, "_keep_epoch", full)
    with pytest.warns(
        TrackerStopped, match=r"^tracker tensorboard stopped, the run goes on without it: .*No space"
    ) as w:
        result = run(replace(tiny(), epochs=1), data, RunFolder(tmp_path), tracker)
    assert len(w) == 1
    assert len(result["history"]) == 1
    assert tracker.by_epoch.all_writers is None


def test_closing_that_fails_is_a_warning_and_closes_the_other(tmp_path, monkeypatch):
    tracker = TensorBoardTracker(tmp_path, {})
    tracker.begin(0, 1, 1)

    def full():
        raise OSError(28, "No space left on device")

    close, tracker.by_step.close = tracker.by_step.close, full
    tracker.open.pop_all()
    tracker.open.callback(tracker.by_epoch.close)
    tracker.open.callback(full)
    with pytest.warns(TrackerStopped, match="No space"):
        tracker.end()
    assert tracker.by_epoch.all_writers is None
    close()


def test_a_folder_that_cannot_be_written_is_told_at_the_start(tmp_path):
    (tmp_path / "tensorboard").write_text("in the way")
    tracker = TensorBoardTracker(tmp_path, {})
    with pytest.raises(OSError, match="tensorboard"):
        tracker.begin(0, 1, 1)
    tracker.end()
    assert (tmp_path / "tensorboard").read_text() == "in the way"


def test_a_package_that_fails_is_told_in_a_line(tmp_path, monkeypatch):
    tracker = TensorBoardTracker(tmp_path, {})

    def broken():
        raise AttributeError("no such thing\nas this")

    monkeypatch.setattr(tracker, "_open", broken)
    with pytest.raises(TrackerFailed) as caught:
        tracker.begin(0, 1, 1)
    assert str(caught.value) == "tracker tensorboard cannot start: no such thing as this"
    tracker.epoch(record(1))  # nothing listens any more, and nothing fails
    tracker.end()
