"""What the operation refuses, in one line that names the value and what was expected."""

import math

import pytest
import torch
from asserts import assert_refused

from pwlact.pwl import pwl

NAN = math.nan


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("x", "values", "more", "fragments"),
    [
        (torch.arange(3), torch.zeros(4), {}, ("floating", "torch.int64")),
        (torch.zeros(3, dtype=torch.bool), torch.zeros(4), {}, ("torch.bool",)),
        (torch.zeros(3), torch.tensor(1.0), {}, ("knots",)),
        (torch.zeros(3), torch.zeros(2, 2, 4), {}, ("(2, 2, 4)",)),
        (torch.zeros(3), torch.zeros(1), {}, ("knots", "1")),
        (torch.zeros(3), torch.zeros(0), {}, ("knots", "0")),
        (torch.zeros(2, 3), torch.zeros(4, 5), {}, ("4", "(2, 3)", "dimension 1")),
        (torch.zeros(3), torch.zeros(3, 5), {}, ("3", "dimension 1", "(3,)")),
        (torch.zeros(()), torch.zeros(1, 5), {"channel_dim": 0}, ("dimension 0", "()")),
        (torch.zeros(2, 4), torch.zeros(3, 5), {}, ("3", "dimension 1", "(2, 4)")),
        (torch.zeros(2, 4), torch.zeros(0, 5), {}, ("0 functions",)),
        (torch.zeros(2, 3), torch.zeros(3, 5), {"channel_dim": -3}, ("dimension -3",)),
        (torch.zeros(3), torch.zeros(4), {"low": 1.0, "high": 1.0}, ("low", "high")),
        (torch.zeros(3), torch.zeros(4), {"low": NAN}, ("low", "nan")),
    ],
    ids=[
        *("integer", "bool", "rank0", "rank3", "one-knot", "no-knot", "channels", "rank-too-low", "scalar-x"),
        *("groups", "no-function"),
        *("dim-too-low", "low-is-high", "nan-low"),
    ],
)
def test_bad_arguments_are_refused(x, values, more, fragments):
    assert_refused(lambda: pwl(x, values, **more), *fragments)
