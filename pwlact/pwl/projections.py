"""Nearest knot values that keep a shape: symmetry, monotony and bounded slopes, each the exact L2 projection.

Symmetry is a mirror that leaves the set of allowed slopes as it is, so projecting on it first and on the
slopes second gives the exact projection on both together. Slopes do not see a shift, nor symmetry and
direction a positive scale, so `anchor` and `normalise` may follow.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from pwlact import checks
from pwlact.pwl.knots import Knots

Symmetry = Literal["odd", "even"]
Direction = Literal["increasing", "decreasing"]
Normalise = Literal["l2", "variance"]


@dataclass(frozen=True)
class Shape:
    """Properties of a function that do not depend on its level: direction, bounded slope, symmetry.

    Attributes:
        monotone: "increasing" or "decreasing", not strictly.
        lipschitz: bound L on |f'(x)|, tails included.
        symmetry: "odd" or "even" about the middle of the interval.
    """

    monotone: Direction | None = None
    lipschitz: float | None = None
    symmetry: Symmetry | None = None

    def check_compatible(self, anchor: bool, normalise: str | None) -> None:
        """Whether all can hold together, whatever the values, and with a left knot at zero or a given size.

        Raises:
            InputError: an unknown name, a slope bound not above zero, or two that exclude each other.
        """
        for name, value, choices in (
            ("normalise", normalise, ("l2", "variance")),
            ("monotone", self.monotone, ("increasing", "decreasing")),
            ("symmetry", self.symmetry, ("odd", "even")),
        ):
            if value is not None:
                checks.choice(name, value, choices)
        if self.lipschitz is not None:
            checks.positive("lipschitz", self.lipschitz)
        if self.symmetry == "odd" and anchor:
            raise checks.InputError("symmetry='odd' puts the middle at zero, anchor the left knot: pass anchor=False")
        if self.symmetry == "even" and self.monotone is not None:
            raise checks.InputError(f"symmetry='even' and monotone={self.monotone!r} leave only constants: drop one")
        if self.lipschitz is not None and normalise is not None:
            raise checks.InputError(f"normalise={normalise!r} scales past lipschitz={self.lipschitz!r}: drop one")


ANY = Shape()
"""No property asked for."""


def symmetrise(values: Float[Tensor, "*functions knots"], symmetry: Symmetry) -> Float[Tensor, "*functions knots"]:
    """Odd part (y_s - y_{N-1-s}) / 2 or even part (y_s + y_{N-1-s}) / 2 about the middle of the interval.

    The middle is 0 where the interval is [-a, a]. Tails are mirrored with their edge segments.
    """
    mirrored = values.flip(-1)
    return (values - mirrored if symmetry == "odd" else values + mirrored) / 2


def constrain(
    values: Float[Tensor, "*functions knots"], knots: Knots, shape: Shape
) -> Float[Tensor, "*functions knots"]:
    """The nearest values, in the L2 norm over the knots, of functions of that shape.

    Args:
        values: knot values y, shape (N,) or (G, N); a row with NaN or infinity stays as it is.
        knots: the N knots.
        shape: the properties; a slope bound is met to the rounding of the values.

    Returns:
        values in the same shape and type; those that have the properties come back bit by bit.
    """
    symmetry = shape.symmetry
    result = values if symmetry is None else symmetrise(values, symmetry)
    if shape.monotone is not None or shape.lipschitz is not None:
        # between the extremes no rise exceeds their distance, so that is as good as no bound
        most = (result.amax(-1, keepdim=True).double() - result.amin(-1, keepdim=True)).nan_to_num()
        most = most if shape.lipschitz is None else most.clamp(max=shape.lipschitz * knots.spacing)
        least = -most if shape.monotone != "increasing" else torch.zeros_like(most)
        result = limit_rises(result, least, most if shape.monotone != "decreasing" else torch.zeros_like(most))
        if symmetry is not None:
            result = symmetrise(result, symmetry)  # takes back the asymmetry of rounding only
    return result


def limit_rises(
    values: Float[Tensor, "*functions knots"], least: Float[Tensor, "*functions 1"], most: Float[Tensor, "*functions 1"]
) -> Float[Tensor, "*functions knots"]:
    """argmin_z sum_s (z_s - y_s)^2 / 2 subject to least <= z_{s+1} - z_s <= most, exactly.

    Dynamic programming over the knots, all rows at once. The best cost of knots 0..s with z_s = z is convex
    and piecewise quadratic; its derivative D_s is piecewise linear. With m_s its root,

        D_{s+1}(z) = (z - y_{s+1}) + min(D_s(z - least), 0) + max(D_s(z - most), 0),

    that is, what lies left of m_s moves by `least`, what lies right of it by `most`. Backwards, z_s is m_s
    clipped to [z_{s+1} - most, z_{s+1} - least]. least = 0 alone is isotonic regression. O(N^2) a row.

    Args:
        values: y, shape (..., N); a row that is not finite stays as it is.
        least: smallest rise, shape (..., 1).
        most: largest rise, at least `least`, shape (..., 1).

    Returns:
        z, in the shape and type of `values`, computed in float64.
    """
    y = values.double().reshape(-1, values.shape[-1])
    least, most = least.reshape(-1, 1).double(), most.reshape(-1, 1).double()
    count = y.shape[-1]
    places, heights = y[:, :1], torch.zeros_like(y[:, :1])  # the corners of D_0
    roots = []
    for s in range(1, count):
        roots.append(_root(places, heights, s))
        places, heights = _part(places, heights, roots[-1], least, most)
        heights = heights + places - y[:, s : s + 1]
    z = [_root(places, heights, count)]
    for root in reversed(roots):
        z.append(torch.minimum(torch.maximum(root, z[-1] - most), z[-1] - least))
    rises = y.diff(dim=-1)
    kept = ((rises >= least) & (rises <= most)).all(-1, keepdim=True) | ~y.isfinite().all(-1, keepdim=True)
    nearest = torch.where(kept, y, torch.cat(z[::-1], dim=-1))
    return nearest.reshape(values.shape).to(values.dtype)


def _root(places: Tensor, heights: Tensor, outer: int) -> Tensor:
    """Where the rising piecewise-linear function with these corners, of slope `outer` beyond them, is 0."""
    corners = places.shape[-1]
    below = (heights < 0).sum(-1, keepdim=True)
    left, right = (below - 1).clamp(min=0), below.clamp(max=corners - 1)
    place, height = places.gather(-1, left), heights.gather(-1, left)
    slope = (heights.gather(-1, right) - height) / (places.gather(-1, right) - place)
    slope = torch.where((below == 0) | (below == corners), float(outer), slope)
    return place - height / slope


def _part(places: Tensor, heights: Tensor, root: Tensor, least: Tensor, most: Tensor) -> tuple[Tensor, Tensor]:
    """Corners of min(D(z - least), 0) + max(D(z - most), 0) from those of D and its root."""
    corners = places.shape[-1]
    below = (heights < 0).sum(-1, keepdim=True)
    j = torch.arange(corners + 2, device=places.device).expand(len(places), -1)
    left, flat = j < below, (j == below) | (j == below + 1)
    source = torch.where(left, j, j - 2).clamp(0, corners - 1)
    moved = torch.where(flat, root, places.gather(-1, source)) + torch.where(j <= below, least, most)
    return moved, heights.gather(-1, source).masked_fill(flat, 0.0)


def sizes(
    values: Float[Tensor, "*functions knots"], knots: Knots, normalise: Normalise
) -> Float[Tensor, "*functions 1"]:
    """What `normalise` scales to its target: the L2 norm of the values, or the deviation of f(x), x ~ N(0, 1).

    The deviation is weighted at the knots; 0 where it is but the rounding of a constant. Computed in at
    least float32: the squares of small float16 values would be 0.
    """
    y = values.to(torch.promote_types(values.dtype, torch.float32))
    if normalise == "l2":
        return y.norm(dim=-1, keepdim=True)
    weights = torch.softmax(-knots.positions(y.dtype, y.device).square() / 2, dim=-1)
    mean = (weights * y).sum(-1, keepdim=True)
    deviation = (weights * (y - mean).square()).sum(-1, keepdim=True).sqrt()
    rounding = 8 * torch.finfo(values.dtype).eps * y.abs().amax(-1, keepdim=True)
    return torch.where(deviation > rounding, deviation, 0.0)
