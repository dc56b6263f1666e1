"""Small home-made sets in the binary layout, and the one check of every error message."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pwlact.checks import InputError

BINARY_FILES = [f"data_batch_{number}.bin" for number in range(1, 6)] + ["test_batch.bin"]


def records(count: int, seed: int) -> bytes:
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 10, (count, 1), dtype=np.uint8)
    return np.hstack([labels, generator.integers(0, 256, (count, 3072), dtype=np.uint8)]).tobytes()


@pytest.fixture
def make_binary() -> Callable[[Path, int], Path]:
    """Writes the six binary files, file k (0..5) with `count` + k random images, and returns the folder."""

    def make(folder: Path, count: int = 2) -> Path:
        folder.mkdir(parents=True)
        for index, name in enumerate(BINARY_FILES):
            (folder / name).write_bytes(records(count + index, seed=index))
        return folder

    return make


@pytest.fixture
def refused() -> Callable[..., str]:
    """Calls and expects an error whose message is one line with all of `parts` in it."""

    def check(call: Callable[[], object], *parts: str, error: type[Exception] = InputError) -> str:
        with pytest.raises(error) as caught:
            call()
        message = str(caught.value)
        assert caught.type is error
        assert "\n" not in message
        for part in parts:
            assert part in message, message
        return message

    return check
