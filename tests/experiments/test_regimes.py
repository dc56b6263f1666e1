"""Regimes: spike, ramp, bowl as sigma grows."""

import math

import numpy as np
import pytest
from asserts import assert_refused
from golden import DEFAULT_EXPERIMENT

from pwlact.experiments import regimes
from pwlact.files import to_json


@pytest.fixture(scope="module")
def rows():
    return {row["sigma"]: row for row in regimes.run(count=5)["rows"]}


def test_sigmas_are_geometric(rows):
    assert list(rows) == pytest.approx([0.1, math.sqrt(0.1), 1, math.sqrt(10), 10])


def test_spike_ramp_bowl(rows):
    names = [row["regime"] for row in rows.values()]
    assert (names[0], names[2], names[-1]) == ("spike", "ramp", "bowl")
    # the order never turns back
    order = [("spike", "ramp", "bowl").index(name) for name in names]
    assert order == sorted(order)


def test_measures(rows):
    middle = next(row for s, row in rows.items() if math.isclose(s, 1))
    golden = DEFAULT_EXPERIMENT["sigma-1"]
    assert middle["reward"] == pytest.approx(golden.reward, abs=5e-6)
    assert (middle["beta"], middle["x0"]) == pytest.approx((golden.beta, golden.x0), abs=0.02)
    assert middle["ramp_r2"] > 0.99
    first, *_, last = rows.values()
    # one class against all others takes most of the reward, if classes hardly overlap
    assert first["top_share"] > 0.5 > middle["top_share"] > last["top_share"]
    assert first["left_end"] < middle["left_end"] < 0.25 < last["left_end"]
    assert last["at_bound"] != []
    to_json(list(rows.values()))


def test_few_classes_have_no_ramp():
    (row, _) = regimes.run(3, 0.5, 1.0, 2)["rows"]
    assert row["ramp_r2"] is None
    assert np.isfinite(row["swish_r2"])


@pytest.mark.parametrize(
    ("arguments", "named"),
    [((2,), "degenerate"), ((20, 0.0), "low"), ((20, 2.0, 1.0), "low=2.0"), ((20, 1.0, 2.0, 1), "count")],
    ids=str,
)
def test_bad_settings_are_refused(arguments, named):
    assert_refused(lambda: regimes.run(*arguments), named)
