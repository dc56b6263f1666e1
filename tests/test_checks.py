"""Argument checks: what passes unchanged, what is refused, and that the message names the value."""

import math

import pytest
from asserts import assert_refused

from pwlact import checks

NOT_FINITE = [math.nan, math.inf, -math.inf]
NOT_NUMBERS = [True, False, "1", None, [1.0], 1j]

ACCEPTED = {
    checks.finite: [0, -3, 2.5, -1e308, 5e-324],
    checks.positive: [1, 2.5, 5e-324, 1e308],
    checks.not_negative: [0, 0.0, -0.0, 1, 1e308],
    checks.share: [0, 0.0, -0.0, 5e-324, 0.5, 1 - 1e-16],
}
REFUSED = {
    checks.finite: [*NOT_FINITE, *NOT_NUMBERS],
    checks.positive: [0, 0.0, -1, -5e-324, *NOT_FINITE, *NOT_NUMBERS],
    checks.not_negative: [-1, -5e-324, *NOT_FINITE, *NOT_NUMBERS],
    checks.share: [-1, -5e-324, 1, 1.5, *NOT_FINITE, *NOT_NUMBERS],
}


def pairs(table):
    return [
        pytest.param(check, value, id=f"{check.__name__}-{value!r}")
        for check, values in table.items()
        for value in values
    ]


@pytest.mark.parametrize(("check", "value"), pairs(ACCEPTED))
def test_numbers_that_pass_come_back_unchanged(check, value):
    assert check("width", value) is value


@pytest.mark.parametrize(("check", "value"), pairs(REFUSED))
def test_numbers_that_are_refused_are_named(check, value):
    assert_refused(lambda: check("width", value), "width", repr(value))


@pytest.mark.parametrize(("value", "least"), [(2, 2), (3, 2), (10**20, 2), (0, 0), (-1, -1)])
def test_whole_numbers_that_pass(value, least):
    assert checks.at_least("knots", value, least) is value


@pytest.mark.parametrize("value", [1, 0, -5, 2.0, 2.5, *NOT_FINITE, *NOT_NUMBERS], ids=repr)
def test_whole_numbers_that_are_refused(value):
    assert_refused(lambda: checks.at_least("knots", value, 2), "knots", "at least 2", repr(value))


def test_the_reason_ends_the_message():
    with pytest.raises(checks.InputError, match=r"got 1: one segment needs two$"):
        checks.at_least("knots", 1, 2, "one segment needs two")
    with pytest.raises(checks.InputError, match=r"got 1$"):
        checks.at_least("knots", 1, 2)


@pytest.mark.parametrize("choices", [("a", "b"), ["a", "b"], {"a": 1, "b": 2}], ids=["tuple", "list", "dict"])
def test_choices(choices):
    assert checks.choice("solver", "b", choices) == "b"
    assert_refused(lambda: checks.choice("solver", "c", choices), "solver", "a, b", "'c'")
    assert_refused(lambda: checks.choice("solver", "", choices), "''")


def test_interval_that_passes():
    assert checks.interval(-1, 2.5) == (-1, 2.5)


@pytest.mark.parametrize(
    ("low", "high", "fragments"),
    [
        (1.0, 1.0, ("first=1.0", "last=1.0")),
        (2, -2, ("first=2", "last=-2")),
        (math.nan, 1.0, ("first", "nan")),
        (0.0, math.nan, ("last", "nan")),
        (-math.inf, 1.0, ("first", "-inf")),
        (0.0, math.inf, ("last", "inf")),
    ],
    ids=str,
)
def test_intervals_that_are_refused(low, high, fragments):
    assert_refused(lambda: checks.interval(low, high, ("first", "last")), *fragments)


def test_input_errors_are_value_errors():
    assert issubclass(checks.InputError, ValueError)
