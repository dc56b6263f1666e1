"""What the readers of idx files share: where they look, and images with their labels."""

from pathlib import Path

import pytest
import torch
from asserts import assert_close, assert_refused
from redundancy.mnist_files import idx, write_mnist

from pwlact.data.idx import data_root, folder_with, idx_files, read_idx, read_images, read_pair
from pwlact.experiments.redundancy.vectors import load_vectors


def test_root_is_what_is_given_then_what_is_set_then_the_default(monkeypatch):
    monkeypatch.setenv("PWLACT_DATA", "set")
    assert data_root(Path("given")) == Path("given")
    assert data_root(None) == Path("set")
    monkeypatch.setenv("PWLACT_DATA", "")
    assert data_root(None) == Path(".data")


def test_first_folder_that_holds_a_file_wins(tmp_path: Path):
    names = idx_files("train")
    assert names == ("train-images-idx3-ubyte", "train-images-idx3-ubyte.gz")
    assert folder_with(tmp_path / "none", ("a", "b"), *names) is None
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / names[0]).mkdir(parents=True)
    (tmp_path / "b" / names[1]).touch()
    assert folder_with(tmp_path, ("a", "b"), *names) == tmp_path / "b"
    assert folder_with(tmp_path, ("a", "b"), names[0]) is None
    (tmp_path / names[0]).touch()
    assert folder_with(tmp_path, ("a", "b"), *names) == tmp_path


def test_images_and_labels(tmp_path: Path):
    folder = write_mnist(tmp_path)
    images, labels = read_pair(folder, "train")
    assert torch.equal(images, read_idx(folder / "train-images-idx3-ubyte"))
    assert torch.equal(read_images(folder, "train"), images)
    assert labels.tolist() == [*range(10), 0, 1]


@pytest.mark.parametrize("shape", [(0, 4, 3), (12, 4), (12, 0, 3), (12, 1, 4, 3)])
def test_what_is_no_image(tmp_path: Path, shape):
    folder = write_mnist(tmp_path)
    (folder / "train-images-idx3-ubyte").write_bytes(idx(torch.zeros(shape, dtype=torch.uint8)))
    for read in (read_images, read_pair):
        assert_refused(lambda read=read: read(folder, "train"), "train images", "(n, rows, columns)", str(shape))


def test_labels_of_other_images(tmp_path: Path):
    folder = write_mnist(tmp_path)
    for shape in ((11,), (12, 1)):
        (folder / "train-labels-idx1-ubyte").write_bytes(idx(torch.zeros(shape, dtype=torch.uint8)))
        assert_refused(lambda: read_pair(folder, "train"), "(12, 4, 3)", str(shape))
    (folder / "train-labels-idx1-ubyte").unlink()
    assert_refused(lambda: read_pair(folder, "train"), "train-labels-idx1-ubyte is not there", "fetch it anew")


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
