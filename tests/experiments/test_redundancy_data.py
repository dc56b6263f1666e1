"""Points in the plane, idx files and image vectors: what they hold, and every way a file can be broken."""

from pathlib import Path

import pytest
import torch
from asserts import assert_close, assert_refused
from redundancy.mnist_files import idx, write_mnist

from pwlact.data import write_binary
from pwlact.data.idx import read_idx
from pwlact.experiments.redundancy.planar import REACH, SHAPES, draw
from pwlact.experiments.redundancy.toy import points_of
from pwlact.experiments.redundancy.vectors import load_vectors


@pytest.mark.parametrize("shape", SHAPES)
def test_points(shape):
    x, y = draw(shape, 300, 1)
    assert x.shape == (300, 2)
    assert x.dtype == torch.float32
    assert torch.bincount(y).tolist() == [100] * 3
    assert 0.9 < x.abs().max() < REACH
    assert torch.equal(draw(shape, 300, 1)[0], x)
    assert not torch.equal(draw(shape, 300, 2)[0], x)
    # no line tells the classes apart, but neighbours mostly agree
    design = torch.cat([x, torch.ones(300, 1)], 1)
    weights = torch.linalg.lstsq(design, torch.nn.functional.one_hot(y).float()).solution
    assert ((design @ weights).argmax(1) == y).float().mean() < 0.8
    distance = torch.cdist(x, x).fill_diagonal_(torch.inf)
    assert (y[distance.argmin(1)] == y).float().mean() > 0.9


def test_parts_and_seeds_have_points_of_their_own():
    parts = [points_of("rings", 9, 3, part)[0] for part in ("train", "validation", "test")]
    assert parts[0].shape == (3, 9, 2)
    assert len(torch.unique(torch.stack(parts).reshape(-1, 2), dim=0)) == 81
    assert torch.equal(points_of("rings", 9, 2, "test")[0], parts[2][:2])


def test_bad_points():
    assert_refused(lambda: draw("squares", 3, 0), "data", "'squares'")
    assert_refused(lambda: draw("rings", 0, 0), "count", "0")
    assert_refused(lambda: draw("rings", 3, -1), "seed", "-1")


def test_vectors_of_mnist(tmp_path: Path, monkeypatch):
    write_mnist(tmp_path / "mnist")
    found = load_vectors("mnist", tmp_path, (8, 3, 9))
    assert [len(part.y) for part in (found.train, found.validation, found.test)] == [8, 3, 5]
    assert found.validation.y.tolist() == [9, 0, 1]
    assert found.train.x.shape == (8, 12)
    assert_close(found.train.x.mean(0), torch.zeros(12), atol=1e-5)
    assert float(found.train.x.square().mean()) == pytest.approx(1, rel=1e-5)
    # one scale for all: what is standardised is the layer, not the pixel
    raw = read_idx(tmp_path / "mnist" / "train-images-idx3-ubyte").flatten(1).float()
    scale = (raw[:8] - raw[:8].mean(0)).square().mean().sqrt()
    assert_close(found.validation.x, (raw[-3:] - raw[:8].mean(0)) / scale, rtol=1e-5)
    assert torch.equal(load_vectors("mnist", tmp_path / "mnist", (8, 3, 9)).test.x, found.test.x)
    monkeypatch.setenv("PWLACT_DATA", str(tmp_path))
    assert torch.equal(load_vectors("mnist", None, (8, 3, 9)).test.x, found.test.x)


def test_vectors_of_cifar10(tmp_path: Path):
    write_binary(tmp_path, 20, 4, 0)
    found = load_vectors("cifar10", tmp_path, (12, 8, 4))
    assert found.train.x.shape == (12, 3072)
    assert len(found.test.y) == 4
    assert_close(found.train.x.mean(0), torch.zeros(3072), atol=1e-4)


def test_bad_vectors(tmp_path: Path, monkeypatch):
    monkeypatch.delenv("PWLACT_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    for data, way_out in (("mnist", "no MNIST in .data"), ("cifar10", "no CIFAR-10 found")):
        assert_refused(lambda data=data: load_vectors(data, None, (1, 1, 1)), way_out, "PWLACT_DATA")
    folder = write_mnist(tmp_path / "m")
    assert_refused(lambda: load_vectors("letters", folder, (1, 1, 1)), "'letters'")
    assert_refused(lambda: load_vectors("mnist", folder, (0, 1, 1)), "train", "0")
    assert_refused(lambda: load_vectors("mnist", folder, (10, 3, 1)), "12", "10 + 3")
    assert_refused(lambda: load_vectors("mnist", folder, (1, 1, 1)), "all the same")
    labels = folder / "train-labels-idx1-ubyte"
    labels.write_bytes(idx(torch.full((12,), 10, dtype=torch.uint8)))
    assert_refused(lambda: load_vectors("mnist", folder, (8, 2, 2)), "0 to 9", "10")
    labels.write_bytes(idx(torch.zeros(11, dtype=torch.uint8)))
    assert_refused(lambda: load_vectors("mnist", folder, (8, 2, 2)), "(12, 4, 3)", "(11,)")
    labels.unlink()
    assert_refused(lambda: load_vectors("mnist", folder, (8, 2, 2)), "train-labels-idx1-ubyte")


def test_all_images_of_mnist_can_train(tmp_path: Path):
    write_mnist(tmp_path)
    found = load_vectors("mnist", tmp_path, (12, 0, 5))
    assert [part.x.shape for part in (found.train, found.validation, found.test)] == [(12, 12), (0, 12), (5, 12)]
    assert found.validation.y.tolist() == []
    assert_close(found.train.x, load_vectors("mnist", tmp_path, (12, 0, 1)).train.x)
    # with a few left over, they are in no part
    assert load_vectors("mnist", tmp_path, (9, 0, 5)).validation.y.shape == (0,)
    assert_refused(lambda: load_vectors("mnist", tmp_path, (13, 0, 1)), "12", "13 + 0")
    assert_refused(lambda: load_vectors("mnist", tmp_path, (9, -1, 1)), "validation", "-1")
