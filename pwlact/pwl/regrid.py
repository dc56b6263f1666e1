"""The same function on other knots: interpolation, and how far the two functions are apart."""

import torch
from jaxtyping import Float
from torch import Tensor

from pwlact.pwl.functional import pwl
from pwlact.pwl.knots import Knots


def regrid(values: Float[Tensor, "*functions old"], knots: Knots, new: Knots) -> Float[Tensor, "*functions new"]:
    """Values of f at the new knots, z_s = f(t'_s), in float64.

    Exact where every bend of f is a new knot and the new edge segments lie on the old ones or their tails:
    33 -> 65 knots, or whole steps more on either side. Elsewhere f is interpolated, and not fitted by least
    squares: interpolation keeps monotony, slope bounds and symmetry, does not ring, and its largest error
    on the new interval is at most twice the least possible (interpolation on hats has sup-norm 1).

    Args:
        values: knot values y, shape (N,) or (G, N).
        knots: the N knots that they are on.
        new: the M knots that are wanted.

    Returns:
        values on `new`, shape (M,) or (G, M).
    """
    return at_positions(values, knots, new.positions(device=values.device))


def at_positions(
    values: Float[Tensor, "*functions knots"], knots: Knots, positions: Float[Tensor, " places"]
) -> Float[Tensor, "*functions places"]:
    """Every function at every position, shape (M,) or (G, M), in float64."""
    y = values.double()
    if values.ndim == 1:
        return pwl(positions, y, knots.low, knots.high)
    return pwl(positions.expand(values.shape[0], -1), y, knots.low, knots.high, 0)


def distance(
    values: Float[Tensor, "*functions knots"], knots: Knots, others: Float[Tensor, "*functions more"], new: Knots
) -> Float[Tensor, ""]:
    """max |f - g| over all functions and the union of both intervals; beyond it the tails may part.

    The difference is piecewise linear with bends at the knots of either, so it is largest at one of them.
    """
    t = torch.cat([knots.positions(device=values.device), new.positions(device=values.device)])
    return (at_positions(values, knots, t) - at_positions(others, new, t)).abs().amax()
