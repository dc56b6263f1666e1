"""What every test gets: checked annotations, a fixed seed, and real CIFAR-10 where it is found."""

import os
from pathlib import Path

import jaxtyping

# shapes and types of the numerical core are checked at run time, in tests only; before pwlact is imported.
# pwlact.swish takes numpy's ArrayLike, in which beartype does not let a float pass for a complex
CHECKED = [
    "pwlact.pwl",
    "pwlact.moments",
    "pwlact.correlation",
    "pwlact.competitive",
    "pwlact.matching",
    "pwlact.redundancy",
]
jaxtyping.install_import_hook(CHECKED, "beartype.beartype")

import pytest  # noqa: E402
import torch  # noqa: E402
from hypothesis import settings  # noqa: E402

# derandomize: a failure is a failure of the code, not of the day; machines here are shared, so no deadline
settings.register_profile("here", derandomize=True, deadline=None, max_examples=50)
settings.load_profile("here")

CIFAR_FILES = ("cifar-10-batches-bin/test_batch.bin", "cifar-10-batches-py/test_batch")


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture
def unchecked():
    """Annotations unchecked: for what arguments of a wrong type meet outside the tests."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(scope="session")
def data_directory() -> Path:
    """The folder that holds a published layout of CIFAR-10; skips where there is none."""
    given = os.environ.get("PWLACT_DATA")
    root = Path(given) if given else Path(__file__).parents[1] / ".data"
    if not any((root / name).is_file() for name in CIFAR_FILES):
        pytest.skip(f"no CIFAR-10 in {root}; set PWLACT_DATA to the folder that holds cifar-10-batches-bin")
    return root
