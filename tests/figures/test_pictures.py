"""Pictures are drawn from records alone, and are the same bytes each time."""

from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from pwlact.experiments.unit import UnitConfig, run
from pwlact.training import ActivationHistory
from pwlact_figures.run import draw_activations, draw_curves
from pwlact_figures.unit import draw

FIT = {"beta": 2.0, "x0": 0.1, "scale": 1.0, "offset": 0.0, "r2": 0.99}
RESULT = {
    "arch": "resnet10",
    "mode": "local",
    "seed": 0,
    "history": [
        {"epoch": e, "train_loss": 2 / e, "val_loss": 2.1 / e, "train_accuracy": 0.1 * e, "val_accuracy": 0.1 * e}
        for e in (1, 2, 3)
    ],
    "val": {"n": 5000},
    "test": {"accuracy": 0.4, "n": 1000},
}


def film(layers: int, shape: tuple[int, ...]) -> ActivationHistory:
    rng = np.random.default_rng(0)
    history = ActivationHistory(np.linspace(-3, 3, 33))
    for _ in range(4):
        history.append({f"layer{i}": rng.normal(size=shape) for i in range(layers)})
    return history


@pytest.mark.parametrize("suffix", ["png", "pdf", "svg"])
@pytest.mark.parametrize(
    "config",
    [UnitConfig(5), UnitConfig(2), UnitConfig(3, solver="analytic", steps=3), UnitConfig(3, solver="posterior")],
    ids=lambda config: f"{config.classes}-{config.solver}",
)
def test_unit_picture_repeats(tmp_path: Path, config: UnitConfig, suffix: str) -> None:
    record = run(config)
    first, second = (tmp_path / f"{name}.{suffix}" for name in ("first", "second"))
    draw(record, first)
    draw(record, second)
    assert first.read_bytes() == second.read_bytes()


def test_unit_picture_shows_what_the_record_holds(tmp_path: Path) -> None:
    pixels = []
    for sigma in (0.6, 1.0):
        draw(run(UnitConfig(5, sigma)), tmp_path / "unit.png")
        pixels.append(matplotlib.image.imread(tmp_path / "unit.png"))
    assert pixels[0].shape == pixels[1].shape
    assert (pixels[0] != pixels[1]).any()


@pytest.mark.parametrize("shape", [(33,), (4, 33)], ids=["layer", "channel"])
@pytest.mark.parametrize("layers", [1, 5, 9])
def test_run_pictures(tmp_path: Path, layers: int, shape: tuple[int, ...]) -> None:
    draw_curves(RESULT, tmp_path / "curves.png")
    draw_activations(film(layers, shape), [{"name": f"layer{i}", **FIT} for i in range(layers)], tmp_path / "film.png")
    for name in ("curves.png", "film.png"):
        image = matplotlib.image.imread(tmp_path / name)
        assert image[..., :3].min() < 0.5 < image[..., :3].max()
