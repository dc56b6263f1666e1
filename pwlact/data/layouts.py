"""The two published layouts of CIFAR-10 on disk: file names, checksums, and where they are found."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pwlact.checks import InputError

OFFICIAL_COUNT = 10_000


@dataclass(frozen=True)
class Layout:
    """One published version of CIFAR-10.

    Attributes:
        folder: the name of the folder that its archive unpacks to.
        train: names of the training files, in order.
        test: name of the test file.
        names: name of the file that holds the names of the classes.
        algorithm: the checksum's algorithm, as `hashlib` names it.
        checksums: the published checksum of each file of images.
    """

    folder: str
    train: tuple[str, ...]
    test: str
    names: str
    algorithm: str
    checksums: Mapping[str, str]

    @property
    def files(self) -> tuple[str, ...]:
        """Names of the files that must be there: training, then test."""
        return (*self.train, self.test)

    def missing(self, folder: Path) -> list[str]:
        """Names of the required files that `folder` lacks."""
        return [name for name in self.files if not (folder / name).is_file()]


# SHA-1 of the binary files: the list in MXNet's CIFAR10 data set
BINARY = Layout(
    folder="cifar-10-batches-bin",
    train=tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    test="test_batch.bin",
    names="batches.meta.txt",
    algorithm="sha1",
    checksums={
        "data_batch_1.bin": "aadd24acce27caa71bf4b10992e9e7b2d74c2540",
        "data_batch_2.bin": "c0ba65cce70568cd57b4e03e9ac8d2a5367c1795",
        "data_batch_3.bin": "1dd00a74ab1d17a6e7d73e185b69dbf31242f295",
        "data_batch_4.bin": "aab85764eb3584312d3c7f65fd2fd016e36a258e",
        "data_batch_5.bin": "26e2849e66a845b7f1e4614ae70f4889ae604628",
        "test_batch.bin": "67eb016db431130d61cd03c7ad570b013799c88c",
    },
)

# MD5 of the Python files: the list in torchvision's CIFAR10 data set
PYTHON = Layout(
    folder="cifar-10-batches-py",
    train=tuple(f"data_batch_{number}" for number in range(1, 6)),
    test="test_batch",
    names="batches.meta",
    algorithm="md5",
    checksums={
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        "test_batch": "40351d587109b95175f43aff81a1287e",
    },
)


def locate(directory: Path) -> tuple[Path, Layout]:
    """The folder with the images and its layout: `directory` itself or a sub-folder with a published name.

    A complete layout goes before one that lacks files, the binary version before the Python one.

    Raises:
        InputError: there is no such folder, or no complete layout in it.
    """
    if not directory.is_dir():
        state = "is a file" if directory.exists() else "does not exist"
        raise InputError(f"{directory} {state}, expected a folder with CIFAR-10; {_way_out(directory)}")
    started = _started(directory)
    for folder, layout in started:
        if not layout.missing(folder):
            return folder, layout
    if started:
        folder, layout = started[0]
        missing = ", ".join(layout.missing(folder))
        raise InputError(f"{folder} lacks {missing} of CIFAR-10; {_way_out(directory)}")
    raise InputError(
        f"{directory} holds no CIFAR-10: expected data_batch_1.bin to data_batch_5.bin and test_batch.bin in "
        f"it or in {BINARY.folder}, or {PYTHON.folder}; {_way_out(directory)}"
    )


def holds_some(directory: Path) -> bool:
    """Whether `directory` holds at least one file of a layout, complete or not."""
    return bool(_started(directory))


def check_sum(path: Path, layout: Layout, count: int, content: bytes) -> None:
    """Check a file of the published name and number of images against its published checksum.

    Images of a user's own, in a folder of another name or of another number, pass.

    Raises:
        InputError: the file is damaged.
    """
    if count != OFFICIAL_COUNT or path.parent.resolve().name != layout.folder:
        return
    expected = layout.checksums[path.name]
    found = hashlib.new(layout.algorithm, content, usedforsecurity=False).hexdigest()
    if found != expected:
        raise InputError(
            f"{path} is damaged: its {layout.algorithm.upper()} is {found}, published is {expected}; "
            f"{repair(path)}, or rename the folder if the images are your own on purpose"
        )


def repair(path: Path) -> str:
    """The way out for a damaged file, as the end of a message."""
    return f"delete it and {_fetch(path.parent)}"


def _started(directory: Path) -> list[tuple[Path, Layout]]:
    candidates = [(folder, layout) for layout in (BINARY, PYTHON) for folder in (directory, directory / layout.folder)]
    return [pair for pair in candidates if len(pair[1].missing(pair[0])) < len(pair[1].files)]


def _way_out(directory: Path) -> str:
    return f"give another folder, or {_fetch(directory)}"


def _fetch(directory: Path) -> str:
    inside = directory.resolve().name in {BINARY.folder, PYTHON.folder}
    return f"get CIFAR-10 with `pwlact data cifar10 {directory.parent if inside else directory}`"
