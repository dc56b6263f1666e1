"""Letters: published formats become upright and begin at class 0, everything that can be broken, pooling."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch
from asserts import assert_refused
from data.letter_files import drawn, write_idx, write_mat, write_npz
from redundancy.mnist_files import idx

from pwlact.data import load_letters, max_pool

TRAIN, TEST = drawn(78, 26), drawn(30, 26, seed=1)


def npz(folder, train=TRAIN, test=TEST, **more):
    names = ("train_images", "train_labels", "test_images", "test_labels")
    return write_npz(folder, **dict(zip(names, (*train, *test), strict=True)), **more)


def assert_same(found, train=TRAIN, test=TEST):
    for part, (images, labels) in ((found.train, train), (found.test, test)):
        assert part.images.dtype == torch.uint8
        assert part.images.is_contiguous()
        assert torch.equal(part.images, images)
        assert part.labels.dtype == torch.int64
        assert torch.equal(part.labels, labels.long() - 1)
        assert len(part) == len(labels)


# formats


@pytest.mark.parametrize("write", [write_idx, write_mat])
def test_published_formats_become_upright(tmp_path: Path, write):
    found = load_letters(write(tmp_path, TRAIN, TEST))
    assert_same(found)
    assert (found.classes, found.name) == (26, "EMNIST Letters")
    # what lies above the diagonal was drawn brighter
    mean = found.train.images.double().mean(0)
    assert mean.triu(1).sum() > 3 * mean.tril(-1).sum()


def test_mat_of_numbers_and_of_one_test_image(tmp_path: Path):
    one = (TEST[0][:1], TEST[1][:1])
    assert_same(load_letters(write_mat(tmp_path, TRAIN, one, np.float64)), test=one)


@pytest.mark.parametrize("names", [("{}_images", "{}_labels"), ("x_{}", "y_{}"), ("X_{}", "y_{}")])
@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("flat", [False, True])
def test_npz_stays_as_it_stands(tmp_path: Path, names, first, flat):
    arrays = {}
    for part, (images, labels) in (("train", TRAIN), ("test", TEST)):
        arrays[names[0].format(part)] = images.flatten(1) if flat else images
        arrays[names[1].format(part)] = labels.long() - 1 + first
    assert_same(load_letters(write_npz(tmp_path, **arrays)))


def test_npz_with_a_validation_part_of_its_own(tmp_path: Path):
    more = drawn(26, 26, seed=2)
    found = load_letters(npz(tmp_path, val_images=more[0].double(), val_labels=more[1][:, None]))
    assert_same(found, (torch.cat([TRAIN[0], more[0]]), torch.cat([TRAIN[1], more[1]])))
    assert_refused(lambda: load_letters(npz(tmp_path, val_images=more[0])), "val_images and val_labels")
    small = {"val_images": more[0][:, ::2, ::2], "val_labels": more[1]}
    assert_refused(lambda: load_letters(npz(tmp_path, **small)), "train and val images differ in size")


@pytest.mark.parametrize(("classes", "name"), [(36, "DHCD"), (5, "letters, 5 classes")])
def test_number_of_classes_and_name(tmp_path: Path, classes, name):
    found = load_letters(write_idx(tmp_path, drawn(40, classes), drawn(9, classes)))
    assert (found.classes, found.name) == (classes, name)
    assert found.source == tmp_path


# places


def test_places(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PWLACT_DATA", raising=False)
    assert_refused(load_letters, "no letters in .data", "PWLACT_DATA", "emnist-letters.mat")
    write_idx(tmp_path / ".data" / "dhcd-letters", drawn(40, 36), drawn(9, 36))
    assert load_letters().name == "DHCD"
    write_idx(tmp_path / "set" / "gzip", TRAIN, TEST)
    monkeypatch.setenv("PWLACT_DATA", "set")
    assert load_letters().source == Path("set") / "gzip"
    assert load_letters(Path(".data")).name == "DHCD"
    write_mat(tmp_path / "set" / "emnist-letters", TRAIN, TEST)
    assert load_letters().source == Path("set") / "emnist-letters" / "emnist-letters.mat"
    npz(tmp_path / "set", drawn(40, 5), drawn(9, 5))
    assert load_letters().source == Path("set") / "emnist-letters.npz"
    write_mat(tmp_path / "set", TRAIN, TEST)
    assert load_letters().source == Path("set") / "emnist-letters.mat"
    write_idx(tmp_path / "set", TRAIN, TEST)
    assert load_letters().source == Path("set")


# broken


@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize("what", ["images-idx3", "labels-idx1"])
def test_broken_idx(tmp_path: Path, part, what):
    folder = write_idx(tmp_path, TRAIN, TEST)
    (path,) = folder.glob(f"*{part}-{what}*")
    content = path.read_bytes()
    path.write_bytes(content[:-9])
    assert_refused(lambda: load_letters(folder), path.name, "fetch it anew")
    path.unlink()
    lost = "no letters in" if (part, what) == ("train", "images-idx3") else "is not there"
    assert_refused(lambda: load_letters(folder), f"{part}-{what}", lost)


@pytest.mark.parametrize("content", [b"", b"nothing of the kind" * 20, None, "cut"])
@pytest.mark.parametrize("suffix", ["mat", "npz"])
def test_broken_archives(tmp_path: Path, content, suffix):
    path = (write_mat(tmp_path, TRAIN, TEST) if suffix == "mat" else npz(tmp_path)) / f"emnist-letters.{suffix}"
    if content == "cut":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif content is None:
        path.write_bytes(bytes(200))
    else:
        path.write_bytes(content)
    assert_refused(lambda: load_letters(tmp_path), f"emnist-letters.{suffix}", "cannot be read")


def test_mat_without_the_struct(tmp_path: Path):
    images = TRAIN[0].flatten(1).numpy()
    for content in ({"x": 1}, {"dataset": 1}, {"dataset": {"train": 3}}, {"dataset": {"train": {"images": images}}}):
        scipy.io.savemat(tmp_path / "emnist-letters.mat", content)
        assert_refused(lambda: load_letters(tmp_path), "emnist-letters.mat", "train.images and train.labels")
    part = {"images": images, "labels": TRAIN[1].numpy()}
    scipy.io.savemat(tmp_path / "emnist-letters.mat", {"dataset": {"train": part}})
    assert_refused(lambda: load_letters(tmp_path), "test.images and test.labels")


def test_npz_without_arrays_or_with_objects(tmp_path: Path):
    write_npz(tmp_path, train_images=TRAIN[0], y_train=TRAIN[1])
    assert_refused(lambda: load_letters(tmp_path), "train_images and train_labels or x_train", "'y_train'")
    assert_refused(lambda: load_letters(write_npz(tmp_path)), "those that are there: none")
    assert_refused(lambda: load_letters(npz(tmp_path, note=np.array([{}], dtype=object))), "cannot be read")
    np.save(tmp_path / "emnist-letters.npz", np.zeros(3))
    (tmp_path / "emnist-letters.npz.npy").rename(tmp_path / "emnist-letters.npz")
    assert_refused(lambda: load_letters(tmp_path), "cannot be read", "numpy.savez")


@pytest.mark.parametrize(
    ("images", "found"),
    [
        (TRAIN[0].double() / 255, "got 0."),
        (TRAIN[0].double() + 1e-9, "whole numbers from 0 to 255"),
        (torch.full((78, 784), torch.nan), "got nan"),
        (torch.full((78, 784), torch.inf), "got inf"),
        (TRAIN[0].long() - 1, "got -1"),
        (TRAIN[0].long() + 1, "got 256"),
        (np.full((78, 784), "x"), "type <U1"),
        (TRAIN[0].numpy() + 0j, "type complex128"),
        (TRAIN[0] > 9, "type bool"),
    ],
    ids=["shares", "nearly", "nan", "infinite", "negative", "large", "texts", "complex", "truth"],
)
def test_values_that_are_no_bytes(tmp_path: Path, images, found):
    folder = npz(tmp_path, (images, TRAIN[1]))
    assert_refused(lambda: load_letters(folder), "train images", found, "convert them")


@pytest.mark.parametrize("shape", [(78, 783), (78, 32, 32), (78, 28, 27), (78, 27, 28), (78, 0), (0, 784), (78,)])
def test_wrong_shapes(tmp_path: Path, shape):
    folder = npz(tmp_path, (torch.zeros(shape, dtype=torch.uint8), TRAIN[1]))
    assert_refused(lambda: load_letters(folder), "train images", "must be (n")


def test_unequal_counts(tmp_path: Path):
    assert_refused(lambda: load_letters(npz(tmp_path, (TRAIN[0], TRAIN[1][1:]))), "(78, 28, 28)", "(77,)")
    assert_refused(lambda: load_letters(npz(tmp_path, test=(TEST[0], TEST[1][None]))), "test", "(1, 30)")
    folder = write_idx(tmp_path / "idx", (TRAIN[0], TRAIN[1][1:]), TEST)
    assert_refused(lambda: load_letters(folder), "(78, 28, 28)", "(77,)")
    folder = write_mat(tmp_path / "mat", (TRAIN[0], TRAIN[1][1:]), TEST)
    assert_refused(lambda: load_letters(folder), "(78, 28, 28)", "(77,)")


@pytest.mark.parametrize("write", [write_idx, write_mat])
@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda y: y - 1, "1 to K without a gap, K > 1; got 0 to 25"),
        (lambda y: y + 1, "got 2 to 27 without 1"),
        (lambda y: torch.where(y == 7, 8, y), "got 1 to 26 without 7"),
        (torch.ones_like, "got 1 to 1"),
        (torch.zeros_like, "got 0 to 0"),
    ],
    ids=["from-0", "from-2", "gap", "one-class", "zeros"],
)
def test_labels_that_are_no_classes(tmp_path: Path, write, change, found):
    assert_refused(lambda: load_letters(write(tmp_path, (TRAIN[0], change(TRAIN[1])), TEST)), "labels", found)


def test_labels_of_npz_that_are_no_classes(tmp_path: Path):
    for labels, found in ((TRAIN[1] + 1, "0 or 1 to K without a gap"), (torch.full((78,), torch.nan), "got nan")):
        assert_refused(lambda labels=labels: load_letters(npz(tmp_path, (TRAIN[0], labels))), "labels", found)
    assert_refused(lambda: load_letters(npz(tmp_path, (TRAIN[0], TRAIN[1].long() * 10))), "got 260")


@pytest.mark.parametrize("label", [0, 27])
def test_test_labels_that_are_not_trained(tmp_path: Path, label):
    labels = TEST[1].clone()
    labels[3] = label
    folder = write_idx(tmp_path, TRAIN, (TEST[0], labels))
    assert_refused(lambda: load_letters(folder), "test labels", "1 to 26", str(label))


def test_images_of_another_size(tmp_path: Path):
    folder = write_idx(tmp_path, TRAIN, (TEST[0][:, ::2, ::2], TEST[1]))
    assert_refused(lambda: load_letters(folder), "test images must be (n, 28, 28)", "(30, 14, 14)")


def test_labels_packed_twice(tmp_path: Path):
    folder = write_idx(tmp_path, TRAIN, TEST)
    packed = gzip.compress(gzip.compress(idx(TRAIN[1])))
    (folder / "emnist-letters-train-labels-idx1-ubyte").write_bytes(packed)
    assert_refused(lambda: load_letters(folder), "no idx file")


# pooling


def test_pooling_is_the_maximum_of_each_window():
    images = drawn(3, 2)[0]
    for window in (1, 2, 4, 7, 14, 28):
        pooled = max_pool(images, window)
        assert pooled.shape == (3, 28 // window, 28 // window)
        assert pooled.dtype == torch.uint8
        for n, i, j in ((0, 0, 0), (1, -1, 0), (2, 28 // window // 2, -1)):
            rows, columns = range(28 // window)[i] * window, range(28 // window)[j] * window
            assert pooled[n, i, j] == max(
                images[n, rows : rows + window, columns : columns + window].flatten().tolist()
            )
    assert torch.equal(max_pool(images), torch.nn.functional.max_pool2d(images[:, None].double(), 2)[:, 0].byte())
    assert max_pool(images[:0]).shape == (0, 14, 14)
    assert max_pool(torch.randn(2, 6, 4), 2).shape == (2, 3, 2)


@pytest.mark.parametrize("window", [0, -1, 3, 56])
def test_windows_that_do_not_tile(window):
    assert_refused(lambda: max_pool(drawn(1, 1)[0], window), "window", str(window))


def test_rows_and_columns_must_both_be_tiled():
    for shape in ((1, 4, 3), (1, 3, 4)):
        assert_refused(lambda shape=shape: max_pool(torch.zeros(shape)), f"{shape[1]} x {shape[2]}")
