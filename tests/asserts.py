"""Properties and comparisons that several tests share."""

import pytest
import torch

from pwlact.checks import InputError

# a few roundings of each type; 16-bit types are computed in float32 and rounded once
RTOL = {torch.float64: 1e-12, torch.float32: 2e-5, torch.bfloat16: 8e-3, torch.float16: 1e-3}


def assert_close(actual, expected, rtol=None, atol=None):
    """Equal within a tolerance that goes with the type of `actual`; shape and type must agree as well."""
    rtol = RTOL[actual.dtype] if rtol is None else rtol
    torch.testing.assert_close(actual, expected, rtol=rtol, atol=rtol if atol is None else atol, equal_nan=True)


def assert_same_layout(actual, expected):
    """Same shape, type and order of the dimensions in memory."""
    assert (actual.shape, actual.dtype) == (expected.shape, expected.dtype)
    if not 0 < actual.numel() == expected.numel():
        return
    assert actual.stride() == torch.empty_like(expected).stride()


def assert_refused(call, *fragments):
    """`call` raises InputError with one line that holds all `fragments`."""
    with pytest.raises(InputError) as caught:
        call()
    message = str(caught.value)
    assert message
    assert "\n" not in message
    for fragment in fragments:
        assert fragment in message
