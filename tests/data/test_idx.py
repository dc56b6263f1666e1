"""What the readers of idx files share: where they look, and images with their labels."""

import gzip
from pathlib import Path

import pytest
import torch
from asserts import assert_refused
from redundancy.mnist_files import idx, write_mnist

from pwlact.data.idx import data_root, folder_with, idx_files, read_idx, read_images, read_pair


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


def test_idx_packed_or_not(tmp_path: Path):
    array = torch.randint(0, 256, (4, 3, 2), dtype=torch.uint8)
    (tmp_path / "plain").write_bytes(idx(array))
    (tmp_path / "packed.gz").write_bytes(gzip.compress(idx(array)))
    assert torch.equal(read_idx(tmp_path / "plain"), array)
    assert torch.equal(read_idx(tmp_path / "packed"), array)
    (tmp_path / "empty").write_bytes(idx(array[:0]))
    assert read_idx(tmp_path / "empty").shape == (0, 3, 2)


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (b"", ("nothing",)),
        (b"\x00\x00\x08", ("000008",)),
        (b"\x00\x00\x0d\x01" + bytes(8), ("00000d01",)),
        (b"PK\x03\x04 and so on", ("no idx file",)),
        (b"\x00\x00\x08\x00", ("no idx file",)),
        (b"\x00\x00\x08\x03" + bytes(8), ("truncated",)),
        (idx(torch.zeros(3, 4, dtype=torch.uint8))[:-1], ("11 bytes", "12 promised")),
        (idx(torch.zeros(3, dtype=torch.uint8)) + b"\x00", ("4 bytes", "3 promised")),
        (b"\x00\x00\x08\x03" + b"\xff" * 12, ("0 bytes", "promised")),
    ],
    ids=["empty", "short", "floats", "zip", "no-dimension", "header", "truncated", "longer", "huge"],
)
def test_broken_idx(tmp_path: Path, content, parts):
    (tmp_path / "file").write_bytes(content)
    assert_refused(lambda: read_idx(tmp_path / "file"), "file", *parts)


def test_broken_gzip_and_no_file(tmp_path: Path):
    whole = gzip.compress(idx(torch.zeros(300, 3, dtype=torch.uint8)))
    for number, content in enumerate((b"", whole[:20], b"no gzip at all", whole[:-4] + b"\x00" * 4)):
        (tmp_path / f"a{number}.gz").write_bytes(content)
        assert_refused(lambda number=number: read_idx(tmp_path / f"a{number}"), f"a{number}.gz")
    assert_refused(lambda: read_idx(tmp_path / "none"), "none", "none.gz")
