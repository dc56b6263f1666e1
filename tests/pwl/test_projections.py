"""Projections: against scipy's isotonic regression and bounded least squares, and all constraints at once."""

import itertools
import math

import numpy as np
import pytest
import torch
from asserts import assert_close, assert_refused
from cases import DTYPES, GRIDS, grid_id
from scipy.optimize import isotonic_regression, lsq_linear

from pwlact.pwl import Knots, PiecewiseLinearActivation
from pwlact.pwl.projections import Shape, constrain, limit_rises

HARD = {
    "random": lambda n: torch.randn(n, dtype=torch.float64),
    "walk": lambda n: torch.randn(n, dtype=torch.float64).cumsum(0),
    "falling": lambda n: torch.arange(n, 0, -1, dtype=torch.float64),
    "rising": lambda n: torch.arange(n, dtype=torch.float64),
    "ties": lambda n: torch.randint(0, 3, (n,)).double(),
    "zigzag": lambda n: (torch.arange(n) % 2).double(),
    "spike": lambda n: torch.nn.functional.one_hot(torch.tensor(n // 2), n).double() * 9,
    "constant": lambda n: torch.full((n,), -2.5, dtype=torch.float64),
    "zero": lambda n: torch.zeros(n, dtype=torch.float64),
    "huge": lambda n: torch.randn(n, dtype=torch.float64) * 1e15,
    "tiny": lambda n: torch.randn(n, dtype=torch.float64) * 1e-15,
}
COUNTS = [2, 3, 4, 9, 33]


def nearest_by_least_squares(y, least, most):
    """min |z - y| over z = c + cumulated rises in [least, most], by an active-set solver; scale-free."""
    scale = max(np.abs(y).max(), 1e-300)
    n = len(y)
    matrix = np.tril(np.ones((n, n)))
    low, high = np.full(n, least / scale), np.full(n, most / scale)
    low[0], high[0] = -np.inf, np.inf
    return matrix @ lsq_linear(matrix, y / scale, (low, high), method="bvls", tol=1e-15, max_iter=500).x * scale


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("case", HARD)
def test_monotone_is_isotonic_regression(case, count):
    y, knots = HARD[case](count), Knots(count)
    scale = y.abs().max().item()
    for monotone, increasing in (("increasing", True), ("decreasing", False)):
        expected = torch.tensor(isotonic_regression(y.numpy(), increasing=increasing).x.copy())
        assert_close(constrain(y, knots, Shape(monotone=monotone)), expected, rtol=1e-12, atol=1e-13 * scale)


@pytest.mark.parametrize("monotone", [None, "increasing", "decreasing"])
@pytest.mark.parametrize("share", [0.01, 0.3, 5.0])
@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("case", HARD)
def test_slope_bound_is_the_nearest_function(case, count, share, monotone):
    y, knots = HARD[case](count), Knots(count, -1.0, 2.0)
    scale = y.abs().max().item()
    rise = share * max(scale, 1.0)
    least, most = -rise * (monotone != "increasing"), rise * (monotone != "decreasing")
    found = constrain(y, knots, Shape(monotone, rise / knots.spacing))
    expected = torch.from_numpy(nearest_by_least_squares(y.numpy(), least, most))
    # the nearest is unique, and as near as the solver's; the solver itself stops within 1e-7 of it
    assert (found - y).norm() <= (expected - y).norm() * (1 + 1e-9) + 1e-12 * scale
    assert_close(found, expected, rtol=1e-6, atol=1e-6 * scale)
    assert found.diff().max() <= most + 1e-14 * max(scale, rise)
    assert found.diff().min() >= least - 1e-14 * max(scale, rise)


@pytest.mark.parametrize("symmetry", ["odd", "even"])
def test_symmetry_is_the_nearest_symmetric_function(symmetry):
    sign = -1 if symmetry == "odd" else 1
    for count in COUNTS:
        y = HARD["random"](count)
        z = constrain(y, Knots(count), Shape(symmetry=symmetry))
        assert torch.equal(z, sign * z.flip(0))
        # what is taken away is orthogonal to every symmetric function
        other = HARD["walk"](count)
        assert ((y - z) @ (other + sign * other.flip(0))).abs() < 1e-12 * count**2


@pytest.mark.parametrize("case", HARD)
@pytest.mark.parametrize(
    "shape",
    [
        Shape("increasing", 0.8, "odd"),
        Shape("decreasing", None, "odd"),
        Shape(None, 0.5, "odd"),
        Shape(None, 0.7, "even"),
    ],
)
def test_symmetry_with_bounds_is_nearest_to_both(shape, case):
    # the rises of the left half, and for even functions the level, say all: bounded least squares on them
    knots = Knots(9, -2.0, 2.0)
    y = HARD[case](9)
    scale = max(y.abs().max().item(), 1e-300)
    rise = math.inf if shape.lipschitz is None else shape.lipschitz * knots.spacing / scale
    half = -np.triu(np.ones((4, 4)))
    matrix = np.vstack([half, np.zeros(4), -half[::-1] if shape.symmetry == "odd" else half[::-1]])
    low, high = (
        np.full(4, -rise * (shape.monotone != "increasing")),
        np.full(4, rise * (shape.monotone != "decreasing")),
    )
    low[np.isnan(low)], high[np.isnan(high)] = 0.0, 0.0
    if shape.symmetry == "even":
        matrix, low, high = np.column_stack([matrix, np.ones(9)]), np.append(low, -np.inf), np.append(high, np.inf)
    expected = matrix @ lsq_linear(matrix, y.numpy() / scale, (low, high), method="bvls", tol=1e-15).x * scale
    assert_close(constrain(y, knots, shape), torch.from_numpy(expected), rtol=1e-6, atol=1e-6 * scale)


@pytest.mark.parametrize("case", HARD)
@pytest.mark.parametrize(
    "shape",
    [Shape("increasing"), Shape("decreasing"), Shape(None, 2.0), Shape("increasing", 1.0), Shape(symmetry="odd")],
)
def test_what_has_the_shape_stays_bit_by_bit(case, shape):
    once = constrain(HARD[case](33).float(), Knots(), shape)
    kept = once if shape.lipschitz is None else once * 0.5  # a bound is met to rounding only
    assert torch.equal(constrain(kept, Knots(), shape), kept)


def test_rows_do_not_see_each_other():
    rows = torch.stack([make(33) for make in HARD.values()])
    for shape in (Shape("increasing"), Shape(None, 1.0), Shape("decreasing", 3.0), Shape(None, 2.0, "even")):
        together = constrain(rows, Knots(), shape)
        for row, z in zip(rows, together, strict=True):
            assert torch.equal(constrain(row, Knots(), shape), z)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf], ids=str)
def test_a_row_that_is_not_finite_stays_and_spoils_no_other(bad):
    rows = torch.stack([HARD["random"](5), HARD["random"](5)])
    rows[0, 2] = bad
    found = constrain(rows, Knots(5), Shape("increasing", 0.1))
    assert torch.equal(found[0].nan_to_num(7.0), rows[0].nan_to_num(7.0))
    assert torch.equal(found[1], constrain(rows[1], Knots(5), Shape("increasing", 0.1)))


def test_each_row_can_have_its_own_bounds():
    y = torch.randn(2, 6, dtype=torch.float64)
    least, most = torch.tensor([[0.0], [-0.2]]).double(), torch.tensor([[0.1], [3.0]]).double()
    found = limit_rises(y, least, most)
    for row in range(2):
        assert_close(found[row], limit_rises(y[row], least[row], most[row]))
    assert not torch.equal(found[0], limit_rises(y[0], least[1], most[1]))


# every combination of the settings of project_
SETTINGS = [
    dict(zip(("anchor", "monotone", "lipschitz", "symmetry", "normalise"), values, strict=True))
    for values in itertools.product(
        (False, True), (None, "increasing", "decreasing"), (None, 0.7), (None, "odd", "even"), (None, "l2", "variance")
    )
]


def excluded(setting):
    return (
        (setting["symmetry"] == "odd" and setting["anchor"])
        or (setting["symmetry"] == "even" and setting["monotone"])
        or (setting["lipschitz"] and setting["normalise"])
    )


def broken(activation, setting, tolerance):
    """Names of the asked properties that do not hold, by what the function does, not by its code."""
    y, h = activation.values.detach().double(), activation.knots.spacing
    largest = y.abs().amax(-1)
    slack = tolerance * largest[..., None] + 1e-13  # and the rounding of what was projected, up to 100, in double
    rises = y.diff(dim=-1)
    weights = torch.softmax(-activation.knots.positions().square() / 2, 0)
    variance = (weights * (y - (weights * y).sum(-1, keepdim=True)).square()).sum(-1)
    # a function that is constant to rounding has no size to scale
    near = lambda size: ((size - 1).abs() <= 20 * tolerance * (1 + largest)) | (size.sqrt() <= 4 * tolerance * largest)
    holds = {
        "anchor": lambda _: (y[..., 0] == 0).all(),
        "monotone": lambda way: ((rises if way == "increasing" else -rises) >= 0).all(),
        "lipschitz": lambda bound: (rises.abs() <= bound * h + slack).all(),
        "symmetry": lambda kind: (y - (y if kind == "even" else -y).flip(-1) == 0).all(),
        "normalise": lambda kind: near(y.norm(dim=-1) if kind == "l2" else variance).all(),
    }
    return [name for name, value in setting.items() if value and not holds[name](value)]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("knots", [grid for grid in GRIDS if grid.count < 50], ids=grid_id)
def test_all_that_can_hold_together_do(knots, dtype):
    tolerance = 4 * torch.finfo(dtype).eps
    done = 0
    for setting in itertools.filterfalse(excluded, SETTINGS):
        activation = PiecewiseLinearActivation(knots, channels=4).to(dtype)
        with torch.no_grad():
            activation.values.normal_().mul_(torch.tensor([[1.0], [30.0], [0.01], [5.0]]))
            activation.values[3].round_()
        activation.project_(**setting)
        assert not broken(activation, setting, tolerance), setting
        done += 1
    assert done == 44


@pytest.mark.parametrize(
    ("setting", "fragments"),
    [
        ({"symmetry": "odd"}, ("odd", "anchor=False")),
        ({"symmetry": "even", "monotone": "increasing"}, ("even", "increasing", "constants")),
        ({"lipschitz": 1.0, "normalise": "l2"}, ("l2", "lipschitz=1.0")),
        ({"lipschitz": 0.0}, ("lipschitz", "0.0")),
        ({"lipschitz": -1.0}, ("lipschitz", "-1.0")),
        ({"lipschitz": math.nan}, ("lipschitz", "nan")),
        ({"lipschitz": math.inf}, ("lipschitz", "inf")),
        ({"monotone": "up"}, ("monotone", "'up'", "increasing", "decreasing")),
        ({"symmetry": "both"}, ("symmetry", "'both'", "odd", "even")),
    ],
    ids=str,
)
@pytest.mark.usefixtures("unchecked")
def test_what_cannot_hold_is_refused_and_changes_nothing(setting, fragments):
    activation = PiecewiseLinearActivation(start="silu")
    before = activation.values.detach().clone()
    assert_refused(lambda: activation.project_(**setting), *fragments)
    assert torch.equal(activation.values, before)


def test_excluded_settings_are_all_refused():
    for setting in filter(excluded, SETTINGS):
        assert_refused(lambda setting=setting: PiecewiseLinearActivation(start="silu").project_(**setting))
