"""The TensorBoard tracker: event files hold what the run told, once each, also after a stop."""

import math

import numpy as np
import pytest
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator as PluginEventAccumulator
from tensorboard.util import tensor_util
from tracked_run import CONFIG, EDGES, STEPS, assert_shows, drive, loss_at, points, read, record, snapshot, store

from pwlact.training.tracking import TensorBoardTracker
from pwlact.training.tracking.logbook import EPOCH_NUMBERS, STEP_LOSS


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


def test_files_of_one_second_are_read_in_the_order_of_writing(tmp_path):
    for part in range(3):
        drive(TensorBoardTracker(tmp_path, CONFIG), part, 5, stop_after=STEPS * 2)
    names = sorted(file.name for file in (tmp_path / "tensorboard" / "epochs").iterdir())
    assert len({name.split(".")[3] for name in names}) == 3  # seconds
