"""What is measured of an activation as a map from a layer's inputs z to its outputs a."""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pwlact.experiments.perceptrons import Factory

Map = Callable[[Tensor], Tensor]
DRAWS, FAR = 256, 1e9


def jacobian(function: Map, z: Float[Tensor, "*batch units"]) -> Float[Tensor, "*batch outputs units"]:
    """da_i/dz_j at every z, for a map that treats the leading dimensions as a batch.

    Args:
        function: the map.
        z: inputs.
    """
    z = z.detach().requires_grad_()
    a = function(z)
    if not a.requires_grad:
        return z.new_zeros(*a.shape, z.shape[-1])
    rows = [
        torch.autograd.grad(a[..., i].sum(), z, retain_graph=True, materialize_grads=True)[0]
        for i in range(a.shape[-1])
    ]
    return torch.stack(rows, -2)


def crossing_share(j: Float[Tensor, "*batch outputs units"]) -> Float[Tensor, "*batch"]:
    """sum |da_i/dz_j| over the entries with which one unit acts on another, as a share of the sum over all.

    Where outputs are several paths side by side, path p of unit j is output p * units + j. 0 where J = 0.

    Args:
        j: Jacobian.
    """
    outputs, units = j.shape[-2:]
    own = torch.eye(units, dtype=torch.bool).repeat(outputs // units, 1)
    size = j.abs()
    total = size.sum((-2, -1))
    return torch.where(total > 0, (size * ~own).sum((-2, -1)) / torch.where(total > 0, total, 1.0), 0.0)


def is_shift_invariant(activation: Factory, units: int) -> bool:
    """Whether adding 1 to all units leaves every output alone, so that only differences of units mean anything.

    Args:
        activation: units -> module.
        units: number of units.
    """
    module = activation(units).double()
    z = draws(units)
    with torch.no_grad():
        return bool(torch.allclose(module(z + 1.0), module(z), rtol=0.0, atol=1e-9))


def seen_part(activation: Factory, units: int) -> Float[Tensor, "units units"]:
    """Projection of z onto what the activation sees of it, orthogonal to directions that never change an output.

    A softmax does not see the mean of its units, a grouped one that of no group; a unit's hyperplane is where the rest
    of its z is 0. The unseen directions are the common null space of Jacobians at many z, of which the small ones
    leave no unit of a sparse map outside its support.

    Args:
        activation: units -> module.
        units: number of units.

    Returns:
        symmetric projection, float64; the identity where everything is seen.
    """
    z = draws(units)
    j = jacobian(activation(units).double(), torch.cat([z, 0.01 * z])).flatten(0, 1)
    variances, directions = torch.linalg.eigh(j.mT @ j)
    unseen = directions[:, variances <= 1e-9 * variances[-1]]
    # rounded, so that the projections of a pair's two units are exact opposites
    return (torch.eye(units, dtype=torch.float64) - unseen @ unseen.mT).mul(1e12).round().div(1e12)


def growth(module: nn.Module, units: int, near: float = 1e2, far: float = 1e4) -> float:
    """Slope of ln mean ||a(t z)|| over ln t between two large t, mean over draws of z: 1 keeps size, 0 loses it.

    Args:
        module: the activation, in float64.
        units: number of units.
        near: smaller t.
        far: larger t.

    Returns:
        the slope; NaN where all outputs are 0.
    """
    z = draws(units)
    with torch.no_grad():
        sizes = [module(t * z).norm(dim=-1).mean().log() for t in (near, far)]
    return float(sizes[1] - sizes[0]) / math.log(far / near)


def pieces(module: nn.Module, units: int, side: int = 128, seed: int = 0) -> int | None:
    """Pieces that a layer of random hyperplanes cuts the square [-1, 1]^2 into, in the limit of large inputs.

    There every activation but those that curve at all sizes is affine in z on each piece (softmax picks the largest
    unit, tanh the sign, a piecewise-linear one goes on in its tails), so pieces are counted as different pairs
    (J, a - J z) on a grid: a lower bound, for pieces between its points are missed.

    Args:
        module: the activation, in float64.
        units: number of units.
        side: points along a side of the grid.
        seed: of the hyperplanes.

    Returns:
        number of pieces, or None where there is no such limit.
    """
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(units, 2, generator=generator, dtype=torch.float64)
    bias = 0.5 * torch.randn(units, generator=generator, dtype=torch.float64)
    line = torch.linspace(-1, 1, side, dtype=torch.float64)
    # far enough for every transition to be sharp between two points of the grid, and the rounding of J z to stay small
    z = FAR * (torch.cartesian_prod(line, line) @ weight.mT + bias)
    j = jacobian(module, z)
    with torch.no_grad():
        offset = module(z) - (j @ z[..., None])[..., 0]
    found = len(torch.unique((torch.cat([j.flatten(1), offset], 1) * 1e3).round(), dim=0))
    return found if found <= side**2 // 8 else None


def draws(units: int, count: int = DRAWS) -> Float[Tensor, "draws units"]:
    """Standard normal z, the same each time, float64.

    Args:
        units: number of units.
        count: number of draws.
    """
    generator = torch.Generator().manual_seed(units)
    return torch.randn(count, units, generator=generator, dtype=torch.float64)
