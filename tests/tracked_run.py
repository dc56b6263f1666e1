"""A run made of formulas and told to a tracker, and what TensorBoard reads of it, without training anything."""

import io
import warnings

import numpy as np
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from pwlact.files import to_json
from pwlact.training import ActivationHistory, InputHistory, LayerSnapshot
from pwlact.training.tracking.picture import curve_picture

NAMES = ["cat", "<b>dog</b>", 'a "b"', "a 'b'", ""]
CONFIG = {"arch": "resnet10", "act_lr": None, "data": {"classes": NAMES}, "note": "<script>alert('x')</script> *a*"}
KNOTS = np.linspace(-3, 3, 9)
EDGES = np.linspace(-5, 5, 11)
STEPS = 30


def record(epoch, **more):
    """Metrics of an epoch from 1 on, some of them replaced."""
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
    """Activations and histograms of two layers at an epoch; the second has no activation that learns."""
    spread = 1.0 if channels is None else np.linspace(0.5, 1.5, channels)[:, None]
    rng = np.random.default_rng(epoch)
    return LayerSnapshot(
        KNOTS,
        {"layer0": spread * np.maximum(KNOTS, 0) * (1 + epoch)},
        EDGES,
        {"layer0": rng.integers(0, 50, (5, 10)), "fixed": np.zeros((5, 10), dtype=np.int32)},
    )


def loss_at(step):
    """The loss of a batch."""
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
    """What TensorBoard reads of a part of the log, without leaving anything out."""
    log = EventAccumulator(
        str(folder / "tensorboard" / part),
        size_guidance=dict.fromkeys(("scalars", "images", "histograms", "tensors"), 0),
    )
    with warnings.catch_warnings():
        # TensorBoard reads files with calls that its own newer parts deprecate
        warnings.simplefilter("ignore", DeprecationWarning)
        return log.Reload()


def points(log, name):
    """Steps and values of a scalar."""
    return [(event.step, event.value) for event in log.Scalars(name)]


def assert_shows(event, values):
    """The image of the log is the picture of this activation."""
    pixels = np.asarray(Image.open(io.BytesIO(event.encoded_image_string)))
    np.testing.assert_array_equal(pixels, curve_picture(KNOTS, values))
