"""The film of a run's activations, written and read."""

import numpy as np
import pytest

from pwlact.checks import InputError
from pwlact.training import ActivationHistory, read_activations

KNOTS = np.linspace(-3, 3, 5)


def film(epochs=3):
    history = ActivationHistory(KNOTS)
    for epoch in range(epochs):
        history.append({"layer0": KNOTS + epoch, "layer1": np.outer([1.0, 2.0], KNOTS) * epoch})
    return history


@pytest.mark.parametrize("by_folder", [True, False])
def test_what_is_read_is_what_was_written(tmp_path, by_folder):
    path = tmp_path / "activations.npz"
    film().write(path)
    read = read_activations(tmp_path if by_folder else path)
    assert np.array_equal(read.knots, KNOTS)
    assert list(read.layers) == ["layer0", "layer1"]
    assert read.epochs == 2
    assert np.array_equal(read.last()["layer0"], KNOTS + 2)
    assert np.array_equal(read.layers["layer1"][1], np.outer([1.0, 2.0], KNOTS))


def test_shapes_in_the_file(tmp_path):
    film().write(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as arrays:
        shapes = {name: arrays[name].shape for name in arrays.files}
        assert arrays["epochs"].tolist() == [0, 1, 2]
    assert shapes == {"knots": (5,), "epochs": (3,), "layer0": (3, 5), "layer1": (3, 2, 5)}


def test_cut_forgets_later_epochs():
    history = film()
    history.cut(1)
    assert history.epochs == 1
    assert np.array_equal(history.last()["layer0"], KNOTS + 1)


def test_missing(tmp_path):
    with pytest.raises(InputError, match=r"holds no activations: activations\.npz is not there \(runs with"):
        read_activations(tmp_path)
    with pytest.raises(InputError, match=r"holds no activations: x\.npz is not there$"):
        read_activations(tmp_path / "x.npz")


def flip(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 0xFF
    path.write_bytes(content)


def pickled(path):
    np.savez(path, knots=np.array([{}], dtype=object), epochs=np.arange(1), layer0=np.ones((1, 1)))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"text"),
        lambda path: path.write_bytes(path.read_bytes()[:-200]),
        lambda path: flip(path, 60),
        lambda path: flip(path, 120),
        lambda path: flip(path, 250),
        lambda path: np.savez(path, other=KNOTS),
        lambda path: np.savez(path, knots=KNOTS, epochs=np.arange(2)),
        lambda path: np.savez(path, knots=KNOTS, epochs=np.arange(2), layer0=np.ones((3, 5))),
        lambda path: np.savez(path, knots=KNOTS, epochs=np.arange(2), layer0=np.ones((2, 4))),
        lambda path: np.savez(path, knots=KNOTS, epochs=np.arange(1), layer0=np.float64(1)),
        lambda path: np.savez(path, knots=KNOTS, epochs=np.float64(1), layer0=np.ones((1, 5))),
        pickled,
    ],
)
def test_damaged_or_foreign(tmp_path, spoil):
    path = tmp_path / "activations.npz"
    film().write(path)
    spoil(path)
    with pytest.raises(InputError) as error:
        read_activations(tmp_path)
    assert str(error.value) == f"{path} is damaged, or not the activations of a run"


def test_a_bare_array_is_not_a_run(tmp_path):
    np.save(tmp_path / "a.npy", KNOTS)
    with pytest.raises(InputError, match="not the activations of a run"):
        read_activations(tmp_path / "a.npy")
