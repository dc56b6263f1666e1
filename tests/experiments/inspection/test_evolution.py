"""Swish fits over the epochs: a film whose shapes are known, and whole runs."""

from dataclasses import replace

import numpy as np
import pytest

from pwlact.checks import InputError
from pwlact.experiments.inspection import evolution
from pwlact.experiments.inspection.evolution import distance
from pwlact.swish import swish
from pwlact.training import ActivationHistory


@pytest.fixture
def film(runs, tmp_path):
    """The run "local" with another film in its folder."""

    def write(*curves: np.ndarray):
        history = ActivationHistory(np.linspace(-3, 3, curves[0].shape[-1]))
        for curve in curves:
            history.append({"layer0": curve})
        history.write(tmp_path / "activations.npz")
        return replace(runs["local"], folder=tmp_path)

    return write


def test_a_film_from_a_wave_to_a_swish_is_read_back(film) -> None:
    t = np.linspace(-3, 3, 33)
    end = swish(t, 2.0, 0.3, 1.5, -0.1)
    record = evolution(film(np.sin(4 * t), np.sin(4 * t) + end, 2 * end + 1, end))
    assert record["epochs"] == 3
    (layer,) = record["layers"]
    assert layer["name"] == "layer0"
    assert layer["beta"][-1] == pytest.approx(2.0, rel=1e-4)
    assert layer["r2"][-1] == pytest.approx(1, abs=1e-9)
    assert layer["r2"][0] < layer["r2"][1] < layer["r2"][2]
    start, middle, scaled, last = layer["distance"]
    assert start > middle > 1e-4
    assert scaled == pytest.approx(0, abs=1e-12)
    assert last == pytest.approx(0, abs=1e-12)


def test_functions_of_channels_count_by_their_mean(film) -> None:
    t = np.linspace(-3, 3, 33)
    curve, bump = swish(t, 2.0, 0.3, 1.5, -0.1), np.sin(7 * t)
    shared, channels = (evolution(film(values))["layers"] for values in (curve, np.stack([curve + bump, curve - bump])))
    assert channels[0]["r2"] == pytest.approx(shared[0]["r2"])
    assert channels[0]["beta"] == pytest.approx(shared[0]["beta"])


def test_distance_is_one_where_opposed_and_undefined_for_constants() -> None:
    rising = np.arange(5.0)
    curves = np.stack([-rising, np.ones(5), 3 * rising + 2, rising])
    assert distance(curves) == pytest.approx([1, np.nan, 0, 0], nan_ok=True)
    assert np.isnan(distance(np.ones((2, 5)))).all()


@pytest.mark.parametrize("name", ["local", "channel"])
def test_runs_have_a_number_an_epoch(runs, name: str) -> None:
    record = evolution(runs[name])
    assert record["epochs"] == runs[name].last
    for layer in record["layers"]:
        assert len(layer["r2"]) == len(layer["beta"]) == len(layer["distance"]) == record["epochs"] + 1


def test_fixed_activations_do_not_evolve(runs) -> None:
    with pytest.raises(InputError, match=r"fixed activations \(silu\): nothing evolves"):
        evolution(runs["silu"])
