"""One training run from config to result."""

import zlib
from dataclasses import asdict
from statistics import harmonic_mean
from typing import Any

import torch

from pwlact.data import Cifar10, split
from pwlact.environment import environment
from pwlact.experiments.cifar.config import CifarConfig
from pwlact.experiments.cifar.trial import Trial
from pwlact.swish import fit_swish
from pwlact.training import EpochRecord, RunFolder, Score, Tracker, device_name, find_device, processes, wait


def run(config: CifarConfig, data: Cifar10, folder: RunFolder, tracker: Tracker | None = None) -> dict[str, Any]:
    """Train, or go on training, one model; store the run in `folder`.

    Args:
        config: the settings.
        data: training and test images.
        folder: where the run is stored; opened with resume=True it goes on after the last stored epoch.
        tracker: hears of the progress.

    Returns:
        JSON-able: arch, mode, seed, parameters (their number), history (a record an epoch), val and test
        {loss, accuracy, n}, layers [{name, beta, x0, r2, ...}] (Swish fit of each learnt activation, channels
        averaged), seconds_to_90 (of training and evaluation, until the validation accuracy first is 90 %; null where it
        never is), images_per_second, config, data, environment.

    Raises:
        InputError: the images are too few, the device is missing, or the folder's run does not fit.
        TrainingFailed: the loss is no longer finite.
    """
    device, here = find_device(config.device), processes()
    train, val = split(data, config.val_size, config.limit)
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(config.seed)
        trial = Trial(config, device, train, val)
        # only now that nothing speaks against this run may it take the place of another
        folder.begin({**asdict(config), "data": describe(data), "processes": here.count})
        wait()  # the others may read the folder only now
        history = trial.train(folder, tracker)
        test = trial.score(trial.plain(data.test))
    result = _result(config, trial, history, test) | {"data": describe(data), "processes": here.count}
    folder.finish(result)
    return result


def seconds_to(history: list[EpochRecord], accuracy: float) -> float | None:
    """Seconds of training and evaluation until the validation accuracy first is `accuracy`; None if it never is."""
    seconds = 0.0
    for record in history:
        seconds += record["seconds"]
        if record["val_accuracy"] >= accuracy:
            return seconds
    return None


def describe(data: Cifar10) -> dict[str, Any]:
    """What tells one set of images from another, wherever it lies: sizes, class names, checksum of the labels."""
    labels = torch.cat([data.train.labels, data.test.labels]).cpu().numpy()
    return {
        "train": len(data.train),
        "test": len(data.test),
        "classes": list(data.class_names),
        "labels_crc32": f"{zlib.crc32(labels.tobytes()):08x}",
    }


def _result(config: CifarConfig, trial: Trial, history: list[EpochRecord], test: Score) -> dict[str, Any]:
    last = history[-1]
    return {
        "arch": config.arch,
        "mode": config.mode,
        "seed": config.seed,
        "parameters": sum(parameter.numel() for parameter in trial.model.parameters()),
        "history": history,
        "val": {"loss": last["val_loss"], "accuracy": last["val_accuracy"], "n": trial.val_size},
        "test": asdict(test),
        "layers": _swish_fits(trial),
        "seconds_to_90": seconds_to(history, 0.9),
        "images_per_second": harmonic_mean(record["images_per_second"] for record in history),
        "config": asdict(config),
        "environment": environment(device_name(trial.device)),
    }


def _swish_fits(trial: Trial) -> list[dict[str, Any]]:
    """Swish of each learnt activation over its knots; of the mean function where each channel has its own."""
    positions = trial.knots.positions().numpy()
    return [
        {"name": name, **fit_swish(positions, values.reshape(-1, len(positions)).mean(axis=0)).to_dict()}
        for name, values in trial.values().items()
    ]
