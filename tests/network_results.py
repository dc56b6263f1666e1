"""A folder of results as `pwlact study` keeps them, made of formulas: every number in it is known, nothing trained."""

import json
from pathlib import Path

import numpy as np

from pwlact.swish import swish
from pwlact.training import ActivationHistory, InputHistory

KNOTS = np.linspace(-3, 3, 33)
EDGES = np.linspace(-5, 5, 81)
LAYERS = {"resnet10": 9, "vgg11": 8}
LEARNT = {"backprop", "local", "local-channel"}
EPOCHS = 4
# validation accuracy (%) by kind; a seed adds half a point, and another half with each seed more
LEVELS = {"relu": 80.0, "silu": 82.0, "gelu": 81.0, "derived": 82.5, "backprop": 83.0, "local": 84.0}


def beta(kind, layer, seed=0):
    """Beta of a layer's function: known, and another one in each."""
    return 1.0 + 0.25 * layer + 0.05 * seed + (0.5 if kind == "backprop" else 0.0)


def film(kind, layer, epochs=EPOCHS, seed=0):
    """Knot values, one array an epoch: from a ReLU to a Swish of beta `beta(kind, layer, seed)` at x0 = 0.5."""
    end = swish(KNOTS, beta(kind, layer, seed), 0.5, 1.5, -0.25)
    return [(1 - e / epochs) * KNOTS.clip(0) + (e / epochs) * end for e in range(epochs + 1)]


def fit(kind, layer, seed=0, **changes):
    """What result.json says of a layer's Swish."""
    return {
        "name": f"layer{layer}", "beta": beta(kind, layer, seed), "x0": 0.5, "scale": 1.5, "offset": -0.25,
        "r2": 0.99 - 0.01 * layer - 0.001 * seed, "stderr": {name: 0.125 for name in ("beta", "x0", "scale", "offset")},
        "at_bound": [], "identifiable": True, "caveat": "", **changes,
    }  # fmt: skip


def accuracy(kind, seed, epoch=EPOCHS, epochs=EPOCHS):
    """Validation accuracy, from 0 to 1."""
    level = LEVELS.get(kind, 83.5) + 0.5 * seed + (0.25 * seed if kind == "local" else 0.0)
    return (level - 10.0 * (epochs - epoch)) / 100


def result(arch, kind, width, seed, epochs=EPOCHS):
    """result.json of a run."""
    history = [
        {"epoch": e, "train_loss": 2 / e, "train_accuracy": 0.5, "val_loss": 2.5 / e, "seconds": 1.0,
         "val_accuracy": accuracy(kind, seed, e, epochs), "images_per_second": 100.0}
        for e in range(1, epochs + 1)
    ]  # fmt: skip
    layers = [fit(kind, i, seed) for i in range(LAYERS[arch])] if kind in LEARNT else []
    return {
        "arch": arch, "mode": kind.partition("-")[0], "seed": seed, "parameters": 1000, "history": history,
        "val": {"loss": 0.5, "accuracy": accuracy(kind, seed, epochs, epochs), "n": 5000},
        "test": {"loss": 0.6, "accuracy": accuracy(kind, seed, epochs, epochs) - 0.01, "n": 1000},
        "layers": layers, "images_per_second": 100.0, "environment": {},
        "config": {"arch": arch, "width": width, "epochs": epochs, "limit": None},
        "data": {"train": 50000, "test": 1000, "classes": [f"class {k}" for k in range(10)]},
    }  # fmt: skip


def spread(middle, apart):
    """Median and quantiles of a statistic."""
    return {"median": middle, "q10": middle - apart, "q90": middle + apart / 2}


def w(kind, layer):
    """Median of Shapiro and Wilk's W: layer 1 is the worst, layer 6 the best."""
    known = {1: 0.9, 6: 0.992}
    return known[layer] if layer in known else 0.98 - 0.001 * layer - (0.005 if kind == "local" else 0.0)


def cosine(kind, layer, epoch):
    """Cosine of J from samples with the cross-entropy's gradient; that from normal densities is the opposite."""
    return round(0.1 * (layer - 3) * (1 if epoch % 2 else -1) * (1.0 if kind == "local" else 0.5), 6)


def inspection(arch, kind, width, seed, epochs=EPOCHS):
    """inspect.json of a run."""
    names = [f"layer{i}" for i in range(LAYERS[arch])]
    probabilities = np.linspace(-2, 2, 5)
    qq = {"mean": (1.1 * probabilities).tolist(), "q10": (probabilities - 1).tolist(),
          "q90": (probabilities + 1).tolist()}  # fmt: skip
    gradients = [
        {"name": name, "functions": 1, "epochs": [
            {"epoch": e, "seen": 0.5, "sample": {"cosine": 0.0, "projected": cosine(kind, i, e), "repeat": 1.0},
             "gaussian": {"cosine": 0.0, "projected": -cosine(kind, i, e), "repeat": 1.0},
             "ceiling": {"cosine": 0.9, "projected": 0.875}, "chance": {"cosine": 0.2, "projected": 0.25}}
            for e in range(1, epochs + 1)
        ]}
        for i, name in enumerate(names)
    ]  # fmt: skip
    return {
        "run": {"name": f"{arch}-{kind}-w{width:g}-s{seed}", "arch": arch, "epoch": epochs, "width": width},
        "seed": 0,
        "gaussianity": {
            "n": 2000, "epoch": epochs, "classes": 10, "samples": {"least": 188, "most": 218},
            "layers": [{"name": name, "within": {"w": spread(w(kind, i), 0.02)},
                        "pooled": {"w": spread(w(kind, i) - 0.004, 0.02)}} for i, name in enumerate(names)],
            "baselines": {"normal": {"w": spread(0.993, 0.004)}, "laplace": {"w": spread(0.95, 0.004)}},
            "qq": {"normal": probabilities.tolist(),
                   "layers": [{"name": name, "within": qq, "pooled": qq} for name in names]},
        },
        "gradients": {"n": 1500, "positions": 16, "epochs": list(range(1, epochs + 1)), "dimension": 31,
                      "random": 0.144, "layers": gradients},
        "baking": baking(kind) if kind in LEARNT else None,
        "environment": {},
    }  # fmt: skip


def baking(kind):
    """What a Swish in the place of every activation costs."""
    cost = 20.0 if kind == "backprop" else 2.0
    part = {"n": 5000, "learnt": {"accuracy": 0.84, "loss": 0.5}, "swish": {"accuracy": 0.84 - cost / 100, "loss": 1.0},
            "difference": -cost, "standard_error": 0.5, "b": 200, "c": 100, "p": 1e-9}  # fmt: skip
    both = {"layers": [], "validation": part, "test": {**part, "n": 1000}}
    better = {**part, "swish": {"accuracy": 0.83, "loss": 0.6}, "difference": -1.0}
    # older records have Swishes that were fitted to the knots alone
    inputs = {"inputs": {"images": 1000, **both, "validation": better}} if kind == "local" else {}
    return {"epoch": EPOCHS, "precision": "fp32", **both, **inputs}


def counts(layer, classes=10):
    """Counts by class and bin, (K, B): a normal a class, of deviation 0.8, at a mean of its own."""
    centres = (EDGES[1:] + EDGES[:-1]) / 2
    means = np.linspace(-0.5, 0.5, classes)[:, None] + 0.1 * layer
    return np.rint(10000 * np.exp(-(((centres - means) / 0.8) ** 2) / 2)).astype(np.int32)


def write_run(folder, arch, kind, width=0.25, seed=0, *, inputs=False, epochs=EPOCHS):
    """Put what `pwlact study` keeps of a run under `folder`/networks; with `inputs` its input histograms too."""
    place = Path(folder) / "networks" / f"{arch}-{kind}-w{width:g}-s{seed}"
    place.mkdir(parents=True)
    (place / "result.json").write_text(json.dumps(result(arch, kind, width, seed, epochs)))
    if seed > 0:
        return place
    (place / "inspect.json").write_text(json.dumps(inspection(arch, kind, width, seed, epochs)))
    if kind in {"backprop", "local"}:
        history = ActivationHistory(KNOTS)
        for e in range(epochs + 1):
            history.append({f"layer{i}": film(kind, i, epochs)[e] for i in range(LAYERS[arch])})
        history.write(place / "activations.npz")
    if inputs:
        received = InputHistory()
        for _ in range(epochs + 1):
            received.append({f"layer{i}": counts(i) for i in range(LAYERS[arch])})
        received.write(place / "inputs.npz")
    return place


def write_study(
    folder, archs=("resnet10", "vgg11"), kinds=("silu", "backprop", "local"), widths=(0.25,), seeds=1, **options
):
    """All runs of a study; returns the folder of the results."""
    for arch in archs:
        for kind in kinds:
            for width in widths:
                for seed in range(seeds):
                    write_run(folder, arch, kind, width, seed, **options)
    return Path(folder)


def change(path, edit):
    """Rewrite a JSON file by `edit(record)`."""
    record = json.loads(path.read_text())
    edit(record)
    path.write_text(json.dumps(record))


ENVIRONMENT = {"threads": 2, "device": "cpu", "processor": "AVX512", "torch": "2.13.0"}


def bench_activation():
    """What `pwlact bench activation --json` prints: two shapes, a peer with a hostile name."""
    kinds = {"relu": "baseline", "gelu": "baseline", "pwl shared": "ours", "$x & <b>": "peer"}
    rows = [
        {"name": name, "kind": kind, "note": "", "shape": list(shape), "forward_ms": 1.0, "backward_ms": 2.0,
         "total_ms": 3.0, "vs_gelu": 0.5 * (place + 1) * scale, "vs_silu": 1.0, "forward_vs_gelu": 1.0,
         "backward_vs_gelu": 1.0, "spread": [0.45 * (place + 1) * scale, 0.6 * (place + 1) * scale],
         "saved_bytes": 512 * place, "x_bytes": 1024}
        for scale, shape in ((1.0, (256, 64, 32, 32)), (2.0, (128, 512, 4, 4)))
        for place, (name, kind) in enumerate(kinds.items())
    ]  # fmt: skip
    return {"rows": rows, "skipped": [], "dtype": "fp32", "layout": "contiguous", "repeats": 11, "device": "cpu",
            "threads": 2, "config": {}, "environment": ENVIRONMENT, "seconds": 1.0}  # fmt: skip


def bench_train():
    """What `pwlact bench train --json` prints."""
    rows = [
        {"name": name, "forward_ms": 1.0, "backward_ms": 2.0, "total_ms": 3.0, "vs_gelu": 1.0, "vs_silu": ratio,
         "spread": [ratio - 0.05, ratio + 0.1], "saved_bytes": 1, "images_per_second": 100 / ratio}
        for name, ratio in (("relu", 0.9), ("silu", 1.0), ("backprop", 1.1), ("local", 1.2))
    ]  # fmt: skip
    config = {"arch": "resnet10", "width": 0.25, "batch_size": 128, "precision": "bf16", "repeats": 7}
    return {"rows": rows, "config": config, "environment": ENVIRONMENT, "seconds": 1.0}


def write_bench(folder):
    """Put both benchmarks under `folder`/bench."""
    place = Path(folder) / "bench"
    place.mkdir(parents=True)
    for name, record in (("activation", bench_activation()), ("train", bench_train())):
        (place / f"{name}.json").write_text(json.dumps(record))
    return Path(folder)
