"""The readers of CIFAR-10: both layouts as published and home-made, and every way for them to be broken."""

import errno
import hashlib
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch

from pwlact.data import channel_statistics, find, load, split
from pwlact.data.layouts import BINARY, PYTHON, check_sum

RECORD = 3073
FETCH = "pwlact data cifar10"
CIFAR_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


# ---- the binary layout


def test_binary_files_are_read_plane_by_plane(tmp_path, make_binary):
    folder = make_binary(tmp_path / "mine")
    data = load(folder)
    assert (len(data.train), len(data.test)) == (2 + 3 + 4 + 5 + 6, 7)
    content = (folder / "data_batch_2.bin").read_bytes()
    image, label = data.train.images[2 + 1], data.train.labels[2 + 1]
    record = content[RECORD : 2 * RECORD]
    assert label == record[0]
    for channel, row, column in ((0, 0, 0), (0, 0, 31), (0, 31, 0), (1, 5, 7), (2, 31, 31)):
        assert image[channel, row, column] == record[1 + 1024 * channel + 32 * row + column]
    assert data.test.labels[0] == (folder / "test_batch.bin").read_bytes()[0]
    assert data.source == folder
    assert data.class_names == CIFAR_NAMES


def test_tensors_lie_channels_last_and_can_be_written(tmp_path, make_binary):
    data = load(make_binary(tmp_path / "mine"))
    assert data.train.images.is_contiguous(memory_format=torch.channels_last)
    data.train.images[0] = 7
    assert data.train.images[0].unique().tolist() == [7]


def test_class_names_are_read_where_they_are_listed(tmp_path, make_binary, refused):
    folder = make_binary(tmp_path / "mine")
    (folder / "batches.meta.txt").write_text("".join(f"kind {number}\n" for number in range(10)) + "\n")
    assert load(folder).class_names == tuple(f"kind {number}" for number in range(10))
    (folder / "batches.meta.txt").write_text("one\ntwo\n")
    refused(lambda: load(folder), "batches.meta.txt", "'one', 'two'", "expected 10 names")


def test_missing_folder_and_files_are_named(tmp_path, make_binary, refused):
    refused(lambda: load(tmp_path / "no"), str(tmp_path / "no"), "does not exist", f"{FETCH} {tmp_path}/no")
    refused(lambda: load(tmp_path), str(tmp_path), "holds no CIFAR-10", "data_batch_1.bin", FETCH)
    (tmp_path / "file").write_text("x")
    refused(lambda: load(tmp_path / "file"), "file is a file", FETCH)
    folder = make_binary(tmp_path / BINARY.folder)
    (folder / "data_batch_2.bin").unlink()
    (folder / "test_batch.bin").unlink()
    # the way out names the folder around the published one, not one inside it
    for directory in (tmp_path, folder):
        refused(partial(load, directory), "lacks data_batch_2.bin, test_batch.bin", f"`{FETCH} {tmp_path}`")


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (b"", ["is empty"]),
        (b"\0" * (2 * RECORD - 1), ["truncated", "6145 bytes", "1 records of 3073", "3072 bytes more"]),
        (b"\0", ["truncated", "0 records"]),
        (b"\0" * RECORD + b"\x0a" + b"\0" * 3072, ["label of image 1 is 10", "expected 0 to 9"]),
        (b"\xff" + b"\0" * 3072, ["label of image 0 is 255"]),
    ],
)
def test_broken_binary_file_is_named(tmp_path, make_binary, refused, content, parts):
    folder = make_binary(tmp_path / "mine")
    (folder / "data_batch_4.bin").write_bytes(content)
    refused(lambda: load(folder), str(folder / "data_batch_4.bin"), FETCH, *parts)


def test_unreadable_file_is_named(tmp_path, make_binary, monkeypatch, refused):
    folder = make_binary(tmp_path / "mine")

    # not chmod: root may read every file
    def deny(path):
        raise PermissionError(errno.EACCES, "a text with\ntwo lines", str(path))

    monkeypatch.setattr(Path, "read_bytes", deny)
    refused(lambda: load(folder), str(folder / "data_batch_1.bin"), "Permission denied")


# ---- checksums


def test_checksum_is_wanted_of_published_names_and_numbers_only(tmp_path, refused):
    content = b"abc"
    for layout in (BINARY, PYTHON):
        name = layout.files[0]
        good = hashlib.new(layout.algorithm, content).hexdigest()
        right = replace(layout, checksums={name: good})
        official, own = tmp_path / layout.folder / name, tmp_path / "mine" / name
        check_sum(official, right, 10_000, content)
        check_sum(official, layout, 9_999, content)
        check_sum(own, layout, 10_000, content)
        message = refused(
            partial(check_sum, official, layout, 10_000, content),
            str(official),
            "damaged",
            good,
            "rename the folder",
        )
        assert layout.checksums[name] in message


# ---- where it is


def test_find_goes_from_explicit_to_environment_to_default(tmp_path, make_binary, monkeypatch, refused):
    explicit, named = make_binary(tmp_path / "a"), make_binary(tmp_path / "b")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PWLACT_DATA", raising=False)
    assert find(None) is None
    (tmp_path / ".data").mkdir()
    assert find(None) is None
    make_binary(tmp_path / ".data" / BINARY.folder)
    assert find(None) == Path(".data")
    monkeypatch.setenv("PWLACT_DATA", "")
    assert find(None) == Path(".data")
    monkeypatch.setenv("PWLACT_DATA", str(named))
    assert find(None) == named
    assert find(explicit) == explicit
    refused(lambda: find(tmp_path / "no"), str(tmp_path / "no"), "does not exist", FETCH)
    (tmp_path / "hollow").mkdir()
    refused(lambda: find(tmp_path / "hollow"), "holds no CIFAR-10")
    monkeypatch.setenv("PWLACT_DATA", str(tmp_path / "hollow"))
    refused(lambda: find(None), "PWLACT_DATA", str(tmp_path / "hollow"), "holds no CIFAR-10")


# ---- split


def test_split_takes_validation_from_the_end_and_training_from_the_start(tmp_path, make_binary):
    data = load(make_binary(tmp_path / "mine"))
    for limit, expected in ((None, 15), (1, 1), (4, 4), (15, 15), (16, 15), (999, 15)):
        train, val = split(data, 5, limit)
        assert torch.equal(train.images, data.train.images[:expected])
        assert torch.equal(train.labels, data.train.labels[:expected])
        assert torch.equal(val.images, data.train.images[15:])
        assert torch.equal(val.labels, data.train.labels[15:])
    train, val = split(data, 19, None)
    assert (len(train), len(val)) == (1, 19)


def test_split_refuses_sizes_that_do_not_fit(tmp_path, make_binary, refused):
    data = load(make_binary(tmp_path / "mine"))
    for size in (20, 21, 10**9):
        refused(partial(split, data, size, None), "val_size", "at least 1 of the 20", f"got {size}")
    for size in (0, -3):
        refused(partial(split, data, size, None), "val_size", f"got {size}")
    refused(lambda: split(data, 5, 0), "limit", "got 0")


# ---- the real images


@pytest.fixture(scope="module")
def real():
    directory = find(None)
    if directory is None:
        pytest.skip("no CIFAR-10 images: set PWLACT_DATA to their folder")
    return load(directory)


@pytest.mark.data
def test_real_images_are_the_published_ones(real):
    assert len(real.train) == 50_000
    assert len(real.test) in {1_000, 10_000}
    assert real.train.labels[:10].tolist() == [6, 9, 9, 4, 1, 1, 2, 7, 8, 3]
    assert real.train.labels.bincount().tolist() == [5_000] * 10
    mean, _ = channel_statistics(real.train)
    # published with the set's many loaders, here to 8 digits
    expected = torch.tensor([0.49139968, 0.48215841, 0.44653091], dtype=torch.float64)
    torch.testing.assert_close(mean, expected, rtol=0, atol=1e-6)
    assert real.class_names == CIFAR_NAMES


@pytest.mark.data
def test_real_file_with_one_flipped_bit_is_damaged(real, tmp_path, refused):
    copy = tmp_path / real.source.name
    copy.mkdir()
    for path in real.source.iterdir():
        (copy / path.name).symlink_to(path.resolve())
    load(tmp_path)
    name = "data_batch_3.bin" if real.source.name == BINARY.folder else "data_batch_3"
    (copy / name).unlink()
    shutil.copy(real.source / name, copy / name)
    with (copy / name).open("r+b") as file:
        file.seek(1_234_567)
        byte = file.read(1)[0]
        file.seek(1_234_567)
        file.write(bytes([byte ^ 1]))
    refused(lambda: load(tmp_path), f"{name} is damaged", "get CIFAR-10")


@pytest.mark.data
def test_other_real_images_are_read_from_a_folder_of_another_name(real):
    folder = real.source.parent / "cifar-10-jpeg-bin"
    if not folder.is_dir():
        pytest.skip(f"no {folder.name} beside {real.source.name}")
    data = load(folder)
    assert (len(data.train), len(data.test)) == (50_000, 10_000)
