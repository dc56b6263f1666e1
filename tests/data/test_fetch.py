"""Fetching CIFAR-10, from archives of this test's own behind file:// addresses."""

import hashlib
import io
import tarfile
from functools import partial

import pytest

from pwlact.data import FetchError, fetch_cifar10, load
from pwlact.data.layouts import BINARY, PYTHON

NAMES = [*BINARY.files, BINARY.names]


@pytest.fixture
def archive(tmp_path, make_binary):
    """A tiny archive in the published form: its address and its MD5."""
    folder = make_binary(tmp_path / "made" / BINARY.folder)
    (folder / BINARY.names).write_text("".join(f"kind {number}\n" for number in range(10)))
    path = tmp_path / "tiny.tar.gz"
    with tarfile.open(path, "w:gz") as file:
        file.add(folder, BINARY.folder)
    return path.as_uri(), md5_of(path)


def md5_of(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


def everything_in(directory):
    return sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*"))


def test_archive_is_fetched_and_can_be_loaded(tmp_path, archive):
    target = tmp_path / "new" / "deep"
    seen = []
    files = fetch_cifar10(target, *archive, lambda *state: seen.append(state))
    assert files == [target / BINARY.folder / name for name in BINARY.files]
    assert everything_in(target) == sorted([BINARY.folder, *(f"{BINARY.folder}/{name}" for name in NAMES)])
    assert load(target).class_names[3] == "kind 3"
    size = (tmp_path / "tiny.tar.gz").stat().st_size
    assert seen[-1] == (size, size)


def test_complete_set_is_checked_and_nothing_fetched(tmp_path, make_binary, refused):
    folder = make_binary(tmp_path / "mine")
    nowhere = (tmp_path / "no.tar.gz").as_uri()
    assert fetch_cifar10(folder, nowhere) == [folder / name for name in BINARY.files]
    (folder / "data_batch_5.bin").write_bytes(b"\0" * 100)
    refused(lambda: fetch_cifar10(folder, nowhere), "data_batch_5.bin is truncated")


def test_missing_files_are_added_and_others_kept(tmp_path, archive, make_binary):
    folder = make_binary(tmp_path / "target" / BINARY.folder, 9)
    (folder / "data_batch_2.bin").unlink()
    kept = (folder / "data_batch_1.bin").read_bytes()
    fetch_cifar10(tmp_path / "target", *archive)
    made = tmp_path / "made" / BINARY.folder
    assert (folder / "data_batch_2.bin").read_bytes() == (made / "data_batch_2.bin").read_bytes()
    assert (folder / "data_batch_1.bin").read_bytes() == kept != (made / "data_batch_1.bin").read_bytes()


def test_wrong_checksum_leaves_nothing_behind(tmp_path, archive, refused):
    url, md5 = archive
    (tmp_path / "old").mkdir()
    for target in (tmp_path / "new" / "deep", tmp_path / "old"):
        refused(partial(fetch_cifar10, target, url, "0" * 32), url, md5, "0" * 32, error=FetchError)
    assert not (tmp_path / "new").exists()
    assert everything_in(tmp_path / "old") == []


@pytest.mark.parametrize("url", ["file:///no/such/archive.tar.gz", "no address", "http://127.0.0.1:1/x.tar.gz"])
def test_failed_download_says_how_to_do_it_by_hand(tmp_path, refused, url):
    target = tmp_path / "new"
    by_hand = f"{target / BINARY.folder}/data_batch_1.bin"
    refused(lambda: fetch_cifar10(target, url), "could not download", url, by_hand, error=FetchError)
    assert not target.exists()


def test_download_that_breaks_off_is_told(tmp_path, archive, refused, monkeypatch):
    class Response(io.BytesIO):
        headers = {"Content-Length": "1000"}  # noqa: RUF012

    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: Response(b"x" * 10))
    refused(lambda: fetch_cifar10(tmp_path / "new", *archive), "after 10 of 1000 bytes", error=FetchError)
    assert not (tmp_path / "new").exists()


def test_interrupt_leaves_nothing_behind(tmp_path, archive):
    def interrupt(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch_cifar10(tmp_path / "new", *archive, interrupt)
    assert not (tmp_path / "new").exists()


def write_archive(path, members):
    with tarfile.open(path, "w:gz") as file:
        for name in members:
            member = tarfile.TarInfo(name)
            member.size = 3
            file.addfile(member, io.BytesIO(b"abc"))


@pytest.mark.parametrize(
    ("members", "part"),
    [
        (["something/else.bin"], "lacks data_batch_1.bin"),
        ([f"{BINARY.folder}/{BINARY.train[0]}", "../../escaped.bin"], "OutsideDestination"),
        (None, "could not unpack"),
    ],
)
def test_archive_that_is_something_else_is_told(tmp_path, refused, members, part):
    path = tmp_path / "odd.tar.gz"
    path.write_bytes(b"no archive") if members is None else write_archive(path, members)
    target = tmp_path / "new"
    refused(lambda: fetch_cifar10(target, path.as_uri(), md5_of(path)), part, path.as_uri(), error=FetchError)
    assert everything_in(tmp_path) == ["odd.tar.gz"]


def test_target_that_is_a_file_is_refused(tmp_path, refused):
    (tmp_path / "file").write_text("x")
    refused(lambda: fetch_cifar10(tmp_path / "file"), "is a file, expected a folder")


def test_python_version_that_is_there_is_taken(tmp_path, refused):
    folder = tmp_path / PYTHON.folder
    folder.mkdir()
    for name in PYTHON.files:
        (folder / name).write_bytes(b"broken")
    refused(lambda: fetch_cifar10(tmp_path, "file:///no/such/archive"), "data_batch_1 is no intact pickle")
