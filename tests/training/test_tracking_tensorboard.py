"""The TensorBoard tracker: event files hold what the run told, once each, also after a stop; failures stop no run."""

import io
import math
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from asserts import assert_refused
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator as PluginEventAccumulator
from tensorboard.util import tensor_util

from pwlact.checks import InputError
from pwlact.data import Cifar10, cifar_shaped
from pwlact.experiments.cifar import CifarConfig, run
from pwlact.files import to_json
from pwlact.training import (
    ActivationHistory,
    InputHistory,
    LayerSnapshot,
    RunFolder,
    Silent,
    Together,
    TrainingFailed,
    loop,
    read_activations,
    read_inputs,
)
from pwlact.training.tracking import TRACKERS, TensorBoardTracker, WandbTracker, logbook, make_tracker
from pwlact.training.tracking.logbook import EPOCH_NUMBERS, STEP_LOSS, TrackerFailed, TrackerStopped
from pwlact.training.tracking.picture import curve_picture

NAMES = ["cat", "<b>dog</b>", 'a "b"', "a 'b'", ""]
CONFIG = {"arch": "resnet10", "act_lr": None, "data": {"classes": NAMES}, "note": "<script>alert('x')</script> *a*"}
KNOTS = np.linspace(-3, 3, 9)
EDGES = np.linspace(-5, 5, 11)
STEPS = 30


def record(epoch, **more):
    return {
        "epoch": epoch,
        "train_loss": 2.0 / epoch,
        "train_accuracy": 0.1 * epoch,
        "val_loss": 2.5 / epoch,
        "val_accuracy": 0.09 * epoch,
        "seconds": 3.0,
        "images_per_second": 1000.0 + epoch,
    } | more


def snapshot(epoch, channels=None):
    spread = 1.0 if channels is None else np.linspace(0.5, 1.5, channels)[:, None]
    rng = np.random.default_rng(epoch)
    return LayerSnapshot(
        KNOTS,
        {"layer0": spread * np.maximum(KNOTS, 0) * (1 + epoch)},
        EDGES,
        {"layer0": rng.integers(0, 50, (5, 10)), "fixed": np.zeros((5, 10), dtype=np.int32)},
    )


def loss_at(step):
    return 3.0 / (1 + step)


def store(folder, epoch):
    """What a run folder holds after an epoch."""
    films = ActivationHistory(KNOTS), InputHistory(EDGES)
    for e in range(epoch + 1):
        films[0].append(snapshot(e).values)
        films[1].append(snapshot(e).counts)
    films[0].write(folder / "activations.npz")
    films[1].write(folder / "inputs.npz")
    lines = (to_json(record(e)) + "\n" for e in range(1, epoch + 1))
    (folder / "metrics.jsonl").write_text("".join(lines))


def drive(tracker, done, epochs, stop_after=None, steps=STEPS):
    """Tell the tracker a run as `fit` and `run` do; stop after so many steps of this part."""
    folder = tracker.folder
    store(folder, done)
    tracker.begin(done, epochs, steps)
    try:
        if not done:
            tracker.layers(0, snapshot(0))
        step = done * steps
        for epoch in range(done + 1, epochs + 1):
            for _ in range(steps):
                step += 1
                tracker.step(8, 100.0, loss_at(step))
                if stop_after is not None and step - done * steps == stop_after:
                    return
            store(folder, epoch)
            tracker.layers(epoch, snapshot(epoch))
            tracker.epoch(record(epoch))
    finally:
        tracker.end()


def read(folder, part="epochs"):
    log = EventAccumulator(
        str(folder / "tensorboard" / part),
        size_guidance=dict.fromkeys(("scalars", "images", "histograms", "tensors"), 0),
    )
    with warnings.catch_warnings():
        # TensorBoard reads files with calls that its own newer parts deprecate
        warnings.simplefilter("ignore", DeprecationWarning)
        return log.Reload()


def points(log, name):
    return [(event.step, event.value) for event in log.Scalars(name)]


def assert_shows(event, values):
    """The image of the log is the picture of this activation."""
    pixels = np.asarray(Image.open(io.BytesIO(event.encoded_image_string)))
    np.testing.assert_array_equal(pixels, curve_picture(KNOTS, values))


def check_whole(folder, epochs):
    """The log holds `epochs` epochs of `drive`, each once."""
    log = read(folder)
    for name, key in EPOCH_NUMBERS.items():
        assert points(log, name) == [(e, pytest.approx(record(e)[key])) for e in range(1, epochs + 1)]
    assert [event.step for event in log.Images("activations/layer0")] == list(range(epochs + 1))
    for tag in log.Tags()["histograms"]:
        assert [event.step for event in log.Histograms(tag)] == list(range(epochs + 1))
    assert points(read(folder, "steps"), STEP_LOSS) == [
        (step, pytest.approx(loss_at(step))) for step in range(50, epochs * STEPS + 1, 50)
    ]


def test_every_number_is_there_once(tmp_path):
    drive(TensorBoardTracker(tmp_path, CONFIG), 0, 5)
    check_whole(tmp_path, 5)


def test_layers_are_there(tmp_path):
    drive(TensorBoardTracker(tmp_path, CONFIG), 0, 2)
    log = read(tmp_path)
    for epoch in range(3):
        seen = snapshot(epoch)
        assert_shows(log.Images("activations/layer0")[epoch], seen.values["layer0"])
        tags = [f"inputs_layer0/{tag}" for tag in ("0_cat", "1__b_dog__b_", "2_a__b_", "3_a__b_", "4")]
        for k, tag in enumerate(tags):
            value = log.Histograms(tag)[epoch].histogram_value
            counts = seen.counts["layer0"][k]
            middles = EDGES[:-1] + 0.5
            assert (value.min, value.max, value.num) == (-5, 5, counts.sum())
            assert value.sum == pytest.approx((counts * middles).sum())
            assert value.sum_squares == pytest.approx((counts * middles**2).sum())
            np.testing.assert_allclose(value.bucket_limit, EDGES[1:])
            np.testing.assert_array_equal(value.bucket, counts)
        assert log.Histograms("inputs_fixed/0_cat")[epoch].histogram_value.num == 0


def test_settings_are_text_that_markdown_leaves_alone(tmp_path):
    drive(TensorBoardTracker(tmp_path, CONFIG), 0, 1)
    (event,) = read(tmp_path).Tensors("config/text_summary")
    text = tensor_util.make_ndarray(event.tensor_proto).item().decode()
    assert "<script>" in text
    assert all(line.startswith("    ") for line in text.splitlines())


@pytest.mark.parametrize(
    ("stop_after", "stored"), [(1, 0), (70, 2), (60, 2), (60, 1), (89, 3)],
    ids=["in-epoch-1", "in-epoch-3", "before-epoch-2-is-told", "before-epoch-2-is-stored", "before-epoch-3-is-told"],
)  # fmt: skip
def test_a_resumed_run_is_one_log(tmp_path, stop_after, stored):
    drive(TensorBoardTracker(tmp_path, CONFIG), 0, 5, stop_after)
    drive(TensorBoardTracker(tmp_path, CONFIG), stored, 5)
    check_whole(tmp_path, 5)


def test_a_tracker_that_comes_late_knows_all_epochs(tmp_path):
    drive(TensorBoardTracker(tmp_path, CONFIG), 3, 5)
    log = read(tmp_path)
    assert [step for step, _ in points(log, "loss/val")] == [1, 2, 3, 4, 5]
    assert [event.step for event in log.Images("activations/layer0")] == [0, 1, 2, 3, 4, 5]
    assert [step for step, _ in points(read(tmp_path, "steps"), STEP_LOSS)] == [100, 150]


@pytest.mark.parametrize("damage", [b"", b"{}\n", b"[1]\n", b"\xff\xfe", b"PK\x03\x04", None])
def test_damaged_files_of_the_folder_matter_to_the_run_and_not_to_the_log(tmp_path, damage):
    store(tmp_path, 2)
    for name in ("metrics.jsonl", "activations.npz", "inputs.npz"):
        if damage is None:
            (tmp_path / name).unlink()
        else:
            (tmp_path / name).write_bytes(damage)
    tracker = TensorBoardTracker(tmp_path, CONFIG)
    tracker.begin(2, 3, 10)
    tracker.epoch(record(3))
    tracker.end()
    assert points(read(tmp_path), "loss/val") == [(3, pytest.approx(2.5 / 3))]


def test_the_reader_of_tensorboard_itself_sees_each_once(tmp_path):
    for done, stop in ((0, 70), (2, None)):
        drive(TensorBoardTracker(tmp_path, CONFIG), done, 3, stop)
    log = PluginEventAccumulator(str(tmp_path / "tensorboard" / "epochs"))
    log.Reload()
    for tag, first in (("loss/val", 1), ("activations/layer0", 0), ("inputs_layer0/0_cat", 0)):
        assert [event.step for event in log.Tensors(tag)] == list(range(first, 4))
    assert len(log.Tensors("config/text_summary")) == 1


def test_stopped_twice_at_the_same_place(tmp_path):
    for done, stop in ((0, 5), (0, 65), (2, 20), (2, 59), (3, None)):
        drive(TensorBoardTracker(tmp_path, CONFIG), done, 5, stop)
    check_whole(tmp_path, 5)


def test_nothing_is_written_before_the_run_begins(tmp_path):
    for kind in TRACKERS:
        make_tracker(kind, tmp_path / "run", CONFIG, "name").end()
    assert list(tmp_path.iterdir()) == []


def test_an_epoch_is_on_disk_when_it_is_told(tmp_path):
    tracker = TensorBoardTracker(tmp_path, CONFIG)
    tracker.begin(0, 2, 3)
    tracker.layers(0, snapshot(0))
    tracker.epoch(record(1))
    assert points(read(tmp_path), "loss/val") == [(1, 2.5)]
    tracker.end()


def test_numbers_that_are_none(tmp_path):
    """NaN within an epoch says nothing yet; NaN of an epoch is told; an old record without a key leaves it out."""
    tracker = TensorBoardTracker(tmp_path, {})
    tracker.begin(0, 2, 100)
    for _ in range(100):
        tracker.step(8, 100.0, math.nan)
    tracker.epoch(record(1, val_loss=math.nan, train_loss=math.inf, val_accuracy=None))
    tracker.end()
    log = read(tmp_path)
    assert math.isnan(log.Scalars("loss/val")[0].value)
    assert log.Scalars("loss/train")[0].value == math.inf
    assert "accuracy/val" not in log.Tags()["scalars"]
    assert read(tmp_path, "steps").Tags()["scalars"] == []


def test_a_function_a_channel(tmp_path):
    tracker = TensorBoardTracker(tmp_path, CONFIG)
    tracker.begin(0, 1, 1)
    tracker.layers(0, snapshot(0, channels=5))
    tracker.end()
    (event,) = read(tmp_path).Images("activations/layer0")
    assert_shows(event, snapshot(0, channels=5).values["layer0"])


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


@pytest.mark.parametrize("kind", TRACKERS[1:])
def test_missing_package(tmp_path, monkeypatch, kind):
    monkeypatch.setitem(__import__("sys").modules, kind, None)
    expected = f"tracker {kind} needs the package {kind}: pip install 'pwlact[{kind}]'"
    assert_refused(lambda: make_tracker(kind, tmp_path, {}, "x"), expected)
    make_tracker("none", tmp_path, {}, "x")


def test_a_folder_is_no_package(tmp_path, monkeypatch):
    """W&B leaves a folder "wandb" where it runs, and Python takes any folder for a package."""
    (tmp_path / "wandbx").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert_refused(lambda: logbook.require("wandbx"), "needs the package wandbx")
    (tmp_path / "wandbx" / "__init__.py").touch()
    __import__("importlib").invalidate_caches()
    logbook.require("wandbx")


def test_kinds(tmp_path):
    assert type(make_tracker("none", tmp_path, {}, "x")) is Silent
    assert isinstance(make_tracker("tensorboard", tmp_path, {}, "x"), TensorBoardTracker)
    assert isinstance(make_tracker("wandb", tmp_path, {}, "x"), WandbTracker)
    with pytest.raises(InputError, match="tracker must be one of none, tensorboard, wandb; got 'mlflow'"):
        make_tracker("mlflow", tmp_path, {}, "x")


BLUE = np.array((0, 114, 178))


def blue_rows(pixels, column):
    near = np.abs(pixels[:, column].astype(int) - BLUE).sum(axis=1) < 60
    return np.flatnonzero(near)


def test_the_picture_is_the_curve():
    pixels = curve_picture(KNOTS, np.maximum(KNOTS, 0))
    assert (pixels.shape, pixels.dtype) == ((240, 320, 3), np.uint8)
    for column in (40, 120, 200, 300):
        x = -3 + 6 * (column + 0.5) / 320
        # f is from 0 to 3, with a margin of 5 % on both sides
        expected = 240 - 240 * (max(x, 0) + 0.15) / 3.3
        assert blue_rows(pixels, column).mean() + 0.5 == pytest.approx(expected, abs=1.5)


@pytest.mark.parametrize("shape", [(9,), (1, 9), (3, 9), (500, 9)])
@pytest.mark.parametrize("fill", [0.0, 1e30, -1e-30, np.nan, np.inf, -np.inf])
def test_pictures_of_hard_values(shape, fill):
    values = np.full(shape, fill, dtype=np.float32)
    assert curve_picture(KNOTS, values).shape == (240, 320, 3)
    values.flat[:2] = (np.inf, -np.inf)
    assert curve_picture(KNOTS, values).shape == (240, 320, 3)


def test_what_is_not_finite_is_a_gap():
    values = np.zeros(9)
    values[4] = np.nan
    pixels = curve_picture(KNOTS, values)
    assert len(blue_rows(pixels, 60))
    assert len(blue_rows(pixels, 260))
    assert not len(blue_rows(pixels, 150))
    assert not len(blue_rows(pixels, 170))


def test_infinities_of_both_signs_leave_the_finite_part():
    values = np.tile(np.maximum(KNOTS, 0), (2, 1))
    values[:, 0] = (np.inf, -np.inf)
    assert len(blue_rows(curve_picture(KNOTS, values), 200))
