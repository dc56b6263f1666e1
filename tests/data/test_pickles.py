"""The Python version of CIFAR-10: pickles of every age are read, and none of them runs anything."""

import os
import pickle
import struct
import warnings

import numpy as np
import pytest
import torch

from pwlact.data import load
from pwlact.data.cifar10 import files
from pwlact.data.layouts import BINARY, PYTHON

RECORD = 3073
FETCH = "pwlact data cifar10"
CIFAR_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def batch(count=3, seed=0):
    generator = np.random.default_rng(seed)
    return {
        "data": generator.integers(0, 256, (count, 3072), dtype=np.uint8),
        "labels": [int(label) for label in generator.integers(0, 10, count)],
    }


def write_python(folder, first=None, protocol=4):
    """Six good pickles; `first`, bytes or an object to pickle, takes the place of data_batch_1."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, name in enumerate(PYTHON.files):
        (folder / name).write_bytes(pickle.dumps(batch(seed=index), protocol=protocol))
    if first is not None:
        content = first if isinstance(first, bytes) else pickle.dumps(first, protocol=protocol)
        (folder / "data_batch_1").write_bytes(content)
    return folder


def assert_holds(images, expected):
    assert np.array_equal(images.images.flatten(1).numpy(), expected["data"])
    assert images.labels.tolist() == list(expected["labels"])
    assert images.images.dtype == torch.uint8
    assert images.labels.dtype == torch.int64
    assert images.images.shape == (len(images), 3, 32, 32)


def python2_pickle(data, labels, byte_order=b"|", dtype=b"u1"):
    """What Python 2 writes (protocol 2, texts as byte strings), put together opcode by opcode."""

    def text(value):
        return b"T" + struct.pack("<i", len(value)) + value

    def number(value):
        return b"J" + struct.pack("<i", value)

    reconstruct = (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n" + number(0) + b"\x85" + text(b"b") + b"\x87R"
    )
    element = b"cnumpy\ndtype\n" + text(dtype) + number(0) + number(1) + b"\x87R"
    element += b"(" + number(3) + text(byte_order) + b"NNN" + number(-1) + number(-1) + number(0) + b"tb"
    shape = b"".join(number(length) for length in data.shape) + b"\x86"
    state = b"(" + number(1) + shape + element + b"\x89" + text(data.tobytes()) + b"tb"
    items = text(b"batch_label") + text(b"training batch 1 of 5")
    items += text(b"labels") + b"](" + b"".join(number(label) for label in labels) + b"e"
    items += text(b"data") + reconstruct + state
    items += text(b"filenames") + b"](" + text(b"leptodactylus_\xe9_s_000004.png") + b"e"
    return b"\x80\x02}(" + items + b"u."


def test_binary_goes_before_python_and_complete_before_incomplete(tmp_path, make_binary):
    write_python(tmp_path / PYTHON.folder)
    assert load(tmp_path).source == tmp_path / PYTHON.folder
    make_binary(tmp_path / BINARY.folder)
    assert load(tmp_path).source == tmp_path / BINARY.folder
    (tmp_path / BINARY.folder / "data_batch_3.bin").unlink()
    assert load(tmp_path).source == tmp_path / PYTHON.folder
    assert files(tmp_path) == [tmp_path / PYTHON.folder / name for name in PYTHON.files]


def test_ten_thousand_images_that_are_not_the_published_ones_are_damaged(tmp_path, make_binary, refused):
    folder = make_binary(tmp_path / BINARY.folder)
    (folder / "test_batch.bin").write_bytes(bytes(10_000 * RECORD))
    refused(lambda: load(tmp_path), "test_batch.bin is damaged", "SHA1", BINARY.checksums["test_batch.bin"])
    assert len(load(folder.rename(tmp_path / "mine")).test) == 10_000
    python = {"data": np.zeros((10_000, 3072), np.uint8), "labels": [0] * 10_000}
    write_python(tmp_path / PYTHON.folder, python)
    refused(lambda: load(tmp_path), "data_batch_1 is damaged", "MD5", PYTHON.checksums["data_batch_1"])


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("as_bytes", [False, True])
def test_pickles_of_every_protocol_are_read(tmp_path, protocol, as_bytes):
    expected = batch(5, seed=42)
    stored = {key.encode(): value for key, value in expected.items()} if as_bytes else expected
    data = load(write_python(tmp_path / PYTHON.folder, stored, protocol))
    assert len(data.train) == 5 + 4 * 3
    assert_holds(type(data.train)(data.train.images[:5], data.train.labels[:5]), expected)
    assert_holds(data.test, batch(seed=5))
    assert data.class_names == CIFAR_NAMES


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("dtype", [np.uint8, np.int64, ">i4"])
def test_columns_in_fortran_order_and_labels_as_array_are_read(tmp_path, protocol, dtype):
    expected = batch(4)
    stored = {"data": np.asfortranarray(expected["data"]), "labels": np.array(expected["labels"], dtype)}
    data = load(write_python(tmp_path / "mine", stored, protocol))
    assert_holds(type(data.train)(data.train.images[:4], data.train.labels[:4]), expected)


@pytest.mark.parametrize("protocol", [2, 5])
def test_both_spellings_of_the_numpy_core_are_read(tmp_path, protocol):
    expected = batch(3, seed=9)
    content = pickle.dumps(expected, protocol=protocol)
    other = {b"numpy._core.": b"numpy.core.", b"numpy.core.": b"numpy._core."}
    here = next(name for name in other if name in content)
    for name in other:
        changed = content.replace(here, name)
        if protocol == 5 and name != here:
            # protocol 5 gives the length of the name and of the frame around it
            length = len(b"numpy._core.numeric")
            shorter = len(name) - len(here)
            changed = changed.replace(b"\x8c" + bytes([length]), b"\x8c" + bytes([length + shorter]))
            frame = struct.unpack("<Q", content[3:11])[0]
            changed = changed[:3] + struct.pack("<Q", frame + shorter) + changed[11:]
        data = load(write_python(tmp_path / name.decode(), changed))
        assert_holds(type(data.train)(data.train.images[:3], data.train.labels[:3]), expected)


def test_pickle_of_python_2_is_read(tmp_path):
    expected = batch(6, seed=1)
    content = python2_pickle(expected["data"], expected["labels"])
    # the reader's independent judge: what Python itself makes of these bytes
    with warnings.catch_warnings():
        # of the old spelling of the module, in some versions of numpy
        warnings.simplefilter("ignore")
        judged = pickle.loads(content, encoding="bytes")
    assert np.array_equal(judged[b"data"], expected["data"])
    data = load(write_python(tmp_path / PYTHON.folder, content))
    assert_holds(type(data.train)(data.train.images[:6], data.train.labels[:6]), expected)


def test_names_in_batches_meta_are_read(tmp_path):
    folder = write_python(tmp_path / PYTHON.folder)
    names = [f"kind {number}".encode() for number in range(10)]
    (folder / "batches.meta").write_bytes(pickle.dumps({b"label_names": names, b"num_vis": 3072}, protocol=2))
    assert load(tmp_path).class_names == tuple(name.decode() for name in names)


class Call:
    def __init__(self, function, *arguments):
        self.reduced = function, arguments

    def __reduce__(self):
        return self.reduced


@pytest.mark.parametrize("protocol", range(6))
def test_pickle_that_runs_a_command_is_refused_and_not_run(tmp_path, refused, protocol):
    witness = tmp_path / "witness"
    attack = {"data": Call(os.system, f"touch {witness}"), "labels": []}
    folder = write_python(tmp_path / "mine", attack, protocol)
    refused(lambda: load(folder), str(folder / "data_batch_1"), f"{os.system.__module__}.system", "refused", FETCH)
    assert not witness.exists()
    # the attack is a real one: Python's own reader falls for it
    pickle.loads((folder / "data_batch_1").read_bytes())
    assert witness.exists()


@pytest.mark.parametrize("function", [eval, getattr, np.load, np.frombuffer, bytearray, complex])
def test_every_other_name_is_refused(tmp_path, refused, function):
    folder = write_python(tmp_path / "mine", {"data": Call(function, "1")})
    refused(lambda: load(folder), function.__name__, "refused")


@pytest.mark.parametrize(
    ("first", "parts"),
    [
        (b"", ["is empty"]),
        (b"\x80\x02}q\x00(U\x04dat", ["no intact pickle"]),
        (b"not a pickle at all", ["no intact pickle"]),
        (pickle.dumps(batch())[:-40], ["no intact pickle"]),
        (b"\x80\x04K\x01R.", ["no intact pickle"]),
        (b"cnumpy\nndarray\n(K\x01tR.", ["no intact pickle", "not callable"]),
        (b"\x80\x02c_codecs\nencode\nX\x01\0\0\0aX\x05\0\0\0rot13\x86R.", ["encoding 'rot13' is not allowed"]),
        (python2_pickle(np.zeros((1, 3072), np.uint8), [1], dtype=b"O8"), ["dtype object is not allowed"]),
        (pickle.dumps([1, 2]), ["pickles a list", "expected a dict"]),
        ({"images": 1}, ["no data and no labels", "['images']"]),
        ({"data": batch()["data"], "fine_labels": [1, 2, 3]}, ["has no labels", "fine_labels"]),
        ({"data": [1, 2], "labels": [1, 2]}, ["data is a list", "uint8 of shape (n, 3072)"]),
        ({"data": np.zeros((2, 3072)), "labels": [1, 2]}, ["data is float64 of shape (2, 3072)"]),
        ({"data": np.zeros((2, 3071), np.uint8), "labels": [1, 2]}, ["shape (2, 3071)"]),
        ({"data": np.zeros(3072, np.uint8), "labels": [1]}, ["shape (3072,)"]),
        ({"data": np.zeros((0, 3072), np.uint8), "labels": []}, ["holds no images"]),
        ({"data": batch()["data"], "labels": [1, 2]}, ["2 labels", "3 images"]),
        ({"data": batch()["data"], "labels": [1, 2, "cat"]}, ["labels hold 'cat'"]),
        ({"data": batch()["data"], "labels": [1, None, 2]}, ["labels hold None"]),
        ({"data": batch()["data"], "labels": [1, 2.5, 2]}, ["labels hold 2.5"]),
        ({"data": batch()["data"], "labels": None}, ["labels hold None"]),
        ({"data": batch()["data"], "labels": np.zeros(3)}, ["labels hold array"]),
        ({"data": batch()["data"], "labels": [1, 2, 10]}, ["label of image 2 is 10", "expected 0 to 9"]),
        ({"data": batch()["data"], "labels": [1, -1, 10**30]}, ["label of image 1 is -1"]),
        ({"data": batch()["data"], "labels": [10**30, 1, 1]}, ["label of image 0 is 1000000"]),
    ],
)
def test_broken_pickle_is_named(tmp_path, refused, first, parts):
    folder = write_python(tmp_path / "mine", first)
    refused(lambda: load(folder), str(folder / "data_batch_1"), FETCH, *parts)


def test_array_of_a_wrong_length_is_no_intact_pickle(tmp_path, refused):
    content = python2_pickle(np.zeros((2, 3072), np.uint8), [1, 2])
    longer = content.replace(
        struct.pack("<i", 2) + b"J" + struct.pack("<i", 3072), struct.pack("<i", 3) + b"J\0\x0c\0\0"
    )
    assert longer != content
    folder = write_python(tmp_path / "mine", longer)
    refused(lambda: load(folder), "data_batch_1", "no intact pickle", "cannot reshape")


def test_every_truncation_of_a_pickle_is_one_line(tmp_path, refused):
    content = python2_pickle(np.zeros((1, 3072), np.uint8), [1])
    folder = write_python(tmp_path / "mine")
    for length in [*range(1, 400, 7), len(content) - 1]:
        (folder / "data_batch_1").write_bytes(content[:length])
        refused(lambda: load(folder), "data_batch_1", "no intact pickle")
