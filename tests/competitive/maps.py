"""The maps, and the rows of scores that the properties run over."""

import torch

from pwlact.competitive import MAPS

SIMPLEX = [name for name, row in MAPS.items() if row.facts.simplex]
EVERY = list(MAPS)


def rows(count=6):
    """float64 rows of `count` units: supports of all sizes, ties exact and within a step, extreme scales."""
    generator = torch.Generator().manual_seed(0)
    plain = torch.randn(40, count, generator=generator, dtype=torch.float64)
    # a geometric fall: at each scale of it another number of units is within the support
    falling = -torch.arange(count, dtype=torch.float64) * torch.logspace(-3, 1, 30, dtype=torch.float64)[:, None]
    tied = torch.tensor([[1.0] * count, [0.0] * (count - 1) + [1.0], [2.0, 2.0] + [1.5] * (count - 2)]).double()
    step = tied.clone()
    step[:, 0] = torch.nextafter(step[:, 0], torch.tensor(torch.inf, dtype=torch.float64))
    return torch.cat([0.1 * plain, plain, 5 * plain, falling, falling.flip(-1), tied, step])


def extremes(count=6):
    """Rows at 1e15, 1e-15, subnormal and mixed sizes."""
    generator = torch.Generator().manual_seed(1)
    plain = torch.randn(8, count, generator=generator, dtype=torch.float64)
    mixed = plain * torch.tensor([1e15, 1.0, 1e-15, 5e-324, -1e15, 0.0], dtype=torch.float64)[:count]
    return torch.cat([1e15 * plain, 1e-15 * plain, 1e-310 * plain, mixed, plain + 1e15, torch.zeros(1, count).double()])


def smooth(name, z):
    """The rows at which the map is differentiable with some room around, so that formulas and autograd must agree.

    No unit within 1e-6 of the edge of the support or of zero, no ties for the largest.
    """
    top = z.topk(2).values
    apart = (top[:, 0] - top[:, 1]) > 1e-6
    if name in {"relu-times-softmax", "masked-relu-times-softmax", "parallel-paths", "gated-relu-softmax"}:
        apart = apart & (z.abs() > 1e-6).all(-1)
    return z[apart]
