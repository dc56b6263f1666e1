"""The shared lists of inputs: shapes, layouts, scales, grids and mixtures that the properties run over."""

import torch

from pwlact.pwl import Knots

DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]

SHAPES = [(), (1,), (7,), (0,), (3, 1), (2, 5), (4, 0, 3), (2, 3, 5), (2, 3, 4, 5), (1, 1, 1, 1), (2, 3, 2, 2, 3)]

# name -> a tensor of (2, 3, 4, 5) or so in that layout, from a contiguous one
LAYOUTS = {
    "contiguous": lambda x: x,
    "transposed": lambda x: x.transpose(1, -1).contiguous().transpose(1, -1),
    "channels_last": lambda x: x.to(memory_format=torch.channels_last),
    "step": lambda x: torch.stack([x, x], -1).flatten(-2)[..., ::2],
    "expanded": lambda x: x[:1].expand(x.shape),
    "expanded_channels": lambda x: x[:, :1].expand(x.shape),
    "flipped_order": lambda x: x.permute(3, 2, 1, 0).contiguous().permute(3, 2, 1, 0),
}
# in these, elements share memory or leave gaps, so the result cannot have the same strides
NOT_DENSE = {"step", "expanded", "expanded_channels"}

GRIDS = [
    Knots(2, -1.0, 1.0),
    Knots(3, 0.0, 7.0),
    Knots(33, -3.0, 3.0),
    Knots(10, -1e-3, 2e-3),
    Knots(257, -1e4, 3e4),
]


def grid_id(knots):
    return f"{knots.count}-knots-{knots.low:g}..{knots.high:g}"


def inputs(knots, count=60):
    """Points in every segment, in both tails, and at extreme scales; none within rounding of a knot."""
    spread = torch.rand(count, dtype=torch.float64) * 2 - 0.5
    segment = torch.arange(-3, knots.count + 2, dtype=torch.float64)
    centres = knots.low + knots.spacing * (segment + 0.3)
    extreme = torch.tensor([1e15, -1e15, 1e8, -1e8], dtype=torch.float64) * max(abs(knots.low), abs(knots.high))
    return torch.cat([knots.low + spread * (knots.high - knots.low), centres, extreme])


# means, sigmas, priors; from equal and even to lopsided, with classes that lie off the knots
MIXTURES = {
    "even": ([-1.5, -0.5, 0.5, 1.5], [1.0] * 4, [0.25] * 4),
    "unequal_priors": ([-1.0, 0.0, 2.0], [0.7] * 3, [0.1, 0.3, 0.6]),
    "unequal_sigmas": ([-1.0, 0.5, 1.0], [0.2, 1.5, 0.6], [1 / 3] * 3),
    "narrow": ([-1.1, 0.05, 0.4, 2.2], [0.02, 0.03, 0.01, 0.02], [0.25] * 4),
    "wide": ([-1.0, 0.0, 1.5], [30.0, 20.0, 40.0], [0.2, 0.5, 0.3]),
    "off_the_grid": ([-5.0, 0.0, 6.0], [1.0, 0.5, 2.0], [0.3, 0.4, 0.3]),
    "two_classes": ([-0.5, 1.0], [1.0, 1.0], [0.3, 0.7]),
}


# ranges off zero, off the powers of two, long, and with more knots than tables in registers or caches hold
ODD_GRIDS = [
    Knots(33, 0.1, 0.7),
    Knots(65, -1e4, 3e4),
    Knots(5, 1000.0, 1001.0),
    Knots(17, -1e-20, 3e-20),
    Knots(34, -1e20, 2e20),
    Knots(1000, -3.0, 3.0),
    Knots(5000, -1.0, 2.0),
]


def around(knots, ulps, dtype):
    """All numbers of the type within so many steps of each knot."""
    integer = {8: torch.int64, 4: torch.int32, 2: torch.int16}[dtype.itemsize]
    bits = knots.positions().to(dtype).view(integer)
    steps = torch.arange(-ulps, ulps + 1, dtype=integer)
    near = (bits[:, None] + steps).view(dtype).reshape(-1)
    return near[near.isfinite()]


def extremes(knots, dtype):
    """Zeros, subnormals, the largest numbers, infinities, NaN, and points far out and inside."""
    finfo = torch.finfo(dtype)
    sizes = [0.0, finfo.smallest_normal, finfo.smallest_normal * finfo.eps, finfo.max, 1e-15, 1e15, 1e38, torch.inf]
    special = torch.tensor(sizes, dtype=torch.float64).to(dtype)
    return torch.cat([special, -special, special.new_tensor([torch.nan]), inputs(knots).to(dtype)])
