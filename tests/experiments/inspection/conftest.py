"""Tiny runs on generated images: one learnt with all epochs kept, one a channel, one with a fixed activation."""

from dataclasses import replace
from pathlib import Path

import pytest

from pwlact.data import Cifar10, cifar_shaped
from pwlact.experiments import cifar
from pwlact.experiments.cifar import CifarConfig
from pwlact.experiments.inspection import open_run
from pwlact.training import RunFolder

TINY = CifarConfig(
    mode="local", width=0.0625, epochs=2, batch_size=16, limit=32, val_size=100, knots=9, device="cpu", positions=4,
    keep_epochs=True, every=1, rest=0.0,
)  # fmt: skip
RUNS = {
    "local": TINY,
    "channel": replace(TINY, mode="backprop", sharing="channel", keep_epochs=False),
    "silu": replace(TINY, mode="silu", epochs=1, keep_epochs=False, arch="vgg11"),
}


@pytest.fixture(scope="session")
def data() -> Cifar10:
    return Cifar10(cifar_shaped(140, 0), cifar_shaped(12, 1), tuple("abcdefghij"), Path("generated"))


@pytest.fixture(scope="session")
def folders(data: Cifar10, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("runs")
    for name, config in RUNS.items():
        cifar.run(config, data, RunFolder(root / name))
    return {name: root / name for name in RUNS}


@pytest.fixture(scope="session")
def tiny() -> CifarConfig:
    """Settings of the run "local"."""
    return TINY


@pytest.fixture(scope="session")
def runs(folders, data):
    return {name: open_run(folder, data) for name, folder in folders.items()}
