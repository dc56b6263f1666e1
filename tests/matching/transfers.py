"""The transfer functions that every property runs over: the table, and monotone piecewise-linear ones of all kinds."""

import torch

from pwlact.matching import (
    Arctan,
    Elu,
    LeakyRelu,
    Linear,
    PiecewiseLinear,
    Sigmoid,
    Softmax,
    Softplus,
    Step,
    Tanh,
)
from pwlact.pwl import Knots, PiecewiseLinearActivation


def activation(values, low=-3.0, high=3.0, **more):
    """A float64 activation with these knot values, shape (N,) or (G, N)."""
    values = torch.as_tensor(values, dtype=torch.float64)
    module = PiecewiseLinearActivation(Knots(values.shape[-1], low, high), **more).double()
    with torch.no_grad():
        module.values.copy_(values)
    return module


def rising(count, seed, flat=0.0, low=-3.0, high=3.0):
    """Random rising values with rises from 1e-4 to 1e2, a share `flat` of them 0."""
    generator = torch.Generator().manual_seed(seed)
    sizes = 10 ** (torch.rand(count - 1, dtype=torch.float64, generator=generator) * 4 - 3)
    sizes = torch.where(torch.rand(count - 1, generator=generator) < flat, 0.0, sizes)
    start = torch.randn(1, dtype=torch.float64, generator=generator)
    return PiecewiseLinear(activation(torch.cat([start, start + sizes.cumsum(-1)]), low, high))


SMOOTH = {
    "linear": Linear(),
    "leaky_relu": LeakyRelu(0.3),
    "steep_leaky_relu": LeakyRelu(2.0),
    "sigmoid": Sigmoid(),
    "tanh": Tanh(),
    "arctan": Arctan(),
    "softplus": Softplus(),
    "elu": Elu(),
    "elu-0.3": Elu(0.3),
}
STRICT_PIECES = {
    "pwl-2-knots": PiecewiseLinear(activation([-0.5, 1.5], -1.0, 2.0)),
    "pwl-random": rising(9, 1),
    "pwl-off-zero": rising(6, 2, low=1.0, high=4.0),
    "pwl-below-zero": rising(6, 3, low=-9.0, high=-8.0),
    "pwl-tanh": PiecewiseLinear(PiecewiseLinearActivation(start="tanh").double()),
    "pwl-steep": PiecewiseLinear(activation([-1.0, -1.0 + 1e-6, 1e3, 1e3 + 1e-6, 1e3 + 1], -1.0, 1.0)),
}
FLAT_PIECES = {
    "pwl-relu": PiecewiseLinear(PiecewiseLinearActivation(start="relu").double()),
    "pwl-hard-tanh": PiecewiseLinear(activation([-1.0, -1.0, 1.0, 1.0], -3.0, 3.0)),
    "pwl-stairs": PiecewiseLinear(activation([-2.0, -1.0, -1.0, -1.0, 0.5, 0.5, 2.0])),
    "pwl-stairs-left": PiecewiseLinear(activation([0.0, 1.0, 1.0, 1.0, 2.0], -9.0, -5.0)),
    "pwl-constant": PiecewiseLinear(activation([0.7, 0.7, 0.7])),
    "pwl-random-flat": rising(17, 4, flat=0.5),
}
STRICT = {**SMOOTH, **STRICT_PIECES}
LOOSE = {"relu": LeakyRelu(0.0), "step": Step(), **FLAT_PIECES}
ELEMENTWISE = {**STRICT, **LOOSE}
ALL = {**ELEMENTWISE, "softmax": Softmax()}


def points(count=41):
    """Pre-activations on both sides of 0, off the bends of all functions, in float64."""
    generator = torch.Generator().manual_seed(5)
    inside = torch.linspace(-5, 5, count, dtype=torch.float64)
    return inside + 0.02 * torch.rand(count, dtype=torch.float64, generator=generator) + 0.0123


def pairs():
    """Two shuffled sets of points."""
    a = points()
    return a, a[torch.randperm(len(a), generator=torch.Generator().manual_seed(6))]
