"""A user's own samples: three kinds of file, and every way for them to be wrong."""

import sys
from functools import partial

import numpy as np
import pytest
import torch

from pwlact.data import read_samples

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

X = [0.5, -1.25, 3.0, 1e-300]


def write(path, columns):
    """The columns (a dict by name) in the form that the suffix of `path` names."""
    if path.suffix == ".csv":
        lines = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
        path.write_text("\n".join(lines) + "\n")
    elif path.suffix == ".npz":
        np.savez(path, **{name: np.array(values) for name, values in columns.items()})
    else:
        parquet.write_table(pyarrow.table(columns), path)
    return path


def read(path):
    return read_samples(path, "x", "y")


SUFFIXES = pytest.mark.parametrize("suffix", [".csv", ".npz", ".parquet", ".CSV"])
FORMATS = pytest.mark.parametrize("suffix", [".csv", ".npz", ".parquet"])


@FORMATS
@pytest.mark.parametrize(
    ("labels", "classes", "names"),
    [
        ([7, -1, 7, -1], [1, 0, 1, 0], ("-1", "7")),
        ([10, 9, 9, 10], [1, 0, 0, 1], ("9", "10")),
        ([2.0, 1.0, 1.0, 2.0], [1, 0, 0, 1], ("1", "2")),
        (["dog", "cat", "cat", "dog"], [1, 0, 0, 1], ("cat", "dog")),
        (["10", "9", "9", "10"], [1, 0, 0, 1], ("9", "10")),
        (["b2", "1", "1", "b2"], [1, 0, 0, 1], ("1", "b2")),
        ([2**63 - 1, 2**63 - 2, 2**63 - 2, 2**63 - 1], [1, 0, 0, 1], (str(2**63 - 2), str(2**63 - 1))),
    ],
)
def test_samples_are_read_and_classes_sorted(tmp_path, suffix, labels, classes, names):
    path = write(tmp_path / f"mine{suffix}", {"z": [0, 0, 0, 0], "x": X, "y": labels})
    x, y, found = read(path)
    assert x.tolist() == X
    assert (x.dtype, y.dtype) == (torch.float64, torch.int64)
    assert y.tolist() == classes
    assert found == names


@pytest.mark.parametrize("dtype", [np.int8, np.uint64, np.float16, np.float32, bool])
def test_npz_labels_of_every_kind_of_number(tmp_path, dtype):
    np.savez(tmp_path / "a.npz", x=np.arange(4, dtype=np.float32), y=np.array([1, 0, 0, 1], dtype))
    x, y, names = read(tmp_path / "a.npz")
    assert x.tolist() == [0, 1, 2, 3]
    assert y.tolist() == [1, 0, 0, 1]
    assert len(names) == 2


def test_npz_numbers_as_text_and_whole_numbers_as_samples(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.array(["1.5", "-2", "3", "4"]), y=np.array([0, 0, 1, 1]))
    assert read(tmp_path / "a.npz")[0].tolist() == [1.5, -2, 3, 4]
    np.savez(tmp_path / "b.npz", x=np.array([1, 2, 3, 4]), y=np.array([0, 0, 1, 1]))
    assert read(tmp_path / "b.npz")[0].tolist() == [1, 2, 3, 4]


def test_csv_of_a_spreadsheet_is_read(tmp_path):
    path = tmp_path / "a.CSV"
    path.write_bytes('\ufeffx , y\r\n1.5,"a, b"\r\n\r\n2, c\r\n3,"a, b"\r\n4,c\r\n'.encode())
    x, y, names = read(path)
    assert x.tolist() == [1.5, 2, 3, 4]
    assert y.tolist() == [0, 1, 0, 1]
    assert names == ("a, b", "c")


def test_parquet_categories_are_read(tmp_path):
    labels = pyarrow.array(["b", "a", "a", "b"]).dictionary_encode()
    parquet.write_table(pyarrow.table({"x": X, "y": labels}), tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet")[1].tolist() == [1, 0, 0, 1]


def test_the_result_can_be_written(tmp_path):
    x, y, _ = read(write(tmp_path / "a.parquet", {"x": X, "y": [0, 0, 1, 1]}))
    x[0], y[0] = 7, 1
    assert (x[0], y[0]) == (7, 1)


# ---- files


def test_file_that_is_not_there_or_of_another_kind_is_named(tmp_path, refused):
    refused(lambda: read(tmp_path / "no.csv"), str(tmp_path / "no.csv"), "does not exist")
    (tmp_path / "folder.csv").mkdir()
    refused(lambda: read(tmp_path / "folder.csv"), "folder.csv is no file")
    for name in ("a.xlsx", "a", "a.csv.gz"):
        (tmp_path / name).write_text("x,y\n")
        suffix = (tmp_path / name).suffix
        refused(partial(read, tmp_path / name), name, repr(suffix), ".csv, .npz, .parquet")


@SUFFIXES
def test_empty_file_is_named(tmp_path, refused, suffix):
    path = tmp_path / f"a{suffix}"
    path.touch()
    refused(lambda: read(path), str(path), "is empty")


@FORMATS
def test_missing_column_lists_those_that_are_there(tmp_path, refused, suffix):
    path = write(tmp_path / f"a{suffix}", {"x": X, "label": [0, 0, 1, 1]})
    refused(lambda: read(path), str(path), "no column 'y'", "'x', 'label'")
    refused(lambda: read_samples(path, "X", "label"), "no column 'X'")


@pytest.mark.parametrize("suffix", [".npz", ".parquet"])
def test_truncated_and_foreign_files_are_named(tmp_path, refused, suffix):
    path = write(tmp_path / f"a{suffix}", {"x": np.arange(500.0), "y": np.arange(500) % 2})
    content = path.read_bytes()
    lengths = (1, 3, 10, 100, len(content) // 2, len(content) - 1)
    for broken in [*(content[:length] for length in lengths), b"a text, no data\n" * 100]:
        path.write_bytes(broken)
        refused(partial(read, path), str(path), "cannot be read as")
    # a flipped bit in the middle of the data
    if suffix == ".npz":
        path.write_bytes(content[:1000] + bytes([content[1000] ^ 1]) + content[1001:])
        refused(lambda: read(path), str(path), "cannot be read as", "CRC")


def test_npz_of_objects_or_a_single_array_is_refused(tmp_path, refused):
    path = tmp_path / "a.npz"
    np.savez(path, x=np.array([1, "a", None], dtype=object), y=np.arange(3))
    refused(lambda: read(path), str(path), "Object arrays cannot be loaded")
    with path.open("wb") as file:
        np.save(file, np.arange(3))
    refused(lambda: read(path), str(path), "a single array", "numpy.savez")


def test_csv_in_another_encoding_and_short_rows_are_refused(tmp_path, refused):
    path = tmp_path / "a.csv"
    path.write_bytes("x,y\n1,é\n".encode("latin-1"))
    refused(lambda: read(path), str(path), "UTF-8")
    path.write_text("x,y\n1,a\n2\n3,b\n")
    refused(lambda: read(path), "row 2 has 1 cells", "'y'")
    path.write_text("x,x,y\n1,1,a\n")
    refused(lambda: read(path), "2 columns 'x'")
    path.write_text('x,y\n1,"' + "a" * 200_000 + '"\n')
    refused(lambda: read(path), "cannot be read as CSV", "field larger than")
    path.write_text("x,y\n")
    refused(lambda: read(path), str(path), "no rows")
    path.write_text("\n\n")
    refused(lambda: read(path), str(path), "no column 'x'", "none")


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, refused, monkeypatch):
    path = write(tmp_path / "a.parquet", {"x": X, "y": [0, 0, 1, 1]})
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    refused(lambda: read(path), 'pip install "pwlact[parquet]"')


# ---- columns


@FORMATS
def test_sample_that_is_no_number_is_named(tmp_path, refused, suffix):
    path = write(tmp_path / f"a{suffix}", {"x": ["1", "2", "abc", "x"], "y": [0, 0, 1, 1]})
    refused(lambda: read(path), str(path), "'x' in row 3 is 'abc'", "expected a number")


def test_empty_cell_is_no_number(tmp_path, refused):
    path = write(tmp_path / "a.csv", {"x": ["1", "", "3"], "y": [0, 0, 1]})
    refused(lambda: read(path), "'x' in row 2 is ''")


@pytest.mark.parametrize("dtype", ["complex128", "datetime64[ns]", "datetime64[s]", "timedelta64[ns]"])
def test_samples_of_another_kind_are_refused(tmp_path, refused, dtype):
    np.savez(tmp_path / "a.npz", x=np.array([1, 2, 3, 4]).astype(dtype), y=[0, 0, 1, 1])
    refused(lambda: read(tmp_path / "a.npz"), "'x' in row 1", "expected a number")


@FORMATS
@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_samples_that_are_not_finite_are_counted(tmp_path, refused, suffix, value):
    samples = [1.0, float(value), 2.0, float("nan"), 3.0]
    path = write(tmp_path / f"a{suffix}", {"x": samples, "y": [0, 0, 1, 1, 1]})
    refused(lambda: read(path), str(path), "'x' holds 2 values", f"first in row 2: {value}")


def test_parquet_gaps_are_named(tmp_path, refused):
    path = write(tmp_path / "a.parquet", {"x": [1.0, None, 2.0], "y": [0, 0, 1]})
    refused(lambda: read(path), "'x' holds 1 values that are not finite", "row 2")
    for labels in ([0, None, 0], ["a", None, "b"]):
        path = write(tmp_path / "a.parquet", {"x": [1.0, 2.0, 3.0], "y": labels})
        refused(partial(read, path), "'y' in row 2 is")


def test_lengths_and_dimensions_must_agree(tmp_path, refused):
    path = tmp_path / "a.npz"
    np.savez(path, x=np.zeros(3), y=np.zeros(4))
    refused(lambda: read(path), str(path), "'x' has 3 values", "'y' has 4")
    np.savez(path, x=np.zeros((4, 2)), y=np.zeros(4))
    refused(lambda: read(path), "'x' has the shape (4, 2)", "one dimension")
    np.savez(path, x=np.zeros(4), y=np.zeros((4, 1)))
    refused(lambda: read(path), "'y' has the shape (4, 1)")
    np.savez(path, x=np.float64(1), y=np.float64(1))
    refused(lambda: read(path), "'x' has the shape ()")
    np.savez(path, x=np.zeros(0), y=np.zeros(0))
    refused(lambda: read(path), "no rows")


@FORMATS
@pytest.mark.parametrize(
    ("labels", "parts"),
    [
        ([0, 0, 0, 0], ["'y' has 1 classes", "'0'", "at least 2"]),
        (["a", "a", "a", "a"], ["'y' has 1 classes", "'a'"]),
        ([0, 1, 0, 0], ["class '1' has 1 sample", "at least 2"]),
        (["a", "b", "b", "c"], ["class 'a' has 1 sample"]),
        ([0.0, 1.0, 0.5, 1.0], ["'y' in row 3 is 0.5", "whole number or text"]),
        ([0.0, float("nan"), 0.0, 1.0], ["'y' in row 2 is nan"]),
        ([float("inf"), 1.0, 1.0, float("inf")], ["'y' in row 1 is inf"]),
        (["a", "", "a", "b"], ["'y' in row 2 is ''", "expected a label"]),
        (["0.5", "1", "1", "0.5"], ["'y' in row 1 is 0.5"]),
    ],
)
def test_labels_that_do_not_fit_are_named(tmp_path, refused, suffix, labels, parts):
    path = write(tmp_path / f"a{suffix}", {"x": X, "y": labels})
    refused(lambda: read(path), str(path), *parts)


@pytest.mark.parametrize("dtype", ["complex128", "datetime64[s]", "S3"])
def test_labels_of_another_kind_are_refused(tmp_path, refused, dtype):
    np.savez(tmp_path / "a.npz", x=X, y=np.array([1, 2, 1, 2]).astype(dtype))
    refused(lambda: read(tmp_path / "a.npz"), "'y' holds", "expected whole numbers or texts")
