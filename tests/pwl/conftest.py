"""What the tests of the operation get: each kernel of this machine in turn, and the threads as they were."""

import pytest
import torch

from pwlact.pwl.kernels import BACKENDS, available, use

KERNELS = [name for name, why in available().items() if not why and BACKENDS[name] in {"cpu", "any"}]
COMPILED = [name for name in KERNELS if name != "torch"]


@pytest.fixture(params=KERNELS)
def backend(request):
    """The test runs once on every kernel for the CPU."""
    with use(request.param):
        yield request.param


@pytest.fixture(params=COMPILED)
def compiled(request):
    """The test runs once on every compiled kernel."""
    with use(request.param):
        yield request.param


@pytest.fixture
def threads():
    """A function that sets the number of threads; it is restored afterwards."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)
