"""A run folder made of formulas, so that a test knows every number in it, without training anything."""

import json
from pathlib import Path

import numpy as np

from pwlact.swish import swish
from pwlact.training import ActivationHistory, InputHistory

KNOTS = np.linspace(-3, 3, 9)
EDGES = np.linspace(-5, 5, 21)
FIT = {"beta": 1.5, "x0": 0.25, "scale": 1.25, "offset": -0.125}
HOSTILE = "</script><script>alert(1)</script><!-- \"'&amp;\u2028 {x} $data"


def knot_values(layer, epoch, channels=None):
    """Knot values of a layer at an epoch, (9,) or (C, 9): a Swish that grows with both."""
    curve = swish(KNOTS, scale=1 + 0.5 * layer + 0.25 * epoch, x0=0.1 * epoch)
    return curve if channels is None else np.linspace(0.5, 1.5, channels)[:, None] * curve


def counts(layer, epoch, classes=3):
    """Counts by class and bin, (K, 20): one bell a class, which moves with the epoch."""
    centres = (EDGES[1:] + EDGES[:-1]) / 2
    means = np.arange(classes)[:, None] / classes + 0.2 * epoch - 0.5 * layer
    return np.rint(1000 * np.exp(-((centres - means) ** 2))).astype(np.int32)


def record(epoch):
    """Metrics of an epoch from 1 on."""
    return {
        "epoch": epoch, "train_loss": 2 / epoch, "train_accuracy": 1 - 0.8 / epoch, "val_loss": 2.2 / epoch,
        "val_accuracy": 1 - 0.9 / epoch, "seconds": 10.5, "images_per_second": 100.0 * epoch,
    }  # fmt: skip


def write_run(folder, *, layers=3, epochs=4, channels=None, mode="local", finished=True, inputs=True, names="abc"):
    """Write the files of a run into `folder`, which is made; returns it."""
    folder = Path(folder)
    folder.mkdir(parents=True)
    config = {"arch": "resnet10", "mode": mode, "width": 0.25, "seed": 7, "epochs": epochs, "val_size": 400}
    data = {"train": 100, "test": 50, "classes": list(names)}
    (folder / "config.json").write_text(json.dumps({**config, "data": data}))
    history = [record(epoch) for epoch in range(1, epochs + 1)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in history))
    learns = mode in {"local", "backprop"}
    activations, received = ActivationHistory(KNOTS), InputHistory(EDGES)
    for epoch in range(epochs + 1):
        if learns:
            activations.append({f"layer{i}": knot_values(i, epoch, channels) for i in range(layers)})
        received.append({f"layer{i}": counts(i, epoch, len(names)) for i in range(layers)})
    if learns:
        activations.write(folder / "activations.npz")
    if inputs:
        received.write(folder / "inputs.npz")
    if finished:
        write_result(folder, config, data, history, layers if learns else 0)
    return folder


def write_result(folder, config, data, history, layers):
    """result.json; the second layer's fit has a caveat."""
    fits = [
        {"name": f"layer{i}", **FIT, "r2": 0.99, "stderr": {key: 0.01 for key in FIT}, "caveat": ""}
        for i in range(layers)
    ]
    if layers > 1:
        fits[1]["caveat"] = "beta at the bound of the search"
    last = history[-1] if history else {"val_loss": None, "val_accuracy": None}
    result = {
        "arch": config["arch"], "mode": config["mode"], "seed": config["seed"], "parameters": 12345,
        "history": history, "val": {"loss": last["val_loss"], "accuracy": last["val_accuracy"], "n": 400},
        "test": {"loss": 0.75, "accuracy": 0.64, "n": 50}, "layers": fits, "images_per_second": 192.0,
        "config": config, "data": data, "environment": {"torch": "2.13.0", "device": "cpu", "threads": 1},
    }  # fmt: skip
    (folder / "result.json").write_text(json.dumps(result))
