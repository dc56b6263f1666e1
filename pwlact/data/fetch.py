"""Fetches CIFAR-10: one archive, checked before it is unpacked, in place whole or not at all."""

import hashlib
import http.client
import tarfile
import tempfile
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from pwlact.checks import InputError
from pwlact.data import cifar10
from pwlact.data.layouts import BINARY, locate
from pwlact.data.messages import reason

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
# published beside the archive, at https://www.cs.toronto.edu/~kriz/cifar.html
MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
TIMEOUT_SECONDS = 60
CHUNK_BYTES = 1 << 20

Progress = Callable[[int, int | None], None]


class FetchError(RuntimeError):
    """The archive could not be had or is not the published one; the message is one line."""


def fetch_cifar10(directory: Path, url: str = URL, md5: str = MD5, progress: Progress | None = None) -> list[Path]:
    """Check the CIFAR-10 files in `directory`, or download them to its sub-folder cifar-10-batches-bin.

    Files that are there stay as they are; only missing ones are added.

    Args:
        directory: where CIFAR-10 is or will be; made if it is not there.
        url: the archive of the binary version.
        md5: the archive's MD5 in hexadecimal.
        progress: called with the bytes received so far and, where the server says so, those of the archive.

    Returns:
        The files of images, training first.

    Raises:
        InputError: a file that was there already is damaged; `directory` is a file.
        FetchError: the download failed, or the archive is not the one expected. Nothing is left behind.
        OSError: the folder cannot be written.
    """
    if not _complete(directory):
        with _workspace(directory) as workspace:
            archive = workspace / "archive.tar.gz"
            _download(url, archive, _by_hand(url, directory), progress)
            _check_md5(archive, md5, url)
            _install(_unpack(archive, workspace / "unpacked", url), directory / BINARY.folder)
    cifar10.load(directory)
    return cifar10.files(directory)


def _complete(directory: Path) -> bool:
    if directory.exists() and not directory.is_dir():
        raise InputError(f"{directory} is a file, expected a folder for CIFAR-10; give another one")
    try:
        locate(directory)
    except InputError:
        return False
    return True


@contextmanager
def _workspace(directory: Path) -> Iterator[Path]:
    """A temporary folder in `directory`; when what is done in it fails, folders made for it go as well.

    Yields:
        The temporary folder.
    """
    made = [folder for folder in (directory, *directory.parents) if not folder.exists()]
    directory.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix=".cifar-10-", suffix=".part", dir=directory) as name:
            yield Path(name)
    except BaseException:
        # not empty any more: someone else put something there meanwhile
        with suppress(OSError):
            for folder in made:
                folder.rmdir()
        raise


def _by_hand(url: str, directory: Path) -> str:
    target = directory / BINARY.folder / BINARY.train[0]
    return f"to do it by hand, download {url} elsewhere and unpack it so that {target} is there"


def _download(url: str, archive: Path, by_hand: str, progress: Progress | None) -> None:
    with archive.open("wb") as file:
        try:
            received, total = _receive(url, file, progress)
        # ValueError: what urllib says to an address that is none
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise FetchError(f"could not download {url} ({reason(error)}); {by_hand}") from error
    if total is not None and received < total:
        raise FetchError(f"the download of {url} broke off after {received} of {total} bytes; {by_hand}")


def _receive(url: str, file: IO[bytes], progress: Progress | None) -> tuple[int, int | None]:
    """Copy what `url` gives to `file`; bytes received, and bytes announced."""
    received = 0
    with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as response:
        announced = response.headers.get("Content-Length", "")
        total = int(announced) if announced.isdigit() else None
        while chunk := response.read(CHUNK_BYTES):
            file.write(chunk)
            received += len(chunk)
            if progress is not None:
                progress(received, total)
    return received, total


def _check_md5(archive: Path, expected: str, url: str) -> None:
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != expected:
        raise FetchError(
            f"{url} has the MD5 {found}, expected {expected}: damaged on the way, or not CIFAR-10; try again"
        )


def _unpack(archive: Path, folder: Path, url: str) -> Path:
    """Unpack the archive to `folder`; the folder of images in it."""
    try:
        with tarfile.open(archive) as file:
            file.extractall(folder, filter="data")
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise FetchError(f"could not unpack {url} ({reason(error)}); free some space or try again") from error
    unpacked = folder / BINARY.folder
    missing = BINARY.missing(unpacked)
    if missing:
        raise FetchError(f"{url} lacks {', '.join(missing)} in {BINARY.folder}: not the archive of CIFAR-10")
    return unpacked


def _install(unpacked: Path, target: Path) -> None:
    if not target.exists():
        unpacked.rename(target)
        return
    for source in unpacked.iterdir():
        if not (target / source.name).exists():
            source.rename(target / source.name)
